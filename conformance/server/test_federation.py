"""What other servers may ask: each endpoint of the federation and key APIs, and whom it refuses."""

import base64
import itertools
import threading

import nacl.signing
import pytest
import requests

from fake_homeserver import FakeHomeserver, enc, now_ms
from matrix_events import base64_of, canonical, redact, seal, sign_event, sign_json, without
from servers import Server, error, ok

NO_EVENT = "$" + "A" * 43
NUMBERS = itertools.count(1)


@pytest.fixture
def room(server, fake, alice):
    """A public room of alice's that a user of the fake is in."""
    return fake.join(server, alice.create_room(preset="public_chat"))


def verify(document, server, key_id, public_key):
    signature = base64.b64decode(document["signatures"][server][key_id] + "==")
    nacl.signing.VerifyKey(base64.b64decode(public_key + "==")).verify(canonical(without(document, "signatures", "unsigned")), signature)


# --- keys, version, queries ------------------------------------------------------------------------------------------------------


def own_keys(server):
    return ok(requests.get(server.url + "/_matrix/key/v2/server"))


def test_own_keys_are_signed_by_themselves(server):
    keys = own_keys(server)
    assert keys["server_name"] == server.name and keys["valid_until_ts"] > now_ms() + 3600 * 1000 and keys["old_verify_keys"] == {}
    ((key_id, key),) = keys["verify_keys"].items()
    verify(keys, server.name, key_id, key["key"])
    assert ok(requests.get(f"{server.url}/_matrix/key/v2/server/{key_id}"))["verify_keys"] == keys["verify_keys"]


def test_own_keys_are_canonical_json(server):
    """Some check the bytes as they come."""
    for path in ("server", "server/ed25519:any", f"query/{enc(server.name)}"):
        reply = requests.get(f"{server.url}/_matrix/key/v2/{path}")
        assert reply.content == canonical(ok(reply))


def test_keys_of_others_are_told_with_two_signatures(server, fake):
    ((notary_id, notary),) = own_keys(server)["verify_keys"].items()
    by_get = ok(requests.get(f"{server.url}/_matrix/key/v2/query/{fake.name}"))
    by_post = ok(requests.post(f"{server.url}/_matrix/key/v2/query", json={"server_keys": {fake.name: {}}}))
    for reply in (by_get, by_post):
        (document,) = reply["server_keys"]
        assert document["server_name"] == fake.name and document["verify_keys"] == {fake.key.id: {"key": fake.key.public}}
        verify(document, fake.name, fake.key.id, fake.key.public)
        verify(document, server.name, notary_id, notary["key"])


def test_keys_of_a_server_that_is_gone_are_believed_to_a_trusted_notary_alone(authority, fake, other):
    """A room whose creator's server no longer answers; `fake` is in it, and `other` is the notary."""
    gone = FakeHomeserver(authority)
    room = gone.make_room()
    document = sign_json(gone.keys(), other.name, other.key)
    gone.close()
    room.server = fake
    room.add(room.event("m.room.member", {"membership": "join"}, fake.user(), fake.user()))
    room.serve()
    for notary in (fake, other):
        notary.on("POST", "/_matrix/key/v2/query", (200, {"server_keys": [document]}))
    server = Server(authority)
    try:
        alice = server.register()
        error(alice.post(f"/join/{enc(room.id)}", params={"via": [fake.name]}), 502, "M_UNKNOWN")
        assert server.stop() == 0
        server.reconfigure({"federation.trusted_key_servers": f'["{other.name}"]'})
        server.start()
        ok(alice.post(f"/join/{enc(room.id)}", params={"via": [fake.name]}))
        assert other.was_asked("key/v2/query")[0].body == {"server_keys": {gone.name: {}}}
        assert not fake.was_asked("key/v2/query")
        assert ok(alice.get(f"/rooms/{enc(room.id)}/state/m.room.create"))
    finally:
        server.remove()


def test_keys_that_can_not_be_had_are_left_out(server):
    assert ok(requests.get(f"{server.url}/_matrix/key/v2/query/localhost:1")) == {"server_keys": []}


