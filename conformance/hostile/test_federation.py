"""Lying servers: forged requests, bad events, and questions they may not ask. Each is refused or dropped as the specification says,
is counted, and the server goes on."""

import copy
import threading

import pytest

from fake_homeserver import enc, now_ms
from matrix_events import SigningKey, canonical, redact, seal, sign_event
from servers import error, ok
from views import VERSIONS, counted, is_shown, public_room, still_takes_part, timeline


# --- requests --------------------------------------------------------------------------------------------------------------------


def ask(fake, server, **options):
    """A request that needs nothing but a valid signature."""
    return fake.transaction(server, **options)


def refused(fake, server, reason, authorization):
    with counted(server, "federation_requests_refused_total", reason=reason):
        error(ask(fake, server, authorization=authorization), 401, "M_UNAUTHORIZED")


def signed_header(fake, server, transaction, **options):
    body = {"origin": fake.name, "origin_server_ts": 1, "pdus": [], "edus": []}
    return body, fake.x_matrix("PUT", f"/_matrix/federation/v1/send/{transaction}", options.pop("destination", server.name), body, **options)


def put(fake, server, transaction, body, header):
    return fake.request(server, "PUT", f"/v1/send/{transaction}", body, authorization=header)


def test_correctly_signed_request_is_answered(server, fake):
    assert ok(ask(fake, server)) == {"pdus": {}}


def test_request_without_credentials_is_refused(server, fake):
    refused(fake, server, "no_credentials", "")
    refused(fake, server, "no_credentials", "Bearer abc")


@pytest.mark.parametrize("header", ["X-Matrix", "X-Matrix ", "X-Matrix origin", "X-Matrix origin=", 'X-Matrix origin="a', "X-Matrix =,=,=",
                                    'X-Matrix origin="a.example",key="ed25519:1"', 'X-Matrix key="ed25519:1",sig="AAAA"',
                                    'X-Matrix origin="a.example",sig="AAAA",key=', "X-Matrix " + 'a="b",' * 500, 'X-Matrix origin="\\'], ids=len)
def test_malformed_header_is_refused(server, fake, header):
    refused(fake, server, "malformed", header)


@pytest.mark.parametrize("origin", ["not a name", "a.example:port", "a.example/path", "@user:a.example", "", "[::1", "x" * 256], ids=len)
def test_origin_that_is_no_server_name_is_refused(server, fake, origin):
    reply = ask(fake, server, authorization=f'X-Matrix origin="{origin}",destination="{server.name}",key="ed25519:k1",sig="{"A" * 86}"')
    error(reply, 401, "M_UNAUTHORIZED")


@pytest.mark.parametrize("signature", ["A" * 86, "", "%%%", "A" * 85, "A" * 10_000], ids=len)
def test_bad_signature_is_refused(server, fake, signature):
    reply = ask(fake, server, authorization=f'X-Matrix origin="{fake.name}",destination="{server.name}",key="{fake.key.id}",sig="{signature}"')
    error(reply, 401, "M_UNAUTHORIZED")


def test_signature_over_another_body_path_or_method_is_refused(server, fake):
    body, header = signed_header(fake, server, "a1")
    with counted(server, "federation_requests_refused_total", by=3, reason="signature"):
        error(put(fake, server, "a1", {**body, "origin_server_ts": 2}, header), 401, "M_UNAUTHORIZED")
        error(put(fake, server, "a2", body, header), 401, "M_UNAUTHORIZED")
        error(fake.request(server, "POST", "/v1/get_missing_events/!a:b", body, authorization=header), 401, "M_UNAUTHORIZED")
    assert ok(put(fake, server, "a1", body, header))


def test_unknown_key_is_refused(server, fake):
    body, header = signed_header(fake, server, "b1", key=SigningKey("ed25519:other"))
    with counted(server, "federation_requests_refused_total", reason="no_key"):
        error(put(fake, server, "b1", body, header), 401, "M_UNAUTHORIZED")


def test_another_key_under_a_known_id_is_refused(server, fake):
    ok(ask(fake, server))
    body, header = signed_header(fake, server, "c1", key=SigningKey(fake.key.id))
    with counted(server, "federation_requests_refused_total", reason="signature"):
        error(put(fake, server, "c1", body, header), 401, "M_UNAUTHORIZED")


