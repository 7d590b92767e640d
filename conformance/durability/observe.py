"""Asks a server, after everything is over, what it has."""

from connection import Connection, path_of
from verify import Observed

START = "org.example.start"
EVERYTHING = "/_matrix/client/v3/sync?timeout=0&filter=%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:1%7D%7D%7D"


def timeline(connection, room):
    """All of a room since its start marker, oldest first."""
    events, at = [], ""
    while at is not None:
        reply = connection.until_answered("GET", path_of("rooms", room, "messages") + f"?dir=b&limit=500{at}")
        for event in reply["chunk"]:
            events.append(event)
            if event["type"] == START:
                return events[::-1]
        at = f"&from={reply['end']}" if "end" in reply else None
    return events[::-1]


def state(connection, room):
    return {(event["type"], event["state_key"]): event for event in connection.until_answered("GET", path_of("rooms", room, "state"))}


def state_ids(connection, room):
    return {key: event["event_id"] for key, event in state(connection, room).items()}


def receipts(connection, rooms):
    found = {}
    joined = connection.until_answered("GET", EVERYTHING).get("rooms", {}).get("join", {})
    for room in rooms:
        for event in joined.get(room, {}).get("ephemeral", {}).get("events", []):
            if event["type"] == "m.receipt":
                found.update({(room, user): event_id for event_id, types in event["content"].items() for user in types.get("m.read", {})})
    return found


def account_data(connection, user):
    """(room or "", type): marker."""
    reply = connection.until_answered("GET", EVERYTHING)
    found = {("", event["type"]): event["content"].get("marker") for event in reply.get("account_data", {}).get("events", [])}
    for room, part in reply.get("rooms", {}).get("join", {}).items():
        found.update({(room, event["type"]): event["content"].get("marker") for event in part.get("account_data", {}).get("events", [])})
    return found


def observe(index, server, users, rooms, syncers, roamers):
    """`users`: the server's users whose registers count; the first is in all rooms."""
    watcher = Connection(server, users[0].token)
    seen = Observed(f"server {index} ({server.name})")
    for room in rooms:
        seen.timelines[room] = timeline(watcher, room)
        now = state(watcher, room)
        seen.state[room] = {key: event["event_id"] for key, event in now.items()}
        for (kind, key), event in now.items():
            if kind == "org.example.counter":
                seen.registers["state", key, room] = event["content"]["marker"]
            if kind == "m.room.member":
                seen.registers["membership", key, room] = event["content"]["membership"]
    seen.receipts = receipts(watcher, rooms)
    seen.registers.update({("receipt", user, room): event for (room, user), event in seen.receipts.items()})
    for user in users:
        for (room, kind), marker in account_data(Connection(server, user.token), user.user_id).items():
            seen.registers["account_data", user.user_id, room, kind] = marker
    seen.chains = [syncer.chain for syncer in syncers]
    for user in roamers:
        own = Connection(server, user.token)
        for room in own.until_answered("GET", path_of("joined_rooms"))["joined_rooms"]:
            if room not in rooms:
                seen.rooms_of_creators[user.user_id, room] = {key: event["content"] for key, event in state(own, room).items()}
    return seen