def test_key_queries_are_refused_that_make_no_sense(server, fake):
    query = f"{server.url}/_matrix/key/v2/query"
    error(requests.get(f"{query}/{enc('not a name')}"), 400, "M_INVALID_PARAM")
    error(requests.get(f"{query}/{fake.name}", params={"minimum_valid_until_ts": "soon"}), 400, "M_INVALID_PARAM")
    error(requests.post(query, data="{"), 400, "M_NOT_JSON")
    error(requests.post(query, json={}), 400, "M_MISSING_PARAM")
    error(requests.post(query, json={"server_keys": []}), 400, "M_BAD_JSON")


def test_the_version_is_told_to_anyone(server):
    told = ok(requests.get(server.url + "/_matrix/federation/v1/version"))["server"]
    assert told["name"] == "Causeway" and told["version"]


def test_profiles_are_told(server, fake, alice):
    ok(alice.put(f"/profile/{alice.user_id}/displayname", {"displayname": "Alice"}))
    ok(alice.put(f"/profile/{alice.user_id}/avatar_url", {"avatar_url": "mxc://a/b"}))

    def query(**parameters):
        return fake.request(server, "GET", "/v1/query/profile", **parameters)

    assert ok(query(user_id=alice.user_id)) == {"displayname": "Alice", "avatar_url": "mxc://a/b"}
    assert ok(query(user_id=alice.user_id, field="displayname")) == {"displayname": "Alice"}
    error(query(user_id=f"@nobody.at.all:{server.name}"), 404, "M_NOT_FOUND")
    error(query(user_id=fake.user()), 404, "M_NOT_FOUND")
    error(query(), 400, "M_MISSING_PARAM")
    error(query(user_id="nonsense"), 400, "M_INVALID_PARAM")


def test_aliases_are_told(server, fake, alice):
    name = fake.name.split(":")[1]
    room = alice.create_room(room_alias_name=f"told{name}")

    def query(**parameters):
        return fake.request(server, "GET", "/v1/query/directory", **parameters)

    assert ok(query(room_alias=f"#told{name}:{server.name}")) == {"room_id": room, "servers": [server.name]}
    ok(alice.post(f"/rooms/{enc(room)}/leave"))
    assert ok(query(room_alias=f"#told{name}:{server.name}")) == {"room_id": room, "servers": []}
    error(query(room_alias=f"#none{name}:{server.name}"), 404, "M_NOT_FOUND")
    error(query(), 400, "M_MISSING_PARAM")
    error(query(room_alias="nonsense"), 400, "M_INVALID_PARAM")


def test_transactions_are_accepted_or_refused_whole(server, fake):
    assert ok(fake.transaction(server)) == {"pdus": {}}
    error(fake.transaction(server, [{"room_id": "!a:b"}] * 51), 400, "M_INVALID_PARAM")
    error(fake.transaction(server, edus=[{"edu_type": "m.nothing", "content": {}}] * 101), 400, "M_INVALID_PARAM")
    error(fake.transaction(server, [5]), 400, "M_BAD_JSON")


# --- questions about rooms -------------------------------------------------------------------------------------------------------


def ask(fake, server, question, room, event):
    about = f"{enc(room)}"
    if question == "get_missing_events":
        return fake.request(server, "POST", f"/v1/{question}/{about}", {"earliest_events": [], "latest_events": [event], "limit": 5})
    if question == "backfill":
        return fake.request(server, "GET", f"/v1/{question}/{about}", v=event, limit=2)
    if question == "event_auth":
        return fake.request(server, "GET", f"/v1/{question}/{about}/{enc(event)}")
    return fake.request(server, "GET", f"/v1/{question}/{about}", event_id=event)


QUESTIONS = pytest.mark.parametrize("question", ["backfill", "get_missing_events", "state", "state_ids", "event_auth"])


