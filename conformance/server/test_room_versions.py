"""Every room version, between two servers: what one does, the other comes to see, and both end with the same state."""

from urllib.parse import quote

import pytest

from servers import error, ok
from waiting import eventually

VERSIONS = [str(number) for number in range(1, 13)]


def enc(text):
    return quote(text, safe="")


def state_of(user, room):
    return {(e["type"], e["state_key"]): e["event_id"] for e in ok(user.get(f"/rooms/{enc(room)}/state"))}


def event_of(user, room, event_id):
    reply = user.get(f"/rooms/{enc(room)}/event/{enc(event_id)}")
    return reply.json() if reply.status_code == 200 else None


def membership(user, room, whom):
    reply = user.get(f"/rooms/{enc(room)}/state/m.room.member/{enc(whom)}")
    return reply.json().get("membership") if reply.status_code == 200 else None


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def shared(server, peer, version):
    """A public room of `version` on one server, with its maker, and a user of the other server who has joined."""
    alice, bob = server.register(), peer.register()
    room = alice.create_room(preset="public_chat", room_version=version)
    bob.join(room, server_name=server.name)
    assert eventually(lambda: membership(alice, room, bob.user_id) == "join")
    return alice, bob, room


def agree(alice, bob, room):
    assert eventually(lambda: state_of(alice, room) == state_of(bob, room)), (state_of(alice, room), state_of(bob, room))


def test_event_ids_have_the_form_of_the_version(shared, version, server, peer):
    alice, bob, room = shared
    for user in (alice, bob):
        event_id = user.send(room)
        if version in ("1", "2"):
            assert event_id.endswith(":" + user.server.name)
        else:
            assert len(event_id) == 44 and ":" not in event_id
        if version != "3":
            assert not set(event_id) & set("+/")


def test_messages_and_state_go_both_ways(shared, version):
    alice, bob, room = shared
    ok(alice.put(f"/rooms/{enc(room)}/state/m.room.power_levels/", {
        "users": {alice.user_id: 100, bob.user_id: 50} if version != "12" else {bob.user_id: 50}}))
    from_alice = alice.send(room, "from alice")
    assert eventually(lambda: event_of(bob, room, from_alice))["content"]["body"] == "from alice"
    from_bob = bob.send(room, "from bob")
    topic = bob.set_state(room, "m.room.topic", {"topic": "of bob"})
    assert eventually(lambda: event_of(alice, room, from_bob))["content"]["body"] == "from bob"
    assert eventually(lambda: state_of(alice, room).get(("m.room.topic", "")) == topic)
    agree(alice, bob, room)


def test_redactions_take_effect_on_both_servers(shared):
    alice, bob, room = shared
    own, others = bob.send(room, "regretted"), bob.send(room, "moderated")
    ok(bob.put(f"/rooms/{enc(room)}/redact/{enc(own)}/r1", {}))
    assert eventually(lambda: event_of(alice, room, others))
    redaction = ok(alice.put(f"/rooms/{enc(room)}/redact/{enc(others)}/r2", {"reason": "spam"}))["event_id"]
    for user in (alice, bob):
        for target in (own, others):
            assert eventually(lambda: (event_of(user, room, target) or {}).get("content") == {})
        shown = eventually(lambda: event_of(user, room, redaction))
        assert shown["redacts"] == others and shown["content"] == {"reason": "spam", "redacts": others}


def test_only_moderators_redact_what_others_sent(shared):
    alice, bob, room = shared
    target = alice.send(room, "stays")
    assert eventually(lambda: event_of(bob, room, target))
    error(bob.put(f"/rooms/{enc(room)}/redact/{enc(target)}/r1", {}), 403, "M_FORBIDDEN")


def test_kicks_and_bans_reach_the_other_server(shared):
    alice, bob, room = shared
    agree(alice, bob, room)
    ok(alice.post(f"/rooms/{enc(room)}/kick", {"user_id": bob.user_id}))
    assert eventually(lambda: membership(bob, room, bob.user_id) == "leave")
    error(bob.put(f"/rooms/{enc(room)}/send/m.room.message/x", {"msgtype": "m.text", "body": "still here"}), 403, "M_FORBIDDEN")
    bob.join(room, server_name=alice.server.name)
    assert eventually(lambda: membership(alice, room, bob.user_id) == "join")
    agree(alice, bob, room)
    ok(alice.post(f"/rooms/{enc(room)}/ban", {"user_id": bob.user_id}))
    assert eventually(lambda: membership(bob, room, bob.user_id) == "ban")
    error(bob.post(f"/join/{enc(room)}", params={"server_name": alice.server.name}), 403, "M_FORBIDDEN")
    assert membership(alice, room, bob.user_id) == "ban"
    ok(alice.post(f"/rooms/{enc(room)}/unban", {"user_id": bob.user_id}))
    bob.join(room, server_name=alice.server.name)
    agree(alice, bob, room)


