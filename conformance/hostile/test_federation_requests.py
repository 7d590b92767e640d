"""Requests of lying servers: forged credentials, garbage, and questions they may not ask. Each is refused as the specification says, is
counted, and the server goes on."""

import threading

import pytest

from fake_homeserver import enc, now_ms
from matrix_events import SigningKey, canonical
from servers import error, ok
from views import counted, is_shown, public_room, timeline


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


def test_request_that_names_no_destination_is_signed_for_ours_all_the_same(server, fake, other):
    """As servers before Matrix 1.3 send it."""
    body, header = signed_header(fake, server, "e2", destination=None, signed_for=server.name)
    assert ok(put(fake, server, "e2", body, header)) == {"pdus": {}}
    for signed_for in (None, other.name):
        body, header = signed_header(fake, server, "e3", destination=None, signed_for=signed_for)
        with counted(server, "federation_requests_refused_total", reason="signature"):
            error(put(fake, server, "e3", body, header), 401, "M_UNAUTHORIZED")


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


def test_replies_to_transactions_are_remembered_up_to_so_many_bytes(server, fake):
    """Others' IDs in them may be long."""
    bad = [{"room_id": "!nowhere:localhost", "event_id": f"${'x' * 240}{number}:localhost"} for number in range(50)]

    def counted_again():
        before = server.count("federation_pdus_received_total", result="not_in_room")
        ok(fake.transaction(server, bad, transaction="first"))
        return server.count("federation_pdus_received_total", result="not_in_room") - before

    assert counted_again() == 50 and counted_again() == 0
    reply = len(fake.transaction(server, bad).content)
    for _ in range(4 * 2**20 // reply + 1):
        ok(fake.transaction(server, bad))
    assert counted_again() == 50


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
                                  {"latest_events": ["x"], "earliest_events": []}, {"latest_events": [], "earliest_events": [], "limit": "x"}])
def test_get_missing_events_with_wrong_body_is_refused(server, fake, alice, body):
    room = fake.join(server, public_room(alice))
    assert fake.request(server, "POST", f"/v1/get_missing_events/{enc(room.id)}", body).status_code == 400
