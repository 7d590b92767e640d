"""Who is in a room, and how they came there, between two servers of different make."""

import pytest

from fake_homeserver import enc
from scene import Listener, members, wait_for_members
from servers import ok


def test_a_room_is_joined_by_its_alias_and_by_its_id(scene):
    room = scene.shared_room(name="Lobby", topic="all sorts")
    second = scene.away.register()
    second.join(room, server_name=scene.home.name, via=scene.home.name)
    state, _ = scene.agree(room, scene.maker, scene.guest, second)
    assert {("m.room.member", user.user_id) for user in (scene.maker, scene.guest, second)} <= state.keys()


def invite(scene, room, listener):
    ok(scene.maker.post(f"/rooms/{enc(room)}/invite", {"user_id": listener.user.user_id}))
    listener.until(lambda: room in listener.invites, "the invite")


def last_membership(listener, room, user):
    of_user = [event for event in listener.timelines[room] if (event["type"], event.get("state_key")) == ("m.room.member", user.user_id)]
    return of_user[-1]["content"]["membership"] if of_user else None


@pytest.mark.parametrize("server_is_there", [False, True], ids=["first_of_its_server", "not_the_first_of_its_server"])
def test_invites_are_taken_declined_and_withdrawn(scene, server_is_there):
    room = scene.room(name="Private")
    taker, decliner, unwanted = scene.guest, scene.away.register(), scene.away.register()
    if server_is_there:
        first = scene.away.register()
        invite(scene, room, Listener(first))
        first.join(room, server_name=scene.home.name, via=scene.home.name)
    watching, taking, *told = [Listener(user) for user in (scene.maker, taker, decliner, unwanted)]
    for listener in told:
        invite(scene, room, listener)
    ok(decliner.post(f"/rooms/{enc(room)}/leave"))
    ok(scene.maker.post(f"/rooms/{enc(room)}/kick", {"user_id": unwanted.user_id}))
    for listener in told:
        listener.until(lambda: room in listener.left, "that the invite is over")
        for one in (listener, watching):
            one.until(lambda: last_membership(one, room, listener.user) == "leave", "the event that ended the invite")
    invite(scene, room, taking)
    taker.join(room, server_name=scene.home.name, via=scene.home.name)
    state, _ = scene.agree(room)
    assert {("m.room.member", user.user_id) for user in (taker, decliner, unwanted)} <= state.keys()
    assert not {decliner.user_id, unwanted.user_id} & members(taker, room)


def test_members_leave_and_come_back(scene):
    room = scene.shared_room()
    both = {scene.maker.user_id, scene.guest.user_id}
    for user, other in ((scene.guest, scene.maker), (scene.maker, scene.guest)):
        ok(user.post(f"/rooms/{enc(room)}/leave"))
        wait_for_members(room, both - {user.user_id}, other)
        other.send(room, "while one was out")
        assert user.get(f"/rooms/{enc(room)}/joined_members").status_code == 403
        user.join(room, server_name=other.server.name, via=other.server.name)
        wait_for_members(room, both, scene.maker, scene.guest)
    scene.agree(room)


def test_members_are_kicked_and_banned(scene):
    room = scene.shared_room()
    both = {scene.maker.user_id, scene.guest.user_id}
    listener = Listener(scene.guest)
    ok(scene.maker.post(f"/rooms/{enc(room)}/kick", {"user_id": scene.guest.user_id, "reason": "out"}))
    listener.until(lambda: room in listener.left, "the kick")
    scene.guest.join(room, server_name=scene.home.name, via=scene.home.name)
    wait_for_members(room, both, scene.maker)
    listener.until(lambda: room not in listener.left, "the join")
    ok(scene.maker.post(f"/rooms/{enc(room)}/ban", {"user_id": scene.guest.user_id}))
    listener.until(lambda: room in listener.left, "the ban")
    assert scene.guest.post(f"/join/{enc(room)}", params={"server_name": scene.home.name, "via": scene.home.name}).status_code == 403
    assert scene.guest.put(f"/rooms/{enc(room)}/send/m.room.message/t", {"msgtype": "m.text", "body": "still here?"}).status_code == 403
    ok(scene.maker.post(f"/rooms/{enc(room)}/unban", {"user_id": scene.guest.user_id}))
    scene.guest.join(room, server_name=scene.home.name, via=scene.home.name)
    wait_for_members(room, both, scene.maker, scene.guest)
    scene.agree(room)


@pytest.mark.rooms(least=8)
@pytest.mark.parametrize("allowed_is_made", ["here", "there"])
def test_restricted_rooms_let_in_members_of_a_room_of_either_side(scene, allowed_is_made):
    owner = {"here": scene.maker, "there": scene.guest}[allowed_is_made]
    allowed = owner.create_room(preset="public_chat", room_version=scene.version)
    scene.maker.join(allowed, server_name=owner.server.name, via=owner.server.name)  # so that its server can tell who is in there
    rule = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": allowed}]}
    room = scene.room(initial_state=[{"type": "m.room.join_rules", "state_key": "", "content": rule}])
    outsider = scene.away.register()
    refused = outsider.post(f"/join/{enc(room)}", params={"server_name": scene.home.name, "via": scene.home.name})
    assert refused.status_code == 403, refused.text
    scene.guest.join(allowed, server_name=owner.server.name, via=owner.server.name)
    wait_for_members(allowed, {scene.maker.user_id, scene.guest.user_id}, scene.maker)
    scene.guest.join(room, server_name=scene.home.name, via=scene.home.name)
    state, seen = scene.agree(room)
    assert scene.maker.user_id in seen[state["m.room.member", scene.guest.user_id]][4], "who authorised it is not named"
