"""What users see of rooms that fake homeservers take part in, and what /metrics counts."""

import contextlib
import json
import time

from fake_homeserver import enc
from servers import ok

VERSIONS = ["10", "11", "12"]


def public_room(user, **options):
    return user.create_room(preset="public_chat", **options)


@contextlib.contextmanager
def counted(server, name, by=1, **labels):
    """What happens within is counted."""
    before = server.count(name, **labels)
    yield
    assert server.count(name, **labels) >= before + by, (name, labels)


def timeline(user, room):
    """IDs and events that /messages shows, the newest first."""
    chunk = ok(user.get(f"/rooms/{enc(room)}/messages", params={"dir": "b", "limit": 100}))["chunk"]
    return {event["event_id"]: event for event in chunk}


def is_shown(user, room, event):
    """By any of the ways to see an event."""
    fetched = user.get(f"/rooms/{enc(room)}/event/{enc(event)}")
    in_sync = user.sync(filter=json.dumps({"room": {"timeline": {"limit": 100}}}))["rooms"]["join"][room]["timeline"]["events"]
    shown = {fetched.status_code == 200, event in timeline(user, room), event in [one["event_id"] for one in in_sync]}
    assert len(shown) == 1, f"{event}: shown by some only"
    return shown.pop()


def still_takes_part(fake, server, room, user):
    """A good event of the fake arrives: whatever went before did no harm."""
    event = room.message("and on it goes")
    made = room.add(event)
    assert fake.send(server, event) == {made: {}}
    assert is_shown(user, room.id, made)


def wait_until_shown(user, room, event, seconds=60):
    since, end = None, time.monotonic() + seconds
    while user.get(f"/rooms/{enc(room)}/event/{enc(event)}").status_code != 200:
        assert time.monotonic() < end, f"{event} did not come"
        since = user.sync(since, timeout=1000)["next_batch"]


def state_of(user, room):
    return {(event["type"], event["state_key"]): event for event in ok(user.get(f"/rooms/{enc(room)}/state"))}