def test_servers_in_a_room_are_told_of_it(server, fake, alice, room):
    first, second = alice.send(room.id, "first"), alice.send(room.id, "second")
    back = ok(ask(fake, server, "backfill", room.id, second))
    assert [room.id_of(event) for event in back["pdus"]] == [second, first] and back["origin"] == server.name
    missing = ok(ask(fake, server, "get_missing_events", room.id, second))["events"]
    assert room.id_of(missing[-1]) == first and len(missing) == 5
    state = ok(ask(fake, server, "state", room.id, first))
    by_key = {(event["type"], event["state_key"]): room.id_of(event) for event in state["pdus"]}
    assert by_key["m.room.member", fake.user()] == room.id_of(room.join_event)
    ids = ok(ask(fake, server, "state_ids", room.id, first))
    assert sorted(ids["pdu_ids"]) == sorted(by_key.values())
    assert sorted(ids["auth_chain_ids"]) == sorted(room.id_of(event) for event in state["auth_chain"])
    chain = ok(ask(fake, server, "event_auth", room.id, first))["auth_chain"]
    assert {event["type"] for event in chain} >= {"m.room.member", "m.room.power_levels"}
    (event,) = ok(fake.request(server, "GET", f"/v1/event/{enc(first)}"))["pdus"]
    assert room.id_of(event) == first and event["content"]["body"] == "first"


def test_missing_events_are_told_however_many_are_named(server, fake, alice, room):
    known, last = alice.send(room.id, "known"), alice.send(room.id, "last")
    body = {"earliest_events": [known, *[NO_EVENT] * 150], "latest_events": [last, *[NO_EVENT] * 150]}
    assert ok(fake.request(server, "POST", f"/v1/get_missing_events/{enc(room.id)}", body)) == {"events": []}
    body["earliest_events"] = []
    told = ok(fake.request(server, "POST", f"/v1/get_missing_events/{enc(room.id)}", body))["events"]
    assert room.id_of(told[-1]) == known


@QUESTIONS
def test_servers_outside_a_room_are_told_nothing(server, fake, alice, question):
    room = alice.create_room(preset="public_chat")
    error(ask(fake, server, question, room, alice.send(room)), 403, "M_FORBIDDEN")
    error(ask(fake, server, question, f"!none:{server.name}", NO_EVENT), 404, "M_NOT_FOUND")
    error(ask(fake, server, question, "nonsense", NO_EVENT), 400, "M_INVALID_PARAM")


@QUESTIONS
def test_servers_that_the_acl_shuts_out_are_told_nothing(server, fake, alice, room, question):
    event = alice.send(room.id)
    alice.set_state(room.id, "m.room.server_acl", {"allow": ["*"], "deny": ["localhost"]})
    error(ask(fake, server, question, room.id, event), 403, "M_FORBIDDEN")
    error(fake.request(server, "GET", f"/v1/event/{enc(event)}"), 403, "M_FORBIDDEN")


@pytest.mark.parametrize("question", ["state", "state_ids", "event_auth"])
def test_events_that_are_not_in_the_room_are_not_found(server, fake, alice, room, question):
    error(ask(fake, server, question, room.id, NO_EVENT), 404, "M_NOT_FOUND")
    error(ask(fake, server, question, room.id, alice.send(alice.create_room())), 404, "M_NOT_FOUND")
    error(ask(fake, server, question, room.id, "nonsense"), 400, "M_INVALID_PARAM")


def test_single_events_are_for_servers_in_their_room(server, fake, alice):
    error(fake.request(server, "GET", f"/v1/event/{enc(alice.send(alice.create_room()))}"), 403, "M_FORBIDDEN")
    error(fake.request(server, "GET", f"/v1/event/{enc(NO_EVENT)}"), 404, "M_NOT_FOUND")
    error(fake.request(server, "GET", "/v1/event/nonsense"), 400, "M_INVALID_PARAM")


def test_questions_are_refused_that_make_no_sense(server, fake, room):
    here = enc(room.id)
    for question in ("state", "state_ids"):
        error(fake.request(server, "GET", f"/v1/{question}/{here}"), 400, "M_MISSING_PARAM")
    error(fake.request(server, "GET", f"/v1/backfill/{here}", limit=1), 400, "M_MISSING_PARAM")
    error(fake.request(server, "GET", f"/v1/backfill/{here}", v=NO_EVENT), 400, "M_MISSING_PARAM")
    error(fake.request(server, "GET", f"/v1/backfill/{here}", v=NO_EVENT, limit="x"), 400, "M_INVALID_PARAM")
    error(fake.request(server, "GET", f"/v1/backfill/{here}", v="nonsense", limit=1), 400, "M_INVALID_PARAM")
    missing = f"/v1/get_missing_events/{here}"
    error(fake.request(server, "POST", missing, {}), 400, "M_MISSING_PARAM")
    error(fake.request(server, "POST", missing, {"earliest_events": [5], "latest_events": []}), 400, "M_BAD_JSON")
    error(fake.request(server, "POST", missing, {"earliest_events": ["nonsense"], "latest_events": []}), 400, "M_INVALID_PARAM")


