"""Room aliases, and the list of public rooms."""

import time
from urllib.parse import quote

import pytest

from servers import error, ok


def enc(text):
    return quote(text, safe="")


def new_alias(server):
    return f"#alias{time.time_ns()}:{server.name}"


def directory(alias):
    return f"/directory/room/{enc(alias)}"


def test_aliases_are_made_resolved_and_removed(alice, bob):
    room = alice.create_room()
    alias = new_alias(alice.server)
    error(alice.get(directory(alias)), 404, "M_NOT_FOUND")
    ok(alice.put(directory(alias), {"room_id": room}))
    error(alice.put(directory(alias), {"room_id": room}), 409, "M_UNKNOWN")
    assert ok(bob.get(directory(alias))) == {"room_id": room, "servers": [alice.server.name]}
    assert ok(alice.server.anonymous().get(directory(alias)))["room_id"] == room
    assert ok(alice.get(f"/rooms/{enc(room)}/aliases")) == {"aliases": [alias]}
    error(bob.delete(directory(alias)), 403, "M_FORBIDDEN")
    assert ok(alice.delete(directory(alias))) == {}
    error(alice.get(directory(alias)), 404, "M_NOT_FOUND")
    error(alice.delete(directory(alias)), 404, "M_NOT_FOUND")


def test_aliases_are_refused_that_can_not_be(alice):
    room = alice.create_room()
    alias = new_alias(alice.server)
    error(alice.put(directory("#x:elsewhere.example"), {"room_id": room}), 400, "M_INVALID_PARAM")
    error(alice.put(directory("nonsense"), {"room_id": room}), 400, "M_INVALID_PARAM")
    error(alice.put(directory(alias), {}), 400, "M_MISSING_PARAM")
    error(alice.put(directory(alias), {"room_id": "nonsense"}), 400, "M_INVALID_PARAM")
    error(alice.put(directory(alias), {"room_id": 5}), 400, "M_BAD_JSON")
    error(alice.put(directory(alias), {"room_id": "!none:" + alice.server.name}), 404, "M_NOT_FOUND")
    for ask in (alice.get, alice.delete):
        error(ask(directory("nonsense")), 400, "M_INVALID_PARAM")
    error(alice.delete(directory("#x:elsewhere.example")), 400, "M_INVALID_PARAM")


def test_aliases_of_other_servers_are_asked_of_them(server, peer, alice):
    carol = peer.register()
    alias = new_alias(peer)
    room = carol.create_room(preset="public_chat", room_alias_name=alias[1:].split(":")[0])
    assert ok(alice.get(directory(alias))) == {"room_id": room, "servers": [peer.name]}
    error(alice.get(directory(new_alias(peer))), 404, "M_NOT_FOUND")
    assert alice.join(alias) == room


def test_a_moderator_may_remove_the_alias_of_another(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    alias = new_alias(alice.server)
    ok(bob.put(directory(alias), {"room_id": room}))
    ok(alice.delete(directory(alias)))
    error(bob.get(directory(alias)), 404, "M_NOT_FOUND")


def test_a_room_is_given_names_by_its_members(alice, bob):
    room = alice.create_room(preset="public_chat")
    error(bob.put(directory(new_alias(bob.server)), {"room_id": room}), 403, "M_FORBIDDEN")
    bob.join(room)
    ok(bob.put(directory(new_alias(bob.server)), {"room_id": room}))
    ok(bob.post(f"/rooms/{enc(room)}/leave"))
    error(bob.put(directory(new_alias(bob.server)), {"room_id": room}), 403, "M_FORBIDDEN")


def test_the_aliases_of_a_room_are_for_its_members(alice, bob):
    room = alice.create_room()
    path = f"/rooms/{enc(room)}/aliases"
    error(bob.get(path), 403, "M_FORBIDDEN")
    error(bob.get("/rooms/nonsense/aliases"), 400, "M_INVALID_PARAM")
    alice.set_state(room, "m.room.history_visibility", {"history_visibility": "world_readable"})
    assert ok(bob.get(path)) == {"aliases": []}


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_rooms_are_created_listed_or_not(alice, visibility):
    room = alice.create_room(visibility=visibility)
    assert ok(alice.server.anonymous().get(f"/directory/list/room/{enc(room)}")) == {"visibility": visibility}


def test_listing_is_changed_by_those_who_may(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    path = f"/directory/list/room/{enc(room)}"
    assert ok(bob.get(path)) == {"visibility": "private"}
    error(bob.put(path, {"visibility": "public"}), 403, "M_FORBIDDEN")
    assert ok(alice.put(path, {})) == {}  # public is what is meant
    assert ok(bob.get(path)) == {"visibility": "public"}
    ok(alice.put(path, {"visibility": "private"}))
    assert ok(bob.get(path)) == {"visibility": "private"}
    error(alice.put(path, {"visibility": "secret"}), 400, "M_INVALID_PARAM")
    error(alice.put(path, {"visibility": 1}), 400, "M_BAD_JSON")
    unknown = f"/directory/list/room/{enc('!none:' + alice.server.name)}"
    error(alice.get(unknown), 404, "M_NOT_FOUND")
    error(alice.put(unknown, {}), 404, "M_NOT_FOUND")
    for ask in (alice.get("/directory/list/room/nonsense"), alice.put("/directory/list/room/nonsense", {})):
        error(ask, 400, "M_INVALID_PARAM")
