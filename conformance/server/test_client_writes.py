"""What clients may write, and what is for the server alone to say."""

import threading
from urllib.parse import quote

import pytest

from servers import error, ok

VIA = "join_authorised_via_users_server"


def enc(text):
    return quote(text, safe="")


def state(user, room):
    return {(event["type"], event["state_key"]): event for event in ok(user.get(f"/rooms/{enc(room)}/state"))}


def put_state(user, room, kind, content, key=""):
    return user.put(f"/rooms/{enc(room)}/state/{enc(kind)}/{enc(key)}", content)


def put_member(user, room, content, target=None):
    return put_state(user, room, "m.room.member", content, target or user.user_id)


def member(user, room, target=None):
    return state(user, room)["m.room.member", target or user.user_id]["content"]


# --- who lets a user into a restricted room ------------------------------------------------------------------------------------


@pytest.fixture
def restricted(alice):
    """A room that members of another may join: both."""
    space = alice.create_room(preset="public_chat")
    rules = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": space}]}
    room = alice.create_room(room_version="10", initial_state=[{"type": "m.room.join_rules", "content": rules}])
    return space, room


@pytest.mark.parametrize("named", ["alice", "bob", "stranger", "nobody", "number"])
def test_an_outsider_does_not_get_into_a_restricted_room_by_naming_a_member(restricted, alice, bob, named):
    _, room = restricted
    value = {"alice": alice.user_id, "bob": bob.user_id, "stranger": "@admin:elsewhere.example", "nobody": "nonsense", "number": 5}[named]
    error(put_member(bob, room, {"membership": "join", VIA: value}), 403, "M_FORBIDDEN")
    error(bob.post(f"/rooms/{enc(room)}/join", {VIA: value}), 403, "M_FORBIDDEN")
    assert ("m.room.member", bob.user_id) not in state(alice, room)


def test_a_member_of_an_allowed_room_joins_by_state_with_the_authorisation_of_the_server(restricted, alice, bob):
    space, room = restricted
    bob.join(space)
    ok(put_member(bob, room, {"membership": "join", "displayname": "B", VIA: "@admin:elsewhere.example"}))
    assert member(alice, room, bob.user_id) == {"membership": "join", "displayname": "B", VIA: alice.user_id}


@pytest.mark.parametrize("value", ["@gone:elsewhere.example", "nonsense", 5, None])
def test_a_new_nickname_does_not_repeat_how_its_user_came_in(restricted, alice, bob, value):
    space, room = restricted
    bob.join(space)
    bob.join(room)
    ok(put_member(bob, room, {"membership": "join", "displayname": "Nick", VIA: value}))
    assert member(alice, room, bob.user_id) == {"membership": "join", "displayname": "Nick"}


@pytest.mark.parametrize("version", ["6", "8", "12"])
def test_no_client_writes_who_let_a_user_in(server, alice, bob, version):
    """Whatever the membership and the path: the room of a member event says it, not the client."""
    claim = {VIA: alice.user_id}
    carol = server.register()
    initial = [{"type": "m.room.member", "state_key": alice.user_id, "content": {"membership": "join", "displayname": "A", **claim}}]
    room = alice.create_room(room_version=version, preset="public_chat", initial_state=initial)
    assert member(alice, room) == {"membership": "join", "displayname": "A"}
    ok(put_member(alice, room, {"membership": "invite", **claim}, bob.user_id))
    assert VIA not in member(alice, room, bob.user_id)
    ok(put_member(bob, room, {"membership": "join", **claim}))
    assert VIA not in member(alice, room, bob.user_id)
    ok(put_member(alice, room, {"membership": "ban", **claim}, carol.user_id))
    assert VIA not in member(alice, room, carol.user_id)
    ok(put_member(bob, room, {"membership": "leave", **claim}))
    assert VIA not in member(alice, room, bob.user_id)


def test_a_new_room_invites_nobody_past_their_wishes(server, alice, bob):
    ok(bob.put(f"/user/{bob.user_id}/account_data/m.invite_permission_config", {"default_action": "block"}))
    for invited in (bob.user_id, "@someone:elsewhere.example"):
        initial = [{"type": "m.room.member", "state_key": invited, "content": {"membership": "invite"}}]
        error(alice.post("/createRoom", {"initial_state": initial}), 400, "M_INVALID_ROOM_STATE")


