"""Joining through servers that lie, and the history that they tell afterwards."""

import copy

import pytest

from fake_homeserver import Room, enc
from servers import error, ok
from views import VERSIONS, counted, public_room, state_of, wait_until_shown


def join(user, room, *servers):
    return user.post(f"/join/{enc(room.id)}", params={"via": [server.name for server in servers or [room.server]]})


def is_in(user, room):
    return room.id in ok(user.get("/joined_rooms"))["joined_rooms"]


@pytest.mark.parametrize("version", VERSIONS)
def test_room_of_an_honest_server_is_joined_and_goes_on(server, fake, alice, version):
    room = fake.make_room(version)
    assert ok(join(alice, room))["room_id"] == room.id
    assert {key: event["event_id"] for key, event in state_of(alice, room.id).items()} == room.state
    message = room.message("welcome")
    assert fake.send(server, message) == {room.add(message): {}}
    wait_until_shown(alice, room.id, room.last)
    made = alice.send(room.id, "thanks")
    fake.wait_until_asked("^/v1/send/")
    assert made in [room.id_of(pdu) for pdu in fake.received_pdus()]


def unsigned(event):
    return {**event, "signatures": {}}


def unsigned_if(reply, *kinds):
    for part in ("state", "auth_chain"):
        reply[part] = [unsigned(event) if not kinds or event["type"] in kinds else event for event in reply[part]]


def everything_unsigned(room, reply):
    unsigned_if(reply)


def create_unsigned(room, reply):
    unsigned_if(reply, "m.room.create")


def power_levels_unsigned(room, reply):
    unsigned_if(reply, "m.room.power_levels")


def join_rules_unsigned(room, reply):
    unsigned_if(reply, "m.room.join_rules")


def no_create(room, reply):
    for part in ("state", "auth_chain"):
        reply[part] = [event for event in reply[part] if event["type"] != "m.room.create"]


def create_of_another_room(room, reply):
    create = room.server.make_room(room.version).state_events()[0]
    no_create(room, reply)
    reply["state"].append(create)
    reply["auth_chain"].append(create)


def create_of_another_version(room, reply):
    create = room.server.make_room("10" if room.version == "11" else "11").state_events()[0]
    no_create(room, reply)
    reply["state"].append(create)


def nothing(room, reply):
    reply.clear()


def empty_state(room, reply):
    reply["state"] = []


def no_auth_chain(room, reply):
    reply["auth_chain"] = []


def wrong_types(room, reply):
    reply.update(state={}, auth_chain="x")


def garbage_events(room, reply):
    reply["state"] = [1, None, {}, {"type": "m.room.create"}]


def two_for_one_key(room, reply):
    reply["state"].append(room.event("m.room.join_rules", {"join_rule": "public"}, None, ""))


def message_in_state(room, reply):
    reply["state"].append(room.message())


def another_join(room, reply):
    reply["event"] = room.event("m.room.member", {"membership": "join"}, None, room.server.user())


def changed_join(room, reply):
    reply["event"] = {**reply["event"], "content": {**reply["event"]["content"], "displayname": "Mallory's choice"}}


def state_that_bans(room, reply):
    user = reply["event"]["sender"]
    del room.state["m.room.member", user]  # the ban is of the state before the join
    reply["state"].append(room.event("m.room.member", {"membership": "ban"}, None, user))


LIES = [everything_unsigned, create_unsigned, power_levels_unsigned, join_rules_unsigned, no_create, create_of_another_room, create_of_another_version, nothing,
        empty_state, no_auth_chain, wrong_types, garbage_events, two_for_one_key, message_in_state, another_join, changed_join, state_that_bans]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_join_that_is_answered_with_a_lie_fails_and_leaves_nothing_behind(server, fake, alice, bob, lie, version):
    room = fake.make_room(version)
    # State whose own auth events are in the auth chain alone.
    levels = room.events[room.state["m.room.power_levels", ""]]["content"]
    room.add(room.event("m.room.power_levels", {**levels, "events_default": 0}, None, ""))
    room.add(room.event("m.room.topic", {"topic": "the truth"}, None, ""))
    honest = dict(state=dict(room.state), last=room.last, order=list(room.order))

    def lying(asked):
        status, reply = room.send_join(asked)
        reply = copy.deepcopy(reply)
        lie(room, reply)
        return status, reply

    fake.on("PUT", f"/v2/send_join/{room.id}/(.*)", lying)
    reply = join(alice, room)
    assert (reply.status_code, reply.json()["errcode"]) in [(502, "M_UNKNOWN"), (403, "M_FORBIDDEN")], reply.text
    assert len(reply.json()["error"]) > 20
    assert not is_in(alice, room)
    assert room.id not in str(alice.sync().get("rooms", {}))
    for path in ("state", "members", "messages?dir=b"):
        error(alice.get(f"/rooms/{enc(room.id)}/{path}"), 403, "M_FORBIDDEN")

    room.__dict__.update(honest)
    fake.on("PUT", f"/v2/send_join/{room.id}/(.*)", room.send_join)
    ok(join(bob, room))
    state = state_of(bob, room.id)
    assert state["m.room.topic", ""]["content"] == {"topic": "the truth"}
    assert ("m.room.member", alice.user_id) not in state
    alice.send(public_room(alice), "the server goes on")


