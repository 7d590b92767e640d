"""POST /rooms/{roomId}/upgrade: what the new room takes over, what becomes of the old one, what members find."""

import itertools
import threading
import time

import pytest
import requests

from servers import Server, error, ok

_numbers = itertools.count()

VERSIONS = [str(number) for number in range(1, 13)]


def upgrade(user, room, version, **more):
    return user.post(f"/rooms/{room}/upgrade", {"new_version": version, **more})


def state(user, room):
    return {(event["type"], event["state_key"]): event for event in ok(user.get(f"/rooms/{room}/state"))}


@pytest.fixture(scope="module")
def alice(server):
    return server.register()


def test_the_new_room_takes_over_what_the_old_one_was(server, alice):
    bob = server.register()
    alias = f"#upgraded-{alice.user_id[1:].split(':')[0]}:{server.name}"
    room = alice.create_room(room_version="11", preset="public_chat", name="Lobby", topic="Talk", room_alias_name=alias[1:].split(":")[0],
                             creation_content={"type": "org.example.kind", "m.federate": False},
                             power_level_content_override={"users": {alice.user_id: 100, bob.user_id: 60}, "kick": 55})
    bob.join(room)
    alice.set_state(room, "m.room.history_visibility", {"history_visibility": "joined"})
    alice.set_state(room, "m.room.server_acl", {"allow": ["*"], "deny": ["bad.example"]})
    alice.send(room, "the last word")
    new = ok(upgrade(alice, room, "12"))["replacement_room"]

    there = state(alice, new)
    create = there["m.room.create", ""]["content"]
    assert create["room_version"] == "12" and create["type"] == "org.example.kind" and create["m.federate"] is False
    assert create["predecessor"] == {"room_id": room}, "version 12 needs no event of the old room"
    assert there["m.room.name", ""]["content"] == {"name": "Lobby"}
    assert there["m.room.topic", ""]["content"]["topic"] == "Talk"
    assert there["m.room.join_rules", ""]["content"]["join_rule"] == "public"
    assert there["m.room.history_visibility", ""]["content"] == {"history_visibility": "joined"}
    assert there["m.room.server_acl", ""]["content"]["deny"] == ["bad.example"]
    levels = there["m.room.power_levels", ""]["content"]
    assert levels["users"] == {bob.user_id: 60} and levels["kick"] == 55, "a creator of version 12 may not be listed"
    assert ("m.room.member", bob.user_id) not in there
    assert ok(alice.get(f"/directory/room/{alias.replace('#', '%23')}"))["room_id"] == new

    here = state(alice, room)
    assert here["m.room.tombstone", ""]["content"]["replacement_room"] == new
    levels = here["m.room.power_levels", ""]["content"]
    assert levels["events_default"] >= 50 and levels["invite"] >= 50
    bob.join(new)


@pytest.mark.parametrize("old, new", [pair for pair in itertools.product(VERSIONS, VERSIONS)])
def test_every_version_can_be_upgraded_to_every_version(alice, old, new):
    room = alice.create_room(room_version=old, preset="trusted_private_chat", name="Any")
    replacement = ok(upgrade(alice, room, new))["replacement_room"]
    there = state(alice, replacement)
    assert there["m.room.create", ""]["content"].get("room_version", "1") == new
    assert there["m.room.name", ""]["content"] == {"name": "Any"}
    levels = there["m.room.power_levels", ""]["content"].get("users", {})
    assert levels == ({} if new == "12" else {alice.user_id: 100})
    assert alice.send(replacement)


def test_levels_written_as_strings_become_numbers(alice):
    room = alice.create_room(room_version="9", power_level_content_override={"events_default": "0", "users": {alice.user_id: "100"}})
    levels = state(alice, ok(upgrade(alice, room, "11"))["replacement_room"])["m.room.power_levels", ""]["content"]
    assert levels["events_default"] == 0 and levels["users"] == {alice.user_id: 100}


@pytest.mark.parametrize("old, new", [("9", "11"), ("5", "10"), ("9", "12"), ("5", "8")])
def test_high_levels_are_carried_in_whatever_form_they_were_written(alice, old, new):
    override = {"users": {alice.user_id: "500"}, "ban": "250", "events": {"m.room.name": "300"}, "state_default": "40", "invite": "60"}
    room = alice.create_room(room_version=old, power_level_content_override=override)
    levels = state(alice, ok(upgrade(alice, room, new))["replacement_room"])["m.room.power_levels", ""]["content"]
    as_numbers = {key: int(levels[key]) for key in ("ban", "state_default", "invite")}
    assert as_numbers == {"ban": 250, "state_default": 40, "invite": 60} and int(levels["events"]["m.room.name"]) == 300
    assert levels["users"] == ({} if new == "12" else {alice.user_id: 500})
    quiet = state(alice, room)["m.room.power_levels", ""]["content"]
    assert (quiet["events_default"], quiet["invite"]) == (50, 60)


