"""Creating rooms, membership, state, messages, history."""

import time
from urllib.parse import quote

import pytest

from servers import error, ok


def enc(text):
    return quote(text, safe="")


def state_of(user, room):
    return {(e["type"], e["state_key"]): e for e in ok(user.get(f"/rooms/{enc(room)}/state"))}


# --- createRoom ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1", "6", "10", "11", "12"])
@pytest.mark.parametrize(
    "preset, join_rule, guest", [("private_chat", "invite", "can_join"), ("trusted_private_chat", "invite", "can_join"), ("public_chat", "public", "forbidden")]
)
def test_presets_set_what_the_specification_says(alice, bob, version, preset, join_rule, guest):
    room = alice.create_room(preset=preset, room_version=version, invite=[bob.user_id], name="N", topic="T")
    state = state_of(alice, room)
    create = state["m.room.create", ""]
    assert create["content"]["room_version"] == version and create["sender"] == alice.user_id
    assert state["m.room.join_rules", ""]["content"]["join_rule"] == join_rule
    assert state["m.room.guest_access", ""]["content"]["guest_access"] == guest
    assert state["m.room.history_visibility", ""]["content"]["history_visibility"] == "shared"
    assert state["m.room.name", ""]["content"]["name"] == "N" and state["m.room.topic", ""]["content"]["topic"] == "T"
    assert state["m.room.member", bob.user_id]["content"]["membership"] == "invite"
    levels = state["m.room.power_levels", ""]["content"]
    if version == "12":
        assert room == "!" + create["event_id"][1:]
        assert alice.user_id not in levels.get("users", {}) and levels["events"]["m.room.tombstone"] > levels.get("state_default", 50)
        assert (create["content"].get("additional_creators") == [bob.user_id]) == (preset == "trusted_private_chat")
    else:
        assert levels["users"][alice.user_id] == 100
        assert levels["users"].get(bob.user_id) == (100 if preset == "trusted_private_chat" else None)
        assert create["content"].get("creator") == (None if version == "11" else alice.user_id)


