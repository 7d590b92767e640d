"""Users on a Causeway and on a Synapse, what they are told, and what both servers must agree on."""

import json
import os
import signal
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from fake_homeserver import enc
from faults import descendants
from servers import Server, ok
from waiting import wait_until

DEADLINE = float(os.environ.get("INTEROP_DEADLINE", 60))
FILTER = json.dumps({"room": {"timeline": {"limit": 100}}, "presence": {"types": []}})


class Scene:
    """`home` is the server where rooms are made, by `maker`; `away` is the other, where `guest` is."""

    def __init__(self, home, away, version):
        self.home, self.away, self.version = home, away, version
        self.maker, self.guest = home.register(), away.register()

    def room(self, **options):
        """A private room of the maker's."""
        return self.maker.create_room(room_version=self.version, **options)

    def alias(self):
        return f"#{self.maker.user_id[1:].split(':')[0]}-{time.time_ns()}:{self.home.name}"

    def shared_room(self, **options):
        """A public room of the maker's that the guest joined by its alias."""
        alias = self.alias()
        room = self.room(preset="public_chat", room_alias_name=alias[1:].split(":")[0], **options)
        assert self.guest.join(alias) == room
        return room

    def agree(self, room, *users, but_for=None, seconds=DEADLINE):
        """Until the users (the maker and the guest) see one state and the same messages there. Returns both. Messages of `but_for`
        don't count: who loses a power while he uses it, has his server show what others heard of too late to believe."""
        users = users or (self.maker, self.guest)
        seen = []

        def counting(events):
            return {event: what for event, what in events.items() if but_for is None or what[2] != but_for.user_id}

        def agreed():
            seen[:] = [(state(user, room), counting(visible(user, room))) for user in users]
            return all(one == seen[0] for one in seen)

        wait_until(agreed, seconds, lambda: disagreement(*seen[0], *next(one for one in seen if one != seen[0])), pause=0.2)
        return seen[0]


def state(user, room):
    """{(type, state_key): event ID}"""
    return {(event["type"], event["state_key"]): event["event_id"] for event in ok(user.get(f"/rooms/{enc(room)}/state"))}


def visible(user, room):
    """{event ID: what it is to a client}, paging from the newest event to the room's beginning."""
    found, token = {}, None
    while True:
        page = ok(user.get(f"/rooms/{enc(room)}/messages", params={"dir": "b", "limit": 100, **({"from": token} if token else {})}))
        found.update((event["event_id"], essence(event)) for event in page["chunk"])
        if page.get("end") in (None, token):
            return found
        token = page["end"]


def essence(event):
    """What every server must tell of it. Where `redacts` stands depends on the version, and servers show it in both places."""
    content = {key: value for key, value in event["content"].items() if key != "redacts"}
    redacts = event.get("redacts") or event["content"].get("redacts")
    return event["type"], event.get("state_key"), event["sender"], event["origin_server_ts"], json.dumps(content, sort_keys=True), redacts


def disagreement(state_a, visible_a, state_b, visible_b):
    lines = [f"state {key}: {state_a.get(key)} and {state_b.get(key)}" for key in sorted(state_a.keys() | state_b.keys()) if state_a.get(key) != state_b.get(key)]
    lines += [f"event {key}: {visible_a.get(key)} and {visible_b.get(key)}" for key in visible_a.keys() | visible_b.keys() if visible_a.get(key) != visible_b.get(key)]
    return f"{len(lines)} differences\n" + "\n".join(lines[:30])


class Listener:
    """A client that follows /sync from now on and fills the gaps it is told of, as clients do."""

    def __init__(self, user):
        self.user = user
        self.since = user.sync(filter=FILTER)["next_batch"]
        self.timelines = defaultdict(list)  # of each room: its events, in the order told
        self.ephemeral = defaultdict(dict)  # of each room: type: the last such event's content
        self.invites, self.left = {}, {}  # rooms, as last told

    def step(self, timeout=1000):
        told = self.user.sync(self.since, timeout=timeout, filter=FILTER)
        self.since = told["next_batch"]
        rooms = told.get("rooms", {})
        for room, update in rooms.get("invite", {}).items():
            self.invites[room] = update["invite_state"]["events"]
            self.left.pop(room, None)
        for kind in ("join", "leave"):
            for room, update in rooms.get(kind, {}).items():
                self.invites.pop(room, None)
                self._take_timeline(room, update.get("timeline", {}))
                for event in update.get("ephemeral", {}).get("events", []):
                    self.ephemeral[room][event["type"]] = event["content"]
                if kind == "leave":
                    self.left[room] = update
                else:
                    self.left.pop(room, None)

    def _take_timeline(self, room, timeline):
        events = self.timelines[room]
        before = self._gap(room, timeline["prev_batch"]) if timeline.get("limited") else []
        known = {event["event_id"] for event in events}
        events += [event for event in before + timeline.get("events", []) if event["event_id"] not in known]

    def _gap(self, room, token):
        """What lies between what was told before and a limited timeline."""
        known, found = {event["event_id"] for event in self.timelines[room]}, []
        while token:
            page = ok(self.user.get(f"/rooms/{enc(room)}/messages", params={"dir": "b", "limit": 100, "from": token}))
            for event in page["chunk"]:
                if event["event_id"] in known:
                    return found
                found.insert(0, event)
            token = page.get("end") if page.get("end") != token else None
        return found

    def until(self, condition, what, seconds=DEADLINE):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{self.user.user_id} was not told: {what}"
            self.step()

    def until_told(self, room, *events):
        """Each of these event IDs, once."""
        self.until(lambda: set(events) <= set(self.told(room)), f"{len(events)} events")
        assert len(self.told(room)) == len(set(self.told(room)))

    def told(self, room):
        return [event["event_id"] for event in self.timelines[room]]


def at_once(*actions):
    """Their results, or raises what one raised."""
    with ThreadPoolExecutor(len(actions)) as pool:
        return [future.result() for future in [pool.submit(action) for action in actions]]


def members(user, room):
    return set(ok(user.get(f"/rooms/{enc(room)}/joined_members"))["joined"])


def wait_for_members(room, wanted, *users):
    for user in users:
        wait_until(lambda: members(user, room) == wanted, why=lambda: f"{user.user_id} sees {members(user, room)}", pause=0.1)


def has_event(user, room, event):
    return user.get(f"/rooms/{enc(room)}/event/{enc(event)}").status_code == 200


def signal_all(server, number):
    """To all processes of a server."""
    pids = descendants(server.process.pid) if isinstance(server, Server) else [server.process.pid]
    for pid in pids:
        os.kill(pid, number)


def freeze(server):
    signal_all(server, signal.SIGSTOP)


def thaw(server):
    signal_all(server, signal.SIGCONT)