def test_a_server_cannot_speak_for_another(server, fake, other):
    ok(ask(other, server))
    body, header = signed_header(fake, server, "d1", origin=other.name)
    with counted(server, "federation_requests_refused_total", reason="signature"):
        error(put(fake, server, "d1", body, header), 401, "M_UNAUTHORIZED")
    body, header = signed_header(fake, server, "d2", origin=server.name)
    error(put(fake, server, "d2", body, header), 401, "M_UNAUTHORIZED")


def test_two_headers_of_two_servers_are_refused(server, fake, other):
    body, mine = signed_header(fake, server, "d3")
    error(put(fake, server, "d3", body, mine + "," + mine.replace(fake.name, other.name)), 401, "M_UNAUTHORIZED")


def test_request_for_another_destination_is_refused(server, fake, other):
    body, header = signed_header(fake, server, "e1", destination=other.name)
    with counted(server, "federation_requests_refused_total", reason="destination"):
        error(put(fake, server, "e1", body, header), 401, "M_UNAUTHORIZED")
    # Saying one destination and signing another is a wrong signature.
    error(put(fake, server, "e1", body, header.replace(other.name, server.name)), 401, "M_UNAUTHORIZED")


def test_expired_key_is_refused(server, fake):
    fake.valid_until = now_ms() - 1
    with counted(server, "federation_requests_refused_total", reason="no_key"):
        error(ask(fake, server), 401, "M_UNAUTHORIZED")


def test_old_key_is_not_good_for_requests(server, fake):
    old, fake.key = fake.key, SigningKey("ed25519:new")
    fake.old_keys = {old.id: {"key": old.public, "expired_ts": now_ms() + 100_000}}
    body, header = signed_header(fake, server, "f1", key=old)
    error(put(fake, server, "f1", body, header), 401, "M_UNAUTHORIZED")
    ok(ask(fake, server))


@pytest.mark.parametrize("document", [b"not JSON", b"", b"[]", b"{}", b'{"server_name":"a"}', b"{" * 100_000, b"x" * 1_000_000], ids=len)
def test_server_whose_keys_are_garbage_is_refused(server, fake, document):
    fake.on("GET", "/_matrix/key/v2/server", (200, document))
    error(ask(fake, server), 401, "M_UNAUTHORIZED")


@pytest.mark.parametrize("lie", ["unsigned", "of another server", "signed by another key", "no valid_until_ts", "too many", "short key"])
def test_server_whose_key_document_lies_is_refused(server, fake, lie):
    document = fake.keys(signed=False)
    signing = fake.key
    if lie == "of another server":
        document["server_name"] = server.name
    if lie == "signed by another key":
        signing = SigningKey(fake.key.id)
    if lie == "no valid_until_ts":
        del document["valid_until_ts"]
    if lie == "too many":
        document["verify_keys"].update({f"ed25519:x{number}": {"key": fake.key.public} for number in range(1000)})
    if lie == "short key":
        document["verify_keys"][fake.key.id] = {"key": "AAAA"}
    if lie != "unsigned":
        document["signatures"] = {fake.name: {signing.id: signing.sign(canonical(document))}}
    fake.on("GET", "/_matrix/key/v2/server", (200, document))
    error(ask(fake, server), 401, "M_UNAUTHORIZED")


def test_server_whose_keys_cannot_be_fetched_is_refused_and_not_asked_again_at_once(server, fake):
    fake.on("GET", "/_matrix/key/v2/server", (500, {}))
    for _ in range(5):
        error(ask(fake, server), 401, "M_UNAUTHORIZED")
    assert len(fake.was_asked("/_matrix/key/v2/server")) == 1


def test_server_that_hangs_when_asked_for_keys_holds_up_nobody(server, fake, other, alice):
    fake.on("GET", "/_matrix/key/v2/server", fake.hang)
    held = threading.Thread(target=lambda: ask(fake, server), daemon=True)
    held.start()
    fake.wait_until_asked("/_matrix/key/v2/server")
    assert ok(ask(other, server)) == {"pdus": {}}
    alice.send(public_room(alice))
    fake.closing.set()
    held.join(30)
    assert not held.is_alive()


