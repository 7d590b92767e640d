"""Invites whose server vanishes, withdraws them, or would withdraw what is not its own; and what a user is then shown."""

import json

import pytest

from fake_homeserver import Room, enc
from matrix_events import SigningKey, sign_event
from servers import error, ok

INVITES = ["1", "6", "10", "11", "12"]


def invite(fake, server, room, user, state=None):
    """The user's invite by the fake's own user, offered to their server: the event and the reply."""
    event = room.event("m.room.member", {"membership": "invite"}, None, user.user_id)
    body = {"event": event, "room_version": room.version, "invite_room_state": room.state_events() if state is None else state}
    return event, fake.request(server, "PUT", f"/v2/invite/{enc(room.id)}/{enc(room.id_of(event))}", body)


def invited(fake, server, user, version="12"):
    """A room of the fake's that the user is invited to."""
    room = fake.make_room(version)
    event, reply = invite(fake, server, room, user)
    ok(reply)
    room.add(event)
    return room


def is_invited(user, room):
    return room.id in user.sync().get("rooms", {}).get("invite", {})


def withdrawal(room, user, membership="leave", sender=None):
    return room.event("m.room.member", {"membership": membership, "reason": "a mistake"}, sender, user.user_id)


def told_since(user, since, room):
    """What an incremental sync tells of a room that is no longer one of invites."""
    rooms = user.sync(since)["rooms"]
    assert room.id not in rooms.get("invite", {}) and room.id not in rooms.get("join", {})
    return rooms["leave"][room.id]["timeline"]["events"]


def left_rooms(user):
    """As a client that begins anew and wants them is told: the events of each timeline."""
    rooms = user.sync(filter=json.dumps({"room": {"include_leave": True}})).get("rooms", {})
    return {room: left["timeline"]["events"] for room, left in rooms.get("leave", {}).items()}


# --- declined ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", INVITES)
@pytest.mark.parametrize("answer", [(500, b"not JSON"), (404, {"errcode": "M_NOT_FOUND", "error": "no such room"}), (403, {"errcode": "M_FORBIDDEN", "error": "no"})],
                         ids=lambda answer: answer[0])
def test_invite_that_is_declined_in_vain_ends_with_the_users_own_leave(server, fake, version, answer):
    user = server.register()
    room = invited(fake, server, user, version)
    fake.on("GET", "/v1/make_leave/.*", answer)
    since = user.sync()["next_batch"]
    ok(user.post(f"/rooms/{enc(room.id)}/leave", {"reason": "not for me"}))
    (event,) = told_since(user, since, room)
    assert event["type"] == "m.room.member" and event["state_key"] == event["sender"] == user.user_id
    assert event["content"] == {"membership": "leave", "reason": "not for me"}
    assert [told["event_id"] for told in left_rooms(user)[room.id]] == [event["event_id"]]
    ok(user.post(f"/rooms/{enc(room.id)}/leave"))
    assert [told["event_id"] for told in left_rooms(user)[room.id]] == [event["event_id"]], "leaving twice is one leave"


def test_invite_that_is_repeated_after_it_was_declined_does_not_come_back(server, fake):
    """Its server may not have heard our answer to it, nor our user's."""
    user = server.register()
    room = fake.make_room()
    event, reply = invite(fake, server, room, user)
    signed = ok(reply)["event"]
    ok(user.post(f"/rooms/{enc(room.id)}/leave"))
    body = {"event": event, "room_version": room.version, "invite_room_state": room.state_events()}
    for _ in range(2):
        assert ok(fake.request(server, "PUT", f"/v2/invite/{enc(room.id)}/{enc(room.id_of(event))}", body))["event"] == signed
        assert not is_invited(user, room) and [told["sender"] for told in left_rooms(user)[room.id]] == [user.user_id]


def test_invite_of_a_server_that_is_gone_is_declined_and_stays_declined_over_a_restart(pair, fake):
    server = pair[0]
    user = server.register()
    room = invited(fake, server, user)
    fake.close()
    ok(user.post(f"/rooms/{enc(room.id)}/leave"))
    (event,) = left_rooms(user)[room.id]
    server.kill()
    server.start()
    assert [told["event_id"] for told in left_rooms(user)[room.id]] == [event["event_id"]]
    assert event["sender"] == user.user_id and event["content"] == {"membership": "leave"} and not is_invited(user, room)


def test_invite_into_a_local_room_that_all_have_left_ends_with_the_users_own_leave(server, alice, bob):
    room = alice.create_room(preset="private_chat", invite=[bob.user_id])
    since = bob.sync()["next_batch"]
    ok(alice.post(f"/rooms/{enc(room)}/leave"))
    ok(bob.post(f"/rooms/{enc(room)}/leave"))
    (event,) = bob.sync(since)["rooms"]["leave"][room]["timeline"]["events"]
    assert event["sender"] == event["state_key"] == bob.user_id and event["content"] == {"membership": "leave"}


