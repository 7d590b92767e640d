"""Servers that answer a request with an error: they are there, and are asked for other things; clients are told what they said."""

import pytest

from fake_homeserver import enc
from servers import error, ok
from views import is_shown, public_room, state_of, still_takes_part, wait_until_shown

BARE = [(404, b""), (404, b"<html>not here</html>"), (500, {}), (400, {"errcode": "M_NEVER_HEARD_OF", "error": "no"}), (200, b"not JSON")]


@pytest.fixture
def room(server, fake, alice):
    joined = fake.join(server, public_room(alice))
    joined.serve()
    return joined


@pytest.mark.parametrize("reply", BARE, ids=str)
def test_server_that_tells_no_missing_events_is_asked_for_the_state_all_the_same(server, fake, alice, room, reply):
    fake.on("POST", f"/v1/get_missing_events/{room.id}", reply)
    room.messages(2, "hidden")
    sent = room.messages(1, "sent")[0]
    assert fake.send(server, sent) == {room.last: {}}
    wait_until_shown(alice, room.id, room.last)
    assert len(fake.was_asked("get_missing_events")) == 1, "in one attempt"
    still_takes_part(fake, server, room, alice)


@pytest.mark.parametrize("reply", [*BARE, (403, {"errcode": "M_FORBIDDEN", "error": "no"}), (200, {"auth_chain": []}), (200, {})], ids=str)
def test_auth_events_are_had_from_the_state_where_the_auth_chain_is_not_told(server, fake, alice, room, reply):
    fake.on("GET", f"/v1/event_auth/{room.id}/(.*)", reply)
    own, before, newest = fake.user(), list(room.state.values()), room.last
    hidden = []
    for number in range(3):
        renamed = room.event("m.room.member", {"membership": "join", "displayname": f"Mallory {number}"}, own, own)
        hidden.append(room.add(renamed))
    sent = room.message("by a member whose membership is not known", prev_events=[newest])
    made = room.id_of(sent)
    room.events[made] = sent
    chain = list(room.auth_chain([sent]))
    fake.on("GET", f"/v1/state_ids/{room.id}", (200, {"pdu_ids": before, "auth_chain_ids": chain}))
    assert fake.send(server, sent) == {made: {}}
    wait_until_shown(alice, room.id, made)
    assert fake.was_asked("event_auth") and fake.was_asked("state_ids")
    assert state_of(alice, room.id)["m.room.member", own]["event_id"] == room.id_of(room.join_event)


def test_server_that_can_not_be_reached_is_asked_nothing_more_in_the_same_attempt(server, fake, alice, room):
    fake.on("POST", f"/v1/get_missing_events/{room.id}", (503, {}))
    room.messages(2, "hidden")
    fake.send(server, room.messages(1, "sent")[0])
    fake.wait_until_asked("get_missing_events", times=2)
    assert not fake.was_asked("state_ids") and not is_shown(alice, room.id, room.last)
    fake.on("POST", f"/v1/get_missing_events/{room.id}", room.missing_events)
    wait_until_shown(alice, room.id, room.last)


TOLD = [(403, "M_FORBIDDEN"), (404, "M_NOT_FOUND"), (400, "M_BAD_STATE"), (403, "M_NEVER_HEARD_OF"), (418, "ORG.EXAMPLE.TEAPOT"), (400, "M_UNKNOWN")]
KEPT_BACK = [(401, "M_UNKNOWN_TOKEN"), (403, "M_MISSING_TOKEN"), (401, "M_NEVER_HEARD_OF"), (404, "M_UNRECOGNIZED"), (429, "M_LIMIT_EXCEEDED"), (500, "M_FORBIDDEN")]
WAYS = {
    "join": ("GET", "/v1/make_join/.*", lambda user, fake: user.post(f"/join/{enc(f'!room:{fake.name}')}", params={"via": fake.name})),
    "profile": ("GET", "/v1/query/profile", lambda user, fake: user.get(f"/profile/{enc(fake.user())}")),
    "alias": ("GET", "/v1/query/directory", lambda user, fake: user.get(f"/directory/room/{enc(f'#room:{fake.name}')}")),
}


@pytest.mark.parametrize("status, errcode", TOLD)
@pytest.mark.parametrize("way", WAYS)
def test_client_is_told_what_the_other_server_said(fake, alice, way, status, errcode):
    method, path, ask = WAYS[way]
    fake.on(method, path, (status, {"errcode": errcode, "error": "because of the weather"}))
    assert error(ask(alice, fake), status, errcode)["error"] == "because of the weather"


@pytest.mark.parametrize("reply", [*[(status, {"errcode": errcode, "error": "no"}) for status, errcode in KEPT_BACK], (404, b""), (200, b"not JSON")], ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_client_is_not_told_what_the_other_server_said_of_the_request(fake, alice, way, reply):
    method, path, ask = WAYS[way]
    fake.on(method, path, reply)
    error(ask(alice, fake), 502, "M_UNKNOWN")
    ok(alice.get("/account/whoami"))


@pytest.mark.parametrize("way", WAYS)
def test_client_is_told_a_long_story_in_short(fake, alice, way):
    method, path, ask = WAYS[way]
    fake.on(method, path, (403, {"errcode": "M_FORBIDDEN", "error": "\u00e4" * 5_000, "more": ["more"] * 1_000}))
    reply = ask(alice, fake)
    assert len(reply.content) < 2_000
    error(reply, 403, "M_FORBIDDEN")


def test_what_a_server_says_of_the_room_counts_more_than_that_another_is_out_of_order(fake, other, alice):
    room = f"!room:{fake.name}"
    fake.on("GET", "/v1/make_join/.*", (403, {"errcode": "M_FORBIDDEN", "error": "by invitation"}))
    for reply in [(500, {}), (404, b""), (503, {}), (200, b"not JSON")]:
        other.on("GET", "/v1/make_join/.*", reply)
        error(alice.post(f"/join/{enc(room)}", params={"via": [fake.name, other.name]}), 403, "M_FORBIDDEN")
        error(alice.post(f"/join/{enc(room)}", params={"via": [other.name, fake.name]}), 403, "M_FORBIDDEN")