# --- transactions ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [b"", b"not JSON", b"[]", b"null", b'"text"', b"{", b'{"pdus":[]', b"\xff\xfe{}", b'{"pdus":' + b"[" * 5000 + b"]" * 5000 + b"}"], ids=len)
def test_transaction_that_is_no_json_object_is_refused(server, fake, raw):
    # Nothing that can be signed as content, so signed without.
    header = fake.x_matrix("PUT", "/_matrix/federation/v1/send/g1", server.name, None)
    reply = fake.request(server, "PUT", "/v1/send/g1", raw=raw, authorization=header)
    assert reply.status_code in (400, 401), reply.text
    assert reply.json()["errcode"] in ("M_NOT_JSON", "M_BAD_JSON", "M_UNAUTHORIZED")


@pytest.mark.parametrize("body", [{"pdus": {}}, {"pdus": "x"}, {"pdus": [1]}, {"pdus": ["x"]}, {"pdus": [None]}, {"pdus": [[]]}, {"edus": {}}, {"edus": [1]}])
def test_transaction_of_wrong_types_is_refused(server, fake, body):
    error(fake.request(server, "PUT", "/v1/send/h1", body), 400, "M_BAD_JSON")


def test_transaction_with_too_many_pdus_or_edus_is_refused(server, fake, alice):
    room = fake.join(server, public_room(alice))
    pdus = room.messages(51)
    reply = fake.transaction(server, pdus)
    assert reply.status_code == 400, reply.text
    assert not is_shown(alice, room.id, room.id_of(pdus[0]))
    typing = {"edu_type": "m.typing", "content": {"room_id": room.id, "user_id": fake.user(), "typing": True}}
    assert fake.transaction(server, edus=[typing] * 101).status_code == 400
    assert ok(fake.transaction(server, pdus[:50], [typing] * 100))["pdus"] == {room.id_of(pdu): {} for pdu in pdus[:50]}


def test_repeated_transaction_is_applied_once_and_answered_alike(server, fake, alice):
    room = fake.join(server, public_room(alice))
    pdu = room.message("once")
    bad = {**room.message("bad"), "signatures": {}}
    first = ok(fake.transaction(server, [pdu, bad], transaction="same"))
    assert ok(fake.transaction(server, [pdu, bad], transaction="same")) == first
    made = room.add(pdu)
    assert first["pdus"][made] == {} and "error" in first["pdus"][room.id_of(bad)]
    assert ok(fake.transaction(server, [pdu], transaction="another")) == {"pdus": {made: {}}}
    bodies = [event["content"].get("body") for event in timeline(alice, room.id).values()]
    assert bodies.count("once") == 1


def test_same_transaction_sent_by_many_connections_at_once_is_applied_once(server, fake, alice):
    room = fake.join(server, public_room(alice))
    pdus = room.messages(20)
    replies = []
    senders = [threading.Thread(target=lambda: replies.append(ok(fake.transaction(server, pdus, transaction="crowd")))) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)
    assert len(replies) == 8 and all(reply == replies[0] for reply in replies)
    sent = [room.id_of(pdu) for pdu in pdus]
    assert [event for event in timeline(alice, room.id) if event in sent] == sent[::-1]


# --- events ----------------------------------------------------------------------------------------------------------------------


def without_signature(room, event):
    return {**event, "signatures": {}}


def signed_by_another_key(room, event):
    return sign_event({**event, "signatures": {}}, room.version, room.server.name, SigningKey(room.server.key.id))


def changed_after_signing(room, event):
    return {**event, "depth": event["depth"] + 1}


def signature_of_wrong_length(room, event):
    return {**event, "signatures": {room.server.name: {room.server.key.id: "AAAA"}}}


def signature_not_text(room, event):
    return {**event, "signatures": {room.server.name: {room.server.key.id: 5}}}


def signatures_not_objects(room, event):
    return {**event, "signatures": [room.server.name]}


def by_user_of_the_receiver(room, event):
    return resealed(room, {**event, "sender": room.victim})


def resealed(room, event):
    return seal({**event, "signatures": {}}, room.version, room.server.name, room.server.key)


def changed(**members):
    """Changed before signing: format alone is wrong."""
    def tamper(room, event):
        event = {key: value for key, value in {**event, **members}.items() if value is not None}
        return resealed(room, event)
    tamper.__name__ = ",".join(members)
    return tamper


def deep(levels):
    value = {}
    for _ in range(levels):
        value = {"a": value}
    return value


TAMPERED = [without_signature, signed_by_another_key, changed_after_signing, signature_of_wrong_length, signature_not_text, signatures_not_objects,
            by_user_of_the_receiver]
