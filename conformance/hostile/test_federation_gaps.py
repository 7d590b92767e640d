"""Events whose predecessors are not here: they are asked for, from servers that help, lie, hang or never end."""

import pytest

from fake_homeserver import enc
from servers import Server
from views import VERSIONS, counted, is_shown, public_room, state_of, still_takes_part, timeline, wait_until_shown

UNABLE = (404, {"errcode": "M_NOT_FOUND", "error": "I'd rather not"})


@pytest.fixture
def room(server, fake, alice):
    """A room of the server's that the fake is in, and whose events the fake tells."""
    joined = fake.join(server, public_room(alice))
    joined.serve()
    return joined


def order_of(user, room, events):
    wanted = [room.id_of(event) for event in events]
    return [event for event in reversed(timeline(user, room.id)) if event in wanted]


def state_ids_of(user, room):
    return {key: event["event_id"] for key, event in state_of(user, room.id).items()}


def missing_events(fake, room, reply):
    fake.on("POST", f"/v1/get_missing_events/{room.id}", reply)


def state_ids(fake, room, reply):
    fake.on("GET", f"/v1/state_ids/{room.id}", reply)


def gap(room, length=3):
    """So many messages that nobody sends, and one after them."""
    hidden = room.messages(length, "hidden")
    return hidden, room.messages(1, "sent")[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_gap_is_filled_in_the_order_of_the_events(server, fake, alice, version):
    room = fake.join(server, public_room(alice, room_version=version))
    room.serve()
    hidden, sent = gap(room, 5)
    with counted(server, "federation_pdus_received_total", result="staged"):
        assert fake.send(server, sent) == {room.last: {}}
    wait_until_shown(alice, room.id, room.last)
    assert order_of(alice, room, [*hidden, sent]) == [room.id_of(event) for event in [*hidden, sent]]
    asked = fake.was_asked("get_missing_events")[0].body
    assert asked["latest_events"] == [room.last] and asked["earliest_events"] == [room.id_of(room.join_event)]


def test_gap_wider_than_one_answer_is_filled_in_rounds(server, fake, alice, room):
    hidden, sent = gap(room, 120)
    fake.send(server, sent)
    wait_until_shown(alice, room.id, room.last)
    assert [room.id_of(event) for event in hidden[-90:]] == order_of(alice, room, hidden[-90:])
    assert 2 < len(fake.was_asked("get_missing_events")) <= 5 and not fake.was_asked("state_ids")


@pytest.mark.parametrize("version", VERSIONS)
def test_gap_that_cannot_be_closed_is_bridged_by_the_state_before_the_event(server, fake, alice, version):
    room = fake.join(server, public_room(alice, room_version=version))
    room.serve()
    second = fake.user("second")
    room.messages(1, "hidden")
    room.add(room.event("m.room.member", {"membership": "join"}, second, second))
    sent = room.message("after a join that nobody saw")
    room.add(sent)
    missing_events(fake, room, (200, {"events": []}))
    fake.send(server, sent)
    wait_until_shown(alice, room.id, room.last)
    assert fake.was_asked("state_ids") and fake.was_asked("^/v1/event/")
    assert state_of(alice, room.id)["m.room.member", second]["content"] == {"membership": "join"}
    still_takes_part(fake, server, room, alice)


def test_tampered_event_among_the_missing_is_left_out(server, fake, alice, room):
    hidden, sent = gap(room, 5)
    bad = room.id_of(hidden[2])
    room.events[bad] = {**hidden[2], "signatures": {}}
    fake.send(server, sent)
    wait_until_shown(alice, room.id, room.last)
    assert order_of(alice, room, [*hidden, sent]) == [room.id_of(event) for event in [*hidden[:2], *hidden[3:], sent]]
    assert not is_shown(alice, room.id, bad)


GARBAGE = [(200, b"not JSON"), (200, {}), (200, {"events": 5}), (200, {"events": [1, None, {}, []]}), (500, {}), (403, {"errcode": "M_FORBIDDEN", "error": "no"}),
           "unsigned", "another room", "not asked for"]


@pytest.mark.parametrize("reply", GARBAGE, ids=str)
def test_garbage_instead_of_missing_events_is_dropped_and_asked_for_again(server, fake, alice, room, reply):
    hidden, sent = gap(room)
    before = room.events[room.id_of(room.join_event)]
    if reply == "unsigned":
        reply = (200, {"events": [{**event, "signatures": {}} for event in hidden]})
    if reply == "another room":
        reply = (200, {"events": fake.make_room().messages(3)})
    if reply == "not asked for":
        reply = (200, {"events": [before]})
    missing_events(fake, room, reply)
    state_ids(fake, room, UNABLE)
    fake.send(server, sent)
    fake.wait_until_asked("get_missing_events")
    assert not is_shown(alice, room.id, room.last)
    # The room goes on for everybody,
    alice.send(room.id, "meanwhile")
    aside = room.message("beside the gap", prev_events=[room.id_of(room.join_event)])
    assert fake.send(server, aside) == {room.id_of(aside): {}}
    assert is_shown(alice, room.id, room.id_of(aside))
    # and when the answer is right in the end, the gap is filled.
    missing_events(fake, room, room.missing_events)
    with counted(server, "federation_staged_pdus_total", result="settled"):
        wait_until_shown(alice, room.id, room.last)
    assert order_of(alice, room, [*hidden, sent]) == [room.id_of(event) for event in [*hidden, sent]]


def test_endless_predecessors_are_given_up_after_some_rounds(server, fake, alice, room):
    room.add(room.message("has a predecessor that nobody has", prev_events=["$" + "a" * 43]))
    room.messages(400)
    state_ids(fake, room, UNABLE)
    fake.send(server, room.events[room.last])
    fake.wait_until_asked("state_ids")
    assert len(fake.was_asked("get_missing_events")) <= 5
    assert all(asked.body["limit"] <= 50 for asked in fake.was_asked("get_missing_events"))
    assert not is_shown(alice, room.id, room.last)
    alice.send(room.id, "on it goes")


def test_server_that_hangs_holds_up_neither_the_room_nor_others(server, fake, other, alice, room):
    missing_events(fake, room, fake.hang)
    _, sent = gap(room)
    fake.send(server, sent)
    fake.wait_until_asked("get_missing_events")
    made = alice.send(room.id, "nobody waits")
    wait_until_shown(alice, room.id, made)
    theirs = other.join(server, room.id)
    still_takes_part(other, server, theirs, alice)
    elsewhere = other.join(server, public_room(alice))
    elsewhere.serve()
    hidden, late = gap(elsewhere)
    other.send(server, late)
    wait_until_shown(alice, elsewhere.id, elsewhere.last)
    assert len(order_of(alice, elsewhere, hidden)) == 3


def test_other_servers_of_the_room_are_asked_when_the_sender_does_not_help(server, fake, other, alice, room):
    helper = other.join(server, room.id)
    helper.serve()
    hidden, sent = gap(room)
    helper.events.update(room.events)
    missing_events(fake, room, UNABLE)
    fake.on("GET", f"/v1/state_ids/{room.id}", UNABLE)
    fake.send(server, sent)
    wait_until_shown(alice, room.id, room.last)
    assert order_of(alice, room, [*hidden, sent]) == [room.id_of(event) for event in [*hidden, sent]]
    assert fake.was_asked("get_missing_events") and other.was_asked("get_missing_events")


def test_state_is_had_from_another_server_when_the_sender_does_not_tell(server, fake, other, alice, room):
    helper = other.join(server, room.id)
    helper.serve()
    _, sent = gap(room)
    helper.events.update(room.events)
    helper.order = room.order
    for on in (fake, other):
        missing_events(on, room, (200, {"events": []}))
    state_ids(fake, room, UNABLE)
    fake.send(server, sent)
    wait_until_shown(alice, room.id, room.last)
    assert other.was_asked("state_ids")


def test_state_of_another_room_is_not_taken_for_that_of_this_room(server, fake, alice, room):
    secret = alice.create_room(preset="private_chat", name="secret")
    alien = [event["event_id"] for event in state_of(alice, secret).values()]
    before = state_ids_of(alice, room)
    missing_events(fake, room, (200, {"events": []}))
    state_ids(fake, room, lambda asked: (200, {"pdu_ids": room.state_before(asked.query["event_id"][0]) + alien, "auth_chain_ids": []}))
    _, sent = gap(room)
    fake.send(server, sent)
    fake.wait_until_asked("state_ids", times=2)
    assert not is_shown(alice, room.id, room.last) and state_ids_of(alice, room) == before
    state_ids(fake, room, room.state_ids)
    wait_until_shown(alice, room.id, room.last)
    assert state_ids_of(alice, room) == before


@pytest.mark.parametrize("lie", [(200, {"pdu_ids": [], "auth_chain_ids": []}), (200, {"pdu_ids": ["$" + "a" * 43], "auth_chain_ids": []}), (200, {"pdu_ids": 5}),
                                 (200, {"pdu_ids": [5], "auth_chain_ids": []}), (200, b"not JSON")], ids=str)
def test_event_is_not_judged_by_a_state_that_is_a_lie(server, fake, alice, room, lie):
    missing_events(fake, room, (200, {"events": []}))
    state_ids(fake, room, lie)
    _, sent = gap(room)
    fake.send(server, sent)
    fake.wait_until_asked("state_ids")
    state_ids(fake, room, room.state_ids)
    wait_until_shown(alice, room.id, room.last)


@pytest.mark.parametrize("version", VERSIONS)
def test_event_of_a_server_without_keys_does_not_keep_those_after_it_out(server, fake, other, alice, version):
    other.on("GET", "/_matrix/key/v2/server", (500, {}))
    room = fake.join(server, public_room(alice, room_version=version))
    room.serve()
    unverifiable = room.join_of(other)
    sent, later = room.messages(2)
    for event in (sent, later):
        assert fake.send(server, event) == {room.id_of(event): {}}
        wait_until_shown(alice, room.id, room.id_of(event))
    assert unverifiable not in state_ids_of(alice, room).values()
    still_takes_part(fake, server, room, alice)


def test_gap_is_bridged_though_the_key_of_a_member_is_gone(server, fake, other, alice):
    other.on("GET", "/_matrix/key/v2/server", (500, {}))
    room = fake.make_room()
    room.join_of(other)
    assert alice.post(f"/join/{enc(room.id)}", params={"via": [fake.name]}).status_code == 200
    topic = room.add(room.event("m.room.topic", {"topic": "set in the gap"}, state_key=""))
    sent = room.messages(300)[-1]
    fake.send(server, sent)
    wait_until_shown(alice, room.id, room.last)
    assert state_ids_of(alice, room)["m.room.topic", ""] == topic
    still_takes_part(fake, server, room, alice)


def test_state_that_a_server_cannot_give_now_is_waited_for(server, fake, alice, room):
    second = fake.user("second")
    joined = room.add(room.event("m.room.member", {"membership": "join"}, second, second))
    sent = room.messages(1)[0]
    missing_events(fake, room, (200, {"events": []}))
    fake.on("GET", "/v1/event/(.*)", (503, {}))
    fake.send(server, sent)
    fake.wait_until_asked("^/v1/event/", times=2)
    assert not is_shown(alice, room.id, room.last)
    fake.on("GET", "/v1/event/(.*)", room.get_event)
    wait_until_shown(alice, room.id, room.last)
    assert state_ids_of(alice, room)["m.room.member", second] == joined


def test_hopeless_events_do_not_hold_up_others_of_their_room(server, fake, alice, room):
    nowhere = ["$" + "a" * 43]
    missing_events(fake, room, lambda asked: room.missing_events(asked) if asked.body["latest_events"] == [good] else UNABLE)
    state_ids(fake, room, UNABLE)
    hopeless = [room.message(f"hopeless {number}", prev_events=nowhere) for number in range(150)]
    _, sent = gap(room)
    good = room.last
    for first in range(0, 150, 50):
        fake.send(server, *hopeless[first:first + 50])
    fake.send(server, sent)
    wait_until_shown(alice, room.id, good)


def test_one_server_cannot_have_all_of_a_room_wait(server, fake, other, alice, room):
    helper = other.join(server, room.id)
    helper.serve()
    missing_events(fake, room, UNABLE)
    state_ids(fake, room, UNABLE)
    hopeless = [room.message(f"hopeless {number}", prev_events=["$" + "a" * 43]) for number in range(300)]
    results = {}
    for first in range(0, 300, 50):
        results.update(fake.send(server, *hopeless[first:first + 50]))
    assert len([result for result in results.values() if "error" in result]) == 50
    _, sent = gap(helper)
    assert other.send(server, sent) == {helper.last: {}}
    wait_until_shown(alice, room.id, helper.last)


def test_events_that_waited_when_the_server_was_killed_are_settled_after_its_start(authority, fake):
    server = Server(authority)
    try:
        alice = server.register()
        room = fake.join(server, public_room(alice))
        room.serve()
        hidden, sent = gap(room)
        missing_events(fake, room, UNABLE)
        state_ids(fake, room, UNABLE)
        assert fake.send(server, sent) == {room.last: {}}
        fake.wait_until_asked("state_ids")
        server.kill()
        missing_events(fake, room, room.missing_events)
        server.start()
        wait_until_shown(alice, room.id, room.last)
        assert order_of(alice, room, [*hidden, sent]) == [room.id_of(event) for event in [*hidden, sent]]
    finally:
        server.remove()
