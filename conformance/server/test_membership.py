"""Joining, inviting, leaving, kicking, banning: what is refused, and what a change carries along."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from servers import error, ok

CHANGES = ["invite", "kick", "ban", "unban"]


def enc(text):
    return quote(text, safe="")


def member(user, room, of):
    return ok(user.get(f"/rooms/{enc(room)}/state/m.room.member/{enc(of.user_id)}", params={"format": "event"}))


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_anothers_membership_names_whom(alice, change):
    path = f"/rooms/{enc(alice.create_room())}/{change}"
    error(alice.post(path), 400, "M_MISSING_PARAM")
    error(alice.post(path, {"user_id": "nobody"}), 400, "M_INVALID_PARAM")
    error(alice.post(path, {"user_id": 5}), 400, "M_BAD_JSON")
    error(alice.post(path, "{"), 400, "M_NOT_JSON")
    error(alice.post(f"/rooms/nonsense/{change}", {"user_id": alice.user_id}), 400, "M_INVALID_PARAM")


@pytest.mark.parametrize("change", CHANGES)
def test_those_outside_change_nobodys_membership(alice, bob, change):
    carol = alice.server.register()
    room = alice.create_room()
    for one in (room, f"!none:{alice.server.name}"):
        error(bob.post(f"/rooms/{enc(one)}/{change}", {"user_id": carol.user_id}), 403, "M_FORBIDDEN")


@pytest.mark.parametrize("change, membership", [("invite", "invite"), ("kick", "leave"), ("ban", "ban")])
def test_a_change_carries_its_reason(alice, bob, change, membership):
    room = alice.create_room(preset="public_chat")
    if change != "invite":
        bob.join(room)
    assert ok(alice.post(f"/rooms/{enc(room)}/{change}", {"user_id": bob.user_id, "reason": "why"})) == {}
    event = member(alice, room, bob)
    assert event["content"]["membership"] == membership and event["content"]["reason"] == "why" and event["sender"] == alice.user_id


def test_what_is_not_so_can_not_be_undone(alice, bob):
    room = alice.create_room()
    error(alice.post(f"/rooms/{enc(room)}/kick", {"user_id": bob.user_id}), 403, "M_FORBIDDEN")
    error(alice.post(f"/rooms/{enc(room)}/unban", {"user_id": bob.user_id}), 403, "M_FORBIDDEN")


def test_an_invite_is_withdrawn_by_a_kick_and_refused_by_leaving(alice, bob):
    room = alice.create_room(invite=[bob.user_id])
    ok(alice.post(f"/rooms/{enc(room)}/kick", {"user_id": bob.user_id}))
    error(bob.post(f"/rooms/{enc(room)}/join"), 403, "M_FORBIDDEN")
    ok(alice.post(f"/rooms/{enc(room)}/invite", {"user_id": bob.user_id}))
    ok(bob.post(f"/rooms/{enc(room)}/leave", {"reason": "no, thanks"}))
    assert member(alice, room, bob)["content"] == {"membership": "leave", "reason": "no, thanks"}


def test_joining_carries_its_reason_and_is_done_once(alice, bob):
    room = alice.create_room(preset="public_chat")
    assert ok(bob.post(f"/rooms/{enc(room)}/join", {"reason": "to see"})) == {"room_id": room}
    first = member(alice, room, bob)
    assert first["content"]["reason"] == "to see"
    assert ok(bob.post(f"/join/{enc(room)}")) == {"room_id": room}
    assert member(alice, room, bob)["event_id"] == first["event_id"]


def test_clients_may_leave_out_the_body(alice, bob):
    room = alice.create_room(preset="public_chat")
    for path in (f"/join/{enc(room)}", f"/rooms/{enc(room)}/leave", f"/rooms/{enc(room)}/join", f"/rooms/{enc(room)}/leave", f"/rooms/{enc(room)}/forget"):
        ok(bob.request("POST", path))


def test_joining_is_refused_that_makes_no_sense(alice):
    room = enc(alice.create_room())
    for path in ("/join/nonsense", "/rooms/nonsense/join", "/rooms/nonsense/leave", "/rooms/nonsense/forget"):
        error(alice.post(path), 400, "M_INVALID_PARAM")
    for path in (f"/join/{room}", f"/rooms/{room}/join", f"/rooms/{room}/leave"):
        error(alice.post(path, "{"), 400, "M_NOT_JSON")
        error(alice.post(path, {"reason": 5}), 400, "M_BAD_JSON")
    error(alice.post(f"/join/{room}", params={"via": "not a name"}), 400, "M_INVALID_PARAM")
    error(alice.post(f"/join/{enc('#none:' + alice.server.name)}"), 404, "M_NOT_FOUND")


def test_rooms_one_has_nothing_to_do_with_are_neither_left_nor_forgotten(alice, bob):
    theirs, unknown = enc(alice.create_room()), enc(f"!none:{alice.server.name}")
    error(bob.post(f"/rooms/{theirs}/leave"), 403, "M_FORBIDDEN")
    error(bob.post(f"/rooms/{unknown}/leave"), 404, "M_NOT_FOUND")
    for room in (theirs, unknown):
        error(bob.post(f"/rooms/{room}/forget"), 404, "M_NOT_FOUND")


def test_bans_end_with_unban_alone(alice, bob):
    room = alice.create_room(preset="public_chat")
    ok(alice.post(f"/rooms/{enc(room)}/ban", {"user_id": bob.user_id}))
    error(alice.post(f"/rooms/{enc(room)}/invite", {"user_id": bob.user_id}), 403, "M_FORBIDDEN")
    error(bob.post(f"/join/{enc(room)}"), 403, "M_FORBIDDEN")
    ok(alice.post(f"/rooms/{enc(room)}/unban", {"user_id": bob.user_id}))
    assert member(alice, room, bob)["content"]["membership"] == "leave"
    bob.join(room)


def test_who_blocks_invites_gets_none_and_sees_none_of_those_before(server, alice, bob):
    before = alice.create_room(invite=[bob.user_id])
    since = bob.sync()["next_batch"]
    config = f"/user/{bob.user_id}/account_data/m.invite_permission_config"
    ok(bob.put(config, {"default_action": "block"}))
    room = alice.create_room()
    error(alice.post(f"/rooms/{enc(room)}/invite", {"user_id": bob.user_id}), 403, "M_INVITE_BLOCKED")
    error(alice.put(f"/rooms/{enc(room)}/state/m.room.member/{enc(bob.user_id)}", {"membership": "invite"}), 403, "M_INVITE_BLOCKED")
    alone = alice.create_room(invite=[bob.user_id])
    assert set(ok(alice.get(f"/rooms/{enc(alone)}/joined_members"))["joined"]) == {alice.user_id}
    assert "invite" not in bob.sync(since).get("rooms", {}) and "invite" not in bob.sync().get("rooms", {})
    away = bob.sync(since)["next_batch"]
    ok(bob.put(config, {}))
    assert before in bob.sync(away)["rooms"]["invite"]
    ok(alice.post(f"/rooms/{enc(room)}/invite", {"user_id": bob.user_id}))
    assert {room, before} <= set(bob.sync()["rooms"]["invite"])


def test_who_joins_or_leaves_many_times_at_once_does_so_once(server, alice):
    room = alice.create_room(preset="public_chat")
    bob = server.register()
    since = alice.sync()["next_batch"]
    with ThreadPoolExecutor(8) as pool:
        for what in ("join", "leave"):
            replies = list(pool.map(lambda _: bob.post(f"/rooms/{enc(room)}/{what}"), range(8)))
            assert [reply.status_code for reply in replies] == [200] * 8
    shown = alice.sync(since)["rooms"]["join"][room]["timeline"]["events"]
    assert [event["content"]["membership"] for event in shown] == ["join", "leave"]
