"""Rooms that everybody here has forgotten: gone from the database, and from what anybody is told."""

import pytest

from fake_homeserver import enc
from servers import error, ok
from waiting import wait_until


def forget(user, room):
    ok(user.post(f"/rooms/{enc(room)}/leave"))
    ok(user.post(f"/rooms/{enc(room)}/forget"))


def test_a_forgotten_room_is_closed_and_not_told_of(server):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    alice.send(room, "hello")
    error(bob.post(f"/rooms/{enc(room)}/forget"), 400, "M_UNKNOWN")
    forget(bob, room)
    everything = '{"room":{"include_leave":true}}'
    assert room not in bob.sync(filter=everything).get("rooms", {}).get("leave", {})
    for path in ("messages?dir=b", "state", "members", "joined_members"):
        error(bob.get(f"/rooms/{enc(room)}/{path}"), 403, "M_FORBIDDEN")
    ok(bob.post(f"/join/{enc(room)}"))
    assert room in bob.sync()["rooms"]["join"]


@pytest.mark.parametrize("kill", [False, True], ids=["after a stop", "after a kill in the midst of it"])
def test_a_room_all_have_forgotten_is_deleted_and_can_be_joined_anew(pair, kill):
    here, there = pair
    alice, bob = here.register(), there.register()
    room = alice.create_room(preset="public_chat")
    for number in range(300 if kill else 5):
        alice.send(room, str(number))
    bob.join(room, server_name=here.name)
    ok(bob.get(f"/rooms/{enc(room)}/messages", params={"dir": "b", "limit": 100}))
    bob.send(room, "from bob")
    forget(bob, room)
    wait_until(lambda: bob.user_id not in ok(alice.get(f"/rooms/{enc(room)}/joined_members"))["joined"])
    there.stop()
    there.reconfigure({"rooms.purge_forgotten_after_s": "0"})
    there.start()
    if kill:
        there.kill()
        there.start()
    wait_until(lambda: any("forgotten by all" in line for line in there.log) or kill)
    wait_until(lambda: bob.get(f"/directory/list/room/{enc(room)}").status_code == 404)
    bob.join(room, server_name=here.name)
    state = ok(bob.get(f"/rooms/{enc(room)}/state"))
    expected = ok(alice.get(f"/rooms/{enc(room)}/state"))
    assert {event["event_id"] for event in state} == {event["event_id"] for event in expected}
    sent = bob.send(room, "back again")
    wait_until(lambda: alice.get(f"/rooms/{enc(room)}/event/{sent}").status_code == 200)
    history = ok(bob.get(f"/rooms/{enc(room)}/messages", params={"dir": "b", "limit": 100}))["chunk"]
    assert len(history) > 5