@pytest.mark.parametrize("version", ["1", "6", "11"])
def test_an_earlier_version_names_the_tombstone_as_the_old_rooms_end(alice, version):
    room = alice.create_room(room_version="10")
    new = ok(upgrade(alice, room, version))["replacement_room"]
    end = state(alice, room)["m.room.tombstone", ""]
    assert state(alice, new)["m.room.create", ""]["content"]["predecessor"] == {"room_id": room, "event_id": end["event_id"]}
    assert end["content"]["replacement_room"] == new


@pytest.mark.parametrize("version", ["11", "12"])
def test_the_new_room_goes_by_the_old_ones_names(server, alice, version):
    room = alice.create_room(room_version="11", room_alias_name=f"names{version}-{next(_numbers)}")
    main = state(alice, room)["m.room.canonical_alias", ""]["content"]["alias"]
    second, unnamed, elsewhere = (f"#{name}{version}-{next(_numbers)}:{server.name}" for name in ("second", "unnamed", "elsewhere"))
    for alias in (second, unnamed):
        ok(alice.put(f"/directory/room/{alias.replace('#', '%23')}", {"room_id": room}))
    # Gone from the directory since: it leads nowhere, and so it is not the new room's.
    ok(alice.put(f"/directory/room/{elsewhere.replace('#', '%23')}", {"room_id": room}))
    alice.set_state(room, "m.room.canonical_alias", {"alias": main, "alt_aliases": [second, elsewhere], "org.example": 1})
    ok(alice.delete(f"/directory/room/{elsewhere.replace('#', '%23')}"))
    new = ok(upgrade(alice, room, version))["replacement_room"]
    assert state(alice, new)["m.room.canonical_alias", ""]["content"] == {"alias": main, "alt_aliases": [second]}
    assert state(alice, room)["m.room.canonical_alias", ""]["content"] == {"alt_aliases": [elsewhere], "org.example": 1}
    assert set(ok(alice.get(f"/rooms/{new}/aliases"))["aliases"]) == {main, second, unnamed}
    assert ok(alice.get(f"/rooms/{room}/aliases"))["aliases"] == []


def test_a_room_without_a_name_gets_none_by_its_upgrade(alice):
    room = alice.create_room()
    new = ok(upgrade(alice, room, "11"))["replacement_room"]
    assert ("m.room.canonical_alias", "") not in {**state(alice, room), **state(alice, new)}


def test_who_asks_again_is_told_the_same_room(server, alice):
    """An answer may be lost on its way."""
    bob, carol = server.register(), server.register()
    room = alice.create_room(preset="trusted_private_chat", room_version="10", invite=[bob.user_id])
    bob.join(room)
    first = ok(upgrade(alice, room, "12"))["replacement_room"]
    tombstone = state(alice, room)["m.room.tombstone", ""]["event_id"]
    assert ok(upgrade(alice, room, "12"))["replacement_room"] == first
    assert state(alice, room)["m.room.tombstone", ""]["event_id"] == tombstone
    other = ok(upgrade(alice, room, "12", additional_creators=[carol.user_id]))["replacement_room"]
    ok(alice.post(f"/rooms/{other}/leave"))
    again = ok(upgrade(alice, room, "12", additional_creators=[carol.user_id]))["replacement_room"]
    assert again not in (first, other), "nobody gets a room back that they left"
    assert ok(upgrade(bob, room, "12", additional_creators=[carol.user_id]))["replacement_room"] != again, "another user's wish is another room"


def replacements_of(user, room):
    rooms = ok(user.get("/joined_rooms"))["joined_rooms"]
    return [candidate for candidate in rooms if state(user, candidate)["m.room.create", ""]["content"].get("predecessor", {}).get("room_id") == room]


def test_a_killed_server_leaves_no_room_half_replaced(authority):
    server = Server(authority)
    try:
        alice = server.register()
        for attempt in range(6):
            version = ("11", "12")[attempt % 2]
            alias = f"half{attempt}"
            room = alice.create_room(name="Lobby", room_alias_name=alias)
            asked = threading.Thread(target=lambda: attempt_to(upgrade, alice, room, version))
            asked.start()
            time.sleep(0.004 * attempt)
            server.kill()
            asked.join()
            server.start()
            here, made = state(alice, room), replacements_of(alice, room)
            led_to = ok(alice.get(f"/directory/room/%23{alias}:{server.name}"))["room_id"]
            if ("m.room.tombstone", "") in here:
                assert made == [here["m.room.tombstone", ""]["content"]["replacement_room"]] == [led_to]
            else:
                assert made == [] and led_to == room
            new = ok(upgrade(alice, room, version))["replacement_room"]
            assert replacements_of(alice, room) == [new]
    finally:
        server.remove()


