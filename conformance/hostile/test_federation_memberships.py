"""Joins, leaves and invites that other servers may not have."""

import json

import pytest

from fake_homeserver import Room, enc
from matrix_events import SigningKey, seal, sign_event
from servers import error, ok
from views import VERSIONS, public_room


def make_join(fake, server, room, user=None, versions=VERSIONS):
    return fake.request(server, "GET", f"/v1/make_join/{enc(room)}/{enc(user or fake.user())}", **({"ver": versions} if versions else {}))


def test_make_join_of_a_room_that_is_not_here_is_not_found(server, fake):
    error(make_join(fake, server, "!nowhere:localhost"), 404, "M_NOT_FOUND")
    assert make_join(fake, server, "nonsense").status_code in (400, 404)


def test_make_join_for_a_user_of_another_server_is_forbidden(server, fake, other, alice):
    room = public_room(alice)
    for user in (other.user(), alice.user_id):
        error(make_join(fake, server, room, user), 403, "M_FORBIDDEN")
    error(make_join(fake, server, room, "nonsense"), 400, "M_INVALID_PARAM")


def test_make_join_without_the_rooms_version_is_incompatible(server, fake, alice):
    for version in VERSIONS:
        room = public_room(alice, room_version=version)
        for versions in (["1", "9"], [], ["v" + version]):
            assert error(make_join(fake, server, room, versions=versions), 400, "M_INCOMPATIBLE_ROOM_VERSION")["room_version"] == version


def test_make_join_and_send_join_of_the_banned_and_the_uninvited_are_forbidden(server, fake, alice):
    room = fake.join(server, public_room(alice))
    ok(alice.post(f"/rooms/{enc(room.id)}/ban", {"user_id": fake.user()}))
    error(make_join(fake, server, room.id), 403, "M_FORBIDDEN")
    join = room.event("m.room.member", {"membership": "join"}, None, fake.user())
    error(send_join(fake, server, room, join), 403, "M_FORBIDDEN")
    private = alice.create_room(preset="private_chat")
    error(make_join(fake, server, private), 403, "M_FORBIDDEN")


def send_join(fake, server, room, event, room_id=None, made=None, verb="send_join", api="v2"):
    return fake.request(server, "PUT", f"/{api}/{verb}/{enc(room_id or room.id)}/{enc(made or room.id_of(event))}", event)


def join_template(fake, server, room_id, user):
    return ok(make_join(fake, server, room_id, user, [str(version) for version in range(1, 13)]))["event"]


def test_send_join_of_anything_but_the_users_own_signed_join_is_refused(server, fake, other, alice):
    room = fake.join(server, public_room(alice))
    user = fake.user("second")
    template = join_template(fake, server, room.id, user)
    elsewhere = public_room(alice)
    good = room.resealed(template)
    bad = {
        "unsigned": {**good, "signatures": {}},
        "wrong key": sign_event({**good, "signatures": {}}, room.version, fake.name, SigningKey(fake.key.id)),
        "wrong hash": {**good, "content": {**good["content"], "displayname": "added"}},
        "another's": room.resealed({**template, "sender": alice.user_id, "state_key": alice.user_id}),
        "for another": room.resealed({**template, "state_key": fake.user("third")}),
        "of another server": seal({**template, "sender": other.user(), "state_key": other.user(), "signatures": {}}, room.version, other.name, other.key),
        "leave": room.resealed({**template, "content": {"membership": "leave"}}),
        "no state": room.resealed({key: value for key, value in template.items() if key != "state_key"}),
        "message": room.resealed({**template, "type": "m.room.message"}),
        "another room": room.resealed({**template, "room_id": elsewhere}),
        "unknown prev": room.resealed({**template, "prev_events": ["$" + "a" * 43]}),
        "unknown auth": room.resealed({**template, "auth_events": ["$" + "a" * 43]}),
    }
    for what, event in bad.items():
        reply = send_join(fake, server, room, event)
        assert reply.status_code in (400, 403) and reply.json()["errcode"] in ("M_INVALID_PARAM", "M_BAD_JSON", "M_FORBIDDEN"), (what, reply.text)
    error(send_join(fake, server, room, good, made="$" + "a" * 43), 400, "M_INVALID_PARAM")
    error(send_join(fake, server, room, good, room_id=elsewhere), 400, "M_INVALID_PARAM")
    members = ok(alice.get(f"/rooms/{enc(room.id)}/joined_members"))["joined"]
    assert set(members) == {alice.user_id, fake.user()}
    assert send_join(fake, server, room, good).status_code == 200


def test_nobody_joins_by_an_event_whose_id_another_server_would_have_to_sign_for(server, fake, alice):
    """In versions 1 and 2, where IDs are chosen: not even one in our name."""
    room = fake.join(server, public_room(alice, room_version="1"))
    user = fake.user("second")
    template = join_template(fake, server, room.id, user)
    join = seal({**template, "event_id": f"$ours:{server.name}"}, "1", fake.name, fake.key)
    error(send_join(fake, server, room, join), 400, "M_INVALID_PARAM")
    assert set(ok(alice.get(f"/rooms/{enc(room.id)}/joined_members"))["joined"]) == {alice.user_id, fake.user()}