# --- joining and leaving -----------------------------------------------------------------------------------------------------------


def make(fake, server, kind, room, user=None, versions=("10", "11", "12")):
    versions = {"ver": list(versions)} if kind == "join" and versions else {}
    return fake.request(server, "GET", f"/v1/make_{kind}/{enc(room)}/{enc(user or fake.user())}", **versions)


def send(fake, server, kind, room, event, event_id=None):
    return fake.request(server, "PUT", f"/v2/send_{kind}/{enc(room.id)}/{enc(event_id or room.id_of(event))}", event)


def test_joins_are_drawn_up_and_accepted(server, fake, alice):
    room_id = alice.create_room(preset="public_chat", room_version="11")
    made = ok(make(fake, server, "join", room_id))
    assert made["room_version"] == "11"
    event = made["event"]
    assert (event["type"], event["state_key"], event["sender"], event["content"]["membership"]) == ("m.room.member", fake.user(), fake.user(), "join")
    assert event["origin"] == server.name and event["origin_server_ts"] > 0
    room = fake.join(server, room_id)
    assert fake.user() in ok(alice.get(f"/rooms/{enc(room_id)}/joined_members"))["joined"]
    assert ("m.room.create", "") in room.state and ("m.room.member", alice.user_id) in room.state


@pytest.mark.parametrize("kind", ["join", "leave"])
def test_templates_are_refused_to_whom_they_are_not_for(server, fake, alice, kind):
    private = alice.create_room()
    error(make(fake, server, kind, private), 403, "M_FORBIDDEN")
    error(make(fake, server, kind, private, user="@someone:elsewhere.example"), 403, "M_FORBIDDEN")
    error(make(fake, server, kind, private, user="nonsense"), 400, "M_INVALID_PARAM")
    error(make(fake, server, kind, f"!none:{server.name}"), 404, "M_NOT_FOUND")
    error(make(fake, server, kind, "nonsense"), 400, "M_INVALID_PARAM")


def test_joins_need_a_room_version_that_both_know(server, fake, alice):
    room = alice.create_room(preset="public_chat")
    for versions in (["10", "11"], []):
        assert error(make(fake, server, "join", room, versions=versions), 400, "M_INCOMPATIBLE_ROOM_VERSION")["room_version"] == "12"


def test_joins_that_the_server_can_not_vouch_for_are_sent_elsewhere(server, fake, alice):
    rule = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": "!unknown:elsewhere.example"}]}
    room = alice.create_room(initial_state=[{"type": "m.room.join_rules", "content": rule}])
    error(make(fake, server, "join", room), 400, "M_UNABLE_TO_AUTHORISE_JOIN")


def test_leaves_are_drawn_up_and_accepted(server, fake, alice, room):
    made = ok(make(fake, server, "leave", room.id))
    assert made["room_version"] == "12" and made["event"]["content"]["membership"] == "leave"
    event = seal({**made["event"], "origin_server_ts": now_ms()}, room.version, fake.name, fake.key)
    assert ok(send(fake, server, "leave", room, event)) == {}
    assert fake.user() not in ok(alice.get(f"/rooms/{enc(room.id)}/joined_members"))["joined"]


def own_member_event(room, membership, **members):
    user = room.server.user()
    return room.event("m.room.member", {"membership": membership}, user, user, **members)


