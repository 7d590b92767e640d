"""Rooms that this server knew an invite of before anything else."""

import pytest

from fake_homeserver import enc
from matrix_events import cited_ids
from servers import error, ok
from views import state_of, still_takes_part, timeline

ALL = ["1", "6", "10", "11", "12"]


def private_room(fake, version):
    room = fake.make_room(version)
    room.add(room.event("m.room.join_rules", {"join_rule": "invite"}, state_key=""))
    return room


def invite(fake, server, room, user, **members):
    """Returns the invite, signed by both."""
    event = room.event("m.room.member", {"membership": "invite"}, state_key=user.user_id, **members)
    body = {"room_version": room.version, "event": event, "invite_room_state": [room.events[made] for made in room.state.values()]}
    made = ok(fake.request(server, "PUT", f"/v2/invite/{enc(room.id)}/{enc(room.id_of(event))}", body))["event"]
    room.add(made)
    return made


def join(user, room):
    ok(user.post(f"/join/{enc(room.id)}", {}, params={"server_name": room.server.name}))


def let_set_the_topic(room, user):
    users = {user.user_id: 50} if room.version == "12" else {room.server.user(): 100, user.user_id: 50}
    room.add(room.event("m.room.power_levels", {"users": users}, state_key=""))


@pytest.mark.parametrize("version", ALL)
def test_topics_set_at_once_meet_where_the_invite_got_its_place_by_backfill(server, fake, alice, version):
    room = private_room(fake, version)
    let_set_the_topic(room, alice)
    earlier = room.messages(3)
    invited = invite(fake, server, room, alice)
    join(alice, room)
    shown = timeline(alice, room.id)
    assert room.id_of(invited) in shown and all(room.id_of(event) in shown for event in earlier)
    ours = ok(alice.put(f"/rooms/{enc(room.id)}/state/m.room.topic", {"topic": "ours"}))["event_id"]
    theirs = room.event("m.room.topic", {"topic": "theirs"}, state_key="")
    made = room.id_of(theirs)
    assert fake.send(server, theirs) == {made: {}}
    assert state_of(alice, room.id)["m.room.topic", ""]["event_id"] in (ours, made)
    room.add(theirs)
    fake.wait_until_asked("^/v1/send/")
    still_takes_part(fake, server, room, alice)


@pytest.mark.parametrize("version", ["6", "11"])
def test_an_invite_that_its_sender_may_not_make_lets_nobody_in(server, fake, other, alice, version):
    """Of an invite to an unknown room nothing is checked but signatures. With the room it must be judged after all."""
    room = private_room(fake, version)
    room.join_of(other)
    banned = room.event("m.room.member", {"membership": "ban"}, state_key=other.user())
    room.add(banned)
    event = room.resealed(room.event("m.room.member", {"membership": "invite"}, other.user(), alice.user_id), by=other)
    body = {"room_version": room.version, "event": event, "invite_room_state": []}
    ok(other.request(server, "PUT", f"/v2/invite/{enc(room.id)}/{enc(room.id_of(event))}", body))
    # The room's server lies as well: for it the user is invited.
    room.add(event)
    reply = alice.post(f"/join/{enc(room.id)}", {}, params={"server_name": fake.name})
    assert reply.status_code in (403, 502), reply.text
    error(alice.get(f"/rooms/{enc(room.id)}/state"), 403, "M_FORBIDDEN")


@pytest.mark.parametrize("version", ["10", "12"])
def test_an_event_that_cites_an_unchecked_invite_waits_until_that_is_judged(server, fake, alice, bob, version):
    """Two local users are invited; one joins, over an answer that does not tell of the other's invite."""
    room = private_room(fake, version)
    invite(fake, server, room, alice)
    unneeded = invite(fake, server, room, bob)
    room.state.pop(("m.room.member", bob.user_id))
    join(alice, room)
    # Its auth_events name the invite, without need or right: rejected, once the invite is known for what it is.
    odd = room.event("m.room.topic", {"topic": "odd"}, state_key="")
    odd["auth_events"] = room.cite([*cited_ids(odd, "auth_events"), room.id_of(unneeded)])
    odd = room.resealed(odd)
    assert fake.send(server, odd) == {room.id_of(odd): {}}
    fake.wait_until_asked("^/v1/event/|^/v1/event_auth/")
    assert ("m.room.topic", "") not in state_of(alice, room.id)
    still_takes_part(fake, server, room, alice)