@pytest.mark.parametrize("version", VERSIONS)
def test_send_join_again_of_a_join_that_was_not_accepted_tells_nothing_of_the_room(server, fake, other, alice, version):
    room = fake.join(server, alice.create_room(preset="public_chat", room_version=version))
    alice.set_state(room.id, "m.room.join_rules", {"join_rule": "invite"})
    unseen = Room(other, version, room.id)
    outsiders = {"knows an event": unseen.event("m.room.member", {"membership": "join"}, None, other.user(), prev_events=[room.last]),
                 "knows the state": unseen.event("m.room.member", {"membership": "join"}, None, other.user(), prev_events=[room.last],
                                                 auth_events=room.auth_events({"type": "m.room.member", "sender": other.user(), "state_key": other.user(), "content": {}}))}
    for what, join in outsiders.items():
        assert other.send(server, join) == {unseen.id_of(join): {}}, what
        for _ in range(2):
            assert "state" not in error(send_join(other, server, unseen, join), 403, "M_FORBIDDEN"), what
    ok(alice.post(f"/rooms/{enc(room.id)}/ban", {"user_id": fake.user()}))
    evasion = room.event("m.room.member", {"membership": "join", "displayname": "again"}, None, fake.user())
    assert fake.send(server, evasion) == {room.id_of(evasion): {}}
    error(send_join(fake, server, room, evasion), 403, "M_FORBIDDEN")
    error(send_join(fake, server, room, room.join_event), 403, "M_FORBIDDEN")
    assert set(ok(alice.get(f"/rooms/{enc(room.id)}/joined_members"))["joined"]) == {alice.user_id}


def test_send_join_that_is_repeated_is_answered_again(server, fake, alice):
    room = fake.join(server, public_room(alice))
    user = fake.user("second")
    join = room.resealed(join_template(fake, server, room.id, user))
    first, again = (ok(send_join(fake, server, room, join)) for _ in range(2))
    assert first["event"] == again["event"] and {room.id_of(event) for event in first["state"]} == {room.id_of(event) for event in again["state"]}


def test_send_leave_for_another_user_is_refused(server, fake, other, alice):
    room = fake.join(server, public_room(alice))
    other.join(server, room.id)
    template = ok(fake.request(server, "GET", f"/v1/make_leave/{enc(room.id)}/{enc(fake.user())}"))["event"]
    kick = room.resealed({**template, "state_key": other.user()})
    assert send_join(fake, server, room, kick, verb="send_leave").status_code in (400, 403)
    unsigned = {**room.resealed(template), "signatures": {}}
    assert send_join(fake, server, room, unsigned, verb="send_leave").status_code in (400, 403)
    assert set(ok(alice.get(f"/rooms/{enc(room.id)}/joined_members"))["joined"]) == {alice.user_id, fake.user(), other.user()}
    assert ok(send_join(fake, server, room, room.resealed(template), verb="send_leave")) == {}


@pytest.mark.parametrize("version", ["6", *VERSIONS])
@pytest.mark.parametrize("value", [1.5, 2**53, -(2**53)])
def test_joins_and_leaves_with_what_is_no_canonical_json_are_bad_json(server, fake, alice, version, value):
    room = fake.join(server, public_room(alice, room_version=version))
    user = fake.user("second")
    for verb, template in [("send_join", join_template(fake, server, room.id, user)),
                           ("send_leave", ok(fake.request(server, "GET", f"/v1/make_leave/{enc(room.id)}/{enc(fake.user())}"))["event"])]:
        event = room.resealed({**template, "content": {**template["content"], "org.example.number": value}})
        for api in ("v1", "v2"):
            error(send_join(fake, server, room, event, verb=verb, api=api), 400, "M_BAD_JSON")
    assert set(ok(alice.get(f"/rooms/{enc(room.id)}/joined_members"))["joined"]) == {alice.user_id, fake.user()}


@pytest.mark.parametrize("version", ["1", "10", "12"])
def test_joins_and_leaves_of_old_servers_are_answered_as_pairs(server, fake, alice, version):
    room = fake.join(server, public_room(alice, room_version=version))
    user = fake.user("second")
    join = room.resealed(join_template(fake, server, room.id, user))
    status, body = ok(send_join(fake, server, room, join, api="v1"))
    assert status == 200 and {"m.room.create", "m.room.member"} <= {event["type"] for event in body["state"]}
    assert body["event"] == join and body["auth_chain"] and set(body) == {"auth_chain", "event", "state"}
    leave = room.resealed(ok(fake.request(server, "GET", f"/v1/make_leave/{enc(room.id)}/{enc(user)}"))["event"])
    assert ok(send_join(fake, server, room, leave, verb="send_leave", api="v1")) == [200, {}]
    assert set(ok(alice.get(f"/rooms/{enc(room.id)}/joined_members"))["joined"]) == {alice.user_id, fake.user()}