@pytest.mark.parametrize("kind", ["join", "leave"])
def test_events_are_refused_that_are_not_what_was_asked_for(server, fake, room, kind):
    other = {"join": "leave", "leave": "join"}[kind]
    error(send(fake, server, kind, room, own_member_event(room, other)), 400, "M_INVALID_PARAM")
    error(send(fake, server, kind, room, room.message()), 400, "M_INVALID_PARAM")
    error(send(fake, server, kind, room, own_member_event(room, kind), event_id=NO_EVENT), 400, "M_INVALID_PARAM")
    changed = own_member_event(room, kind)
    changed["content"]["reason"] = "changed after it was hashed"
    error(send(fake, server, kind, room, changed), 400, "M_INVALID_PARAM")
    forged = own_member_event(room, kind)
    forged["signatures"][fake.name][fake.key.id] = base64_of(b"\0" * 64)
    error(send(fake, server, kind, room, forged), 400, "M_INVALID_PARAM")
    unknown = f"/v2/send_{kind}/{enc('!none:' + server.name)}/{enc(NO_EVENT)}"
    error(fake.request(server, "PUT", unknown, own_member_event(room, kind)), 404, "M_NOT_FOUND")


def received(fake, wanted):
    """The first such PDU that arrives in a transaction."""
    for transactions in itertools.count(1):
        fake.wait_until_asked("^/v1/send/", transactions)
        for pdu in filter(wanted, fake.received_pdus()):
            return pdu


def test_a_join_that_the_rules_forbid_is_refused(server, fake, alice, room):
    ok(alice.post(f"/rooms/{enc(room.id)}/ban", {"user_id": fake.user()}))
    error(make(fake, server, "join", room.id), 403, "M_FORBIDDEN")
    room.add(received(fake, lambda pdu: pdu["content"].get("membership") == "ban"))
    error(send(fake, server, "join", room, own_member_event(room, "join")), 403, "M_FORBIDDEN")
    error(send(fake, server, "leave", room, own_member_event(room, "leave")), 403, "M_FORBIDDEN")


# --- invites -----------------------------------------------------------------------------------------------------------------------


def invite(fake, server, room, event, version=None, state=None):
    state = state if state is not None else [room.events[room.state["m.room.create", ""]]]
    body = {"event": event, "room_version": version or room.version, "invite_room_state": state}
    return fake.request(server, "PUT", f"/v2/invite/{enc(room.id)}/{enc(room.id_of(event))}", body)


def invite_event(room, user, **members):
    return room.event("m.room.member", {"membership": "invite"}, room.server.user(), user, **members)


def test_invites_are_refused_for_who_blocks_them(server, fake, alice):
    ok(alice.put(f"/user/{alice.user_id}/account_data/m.invite_permission_config", {"default_action": "block"}))
    room = fake.make_room("12")
    error(invite(fake, server, room, invite_event(room, alice.user_id)), 403, "M_INVITE_BLOCKED")
    assert "invite" not in alice.sync().get("rooms", {})


@pytest.mark.parametrize("version", ["10", "12"])
def test_invites_are_signed_and_shown(server, fake, alice, version):
    room = fake.make_room(version)
    event = invite_event(room, alice.user_id)
    signed = ok(invite(fake, server, room, event))["event"]
    assert room.id_of(signed) == room.id_of(event) and set(signed["signatures"]) == {fake.name, server.name}
    shown = alice.sync()["rooms"]["invite"][room.id]["invite_state"]["events"]
    assert {"type": "m.room.member", "state_key": alice.user_id, "sender": fake.user(), "content": {"membership": "invite"}} in shown


def v1_invite(fake, user, version):
    """A room of a version in which servers choose IDs, and an invite into it. Its redacted form is as in later versions."""
    room = f"!v1-{next(NUMBERS)}:{fake.name}"
    cited = [[f"$create:{fake.name}", {"sha256": base64_of(bytes(32))}]]
    event = {"event_id": f"$invite-{next(NUMBERS)}:{fake.name}", "room_id": room, "type": "m.room.member", "state_key": user, "sender": fake.user(),
             "content": {"membership": "invite"}, "origin": fake.name, "origin_server_ts": now_ms(), "depth": 5, "prev_events": cited, "auth_events": cited}
    seal(event, "10", fake.name, fake.key)
    create = {"type": "m.room.create", "state_key": "", "sender": fake.user(), "content": {"creator": fake.user(), "room_version": version}}
    return event, create