def test_invite_that_the_room_knows_nothing_of_can_be_declined_by_who_shares_a_server_with_a_member(server, fake, other, alice):
    user = server.register()
    room = other.make_room()
    forged = Room(fake, room.version, room.id)
    event = forged.event("m.room.member", {"membership": "invite"}, None, user.user_id, prev_events=[room.last])
    body = {"event": event, "room_version": room.version, "invite_room_state": room.state_events()}
    ok(fake.request(server, "PUT", f"/v2/invite/{enc(room.id)}/{enc(room.id_of(event))}", body))
    ok(alice.post(f"/join/{enc(room.id)}", params={"via": [other.name]}))
    assert is_invited(user, room)
    since = user.sync()["next_batch"]
    ok(user.post(f"/rooms/{enc(room.id)}/leave"))
    (event,) = told_since(user, since, room)
    assert event["sender"] == user.user_id and event["content"] == {"membership": "leave"} and not is_invited(user, room)


def test_who_is_banned_from_a_room_that_nobody_here_is_in_stays_banned(server, fake):
    user = server.register()
    room = invited(fake, server, user)
    ban = room.event("m.room.member", {"membership": "ban"}, None, user.user_id)
    assert fake.send(server, ban) == {room.id_of(ban): {}}
    error(user.post(f"/rooms/{enc(room.id)}/leave"), 403, "M_FORBIDDEN")
    assert [event["content"]["membership"] for event in left_rooms(user)[room.id]] == ["ban"]


# --- withdrawn -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", INVITES)
@pytest.mark.parametrize("membership", ["leave", "ban"])
def test_withdrawn_invite_is_gone_and_its_withdrawal_is_shown(server, fake, version, membership):
    user = server.register()
    room = invited(fake, server, user, version)
    since = user.sync()["next_batch"]
    event = withdrawal(room, user, membership)
    made = room.add(event)
    for _ in range(2):
        assert fake.send(server, event) == {made: {}}
    (told,) = told_since(user, since, room)
    assert told["event_id"] == made and told["sender"] == fake.user() and told["content"] == event["content"]
    assert not is_invited(user, room) and [told["event_id"] for told in left_rooms(user)[room.id]] == [made]


def test_who_was_invited_again_after_a_withdrawal_can_join(server, fake):
    user = server.register()
    room = invited(fake, server, user)
    event = withdrawal(room, user)
    assert fake.send(server, event) == {room.add(event): {}}
    again, reply = invite(fake, server, room, user)
    ok(reply)
    room.add(again)
    assert is_invited(user, room)
    ok(user.post(f"/join/{enc(room.id)}", params={"via": [fake.name]}))
    assert room.id in user.sync()["rooms"]["join"]


def test_another_moderator_of_the_inviters_server_withdraws_an_invite(server, fake):
    user = server.register()
    room = invited(fake, server, user)
    event = withdrawal(room, user, sender=fake.user("moderator"))
    assert fake.send(server, event) == {room.id_of(event): {}}
    assert not is_invited(user, room)


def test_withdrawal_with_a_wrong_hash_is_taken_without_what_it_says(server, fake):
    user = server.register()
    room = invited(fake, server, user)
    event = withdrawal(room, user)
    event["content"]["reason"] = "something else"
    assert fake.send(server, event) == {room.id_of(event): {}}
    assert [told["content"] for told in left_rooms(user)[room.id]] == [{"membership": "leave"}]


def test_nothing_but_the_inviters_withdrawal_of_this_very_invite_ends_it(server, fake, other):
    user, second = server.register(), server.register()
    room = invited(fake, server, user)
    first = withdrawal(room, user)
    again, reply = invite(fake, server, room, user)
    ok(reply)
    room.add(again)
    good = withdrawal(room, user)
    cited = good["auth_events"]
    assert room.id_of(again) in cited
    foreign = Room(other, room.version, room.id)
    by_other = foreign.event("m.room.member", {"membership": "leave"}, None, user.user_id, prev_events=[room.last], auth_events=cited)
    assert fake.send(server, first) == {room.id_of(first): {}} and is_invited(user, room), "an earlier invite has ended already"
    senders = [(fake, what, event) for what, event in {
        "of no invite": room.resealed({**good, "auth_events": [one for one in cited if one != room.id_of(again)]}),
        "unsigned": {**good, "signatures": {}},
        "signed by another key": sign_event({**good, "signatures": {}}, room.version, fake.name, SigningKey(fake.key.id)),
        "the user's own": room.resealed({**good, "sender": user.user_id}),
        "another user's": room.resealed({**good, "state_key": second.user_id}),
        "nobody's": room.resealed({**good, "state_key": f"@nobody.at.all:{server.name}"}),
        "a join": room.resealed({**good, "content": {"membership": "join"}}),
        "another invite": room.resealed({**good, "content": {"membership": "invite"}}),
        "a knock": room.resealed({**good, "content": {"membership": "knock"}}),
        "of no membership": room.resealed({**good, "content": {}}),
        "no state": room.resealed({key: value for key, value in good.items() if key != "state_key"}),
        "of another type": room.resealed({**good, "type": "m.room.topic"}),
        "of another server": by_other,
    }.items()]
    senders += [(other, "sent on by another server", good), (other, "another server's own", by_other)]
    for sender, what, event in senders:
        results = sender.send(server, event)
        assert "error" in results[room.id_of(event)], what
        assert is_invited(user, room), what
    assert left_rooms(second) == {}
    assert fake.send(server, good) == {room.id_of(good): {}}
    assert not is_invited(user, room)


