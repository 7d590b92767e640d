"""Bad events and ephemeral data in well-signed transactions: each is dropped, its companions arrive, and the room goes on."""

import copy

import pytest

from fake_homeserver import enc, now_ms
from matrix_events import SigningKey, canonical, redact, sign_event
from servers import error, ok
from views import VERSIONS, counted, is_shown, public_room, still_takes_part, timeline


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
    return room.resealed({**event, "sender": room.victim})


def changed(**members):
    """Changed before signing: format alone is wrong."""
    def tamper(room, event):
        event = {key: value for key, value in {**event, **members}.items() if value is not None}
        return room.resealed(event)
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
    forged = mine.resealed({**mine.message("not theirs"), "sender": other.user(), "auth_events": genuine["auth_events"]})
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


@pytest.mark.parametrize("at_once", [True, False], ids=["in one transaction", "one by one"])
def test_new_events_do_not_cite_what_lies_behind_rejected_events(server, fake, alice, at_once):
    room = fake.join(server, public_room(alice))
    rejected = []
    for text in ("not allowed", "nor this"):
        rejected.append(room.event("m.room.topic", {"topic": text}, state_key=""))
        room.add(rejected[-1])
    message = room.messages(1, "on what was rejected")[0]
    for batch in [[*rejected, message]] if at_once else [[event] for event in [*rejected, message]]:
        fake.send(server, *batch)
    assert is_shown(alice, room.id, room.last) and not is_shown(alice, room.id, room.id_of(rejected[0]))
    alice.send(room.id, "the next")
    (next_event,) = [pdu for asked in fake.wait_until_asked("^/v1/send/") for pdu in asked.body["pdus"]]
    assert next_event["prev_events"] == [room.last]


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


def test_of_the_rooms_that_one_edu_names_receipts_for_are_looked_at_so_many(server, fake, alice):
    room = fake.join(server, public_room(alice))
    read = {"m.read": {fake.user(): {"event_ids": [alice.send(room.id)], "data": {"ts": 1}}}}
    elsewhere = {f"!room{number}:{fake.name}": read for number in range(1000)}
    with counted(server, "federation_edus_dropped_total", reason="too_many"):
        fake.edu(server, "m.receipt", {**elsewhere, room.id: read})
    assert receipts_of(alice, room.id) == {}
    fake.edu(server, "m.receipt", {room.id: read, **elsewhere})
    assert set(receipts_of(alice, room.id)) == {fake.user()}


def test_receipts_of_many_users_are_one_commit(server, fake, alice):
    room = public_room(alice)
    users = [fake.user(f"reader{number}") for number in range(8)]
    for user in users:
        fake.join(server, room, user)
    event = alice.send(room)
    read = {"event_ids": [event], "data": {"ts": 1}}
    before = server.count("writer_batch_units_sum")
    fake.edu(server, "m.receipt", {room: {"m.read": {user: read for user in users}}})
    assert server.count("writer_batch_units_sum") - before < len(users)
    assert receipts_of(alice, room) == {user: event for user in users}


@pytest.mark.parametrize("edu", [{}, {"edu_type": 5, "content": {}}, {"edu_type": "m.typing"}, {"edu_type": "m.typing", "content": []},
                                 {"edu_type": "org.example.unknown", "content": {"x": 0.5}}, {"edu_type": "m.receipt", "content": deep(40)}])
def test_garbage_among_edus_is_ignored(server, fake, alice, edu):
    room = fake.join(server, public_room(alice))
    since = alice.sync()["next_batch"]
    typing = {"edu_type": "m.typing", "content": {"room_id": room.id, "user_id": fake.user(), "typing": True}}
    assert fake.transaction(server, edus=[edu, typing]).status_code == 200
    assert typing_users(alice, room.id, since) == {fake.user()}