def send_v1_invite(fake, server, event, create):
    body = {**event, "unsigned": {"invite_room_state": [create]}}
    return fake.request(server, "PUT", f"/v1/invite/{enc(event['room_id'])}/{enc(event['event_id'])}", body)


@pytest.mark.parametrize("version", ["1", "2"])
def test_invites_of_the_first_kind_are_signed_and_shown(server, fake, alice, version):
    event, create = v1_invite(fake, alice.user_id, version)
    status, body = ok(send_v1_invite(fake, server, event, create))
    assert status == 200
    signed = body["event"]
    assert without(signed, "signatures", "unsigned") == without(event, "signatures")
    assert signed["signatures"][fake.name] == event["signatures"][fake.name]
    ((key_id, key),) = own_keys(server)["verify_keys"].items()
    verify(redact(signed, "10"), server.name, key_id, key["key"])
    shown = alice.sync()["rooms"]["invite"][event["room_id"]]["invite_state"]["events"]
    assert create in shown
    assert {"type": "m.room.member", "state_key": alice.user_id, "sender": fake.user(), "content": {"membership": "invite"}} in shown
    assert ok(send_v1_invite(fake, server, event, create))[1]["event"]["event_id"] == event["event_id"], "the same again"
    ok(alice.post(f"/rooms/{enc(event['room_id'])}/leave"))
    assert event["room_id"] not in alice.sync().get("rooms", {}).get("invite", {})


def test_invites_of_the_first_kind_are_refused_that_make_no_sense(server, fake, alice):
    event, create = v1_invite(fake, alice.user_id, "1")
    error(send_v1_invite(fake, server, {**event, "depth": 6}, create), 400, "M_INVALID_PARAM")
    error(send_v1_invite(fake, server, {**event, "state_key": fake.user()}, create), 400, "M_INVALID_PARAM")
    error(send_v1_invite(fake, server, {**event, "signatures": {}}, create), 400, "M_INVALID_PARAM")


def test_invites_are_refused_that_make_no_sense(server, fake, alice):
    room = fake.make_room()
    event = invite_event(room, alice.user_id)
    reply = invite(fake, server, room, event, version="99")
    assert error(reply, 400, "M_INCOMPATIBLE_ROOM_VERSION")["room_version"] == "99"
    error(invite(fake, server, room, event, state=[]), 400, "M_MISSING_PARAM")
    error(invite(fake, server, room, invite_event(room, "@someone:elsewhere.example")), 400, "M_INVALID_PARAM")
    error(invite(fake, server, room, own_member_event(room, "join")), 400, "M_INVALID_PARAM")
    error(fake.request(server, "PUT", f"/v2/invite/{enc(room.id)}/{enc(NO_EVENT)}", {"event": event, "room_version": "12"}), 400, "M_INVALID_PARAM")
    error(fake.request(server, "PUT", f"/v2/invite/{enc(room.id)}/{enc(NO_EVENT)}", {"room_version": "12"}), 400, "M_MISSING_PARAM")


def test_invites_into_rooms_whose_acl_shuts_the_server_out_are_refused(server, fake, alice, bob, room):
    alice.set_state(room.id, "m.room.server_acl", {"allow": ["*"], "deny": ["localhost"]})
    event = invite_event(room, bob.user_id)
    error(invite(fake, server, room, event), 403, "M_FORBIDDEN")
    error(fake.request(server, "PUT", f"/v1/invite/{enc(room.id)}/{enc(room.id_of(event))}", event), 403, "M_FORBIDDEN")


@pytest.mark.parametrize("version", ["1", "2"])
def test_invites_into_the_oldest_rooms_reach_servers_that_know_only_the_first_kind(server, fake, alice, version):
    room = alice.create_room(room_version=version)

    def sign(asked):
        event = without(asked.body, "unsigned")
        assert "m.room.create" in [shown["type"] for shown in asked.body["unsigned"]["invite_room_state"]]
        return 200, [200, {"event": sign_event(event, version, fake.name, fake.key)}]

    fake.on("PUT", "/v1/invite/([^/]*)/(.*)", sign)
    ok(alice.post(f"/rooms/{enc(room)}/invite", {"user_id": fake.user()}))
    assert fake.was_asked("/v2/invite/")
    assert ok(alice.get(f"/rooms/{enc(room)}/state/m.room.member/{enc(fake.user())}"))["membership"] == "invite"


