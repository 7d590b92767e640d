"""What clients are told when two servers went on without each other."""

import time


def until_both_have(alice, bob, room):
    """Returns once bob's server has what alice's sent last."""
    last = alice.send(room, "both have this")
    since = bob.sync()["next_batch"]
    end = time.monotonic() + 30
    while bob.get(f"/rooms/{room}/event/{last}").status_code != 200:
        assert time.monotonic() < end
        since = bob.sync(since, timeout=1000)["next_batch"]


def follow(client, room, since, until, **parameters):
    """What /sync tells of the room until it shows the event."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        reply = client.sync(since, timeout=1000, **parameters)
        since = reply["next_batch"]
        part = reply.get("rooms", {}).get("join", {}).get(room)
        if part:
            yield part
            if until in [event["event_id"] for event in part["timeline"]["events"]]:
                return
    raise AssertionError("the event did not come")


def test_sync_does_not_take_back_what_a_peer_had_not_heard_of(pair):
    here, there = pair
    alice, bob = here.register(), there.register()
    room = alice.create_room(preset="public_chat", power_level_content_override={"state_default": 0})
    bob.join(room, server_name=here.name)
    alice.set_state(room, "org.example.kind", {"value": "old"})
    until_both_have(alice, bob, room)

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

    state = None
    for part in follow(alice, room, since, sent):
        for event in part.get("state", {}).get("events", []) + part["timeline"]["events"]:
            if event["type"] == "org.example.kind":
                state = event["event_id"]
    assert state in (None, newest)


def test_state_after_does_not_tell_what_lost_against_a_later_event(pair):
    here, there = pair
    alice, bob = here.register(), there.register()
    room = alice.create_room(preset="public_chat", power_level_content_override={"state_default": 0})
    bob.join(room, server_name=here.name)
    until_both_have(alice, bob, room)

    here.stop()
    earlier = bob.set_state(room, "org.example.kind", {"value": "earlier"})
    there.stop()
    here.start()
    later = alice.set_state(room, "org.example.kind", {"value": "later"})
    since = alice.sync()["next_batch"]
    there.start()
    bob.set_state(room, "org.example.other", {})
    state = later
    for part in follow(alice, room, since, earlier, use_state_after="true"):
        for event in part["state_after"]["events"]:
            if event["type"] == "org.example.kind":
                state = event["event_id"]
    assert alice.get(f"/rooms/{room}/state/org.example.kind").json() == {"value": "later"}
    assert state == later