MALFORMED = [
    changed(type=None), changed(type=5), changed(sender=None), changed(sender="mallory"), changed(sender=5), changed(content=None), changed(content=[]),
    changed(content="text"), changed(depth=None), changed(depth="1"), changed(depth=1.5), changed(depth=2**53), changed(depth=-(2**80)), changed(depth=True),
    changed(origin_server_ts=None), changed(origin_server_ts=0.5), changed(origin_server_ts=10**30), changed(prev_events=None), changed(prev_events=5),
    changed(prev_events=[5]), changed(prev_events=["$" + "a" * 300]), changed(prev_events=["$a"] * 21), changed(auth_events=["$a"] * 11),
    changed(auth_events={}), changed(auth_events=[["$a", {}]]), changed(state_key=5), changed(state_key="k" * 256), changed(type="t" * 256),
    changed(sender="@" + "m" * 250 + ":localhost"), changed(content={"float": 0.1}), changed(content={"huge": 2**53}), changed(content={"huge": -(2**53)}),
    changed(content={"huge": 10**400}), changed(content={"e": 1e300}), changed(content={"body": "b" * 65_537}), changed(extra="x" * 66_000),
]


@pytest.mark.parametrize("tamper", TAMPERED + MALFORMED, ids=lambda tamper: tamper.__name__)
def test_bad_event_is_dropped_and_its_companions_arrive(server, fake, alice, tamper):
    room = fake.join(server, public_room(alice))
    room.victim = alice.user_id
    first, second = room.messages(2)
    bad = tamper(room, room.message("poison"))
    results = fake.send(server, first, bad, second)
    assert len([result for result in results.values() if "error" in result]) == 1, results
    assert results[room.id_of(first)] == results[room.id_of(second)] == {}
    shown = timeline(alice, room.id)
    assert room.id_of(first) in shown and room.id_of(second) in shown
    assert "poison" not in [event["content"].get("body") for event in shown.values()]
    still_takes_part(fake, server, room, alice)


@pytest.mark.parametrize("version", VERSIONS)
def test_event_nested_too_deeply_is_kept_in_redacted_form_and_spoils_nothing(server, fake, alice, version):
    room = fake.join(server, public_room(alice, room_version=version))
    event = room.event("m.room.message", {"body": "deep", "a": deep(300)})
    made = room.add(event)
    after = room.message("after it")
    assert fake.send(server, event, after) == {made: {}, room.add(after): {}}
    shown = timeline(alice, room.id)
    assert shown[made]["content"] == {} and room.id_of(after) in shown
    # As state that redaction keeps, it is not what was signed.
    levels = room.event("m.room.power_levels", {"events": deep(300)}, None, "")
    assert ["error" in result for result in fake.send(server, levels).values()] == [True]
    still_takes_part(fake, server, room, alice)


def test_drops_are_counted_by_check(server, fake, alice):
    room = fake.join(server, public_room(alice))
    for check, bad in [("signature", without_signature(room, room.message())), ("format", changed(depth=None)(room, room.message())),
                       ("size", changed(content={"body": "b" * 65_537})(room, room.message()))]:
        with counted(server, "federation_events_failing_checks_total", check=check):
            with counted(server, "federation_pdus_received_total", result="invalid"):
                fake.send(server, bad)


@pytest.mark.parametrize("version", VERSIONS)
def test_event_of_65536_bytes_passes_and_one_byte_more_does_not(server, fake, alice, version):
    room = fake.join(server, public_room(alice, room_version=version))
    space = 65_536 - len(canonical(room.message("")))
    fits, too_large = room.message("x" * space), room.message("x" * (space + 1))
    assert len(canonical(fits)) == 65_536
    results = fake.send(server, fits, too_large)
    assert results[room.id_of(fits)] == {} and "error" in results[room.id_of(too_large)]
    assert is_shown(alice, room.id, room.id_of(fits)) and not is_shown(alice, room.id, room.id_of(too_large))


@pytest.mark.parametrize("version", VERSIONS)
def test_event_with_wrong_content_hash_is_kept_in_redacted_form(server, fake, alice, version):
    room = fake.join(server, public_room(alice, room_version=version))
    event = room.message("what was signed")
    made = room.add(event)
    forged = copy.deepcopy(event)
    forged["content"]["body"] = "what was not"
    with counted(server, "federation_events_failing_checks_total", check="hash"):
        assert fake.send(server, forged) == {made: {}}
    assert timeline(alice, room.id)[made]["content"] == {}
    stored = ok(fake.request(server, "GET", f"/v1/event/{enc(made)}"))["pdus"][0]
    assert room.id_of(stored) == made and stored["content"] == {}
    still_takes_part(fake, server, room, alice)