@pytest.mark.parametrize("reply", [(200, b"not JSON"), (200, b"[]"), (200, b""), (500, {}), (404, b"<html>"), (200, b"{" * 10_000), (302, {}), (204, b"")])
@pytest.mark.parametrize("verb", ["GET /v1/make_join/{}/(.*)", "PUT /v2/send_join/{}/(.*)"])
def test_join_that_is_answered_with_garbage_fails(server, fake, alice, verb, reply):
    room = fake.make_room()
    method, pattern = verb.format(room.id).split()
    fake.on(method, pattern, reply)
    answer = join(alice, room)
    assert answer.status_code in (404, 502) and answer.json()["errcode"] in ("M_UNKNOWN", "M_NOT_FOUND"), answer.text
    assert not is_in(alice, room)


TEMPLATES = [
    {"room_id": "!other:a.example"}, {"sender": "@other:a.example"}, {"state_key": "@other:a.example"}, {"type": "m.room.message"}, {"content": {"membership": "ban"}},
    {"content": {}}, {"content": 5}, {"sender": None}, {"state_key": None}, {"prev_events": [f"${number}" for number in range(100)]},
]


@pytest.mark.parametrize("change", TEMPLATES, ids=str)
def test_template_that_is_not_the_join_that_was_asked_for_is_not_signed(server, fake, alice, change):
    room = fake.make_room()

    def lying(asked):
        status, reply = room.make_join(asked)
        event = {**reply["event"], **change}
        return status, {**reply, "event": {key: value for key, value in event.items() if value is not None}}

    fake.on("GET", f"/v1/make_join/{room.id}/(.*)", lying)
    reply = join(alice, room)
    assert reply.status_code in (400, 403, 502), reply.text
    assert fake.was_asked("send_join") == [] and not is_in(alice, room)


@pytest.mark.parametrize("version", [None, "", "1", "99", 12, ["12"]])
def test_template_of_a_version_that_is_not_supported_is_not_signed(server, fake, alice, version):
    room = fake.make_room()
    fake.on("GET", f"/v1/make_join/{room.id}/(.*)", lambda asked: (200, {**room.make_join(asked)[1], "room_version": version}))
    reply = join(alice, room)
    assert reply.status_code in (400, 502), reply.text
    assert fake.was_asked("send_join") == [] and not is_in(alice, room)


def test_next_server_is_tried_when_one_lies(server, fake, other, alice):
    room = fake.make_room()
    other.on("GET", f"/v1/make_join/{room.id}/(.*)", (200, {"room_version": "12", "event": {"type": "m.room.message"}}))
    ok(join(alice, room, other, fake))
    assert other.was_asked("make_join") and is_in(alice, room)


def test_state_of_servers_that_are_gone_is_left_out_and_the_rest_joined(server, fake, other, alice):
    room = fake.make_room()
    gone, ghost = other.name, other.user("ghost")
    visitor = Room(other, room.version, room.id)
    visitor.__dict__.update(state=room.state, events=room.events, last=room.last)
    room.add(visitor.event("m.room.member", {"membership": "join"}, ghost, ghost))
    other.close()
    ok(join(alice, room))
    members = ok(alice.get(f"/rooms/{enc(room.id)}/joined_members"))["joined"]
    assert set(members) == {alice.user_id, fake.user()} and gone != fake.name