def test_old_joins_and_leaves_are_refused_as_the_new_ones(server, fake, other, alice):
    room = fake.join(server, public_room(alice))
    event = room.event("m.room.member", {"membership": "join"}, None, fake.user())
    foreign = Room(other, room.version, room.id)
    for verb, membership in [("send_join", "join"), ("send_leave", "leave")]:
        by_other = foreign.event("m.room.member", {"membership": membership}, None, other.user(), prev_events=[room.last])
        error(send_join(fake, server, room, event, "!nowhere:localhost", verb=verb, api="v1"), 404, "M_NOT_FOUND")
        error(send_join(fake, server, room, by_other, verb=verb, api="v1"), 400, "M_INVALID_PARAM")
    ok(alice.post(f"/rooms/{enc(room.id)}/ban", {"user_id": fake.user()}))
    for verb, membership in [("send_join", "join"), ("send_leave", "leave")]:
        barred = room.event("m.room.member", {"membership": membership}, None, fake.user())
        error(send_join(fake, server, room, barred, verb=verb, api="v1"), 403, "M_FORBIDDEN")


def invite(fake, server, room, event, room_id=None, made=None, version=None, state=None):
    body = {"event": event, "room_version": version or room.version, "invite_room_state": room.state_events() if state is None else state}
    return fake.request(server, "PUT", f"/v2/invite/{enc(room_id or room.id)}/{enc(made or room.id_of(event))}", body)


def invited_to(user):
    return set(user.sync()["rooms"].get("invite", {})) if "rooms" in user.sync() else set()


@pytest.mark.parametrize("version", VERSIONS)
def test_invite_that_is_not_what_it_says_is_refused(server, fake, other, alice, version):
    room = fake.make_room(version)
    good = room.event("m.room.member", {"membership": "invite"}, None, alice.user_id)
    bad = {
        "unsigned": {**good, "signatures": {}},
        "wrong key": sign_event({**good, "signatures": {}}, version, fake.name, SigningKey(fake.key.id)),
        "wrong hash": {**good, "content": {**good["content"], "reason": "added"}},
        "join": room.resealed({**good, "content": {"membership": "join"}}),
        "not ours": room.resealed({**good, "state_key": other.user()}),
        "no state": room.resealed({key: value for key, value in good.items() if key != "state_key"}),
        "of another server": seal({**good, "sender": other.user(), "signatures": {}}, version, other.name, other.key),
        "message": room.resealed({**good, "type": "m.room.message"}),
    }
    for what, event in bad.items():
        reply = invite(fake, server, room, event)
        assert reply.status_code in (400, 403) and reply.json()["errcode"] in ("M_INVALID_PARAM", "M_BAD_JSON", "M_FORBIDDEN"), (what, reply.text)
    error(invite(fake, server, room, good, made="$" + "a" * 43), 400, "M_INVALID_PARAM")
    error(invite(fake, server, room, good, room_id="!other:a.example"), 400, "M_INVALID_PARAM")
    error(invite(fake, server, room, good, version="99"), 400, "M_INCOMPATIBLE_ROOM_VERSION")
    assert invited_to(alice) == set()
    signed = ok(invite(fake, server, room, good))["event"]
    assert set(signed["signatures"]) == {fake.name, server.name} and invited_to(alice) == {room.id}


def test_whole_events_of_the_state_that_comes_with_an_invite_of_version_12_must_be_of_the_room(server, fake, alice):
    room, another = fake.make_room("12"), fake.make_room("12")
    event = room.event("m.room.member", {"membership": "invite"}, None, alice.user_id)
    create, *rest = room.state_events()
    stripped_rule = {"type": "m.room.join_rules", "state_key": "", "sender": fake.user(), "content": {"join_rule": "public"}}
    for state in ([], rest, [stripped_rule], another.state_events(), [{**create, "signatures": {}}], [create, {**rest[0], "sender": fake.user("other")}]):
        reply = invite(fake, server, room, event, state=state)
        assert reply.status_code == 400 and reply.json()["errcode"] in ("M_MISSING_PARAM", "M_INVALID_PARAM"), reply.text
    assert invited_to(alice) == set()


def test_of_the_state_that_comes_with_an_invite_only_so_much_is_kept(server, fake):
    user = server.register()
    room = fake.make_room("10")
    event = room.event("m.room.member", {"membership": "invite"}, None, user.user_id)
    large = [{"type": "m.room.topic", "state_key": str(number), "sender": fake.user(), "content": {"topic": "x" * 10_000}} for number in range(90)]
    small = {"type": "m.room.name", "state_key": "", "sender": fake.user(), "content": {"name": "Small"}}
    ok(invite(fake, server, room, event, state=large + [small]))
    shown = user.sync()["rooms"]["invite"][room.id]["invite_state"]["events"]
    assert small in shown and shown[-1]["content"] == {"membership": "invite"}
    assert len(json.dumps(shown)) < 70_000