@pytest.mark.parametrize("version", VERSIONS)
def test_wrong_content_hash_of_state_leaves_what_redaction_leaves(server, fake, alice, version):
    room = fake.join(server, public_room(alice, room_version=version))
    event = room.event("m.room.member", {"membership": "join", "displayname": "Signed"}, None, fake.user())
    forged = copy.deepcopy(event)
    forged["content"]["displayname"] = "Forged"
    assert fake.send(server, forged) == {room.add(event): {}}
    content = ok(alice.get(f"/rooms/{enc(room.id)}/state/m.room.member/{enc(fake.user())}"))
    assert content == {"membership": "join"} == redact(event, version)["content"]


def test_event_relayed_by_another_server_counts_only_with_its_senders_signature(server, fake, other, alice):
    room_id = public_room(alice)
    theirs = other.join(server, room_id)
    mine = fake.join(server, room_id)
    genuine = theirs.message("mine, whoever brings it")
    forged = resealed(mine, {**mine.message("not theirs"), "sender": other.user(), "auth_events": genuine["auth_events"]})
    results = fake.send(server, forged, genuine)
    assert "error" in results[mine.id_of(forged)] and results[theirs.id_of(genuine)] == {}
    assert is_shown(alice, room_id, theirs.id_of(genuine)) and not is_shown(alice, room_id, mine.id_of(forged))


def test_event_of_a_server_that_is_not_in_the_room_is_never_shown(server, fake, other, alice):
    room = fake.join(server, public_room(alice))
    # The outsider knows everything about the room but is not in it.
    room.server = other
    event = room.message("from outside")
    with counted(server, "federation_pdus_received_total", result="rejected"):
        other.send(server, event)
    assert not is_shown(alice, room.id, room.id_of(event))


def test_event_of_a_room_that_this_server_is_not_in_is_dropped(server, fake):
    room = fake.make_room()
    event = room.message()
    with counted(server, "federation_pdus_received_total", result="not_in_room"):
        assert "error" in fake.send(server, event)[room.id_of(event)]
    nowhere = {**event, "room_id": "nowhere"}
    assert all("error" in result for result in fake.send(server, nowhere).values())


def test_event_of_a_server_that_the_acl_shuts_out_is_dropped(server, fake, alice):
    room = fake.join(server, public_room(alice))
    alice.set_state(room.id, "m.room.server_acl", {"allow": ["*"], "deny": ["localhost"]})
    event = room.message("shut out")
    with counted(server, "federation_pdus_received_total", result="acl"):
        assert "error" in fake.send(server, event)[room.id_of(event)]
    assert not is_shown(alice, room.id, room.id_of(event))
    error(fake.request(server, "GET", f"/v1/make_join/{enc(room.id)}/{enc(fake.user('second'))}", ver=VERSIONS), 403, "M_FORBIDDEN")


@pytest.mark.parametrize("version", VERSIONS)
def test_event_that_the_auth_rules_reject_is_never_shown_and_never_state(server, fake, alice, version):
    room = fake.join(server, public_room(alice, room_version=version))
    topic = room.event("m.room.topic", {"topic": "usurped"}, None, "")
    levels = room.event("m.room.power_levels", {"users": {fake.user(): 100}}, None, "")
    kick = room.event("m.room.member", {"membership": "ban"}, None, alice.user_id)
    stranger = room.message(sender=fake.user("stranger"))
    no_auth = room.message("cites nothing", auth_events=[])
    create = room.event("m.room.create", {"room_version": version, "creator": fake.user()}, None, "", prev_events=[], auth_events=[])
    for event in (topic, levels, kick, stranger, no_auth, create):
        fake.send(server, event)
        assert not is_shown(alice, room.id, room.id_of(event)), event
    state = {(event["type"], event["state_key"]): event for event in ok(alice.get(f"/rooms/{enc(room.id)}/state"))}
    assert ("m.room.topic", "") not in state
    assert fake.user() not in state["m.room.power_levels", ""]["content"].get("users", {})
    assert state["m.room.member", alice.user_id]["content"]["membership"] == "join"
    still_takes_part(fake, server, room, alice)