def test_state_with_a_wrong_hash_is_taken_in_redacted_form(server, fake, alice):
    room = fake.make_room()
    topic = room.event("m.room.topic", {"topic": "signed"}, None, "")
    made = room.add(topic)
    room.events[made] = {**topic, "content": {"topic": "forged"}}
    with counted(server, "federation_events_failing_checks_total", check="hash"):
        ok(join(alice, room))
    assert state_of(alice, room.id)["m.room.topic", ""]["content"] == {}


@pytest.mark.parametrize("version", ["1", "2"])
def test_room_whose_version_is_not_told_is_of_the_first_two(server, fake, alice, version):
    room = fake.make_room(version)
    fake.on("GET", f"/v1/make_join/{room.id}/(.*)", lambda asked: (200, {"event": room.make_join(asked)[1]["event"]}))
    ok(join(alice, room))
    assert state_of(alice, room.id)["m.room.create", ""]["content"]["room_version"] == version
    message = room.message("welcome")
    assert fake.send(server, message) == {room.add(message): {}}
    wait_until_shown(alice, room.id, room.last)


def test_room_whose_version_is_not_told_is_not_joined_as_another(server, fake, alice):
    room = fake.make_room("11")
    fake.on("GET", f"/v1/make_join/{room.id}/(.*)", lambda asked: (200, {"event": room.make_join(asked)[1]["event"]}))
    error(join(alice, room), 502, "M_UNKNOWN")
    assert not is_in(alice, room)


# --- history ---------------------------------------------------------------------------------------------------------------------


def history(user, room):
    """The bodies of all messages, the oldest first, page by page to the beginning."""
    bodies, token = [], None
    for _ in range(50):
        page = ok(user.get(f"/rooms/{enc(room.id)}/messages", params={"dir": "b", "limit": 10, **({"from": token} if token else {})}))
        bodies += [event["content"].get("body") for event in page["chunk"] if event["type"] == "m.room.message"]
        token = page.get("end")
        if not token:
            return bodies[::-1]
    raise AssertionError("no end of pages")


@pytest.mark.parametrize("version", VERSIONS)
def test_history_before_the_join_is_fetched_page_by_page(server, fake, alice, version):
    room = fake.make_room(version)
    room.messages(35)
    ok(join(alice, room))
    assert history(alice, room) == [f"message {number}" for number in range(35)]


def test_tampered_events_in_history_are_left_out_and_the_others_shown(server, fake, alice):
    room = fake.make_room()
    messages = room.messages(12)
    for number, tamper in [(3, unsigned), (6, lambda event: {**event, "content": {"msgtype": "m.text", "body": "forged"}}), (9, lambda event: {**event, "depth": 1})]:
        room.events[room.id_of(messages[number])] = tamper(messages[number])
    ok(join(alice, room))
    expected = [f"message {number}" for number in range(12)]
    expected[6] = None  # redacted
    assert [body for body in history(alice, room) if body != "message 3" and body != "message 9"] == [body for number, body in enumerate(expected) if number not in (3, 9)]
    assert "message 3" not in history(alice, room) and "message 9" not in history(alice, room)


def test_event_in_history_that_cites_more_than_is_allowed_now_is_shown(server, fake, alice):
    room = fake.make_room()
    room.messages(3, "before")
    room.add(room.message("wide", prev_events=[room.last] + [f"${number:043}" for number in range(24)]))
    room.messages(3, "after")
    ok(join(alice, room))
    assert history(alice, room) == ["before 0", "before 1", "before 2", "wide", "after 0", "after 1", "after 2"]


def garbage_of_another_room(room):
    return room.server.make_room().messages(3)


@pytest.mark.parametrize("reply", [(200, b"not JSON"), (200, {}), (200, {"pdus": 5}), (200, {"pdus": [1, None, {}, []]}), (500, {}), "another room", "endless"])
def test_garbage_instead_of_history_is_no_error(server, fake, alice, reply):
    room = fake.make_room()
    room.messages(3)
    if reply == "another room":
        reply = (200, {"pdus": garbage_of_another_room(room)})
    if reply == "endless":
        reply = (200, {"pdus": room.messages(3) * 5_000})
    ok(join(alice, room))
    fake.on("GET", f"/v1/backfill/{room.id}", reply)
    ok(alice.get(f"/rooms/{enc(room.id)}/messages", params={"dir": "b", "limit": 10}))
    assert fake.was_asked("backfill")
    made = alice.send(room.id, "on it goes")
    wait_until_shown(alice, room.id, made)