@pytest.mark.parametrize("said, told", [("M_INVITE_BLOCKED", "M_INVITE_BLOCKED"), ("M_FORBIDDEN", "M_FORBIDDEN"), ("ORG.EXAMPLE.NO", "ORG.EXAMPLE.NO")])
def test_inviters_are_told_that_the_other_server_refuses(server, fake, alice, said, told):
    fake.on("PUT", "/v2/invite/([^/]*)/(.*)", (403, {"errcode": said, "error": "no"}))
    error(alice.post(f"/rooms/{enc(alice.create_room())}/invite", {"user_id": fake.user()}), 403, told)


def test_invites_into_later_rooms_are_of_the_second_kind_alone(server, fake, alice):
    room = alice.create_room(room_version="3")
    assert alice.post(f"/rooms/{enc(room)}/invite", {"user_id": fake.user()}).status_code >= 400
    assert fake.was_asked("/v2/invite/") and not fake.was_asked("/v1/invite/")


# --- sending -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [b"", b"not JSON", b"[]"], ids=str)
def test_a_transaction_that_was_answered_200_is_not_sent_again(server, fake, alice, room, said):
    fake.on("PUT", "/v1/send/([^/]*)", (200, said))
    sent = [alice.send(room.id, "first")]
    fake.wait_until_asked("^/v1/send/")
    sent.append(alice.send(room.id, "second"))
    fake.wait_until_asked("^/v1/send/", 2)
    assert [room.id_of(pdu) for pdu in fake.received_pdus()] == sent


def test_a_server_that_was_slow_is_sent_all_it_is_owed_once_and_in_order(server, fake, alice, room):
    caught_up = threading.Event()
    fake.on("PUT", "/v1/send/([^/]*)", lambda asked: (200, {"pdus": {}}) if caught_up.wait(60) else (503, {}))
    bodies = [f"message {number}" for number in range(330)]  # more than the server keeps in memory for it
    for body in bodies:
        alice.send(room.id, body)
    caught_up.set()
    alice.send(room.id, "the last")
    arrived = []
    for times in itertools.count(1):
        fake.wait_until_asked("^/v1/send/", times)
        arrived = [pdu["content"]["body"] for pdu in fake.received_pdus() if pdu["type"] == "m.room.message"]
        if arrived and arrived[-1] == "the last":
            break
    assert arrived == [*bodies, "the last"]
    assert all(len(asked.body["pdus"]) <= 50 for asked in fake.was_asked("^/v1/send/"))


def test_a_server_that_was_away_is_sent_every_receipt_that_holds(server, fake, alice, room):
    """More than the server keeps in memory for it; of each thread the latest."""
    caught_up = threading.Event()
    fake.on("PUT", "/v1/send/([^/]*)", lambda asked: (200, {"pdus": {}}) if caught_up.wait(60) else (503, {}))
    threads = [alice.send(room.id, f"thread {number}") for number in range(230)]
    for thread in threads:
        reply = alice.send(room.id, kind="org.example.reply", **{"m.relates_to": {"rel_type": "m.thread", "event_id": thread}})
        ok(alice.post(f"/rooms/{enc(room.id)}/receipt/m.read/{enc(reply)}", {"thread_id": thread}))
    caught_up.set()
    last = alice.send(room.id, "the last")
    told = set()
    for times in itertools.count(1):
        asked = fake.wait_until_asked("^/v1/send/", times)
        receipts = [edu["content"] for one in asked for edu in one.body.get("edus", []) if edu["edu_type"] == "m.receipt"]
        told = {receipt[room.id]["m.read"][alice.user_id]["data"]["thread_id"] for receipt in receipts}
        if told == set(threads) and last in [room.id_of(pdu) for pdu in fake.received_pdus()]:
            break
    assert all(len(one.body.get("edus", [])) <= 100 for one in fake.was_asked("^/v1/send/"))