def test_event_of_a_user_who_was_banned_meanwhile_is_soft_failed_and_never_shown(server, fake, alice):
    room = fake.join(server, public_room(alice))
    before = room.message("before the ban, as they say")
    ok(alice.post(f"/rooms/{enc(room.id)}/ban", {"user_id": fake.user()}))
    with counted(server, "federation_pdus_received_total", result="soft_failed"):
        assert fake.send(server, before) == {room.id_of(before): {}}
    assert not is_shown(alice, room.id, room.id_of(before))
    # Nor does a new event of this server name it.
    last = alice.send(room.id, "peace")
    assert is_shown(alice, room.id, last)
    stored = fake.wait_until_asked("^/v1/send/")[0].body["pdus"]
    assert room.id_of(before) not in [prev for pdu in stored for prev in pdu["prev_events"]]


def test_event_signed_with_an_expired_key_is_dropped(server, fake, alice):
    old, fake.key = fake.key, SigningKey("ed25519:new")
    fake.old_keys = {old.id: {"key": old.public, "expired_ts": now_ms() - 60_000}}
    room = fake.join(server, public_room(alice))
    new, fake.key = fake.key, old
    late, in_time = room.message("late"), room.message("in time", origin_server_ts=now_ms() - 120_000)
    fake.key = new
    results = fake.send(server, late, in_time)
    assert "error" in results[room.id_of(late)] and results[room.id_of(in_time)] == {}


# --- EDUs ------------------------------------------------------------------------------------------------------------------------


def typing_users(user, room, since):
    """Who types, once the given marker has come: by then whatever was sent before it has too."""
    marker = user.send(room, "marker")
    users = set()
    while True:
        batch = user.sync(since, timeout=10_000)
        since = batch["next_batch"]
        joined = batch.get("rooms", {}).get("join", {}).get(room, {})
        for event in joined.get("ephemeral", {}).get("events", []):
            if event["type"] == "m.typing":
                users = set(event["content"]["user_ids"])
        if marker in [event["event_id"] for event in joined.get("timeline", {}).get("events", [])]:
            return users


def test_typing_counts_only_for_joined_users_of_the_sending_server(server, fake, other, alice):
    room = fake.join(server, public_room(alice))
    theirs = other.join(server, room.id)
    elsewhere = public_room(alice)
    since = alice.sync()["next_batch"]
    with counted(server, "federation_edus_dropped_total", by=6):
        for content in [{"room_id": room.id, "user_id": alice.user_id, "typing": True}, {"room_id": room.id, "user_id": other.user(), "typing": True},
                        {"room_id": room.id, "user_id": fake.user("stranger"), "typing": True}, {"room_id": elsewhere, "user_id": fake.user(), "typing": True},
                        {"room_id": 5, "user_id": [], "typing": "yes"}, {"room_id": "!nowhere:a", "user_id": fake.user(), "typing": True}]:
            fake.edu(server, "m.typing", content)
    assert typing_users(alice, room.id, since) == set()
    assert typing_users(alice, elsewhere, since) == set()
    fake.edu(server, "m.typing", {"room_id": room.id, "user_id": fake.user(), "typing": True})
    assert typing_users(alice, room.id, since) == {fake.user()}
    assert theirs.id == room.id


def receipts_of(user, room):
    found = {}
    for event in user.sync()["rooms"]["join"][room].get("ephemeral", {}).get("events", []):
        if event["type"] == "m.receipt":
            for event_id, kinds in event["content"].items():
                for reader in kinds.get("m.read", {}):
                    found[reader] = event_id
    return found


def test_receipts_count_only_for_joined_users_of_the_sending_server(server, fake, other, alice):
    room = fake.join(server, public_room(alice))
    other.join(server, room.id)
    event = alice.send(room.id)
    read = {"event_ids": [event], "data": {"ts": 1}}
    strangers = {user: read for user in (alice.user_id, other.user(), fake.user("stranger"), "nonsense")}
    fake.edu(server, "m.receipt", {room.id: {"m.read": {**strangers, fake.user(): read}}})
    for garbage in [{room.id: 5}, {room.id: {"m.read": []}}, {"nowhere": {"m.read": {fake.user(): read}}}, {room.id: {"m.read": {fake.user(): 5}}},
                    {room.id: {"m.read": {fake.user(): {"event_ids": [5], "data": {"ts": "x"}}}}}]:
        fake.edu(server, "m.receipt", garbage)
    assert receipts_of(alice, room.id) == {fake.user(): event}