def test_creation_options_are_followed(alice):
    room = alice.create_room(
        initial_state=[{"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}, {"type": "org.example", "state_key": "k", "content": {"x": 1}}],
        creation_content={"m.federate": False, "type": "m.space"},
        power_level_content_override={"events_default": 7},
    )
    state = state_of(alice, room)
    assert state["m.room.history_visibility", ""]["content"]["history_visibility"] == "joined"
    assert state["org.example", "k"]["content"] == {"x": 1}
    assert state["m.room.create", ""]["content"]["m.federate"] is False and state["m.room.create", ""]["content"]["type"] == "m.space"
    assert state["m.room.power_levels", ""]["content"]["events_default"] == 7


def test_the_order_of_creation_events_is_fixed(alice):
    room = alice.create_room(preset="public_chat", name="N", topic="T", room_alias_name=f"order{time.time_ns()}")
    events = ok(alice.get(f"/rooms/{enc(room)}/messages", params={"dir": "f", "limit": 50}))["chunk"]
    assert [e["type"] for e in events] == [
        "m.room.create", "m.room.member", "m.room.power_levels", "m.room.canonical_alias", "m.room.join_rules",
        "m.room.history_visibility", "m.room.guest_access", "m.room.name", "m.room.topic",
    ]


def test_create_room_refuses_bad_options(alice):
    error(alice.post("/createRoom", "not json"), 400, "M_NOT_JSON")
    error(alice.post("/createRoom", {"room_version": "99"}), 400, "M_UNSUPPORTED_ROOM_VERSION")
    error(alice.post("/createRoom", {"visibility": "secret"}), 400, "M_INVALID_PARAM")
    error(alice.post("/createRoom", {"initial_state": {}}), 400, "M_BAD_JSON")
    error(alice.post("/createRoom", {"name": 5}), 400, "M_BAD_JSON")
    error(alice.post("/createRoom", {"preset": 5}), 400, "M_BAD_JSON")
    error(alice.post("/createRoom", {"invite": ["nobody"]}), 400, "M_INVALID_PARAM")
    assert alice.post("/createRoom", {"preset": "nonsense"}).status_code == 400
    error(alice.post("/createRoom", {"power_level_content_override": {"users": {alice.user_id: 0}}, "initial_state": [{"type": "m.room.name", "content": {}}], "room_version": "11"}), 400, "M_INVALID_ROOM_STATE")
    name = f"taken{time.time_ns()}"
    alice.create_room(room_alias_name=name)
    error(alice.post("/createRoom", {"room_alias_name": name}), 400, "M_ROOM_IN_USE")
    error(alice.server.anonymous().post("/createRoom"), 401, "M_MISSING_TOKEN")


# --- membership ------------------------------------------------------------------------------------------------------------------


def test_invite_join_leave_and_their_refusals(alice, bob):
    room = alice.create_room()
    path = f"/rooms/{enc(room)}"
    error(bob.post(f"{path}/join"), 403, "M_FORBIDDEN")
    error(bob.post(f"/join/{enc(room)}"), 403, "M_FORBIDDEN")
    error(bob.post(f"{path}/invite", {"user_id": alice.user_id}), 403, "M_FORBIDDEN")
    ok(alice.post(f"{path}/invite", {"user_id": bob.user_id, "reason": "come"}))
    assert state_of(alice, room)["m.room.member", bob.user_id]["content"]["reason"] == "come"
    assert ok(bob.post(f"{path}/join"))["room_id"] == room
    error(alice.post(f"{path}/invite", {"user_id": bob.user_id}), 403, "M_FORBIDDEN")
    assert room in ok(bob.get("/joined_rooms"))["joined_rooms"]
    ok(bob.post(f"{path}/leave"))
    ok(bob.post(f"{path}/leave"))  # nothing left to do
    assert room not in ok(bob.get("/joined_rooms"))["joined_rooms"]
    error(alice.post(f"{path}/invite"), 400, "M_MISSING_PARAM")
    error(alice.post(f"{path}/invite", {"user_id": "nobody"}), 400, "M_INVALID_PARAM")


def test_kick_ban_and_unban(alice, bob):
    room = alice.create_room(preset="public_chat")
    path = f"/rooms/{enc(room)}"
    bob.join(room)
    for verb in ("kick", "ban", "unban"):
        error(bob.post(f"{path}/{verb}", {"user_id": alice.user_id}), 403, "M_FORBIDDEN")
        error(alice.post(f"{path}/{verb}"), 400, "M_MISSING_PARAM")
    ok(alice.post(f"{path}/kick", {"user_id": bob.user_id, "reason": "out"}))
    bob.join(room)
    ok(alice.post(f"{path}/ban", {"user_id": bob.user_id}))
    error(bob.post(f"{path}/join"), 403, "M_FORBIDDEN")
    ok(alice.post(f"{path}/unban", {"user_id": bob.user_id}))
    bob.join(room)


def test_forget_is_for_those_who_left(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    path = f"/rooms/{enc(room)}/forget"
    error(bob.post(path), 400, "M_UNKNOWN")
    ok(bob.post(f"/rooms/{enc(room)}/leave"))
    ok(bob.post(path))
    error(bob.get(f"/rooms/{enc(room)}/messages", params={"dir": "b"}), 403, "M_FORBIDDEN")


def test_restricted_rooms_let_members_of_another_room_in(alice, bob):
    space = alice.create_room(preset="public_chat")
    room = alice.create_room(initial_state=[{"type": "m.room.join_rules", "content": {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": space}]}}])
    error(bob.post(f"/join/{enc(room)}"), 403, "M_FORBIDDEN")
    bob.join(space)
    bob.join(room)
    assert state_of(alice, room)["m.room.member", bob.user_id]["content"]["join_authorised_via_users_server"] == alice.user_id


def test_joining_what_is_not_there(alice):
    assert alice.post(f"/join/{enc('!nothing:' + alice.server.name)}").status_code in (403, 404)
    error(alice.post(f"/join/{enc('#nothing:' + alice.server.name)}"), 404, "M_NOT_FOUND")
    error(alice.post("/join/nonsense"), 400, "M_INVALID_PARAM")


# --- members -----------------------------------------------------------------------------------------------------------------------


def test_members_are_listed_for_members(alice, bob):
    room = alice.create_room(preset="public_chat")
    path = f"/rooms/{enc(room)}"
    error(bob.get(f"{path}/members"), 403, "M_FORBIDDEN")
    error(bob.get(f"{path}/joined_members"), 403, "M_FORBIDDEN")
    bob.join(room)
    ok(bob.post(f"{path}/leave"))
    members = ok(alice.get(f"{path}/members"))["chunk"]
    assert {(e["state_key"], e["content"]["membership"]) for e in members} == {(alice.user_id, "join"), (bob.user_id, "leave")}
    assert [e["state_key"] for e in ok(alice.get(f"{path}/members", params={"membership": "join"}))["chunk"]] == [alice.user_id]
    assert [e["state_key"] for e in ok(alice.get(f"{path}/members", params={"not_membership": "join"}))["chunk"]] == [bob.user_id]
    assert list(ok(alice.get(f"{path}/joined_members"))["joined"]) == [alice.user_id]
    error(alice.server.anonymous().get("/joined_rooms"), 401, "M_MISSING_TOKEN")


# --- sending -----------------------------------------------------------------------------------------------------------------------


def test_the_same_transaction_is_the_same_event(alice):
    room = alice.create_room()
    first = alice.send(room, "once", transaction="same")
    assert alice.send(room, "once", transaction="same") == first
    assert alice.send(room, "once", transaction="other") != first


def test_sending_is_for_members_and_well_formed(alice, bob):
    room = alice.create_room()
    path = f"/rooms/{enc(room)}/send/m.room.message"
    message = {"msgtype": "m.text", "body": "x"}
    error(bob.put(f"{path}/1", message), 403, "M_FORBIDDEN")
    error(alice.put(f"/rooms/{enc('!none:' + alice.server.name)}/send/m.room.message/1", message), 403, "M_FORBIDDEN")
    error(alice.put(f"{path}/2", "{"), 400, "M_NOT_JSON")
    error(alice.put(f"{path}/3", "[]"), 400, "M_BAD_JSON")
    error(alice.put(f"{path}/4", {**message, "n": 1.5}), 400, "M_BAD_JSON")
    error(alice.put(f"{path}/5", '{"msgtype": "m.text", "body": "x", "n": 9007199254740992}'), 400, "M_BAD_JSON")
    error(alice.put(f"{path}/6", {"msgtype": "m.text", "body": "x" * 66000}), 413, "M_TOO_LARGE")
    error(alice.put(f"/rooms/{enc(room)}/send/{'t' * 256}/7", message), 413, "M_TOO_LARGE")
    error(alice.put(f"/rooms/{enc(room)}/state/t/{'k' * 256}", {}), 413, "M_TOO_LARGE")


@pytest.mark.parametrize("content", [{}, {"body": "x"}, {"msgtype": "m.text"}, {"msgtype": "m.text", "body": 7}, {"msgtype": 7, "body": "x"}])
def test_messages_must_have_a_type_and_a_body(alice, content):
    error(alice.put(f"/rooms/{enc(alice.create_room())}/send/m.room.message/1", content), 400, "M_BAD_JSON")


@pytest.mark.parametrize("path", ["send/t/1", "state/t", "state/t/key", f"redact/{'$' + 'A' * 43}/1"])
def test_whatever_is_sent_must_be_an_object_for_a_room(alice, path):
    room = enc(alice.create_room())
    error(alice.put(f"/rooms/{room}/{path}", "{"), 400, "M_NOT_JSON")
    error(alice.put(f"/rooms/{room}/{path}", "[]"), 400, "M_BAD_JSON")
    error(alice.put(f"/rooms/nonsense/{path}", {}), 400, "M_INVALID_PARAM")


def test_a_redaction_names_an_event_and_may_have_no_body(alice):
    room = alice.create_room()
    path = f"/rooms/{enc(room)}/redact"
    error(alice.put(f"{path}/nonsense/1", {}), 400, "M_INVALID_PARAM")
    error(alice.put(f"{path}/{enc('$' + 'A' * 43)}/1", {"reason": 5}), 400, "M_BAD_JSON")
    event = alice.send(room)
    ok(alice.request("PUT", f"{path}/{enc(event)}/2"))
    assert ok(alice.get(f"/rooms/{enc(room)}/event/{enc(event)}"))["content"] == {}


def test_event_is_served_to_those_who_may_see_it(alice, bob):
    room = alice.create_room()
    event = alice.send(room, "seen")
    path = f"/rooms/{enc(room)}/event/{enc(event)}"
    seen = ok(alice.get(path))
    assert seen["content"]["body"] == "seen" and seen["room_id"] == room and seen["event_id"] == event
    assert seen["unsigned"]["age"] >= 0 and "signatures" not in seen and "hashes" not in seen
    error(bob.get(path), 404, "M_NOT_FOUND")
    error(alice.get(f"/rooms/{enc(room)}/event/{enc('$' + 'A' * 43)}"), 404, "M_NOT_FOUND")


def test_types_and_state_keys_may_hold_anything(alice):
    room = alice.create_room()
    event = alice.set_state(room, "a\0b/c", {"x": 1}, key="k\0/ü")
    assert ok(alice.get(f"/rooms/{enc(room)}/state/{enc(chr(97) + chr(0) + 'b/c')}/{enc('k' + chr(0) + '/ü')}")) == {"x": 1}
    assert ("a\0b/c", "k\0/ü") in state_of(alice, room)
    assert alice.set_state(room, "a\0b/c", {"x": 1}, key="k") != event


def test_state_is_set_and_read(alice, bob):
    room = alice.create_room()
    path = f"/rooms/{enc(room)}/state"
    event = ok(alice.put(f"{path}/m.room.topic", {"topic": "t"}))["event_id"]
    for variant in ("m.room.topic", "m.room.topic/"):
        assert ok(alice.get(f"{path}/{variant}")) == {"topic": "t"}
    assert ok(alice.get(f"{path}/m.room.topic", params={"format": "event"}))["event_id"] == event
    error(alice.get(f"{path}/m.room.avatar"), 404, "M_NOT_FOUND")
    error(alice.get(f"{path}/m.room.avatar/key"), 404, "M_NOT_FOUND")
    error(bob.get(path), 403, "M_FORBIDDEN")
    error(bob.get(f"{path}/m.room.topic"), 403, "M_FORBIDDEN")
    error(bob.put(f"{path}/m.room.topic", {"topic": "mine"}), 403, "M_FORBIDDEN")
    error(bob.put(f"{path}/m.room.topic/key", {"topic": "mine"}), 403, "M_FORBIDDEN")
    error(alice.put(f"{path}/m.room.canonical_alias", {"alias": f"#nowhere{time.time_ns()}:{alice.server.name}"}), 400, "M_BAD_ALIAS")


def test_redaction_takes_the_content_away(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    event = alice.send(room, "secret")
    path = f"/rooms/{enc(room)}/redact/{enc(event)}"
    error(bob.put(f"{path}/1", {}), 403, "M_FORBIDDEN")
    redaction = ok(alice.put(f"{path}/1", {"reason": "oops"}))["event_id"]
    assert ok(alice.put(f"{path}/1", {"reason": "oops"}))["event_id"] == redaction
    seen = ok(bob.get(f"/rooms/{enc(room)}/event/{enc(event)}"))
    assert seen["content"] == {} and seen["unsigned"]["redacted_because"]["event_id"] == redaction == seen["unsigned"]["redacted_by"]
    shown = ok(bob.get(f"/rooms/{enc(room)}/event/{enc(redaction)}"))
    assert shown["redacts"] == event == shown["content"]["redacts"] and shown["content"]["reason"] == "oops"


# --- history -------------------------------------------------------------------------------------------------------------------------


def test_messages_page_in_both_directions(alice):
    room = alice.create_room()
    sent = [alice.send(room, f"m{i}") for i in range(25)]
    path = f"/rooms/{enc(room)}/messages"
    back, token = [], None
    while True:
        page = ok(alice.get(path, params={"dir": "b", "limit": 10, **({"from": token} if token else {})}))
        back += [e["event_id"] for e in page["chunk"]]
        token = page.get("end")
        if not token:
            break
    assert back[:25] == sent[::-1] and len(set(back)) == len(back)
    forward = ok(alice.get(path, params={"dir": "f", "limit": 100}))
    assert [e["event_id"] for e in forward["chunk"]] == back[::-1] and "end" not in forward
    only = ok(alice.get(path, params={"dir": "b", "limit": 100, "filter": '{"types": ["m.room.create"]}'}))
    assert [e["type"] for e in only["chunk"]] == ["m.room.create"]


def test_messages_refuse_what_makes_no_sense(alice, bob):
    room = alice.create_room()
    path = f"/rooms/{enc(room)}/messages"
    error(alice.get(path), 400, "M_MISSING_PARAM")
    error(alice.get(path, params={"dir": "x"}), 400, "M_INVALID_PARAM")
    error(alice.get(path, params={"dir": "b", "from": "not ours"}), 400, "M_INVALID_PARAM")
    error(alice.get(path, params={"dir": "b", "limit": "many"}), 400, "M_INVALID_PARAM")
    error(bob.get(path, params={"dir": "b"}), 403, "M_FORBIDDEN")


@pytest.mark.parametrize("visibility, sees", [("joined", False), ("invited", False), ("shared", True), ("world_readable", True)])
def test_newcomers_see_what_history_visibility_allows(alice, bob, visibility, sees):
    room = alice.create_room(preset="public_chat", initial_state=[{"type": "m.room.history_visibility", "content": {"history_visibility": visibility}}])
    before = alice.send(room, "before")
    bob.join(room)
    after = alice.send(room, "after")
    seen = [e["event_id"] for e in ok(bob.get(f"/rooms/{enc(room)}/messages", params={"dir": "b", "limit": 100}))["chunk"]]
    assert after in seen and (before in seen) == sees
    assert (bob.get(f"/rooms/{enc(room)}/event/{enc(before)}").status_code == 200) == sees


def test_those_who_left_see_the_room_as_they_left_it(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    seen = alice.send(room, "with bob")
    ok(bob.post(f"/rooms/{enc(room)}/leave"))
    unseen = alice.send(room, "without bob")
    alice.set_state(room, "m.room.topic", {"topic": "secret"})
    ids = [e["event_id"] for e in ok(bob.get(f"/rooms/{enc(room)}/messages", params={"dir": "b", "limit": 100}))["chunk"]]
    assert seen in ids and unseen not in ids
    error(bob.get(f"/rooms/{enc(room)}/event/{enc(unseen)}"), 404, "M_NOT_FOUND")
    assert ("m.room.topic", "") not in state_of(bob, room)


@pytest.mark.parametrize("override, least", [({}, 51), ({"state_default": 150}, 151), ({"events": {}}, 51), ({"events": {"m.room.tombstone": 50}}, 51)])
def test_replacing_a_room_takes_more_than_changing_its_state(alice, override, least):
    room = alice.create_room(power_level_content_override=override)
    assert ok(alice.get(f"/rooms/{room}/state/m.room.power_levels"))["events"]["m.room.tombstone"] >= least