def test_withdrawals_among_other_events_and_rooms_are_found(server, fake):
    """A transaction as it comes after a while: what this server has no part in is refused, one by one."""
    user = server.register()
    room, unknown = invited(fake, server, user), fake.make_room()
    messages, events = room.messages(3), [withdrawal(room, user), unknown.message()]
    results = fake.send(server, *messages, *events)
    failed = {made for made, result in results.items() if "error" in result}
    assert failed == {room.id_of(event) for event in [*messages, events[1]]}
    assert not is_invited(user, room)


# --- too many ------------------------------------------------------------------------------------------------------------------------


def test_no_server_alone_makes_a_user_keep_more_invites_than_a_hundred(server, fake, other):
    user = server.register()
    rooms = [fake.make_room("10") for _ in range(101)]
    replies = [invite(fake, server, room, user)[1] for room in rooms]
    assert [reply.status_code for reply in replies] == [200] * 100 + [403]
    error(replies[-1], 403, "M_FORBIDDEN")
    assert set(user.sync()["rooms"]["invite"]) == {room.id for room in rooms[:100]}
    ok(invite(other, server, other.make_room("10"), user)[1])
    ok(user.post(f"/rooms/{enc(rooms[0].id)}/leave"))
    ok(invite(fake, server, rooms[-1], user)[1])


def test_of_what_comes_with_many_invites_only_so_much_is_kept(server, fake):
    user = server.register()
    filler = [{"type": "m.room.topic", "state_key": str(number), "sender": fake.user(), "content": {"topic": "x" * 10_000}} for number in range(7)]
    for _ in range(90):
        room = fake.make_room("10")
        event = room.event("m.room.member", {"membership": "invite", "org.example.long": "x" * 20_000}, None, user.user_id)
        body = {"event": event, "room_version": "10", "invite_room_state": filler}
        ok(fake.request(server, "PUT", f"/v2/invite/{enc(room.id)}/{enc(room.id_of(event))}", body))
    reply = user.get("/sync")
    assert len(ok(reply)["rooms"]["invite"]) == 90 and len(reply.content) < 5_000_000
    assert {"type": "m.room.member", "state_key": user.user_id, "sender": fake.user(), "content": {"membership": "invite"}} in \
        ok(reply)["rooms"]["invite"][room.id]["invite_state"]["events"]


def test_invite_of_a_user_that_does_not_exist_is_refused(server, fake):
    room = fake.make_room()
    event = room.event("m.room.member", {"membership": "invite"}, None, f"@nobody.at.all:{server.name}")
    body = {"event": event, "room_version": room.version, "invite_room_state": room.state_events()}
    error(fake.request(server, "PUT", f"/v2/invite/{enc(room.id)}/{enc(room.id_of(event))}", body), 403, "M_FORBIDDEN")


# --- the state that comes with an invite ---------------------------------------------------------------------------------------------


def stripped(events):
    return [{key: event[key] for key in ("type", "state_key", "sender", "content")} for event in events]


def test_invite_of_version_12_with_stripped_state_is_taken(server, fake):
    user = server.register()
    room = fake.make_room("12")
    room.add(room.event("m.room.name", {"name": "Stripped"}, None, ""))
    event, reply = invite(fake, server, room, user, stripped(room.state_events()))
    ok(reply)
    room.add(event)
    shown = user.sync()["rooms"]["invite"][room.id]["invite_state"]["events"]
    assert {"type": "m.room.name", "state_key": "", "sender": fake.user(), "content": {"name": "Stripped"}} in shown
    ok(user.post(f"/join/{enc(room.id)}", params={"via": [fake.name]}))


@pytest.mark.parametrize("version", ["6", "10", "11", "12"])
@pytest.mark.parametrize("value", [1.5, 2**53, -(2**53)])
def test_invite_with_what_is_no_canonical_json_is_bad_json(server, fake, version, value):
    user = server.register()
    room = fake.make_room(version)
    event = room.event("m.room.member", {"membership": "invite", "org.example.number": value}, None, user.user_id)
    body = {"event": event, "room_version": version, "invite_room_state": room.state_events()}
    error(fake.request(server, "PUT", f"/v2/invite/{enc(room.id)}/{enc(room.id_of(event))}", body), 400, "M_BAD_JSON")
    assert not is_invited(user, room)


def test_invite_of_a_version_before_6_may_hold_any_number(server, fake):
    user = server.register()
    room = fake.make_room("5")
    event = room.event("m.room.member", {"membership": "invite", "org.example.number": 1.5}, None, user.user_id)
    body = {"event": event, "room_version": "5", "invite_room_state": room.state_events()}
    ok(fake.request(server, "PUT", f"/v2/invite/{enc(room.id)}/{enc(room.id_of(event))}", body))
    assert is_invited(user, room)