@pytest.mark.parametrize("edu", [{}, {"edu_type": 5, "content": {}}, {"edu_type": "m.typing"}, {"edu_type": "m.typing", "content": []},
                                 {"edu_type": "org.example.unknown", "content": {"x": 0.5}}, {"edu_type": "m.receipt", "content": deep(40)}])
def test_garbage_among_edus_is_ignored(server, fake, alice, edu):
    room = fake.join(server, public_room(alice))
    since = alice.sync()["next_batch"]
    typing = {"edu_type": "m.typing", "content": {"room_id": room.id, "user_id": fake.user(), "typing": True}}
    assert fake.transaction(server, edus=[edu, typing]).status_code == 200
    assert typing_users(alice, room.id, since) == {fake.user()}


# --- joins, leaves and invites ---------------------------------------------------------------------------------------------------


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


def send_join(fake, server, room, event, room_id=None, made=None, verb="send_join"):
    return fake.request(server, "PUT", f"/v2/{verb}/{enc(room_id or room.id)}/{enc(made or room.id_of(event))}", event)


def join_template(fake, server, room_id, user):
    return ok(make_join(fake, server, room_id, user))["event"]


def test_send_join_of_anything_but_the_users_own_signed_join_is_refused(server, fake, other, alice):
    room = fake.join(server, public_room(alice))
    user = fake.user("second")
    template = join_template(fake, server, room.id, user)
    elsewhere = public_room(alice)
    good = resealed(room, template)
    bad = {
        "unsigned": {**good, "signatures": {}},
        "wrong key": sign_event({**good, "signatures": {}}, room.version, fake.name, SigningKey(fake.key.id)),
        "wrong hash": {**good, "content": {**good["content"], "displayname": "added"}},
        "another's": resealed(room, {**template, "sender": alice.user_id, "state_key": alice.user_id}),
        "for another": resealed(room, {**template, "state_key": fake.user("third")}),
        "of another server": seal({**template, "sender": other.user(), "state_key": other.user(), "signatures": {}}, room.version, other.name, other.key),
        "leave": resealed(room, {**template, "content": {"membership": "leave"}}),
        "no state": resealed(room, {key: value for key, value in template.items() if key != "state_key"}),
        "message": resealed(room, {**template, "type": "m.room.message"}),
        "another room": resealed(room, {**template, "room_id": elsewhere}),
        "unknown prev": resealed(room, {**template, "prev_events": ["$" + "a" * 43]}),
        "unknown auth": resealed(room, {**template, "auth_events": ["$" + "a" * 43]}),
    }
    for what, event in bad.items():
        reply = send_join(fake, server, room, event)
        assert reply.status_code in (400, 403) and reply.json()["errcode"] in ("M_INVALID_PARAM", "M_BAD_JSON", "M_FORBIDDEN"), (what, reply.text)
    error(send_join(fake, server, room, good, made="$" + "a" * 43), 400, "M_INVALID_PARAM")
    error(send_join(fake, server, room, good, room_id=elsewhere), 400, "M_INVALID_PARAM")
    members = ok(alice.get(f"/rooms/{enc(room.id)}/joined_members"))["joined"]
    assert set(members) == {alice.user_id, fake.user()}
    assert send_join(fake, server, room, good).status_code == 200


def test_send_leave_for_another_user_is_refused(server, fake, other, alice):
    room = fake.join(server, public_room(alice))
    other.join(server, room.id)
    template = ok(fake.request(server, "GET", f"/v1/make_leave/{enc(room.id)}/{enc(fake.user())}"))["event"]
    kick = resealed(room, {**template, "state_key": other.user()})
    assert send_join(fake, server, room, kick, verb="send_leave").status_code in (400, 403)
    unsigned = {**resealed(room, template), "signatures": {}}
    assert send_join(fake, server, room, unsigned, verb="send_leave").status_code in (400, 403)
    assert set(ok(alice.get(f"/rooms/{enc(room.id)}/joined_members"))["joined"]) == {alice.user_id, fake.user(), other.user()}
    assert ok(send_join(fake, server, room, resealed(room, template), verb="send_leave")) == {}


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
        "join": resealed(room, {**good, "content": {"membership": "join"}}),
        "not ours": resealed(room, {**good, "state_key": other.user()}),
        "no state": resealed(room, {key: value for key, value in good.items() if key != "state_key"}),
        "of another server": seal({**good, "sender": other.user(), "signatures": {}}, version, other.name, other.key),
        "message": resealed(room, {**good, "type": "m.room.message"}),
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


