"""What clients are told when two servers went on without each other."""

import time

import pytest

from servers import Server


@pytest.fixture
def pair(authority):
    made = [Server(authority), Server(authority)]
    yield made
    for server in made:
        server.remove()


def test_sync_does_not_take_back_what_a_peer_had_not_heard_of(pair):
    here, there = pair
    alice, bob = here.register(), there.register()
    room = alice.create_room(preset="public_chat", power_level_content_override={"state_default": 0})
    bob.join(room, server_name=here.name)
    alice.set_state(room, "org.example.kind", {"value": "old"})
    before = alice.send(room, "both have this")
    since = bob.sync()["next_batch"]
    while not bob.get(f"/rooms/{room}/event/{before}").status_code == 200:
        bob.sync(since, timeout=1000)

    there.stop()
    newest = alice.set_state(room, "org.example.kind", {"value": "new"})
    since = alice.sync()["next_batch"]
    here.stop()
    there.start()
    bob.set_state(room, "org.example.other", {})
    sent = bob.send(room, "on a branch without the new value")
    there.stop()
    here.start()
    there.start()

    state, told, end = {}, set(), time.monotonic() + 30
    while sent not in told and time.monotonic() < end:
        reply = alice.sync(since, timeout=1000)
        since = reply["next_batch"]
        part = reply.get("rooms", {}).get("join", {}).get(room, {"timeline": {"events": []}})
        for event in part.get("state", {}).get("events", []) + part["timeline"]["events"]:
            told.add(event["event_id"])
            if event["type"] == "org.example.kind":
                state = event
    assert sent in told
    assert not state or state["event_id"] == newest
