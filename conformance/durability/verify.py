"""Holds what the servers have against what they promised. Pure: no servers, no clocks; each check yields sentences.

An observation of one server is an `Observed`. Timelines begin at the room's start marker, the first event that every server has
seen live.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass
class Chain:
    """What one client learned from /sync, following `since` through everything that happened."""

    name: str
    rooms: dict = field(default_factory=dict)  # room: event IDs in their order
    state: dict = field(default_factory=dict)  # room: {(type, state key): event ID}
    account_data: dict = field(default_factory=dict)  # (room or "", type): content
    receipts: dict = field(default_factory=dict)  # (room, user): event ID


@dataclass
class Observed:
    name: str
    timelines: dict = field(default_factory=dict)  # room: events as /messages gives them, oldest first
    state: dict = field(default_factory=dict)  # room: {(type, state key): event ID}
    registers: dict = field(default_factory=dict)  # as History.registers: the value
    receipts: dict = field(default_factory=dict)  # (room, user): event ID
    chains: list = field(default_factory=list)
    rooms_of_creators: dict = field(default_factory=dict)  # (user, room): {(type, state key): content}


def ids_of(events):
    return [event["event_id"] for event in events]


def marker_of(event):
    content = event.get("content", {})
    return content.get("marker")


def check_acknowledged_once(history, observed):
    for server in observed:
        counts = {room: Counter(ids_of(events)) for room, events in server.timelines.items()}
        for send in history.acknowledged():
            found = counts.get(send.room, {}).get(send.event_id, 0)
            if found != 1:
                what = "is missing" if found == 0 else f"is there {found} times"
                yield f"{server.name}: acknowledged {send.kind} {send.marker} ({send.event_id}) of {send.user} {what} in {send.room}"


def check_nothing_doubled(history, observed):
    acknowledged = {send.marker: send.event_id for send in history.acknowledged() if send.kind in ("message", "redaction")}
    known = {send.marker for send in history.sends}
    for server in observed:
        for room, events in server.timelines.items():
            for event_id, count in Counter(ids_of(events)).items():
                if count > 1:
                    yield f"{server.name}: {event_id} is {count} times in the timeline of {room}"
            by_marker = defaultdict(set)
            for event in events:
                marker = marker_of(event)
                if marker is None or "state_key" in event:
                    continue
                if marker not in known:
                    yield f"{server.name}: {event['event_id']} in {room} has the marker {marker}, which nobody sent"
                by_marker[marker].add(event["event_id"])
            for marker, ids in by_marker.items():
                # A redacted event shows no marker, so the acknowledged one is counted even where it is not seen.
                ids = ids | ({acknowledged[marker]} if marker in acknowledged else set())
                if len(ids) > 1:
                    yield f"{server.name}: one request, {marker}, made {len(ids)} events in {room}: {', '.join(sorted(ids))}"


def check_order(history, observed):
    for server in observed:
        for room, events in server.timelines.items():
            place = {event_id: index for index, event_id in enumerate(ids_of(events))}
            last = {}
            for send in history.acknowledged(room):
                at = place.get(send.event_id)
                if at is None:
                    continue
                before = last.get((send.user, send.life))
                if before and at < before[0]:
                    yield f"{server.name}: {send.user} sent {before[1]} before {send.marker}, but {room} has them the other way round"
                if not before or at > before[0]:
                    last[send.user, send.life] = (at, send.marker)


def check_redactions(history, observed):
    for server in observed:
        content = {event["event_id"]: event.get("content") for events in server.timelines.values() for event in events}
        for send in history.acknowledged():
            if send.kind == "redaction" and content.get(send.target):
                yield f"{server.name}: {send.target} was redacted by {send.event_id}, and still has its content"


def check_chains(observed):
    for server in observed:
        for chain in server.chains:
            for room, events in server.timelines.items():
                yield from _check_chain(f"{server.name}: /sync of {chain.name} in {room}", chain.rooms.get(room, []), ids_of(events))


def _check_chain(where, seen, timeline):
    twice = [event_id for event_id, count in Counter(seen).items() if count > 1]
    if twice:
        yield f"{where} told {len(twice)} events twice, e.g. {twice[0]}"
    place = {event_id: index for index, event_id in enumerate(timeline)}
    known = [event_id for event_id in seen if event_id in place]
    # One that begins later than the timeline that is looked at has to be all of it from there on.
    begins = place[known[0]] if known and seen[0] in place else 0
    expected = timeline[begins:]
    # What came late is told when it comes, and stands before the gap that it fills: here before what was told first.
    known = [event_id for event_id in known if place[event_id] >= begins]
    told = set(seen)
    gaps = [event_id for event_id in expected if event_id not in told]
    if gaps:
        yield f"{where} left out {len(gaps)} of {len(expected)} events, e.g. {gaps[0]} (number {place[gaps[0]]})"
    invented = [event_id for event_id in seen[seen.index(known[0]):] if event_id not in place] if known else []
    if invented:
        yield f"{where} told {len(invented)} events that /messages does not have, e.g. {invented[0]}"
    if not (twice or gaps or invented) and known != expected:
        first = next((told for told, there in zip(known, expected) if told != there), expected[-1])
        yield f"{where} has another order than /messages, first at {first}"


def check_state(observed):
    for server in observed[1:]:
        for room, state in observed[0].state.items():
            yield from _compare_state(f"{observed[0].name} and {server.name} differ in {room}", state, server.state.get(room, {}))
    for server in observed:
        for chain in server.chains:
            for room, state in server.state.items():
                yield from _compare_state(f"{server.name}: what /sync told {chain.name} of the state of {room} is not /state", chain.state.get(room, {}), state)


def _compare_state(what, one, other):
    for key in sorted(set(one) | set(other)):
        if one.get(key) != other.get(key):
            yield f"{what}: {key} is {one.get(key)} and {other.get(key)}"


def check_same_events(observed):
    for server in observed[1:]:
        for room, events in observed[0].timelines.items():
            here, there = set(ids_of(events)), set(ids_of(server.timelines.get(room, [])))
            for has, lacks, missing in ((observed[0], server, here - there), (server, observed[0], there - here)):
                if missing:
                    yield f"{lacks.name} lacks {len(missing)} events of {room} that {has.name} has, e.g. {sorted(missing)[0]}"


def check_registers(history, observed):
    for key, register in history.registers.items():
        for server in observed:
            if not register.federated and server is not observed[register.server]:
                continue
            value = server.registers.get(key)
            if value not in register.allowed():
                said = register.values[register.acknowledged] if register.acknowledged >= 0 else None
                yield f"{server.name}: {' '.join(key)} is {value}; acknowledged last was {said}, tried after it {register.values[register.acknowledged + 1:]}"


def check_chain_values(observed):
    for server in observed:
        for chain in server.chains:
            for (room, user), event_id in server.receipts.items():
                told = chain.receipts.get((room, user))
                if told != event_id:
                    yield f"{server.name}: /sync told {chain.name} that {user} has read {told} in {room}; it is {event_id}"
            for key, value in server.registers.items():
                if key[0] == "account_data" and key[1] == chain.name and value != chain.account_data.get(key[2:]):
                    yield f"{server.name}: /sync told {chain.name} that {key[2:]} is {chain.account_data.get(key[2:])}; it is {value}"


WHOLE_ROOM = {("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.join_rules", ""), ("m.room.name", "")}


def check_created_rooms(history, observed):
    """A room that was acknowledged is there; one that is there is whole, acknowledged or not."""
    for server, user, room, name in history.created_rooms:
        state = observed[server].rooms_of_creators.get((user, room))
        if state is None:
            yield f"{observed[server].name}: the room {room} that {user} made is gone"
        elif state.get(("m.room.name", ""), {}).get("name") != name:
            yield f"{observed[server].name}: the room {room} that {user} made lost its name"
    for server in observed:
        for (user, room), state in server.rooms_of_creators.items():
            missing = (WHOLE_ROOM | {("m.room.member", user)}) - set(state)
            if missing:
                yield f"{server.name}: {room} of {user} was made in part: it lacks {sorted(missing)}"


def problems(history, observed):
    found = list(history.refusals)
    for check in (check_acknowledged_once, check_nothing_doubled, check_order, check_redactions, check_registers, check_created_rooms):
        found += check(history, observed)
    for check in (check_chains, check_state, check_same_events, check_chain_values):
        found += check(observed)
    return found