def test_invite_state_of_version_12_must_be_events_of_the_room(server, fake, alice):
    room, another = fake.make_room("12"), fake.make_room("12")
    event = room.event("m.room.member", {"membership": "invite"}, None, alice.user_id)
    create = room.state_events()[0]
    for state in ([], another.state_events(), [{**create, "signatures": {}}], [{"type": "m.room.create", "state_key": "", "sender": fake.user(), "content": {}}]):
        reply = invite(fake, server, room, event, state=state)
        assert reply.status_code == 400 and reply.json()["errcode"] in ("M_MISSING_PARAM", "M_INVALID_PARAM"), reply.text
    assert invited_to(alice) == set()


# --- what a server that is not in the room may not ask ---------------------------------------------------------------------------


def test_history_and_state_are_for_servers_of_the_room(server, fake, other, alice):
    room = fake.join(server, public_room(alice))
    event = alice.send(room.id, "ours")
    asked = [("GET", f"/v1/state/{enc(room.id)}", None, {"event_id": event}), ("GET", f"/v1/state_ids/{enc(room.id)}", None, {"event_id": event}),
             ("GET", f"/v1/event/{enc(event)}", None, {}), ("GET", f"/v1/event_auth/{enc(room.id)}/{enc(event)}", None, {}),
             ("GET", f"/v1/backfill/{enc(room.id)}", None, {"v": event, "limit": 10}),
             ("POST", f"/v1/get_missing_events/{enc(room.id)}", {"earliest_events": [], "latest_events": [event]}, {})]
    for method, path, body, parameters in asked:
        with counted(server, "http_errors_total", errcode="M_FORBIDDEN"):
            error(other.request(server, method, path, body, **parameters), 403, "M_FORBIDDEN")
        ok(fake.request(server, method, path, body, **parameters))


def test_events_of_another_room_are_not_served_through_ones_own(server, fake, alice):
    room = fake.join(server, public_room(alice))
    secret = alice.send(alice.create_room(preset="private_chat"), "secret")
    for path, parameters in [(f"/v1/state/{enc(room.id)}", {"event_id": secret}), (f"/v1/state_ids/{enc(room.id)}", {"event_id": secret}),
                             (f"/v1/event_auth/{enc(room.id)}/{enc(secret)}", {})]:
        error(fake.request(server, "GET", path, **parameters), 404, "M_NOT_FOUND")
    assert ok(fake.request(server, "GET", f"/v1/backfill/{enc(room.id)}", v=secret, limit=10))["pdus"] == []
    body = {"earliest_events": [], "latest_events": [secret], "limit": 50}
    assert ok(fake.request(server, "POST", f"/v1/get_missing_events/{enc(room.id)}", body))["events"] == []


@pytest.mark.parametrize("parameters", [{}, {"v": "$a"}, {"limit": 10}, {"v": "nonsense", "limit": 10}, {"v": "$a", "limit": "x"}, {"v": "$a", "limit": 0},
                                        {"v": "$a", "limit": -1}, {"v": "$a", "limit": 10**30}])
def test_backfill_with_wrong_parameters_is_refused(server, fake, alice, parameters):
    room = fake.join(server, public_room(alice))
    assert fake.request(server, "GET", f"/v1/backfill/{enc(room.id)}", **parameters).status_code == 400


@pytest.mark.parametrize("body", [{}, {"earliest_events": []}, {"latest_events": 5, "earliest_events": []}, {"latest_events": [5], "earliest_events": []},
                                  {"latest_events": ["x"], "earliest_events": []}, {"latest_events": [], "earliest_events": [], "limit": "x"},
                                  {"latest_events": ["$a"] * 101, "earliest_events": []}])
def test_get_missing_events_with_wrong_body_is_refused(server, fake, alice, body):
    room = fake.join(server, public_room(alice))
    assert fake.request(server, "POST", f"/v1/get_missing_events/{enc(room.id)}", body).status_code == 400