def attempt_to(act, *arguments):
    try:
        act(*arguments)
    except requests.RequestException:
        pass  # the server was killed


def test_a_new_version_reserves_replacing_it_to_its_creators(alice):
    room = alice.create_room(room_version="10", power_level_content_override={"events": {}})
    levels = state(alice, ok(upgrade(alice, room, "12"))["replacement_room"])["m.room.power_levels", ""]["content"]
    assert levels["events"]["m.room.tombstone"] > levels["state_default"]


def test_a_moderator_who_may_replace_the_room_is_no_more_than_that_afterwards(server, alice):
    bob = server.register()
    room = alice.create_room(room_version="10", preset="public_chat")
    bob.join(room)
    levels = state(alice, room)["m.room.power_levels", ""]["content"]
    levels["users"][bob.user_id] = 50
    levels["events"]["m.room.tombstone"] = 50
    alice.set_state(room, "m.room.power_levels", levels)
    new = ok(upgrade(bob, room, "10"))["replacement_room"]
    assert state(bob, new)["m.room.power_levels", ""]["content"]["users"] == {alice.user_id: 100, bob.user_id: 50}


def test_a_join_rule_the_new_version_does_not_know_closes_the_room(alice):
    rules = {"join_rule": "knock_restricted", "allow": []}
    room = alice.create_room(room_version="10", initial_state=[{"type": "m.room.join_rules", "state_key": "", "content": rules}])
    for version, expected in (("9", "restricted"), ("7", "knock"), ("6", "invite"), ("12", "knock_restricted")):
        new = ok(upgrade(alice, room, version))["replacement_room"]
        assert state(alice, new)["m.room.join_rules", ""]["content"]["join_rule"] == expected


def test_additional_creators_are_those_named(server, alice):
    bob, carol = server.register(), server.register()
    room = alice.create_room(room_version="12", creation_content={"additional_creators": [bob.user_id]})
    new = ok(upgrade(alice, room, "12", additional_creators=[carol.user_id]))["replacement_room"]
    assert state(alice, new)["m.room.create", ""]["content"]["additional_creators"] == [carol.user_id]
    old = ok(upgrade(alice, room, "11", additional_creators=[carol.user_id]))["replacement_room"]
    there = state(alice, old)
    assert "additional_creators" not in there["m.room.create", ""]["content"]
    assert there["m.room.power_levels", ""]["content"]["users"] == {alice.user_id: 100, bob.user_id: 100}


def test_a_space_keeps_what_it_holds(server, alice):
    child = alice.create_room()
    space = alice.create_room(creation_content={"type": "m.space"})
    alice.set_state(space, "m.space.child", {"via": [server.name]}, child)
    new = ok(upgrade(alice, space, "12"))["replacement_room"]
    assert state(alice, new)["m.space.child", child]["content"] == {"via": [server.name]}


def test_members_find_their_tags_and_direct_chats_again(server, alice):
    bob = server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    for user, other in ((alice, bob), (bob, alice)):
        ok(user.put(f"/user/{user.user_id}/rooms/{room}/account_data/m.tag", {"tags": {"m.favourite": {"order": 0.5}}}))
        ok(user.put(f"/user/{user.user_id}/account_data/m.direct", {other.user_id: [room]}))
    new = ok(upgrade(alice, room, "12"))["replacement_room"]
    since = bob.sync()["next_batch"]
    bob.join(new)
    for user, other in ((alice, bob), (bob, alice)):
        assert ok(user.get(f"/user/{user.user_id}/rooms/{new}/account_data/m.tag")) == {"tags": {"m.favourite": {"order": 0.5}}}
        assert ok(user.get(f"/user/{user.user_id}/account_data/m.direct")) == {other.user_id: [room, new]}
    assert [event["type"] for event in bob.sync(since)["account_data"]["events"]] == ["m.direct"]


def test_errors(server, alice):
    bob = server.register()
    room = alice.create_room(preset="public_chat")
    error(upgrade(bob, room, "12"), 403, "M_FORBIDDEN")
    bob.join(room)
    error(upgrade(bob, room, "12"), 403, "M_FORBIDDEN")
    error(upgrade(alice, "!nowhere:example.org", "12"), 403, "M_FORBIDDEN")
    error(upgrade(alice, room, "99"), 400, "M_UNSUPPORTED_ROOM_VERSION")
    error(upgrade(alice, room, 12), 400, "M_BAD_JSON")
    error(alice.post(f"/rooms/{room}/upgrade", {}), 400, "M_MISSING_PARAM")
    error(upgrade(alice, room, "12", additional_creators=["nobody"]), 400, "M_INVALID_PARAM")
    assert ("m.room.tombstone", "") not in state(alice, room)