def test_invites_and_leaves_over_federation(server, peer, version):
    alice, bob = server.register(), peer.register()
    room = alice.create_room(preset="private_chat", room_version=version)
    error(bob.post(f"/join/{enc(room)}", params={"server_name": server.name}), 403, "M_FORBIDDEN")
    ok(alice.post(f"/rooms/{enc(room)}/invite", {"user_id": bob.user_id}))
    assert eventually(lambda: room in bob.sync().get("rooms", {}).get("invite", {}))
    ok(bob.post(f"/rooms/{enc(room)}/leave"))
    assert eventually(lambda: membership(alice, room, bob.user_id) == "leave")
    ok(alice.post(f"/rooms/{enc(room)}/invite", {"user_id": bob.user_id}))
    assert eventually(lambda: room in bob.sync().get("rooms", {}).get("invite", {}))
    bob.join(room)
    assert eventually(lambda: membership(alice, room, bob.user_id) == "join")
    agree(alice, bob, room)
    assert bob.send(room, "thanks")


def test_servers_that_write_at_once_end_with_one_state(shared, version):
    alice, bob, room = shared
    users = {bob.user_id: 50} if version == "12" else {alice.user_id: 100, bob.user_id: 50}
    ok(alice.put(f"/rooms/{enc(room)}/state/m.room.power_levels/", {"users": users}))
    assert eventually(lambda: ("m.room.power_levels", "") in state_of(bob, room)
                      and state_of(bob, room)["m.room.power_levels", ""] == state_of(alice, room)["m.room.power_levels", ""])
    for round in range(5):
        alice.set_state(room, "m.room.name", {"name": f"alice {round}"})
        bob.set_state(room, "m.room.name", {"name": f"bob {round}"})
        bob.set_state(room, "m.room.topic", {"topic": f"bob {round}"})
    last = [alice.send(room, "last of alice"), bob.send(room, "last of bob")]
    for event_id in last:
        assert eventually(lambda: event_of(alice, room, event_id) and event_of(bob, room, event_id))
    agree(alice, bob, room)


def test_restricted_rooms_let_remote_members_in_from_version_8_on(server, peer, version):
    alice, bob = server.register(), peer.register()
    space = alice.create_room(preset="public_chat", room_version=version)
    rule = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": space}]}
    room = alice.create_room(preset="private_chat", room_version=version,
                             initial_state=[{"type": "m.room.join_rules", "content": rule}])
    error(bob.post(f"/join/{enc(room)}", params={"server_name": server.name}), 403, "M_FORBIDDEN")
    bob.join(space, server_name=server.name)
    reply = bob.post(f"/join/{enc(room)}", params={"server_name": server.name})
    if int(version) < 8:
        error(reply, 403, "M_FORBIDDEN")
        return
    ok(reply)
    agree(alice, bob, room)
    via = ok(alice.get(f"/rooms/{enc(room)}/state/m.room.member/{enc(bob.user_id)}"))["join_authorised_via_users_server"]
    assert via == alice.user_id


def test_a_third_server_takes_part_in_the_oldest_rooms(authority, server, peer):
    """Events that cite others of two servers, by ID and hash."""
    from servers import Server

    third = Server(authority)
    try:
        alice, bob, carol = server.register(), peer.register(), third.register()
        room = alice.create_room(preset="public_chat", room_version="1")
        bob.join(room, server_name=server.name)
        bob.send(room, "before carol")
        carol.join(room, server_name=peer.name)
        said = carol.send(room, "hello")
        for user in (alice, bob):
            assert eventually(lambda: event_of(user, room, said))["content"]["body"] == "hello"
        assert eventually(lambda: state_of(alice, room) == state_of(bob, room) == state_of(carol, room))
    finally:
        third.remove()