# --- the form of what the server reads --------------------------------------------------------------------------------------------

WRONG = [
    ("m.room.canonical_alias", {"alias": {"a": 1}}),
    ("m.room.canonical_alias", {"alias": 5}),
    ("m.room.canonical_alias", {"alt_aliases": "#a:b"}),
    ("m.room.canonical_alias", {"alt_aliases": [5]}),
    ("m.room.join_rules", {"join_rule": 5}),
    ("m.room.join_rules", {"join_rule": None}),
    ("m.room.join_rules", {"join_rule": ["public"]}),
    ("m.room.join_rules", {"join_rule": "restricted", "allow": {}}),
    ("m.room.join_rules", {"join_rule": "restricted", "allow": ["!a:b"]}),
    ("m.room.join_rules", {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": 5}]}),
    ("m.room.history_visibility", {"history_visibility": 1}),
    ("m.room.history_visibility", {"history_visibility": {"shared": True}}),
    ("m.room.guest_access", {"guest_access": True}),
    ("m.room.server_acl", {"allow": "*"}),
    ("m.room.server_acl", {"allow": ["*"], "deny": {"evil.example": 1}}),
    ("m.room.server_acl", {"allow": ["*", 1]}),
    ("m.room.server_acl", {"allow": ["*"], "allow_ip_literals": "no"}),
    ("m.room.power_levels", {"ban": {}}),
    ("m.room.power_levels", {"ban": None}),
    ("m.room.power_levels", {"users": []}),
    ("m.room.power_levels", {"users": {"nobody": 5}}),
    ("m.room.power_levels", {"events": {"m.room.name": "high"}}),
    ("m.room.power_levels", {"events": 5}),
    ("m.room.power_levels", {"notifications": {"room": []}}),
    ("m.room.name", {"name": 5}),
    ("m.room.name", {"name": ["a"]}),
    ("m.room.topic", {"topic": {}}),
    ("m.room.avatar", {"url": 5}),
    ("m.room.encryption", {"algorithm": 5}),
    ("m.room.encryption", {"algorithm": ["m.megolm.v1.aes-sha2"]}),
    ("m.room.tombstone", {"replacement_room": 5}),
    ("m.room.tombstone", {"body": 5, "replacement_room": "!a:b"}),
    ("m.room.redaction", {"redacts": "$" + "A" * 43}),
]


@pytest.mark.parametrize("version", ["9", "12"])
def test_state_that_the_server_reads_has_the_right_form(alice, version):
    room = alice.create_room(room_version=version)
    before = {key: event["event_id"] for key, event in state(alice, room).items()}
    for kind, content in WRONG:
        error(put_state(alice, room, kind, content), 400, "M_BAD_JSON")
    assert {key: event["event_id"] for key, event in state(alice, room).items()} == before


@pytest.mark.parametrize("version", ["9", "12"])
def test_no_room_is_made_with_state_of_a_wrong_form(alice, version):
    for kind, content in WRONG:
        reply = alice.post("/createRoom", {"room_version": version, "initial_state": [{"type": kind, "content": content}]})
        error(reply, 400, "M_BAD_JSON")
    for override in ({"ban": {}}, {"users": []}, {"users": {"nobody": 5}}, {"events": {"m.room.name": []}}):
        error(alice.post("/createRoom", {"room_version": version, "power_level_content_override": override}), 400, "M_BAD_JSON")
    for content in ({"m.federate": "no"}, {"type": 5}, {"predecessor": "!a:b"}, {"predecessor": {"room_id": 5}}):
        error(alice.post("/createRoom", {"room_version": version, "creation_content": content}), 400, "M_BAD_JSON")


@pytest.mark.parametrize("content", [{}, {"membership": 5}, {"membership": "join", "displayname": 5}, {"membership": "join", "avatar_url": {}},
                                     {"membership": "leave", "reason": []}, {"membership": "invite", "is_direct": "yes"}])
def test_memberships_have_the_right_form(alice, bob, content):
    room = alice.create_room(preset="public_chat")
    target = bob.user_id if content.get("membership") == "invite" else alice.user_id
    error(put_member(alice, room, content, target), 400, "M_BAD_JSON")


def test_what_clients_send_to_take_things_away_is_taken(alice):
    """Absent and empty members, and null where the specification or usage has it."""
    room = alice.create_room(room_version="12")
    for kind, content in [("m.room.canonical_alias", {}), ("m.room.canonical_alias", {"alias": None}), ("m.room.canonical_alias", {"alias": ""}),
                          ("m.room.name", {}), ("m.room.name", {"name": ""}), ("m.room.topic", {}), ("m.room.avatar", {}),
                          ("m.room.avatar", {"url": ""}), ("m.room.server_acl", {"allow": ["*"], "deny": []}), ("m.room.name", {"name": "N", "org.example": [1]}),
                          ("m.room.member", {"membership": "join", "displayname": None, "avatar_url": None}),
                          ("m.room.join_rules", {"join_rule": "org.example.own"}), ("m.room.tombstone", {"body": "gone", "replacement_room": "!a:b"})]:
        ok(put_state(alice, room, kind, content, key=alice.user_id if kind == "m.room.member" else ""))
    ok(put_state(alice, room, "m.room.name", {"name": 5}, key="another thing"))


def test_levels_may_be_strings_where_the_version_allows_it(alice):
    room = alice.create_room(room_version="9")
    levels = state(alice, room)["m.room.power_levels", ""]["content"]
    ok(put_state(alice, room, "m.room.power_levels", {**levels, "events_default": "7", "users": {alice.user_id: " 100 "}}))
    error(put_state(alice, room, "m.room.power_levels", {**levels, "events_default": "seven"}), 400, "M_BAD_JSON")


@pytest.mark.parametrize("version", ["1", "11", "12"])
def test_no_client_writes_a_create_event(alice, bob, version):
    room = alice.create_room(room_version=version)
    for user in (alice, bob):
        error(put_state(user, room, "m.room.create", {"room_version": version}), 400, "M_BAD_JSON")
        error(put_state(user, room, "m.room.create", {}, key="x"), 400, "M_BAD_JSON")
        error(user.put(f"/rooms/{enc(room)}/send/m.room.create/1", {}), 400, "M_BAD_JSON")
    initial = [{"type": "m.room.create", "content": {"room_version": version}}]
    assert alice.post("/createRoom", {"room_version": version, "initial_state": initial}).status_code == 400


def test_levels_of_a_new_version_name_no_creator(alice, bob):
    room = alice.create_room(room_version="12", creation_content={"additional_creators": [bob.user_id]})
    levels = state(alice, room)["m.room.power_levels", ""]["content"]
    for creator in (alice, bob):
        error(put_state(alice, room, "m.room.power_levels", {**levels, "users": {creator.user_id: 100}}), 400, "M_BAD_JSON")
    stranger = bob.server.register()
    error(put_state(stranger, room, "m.room.power_levels", {**levels, "users": {alice.user_id: 100}}), 403, "M_FORBIDDEN")


# --- identifiers -----------------------------------------------------------------------------------------------------------------


def test_an_empty_transaction_identifier_is_none(alice):
    room = alice.create_room()
    event = alice.send(room)
    message = {"msgtype": "m.text", "body": "x"}
    error(alice.put(f"/rooms/{enc(room)}/send/m.room.message/", message), 400, "M_INVALID_PARAM")
    error(alice.put(f"/rooms/{enc(room)}/redact/{enc(event)}/", {}), 400, "M_INVALID_PARAM")
    assert ok(alice.get(f"/rooms/{enc(room)}/messages", params={"dir": "b", "limit": 1}))["chunk"][0]["event_id"] == event


def test_an_event_adds_no_more_aliases_than_can_be_looked_up(alice):
    """Each may be another server's, which is asked: one request must not be thousands."""
    room = alice.create_room()
    many = [f"#a{number}:127.0.0.1:1" for number in range(33)]
    error(put_state(alice, room, "m.room.canonical_alias", {"alt_aliases": many}), 400, "M_INVALID_PARAM")


# --- redactions of what is not here ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2", "6", "11", "12"])
def test_whoever_may_redact_may_redact_what_this_server_does_not_have(alice, bob, version):
    room = alice.create_room(room_version=version, preset="public_chat")
    bob.join(room)
    missing = "$missing:elsewhere.example" if version == "2" else "$" + "A" * 43
    path = f"/rooms/{enc(room)}/redact/{enc(missing)}"
    redaction = ok(alice.put(f"{path}/1", {"reason": "spam"}))["event_id"]
    assert ok(alice.put(f"{path}/1", {"reason": "spam"}))["event_id"] == redaction
    error(bob.put(f"{path}/2", {}), 404, "M_NOT_FOUND")
    elsewhere = alice.send(alice.create_room())
    error(alice.put(f"/rooms/{enc(room)}/redact/{enc(elsewhere)}/3", {}), 404, "M_NOT_FOUND")


# --- the user's own things -----------------------------------------------------------------------------------------------------------


def test_ignoring_oneself_hides_nothing(alice):
    room = alice.create_room()
    ok(alice.put(f"/user/{alice.user_id}/account_data/m.ignored_user_list", {"ignored_users": {alice.user_id: {}}}))
    since = alice.sync()["next_batch"]
    event = alice.send(room, "mine")
    timeline = alice.sync(since)["rooms"]["join"][room]["timeline"]["events"]
    assert [entry["event_id"] for entry in timeline] == [event]
    assert ok(alice.get(f"/rooms/{enc(room)}/messages", params={"dir": "b", "limit": 1}))["chunk"][0]["event_id"] == event
    assert [entry["event_id"] for entry in alice.sync()["rooms"]["join"][room]["timeline"]["events"]][-1] == event


def test_a_new_account_is_shown_by_its_local_part(server, bob):
    user = server.register()
    local = user.user_id[1:].split(":")[0]
    assert ok(bob.get(f"/profile/{user.user_id}")) == {"displayname": local}
    assert member(user, user.create_room())["displayname"] == local


def at_once(*acts):
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def call_oneself(user, *names):
    for name in names:
        ok(user.put(f"/profile/{user.user_id}/displayname", {"displayname": name}))


def test_names_changed_at_once_end_alike_everywhere(alice):
    rooms = [alice.create_room() for _ in range(30)]
    for attempt in range(5):
        at_once(*(lambda name=f"{attempt}-{number}": call_oneself(alice, name) for number in range(4)))
        shown = ok(alice.get(f"/profile/{alice.user_id}/displayname"))["displayname"]
        assert {member(alice, room)["displayname"] for room in rooms} == {shown}


def test_a_room_joined_while_a_name_changes_shows_the_new_one(alice, bob):
    for attempt in range(12):
        rooms = [alice.create_room(preset="public_chat") for _ in range(5)]
        at_once(*(lambda room=room: bob.join(room) for room in rooms), lambda: call_oneself(bob, *(f"{attempt}-{number}" for number in range(3))))
        assert {member(alice, room, bob.user_id)["displayname"] for room in rooms} == {f"{attempt}-2"}


def test_settings_that_a_client_writes_while_rooms_are_joined_stay(server, alice, bob):
    """m.direct is taken along into replacements of rooms, beside the client's own changes."""
    old = [alice.create_room(preset="public_chat") for _ in range(8)]
    for room in old:
        bob.join(room)
    direct = f"/user/{bob.user_id}/account_data/m.direct"
    ok(bob.put(direct, {alice.user_id: old}))
    new = [ok(alice.post(f"/rooms/{enc(room)}/upgrade", {"new_version": "12"}))["replacement_room"] for room in old]
    at_once(*(lambda room=room: bob.join(room) for room in new))
    assert set(ok(bob.get(direct))[alice.user_id]) == {*old, *new}


def test_a_room_that_only_claims_to_replace_another_takes_nothing_along(server, alice, bob):
    friends = bob.create_room(preset="public_chat")
    ok(bob.put(f"/user/{bob.user_id}/account_data/m.direct", {alice.user_id: [friends]}))
    claim = alice.create_room(preset="public_chat", creation_content={"predecessor": {"room_id": friends}})
    bob.join(claim)
    assert ok(bob.get(f"/user/{bob.user_id}/account_data/m.direct")) == {alice.user_id: [friends]}
