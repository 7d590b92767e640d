"""/sync, receipts, typing: what clients are told, when, and how often."""

import json
import threading

import pytest

from servers import Client, error, ok
from waiting import wait_until


def joined(reply, room):
    return reply["rooms"]["join"][room]


def ids(room_part):
    return [event["event_id"] for event in room_part["timeline"]["events"]]


def test_the_first_sync_has_everything_and_the_next_what_is_new(alice):
    room = alice.create_room(name="N")
    sent = [alice.send(room, f"m{i}") for i in range(3)]
    first = alice.sync()
    part = joined(first, room)
    assert ids(part)[-3:] == sent
    assert any(e["type"] == "m.push_rules" for e in first["account_data"]["events"])
    assert alice.sync(first["next_batch"]).get("rooms", {}).get("join", {}) == {}
    new = alice.send(room, "new")
    second = joined(alice.sync(first["next_batch"]), room)
    assert ids(second) == [new] and second["timeline"]["limited"] is False
    assert second["timeline"]["events"][0]["unsigned"]["transaction_id"]


def test_the_required_counts_are_always_there(alice):
    for reply in (alice.sync(), alice.sync(alice.sync()["next_batch"])):
        assert reply["device_one_time_keys_count"] == {} and reply["device_unused_fallback_key_types"] == []


def test_a_gap_is_limited_and_its_prev_batch_leads_back(alice):
    room = alice.create_room()
    since = alice.sync()["next_batch"]
    sent = [alice.send(room, f"m{i}") for i in range(15)]
    part = joined(alice.sync(since, filter=json.dumps({"room": {"timeline": {"limit": 5}}})), room)
    assert part["timeline"]["limited"] is True and ids(part) == sent[-5:]
    page = ok(alice.get(f"/rooms/{room}/messages", params={"dir": "b", "from": part["timeline"]["prev_batch"], "limit": 10}))
    assert [e["event_id"] for e in page["chunk"]] == sent[:10][::-1]


def test_state_is_that_at_the_start_of_the_timeline(alice):
    room = alice.create_room()
    since = alice.sync()["next_batch"]
    old = alice.set_state(room, "org.example", {"v": 1})
    sent = [alice.send(room, f"m{i}") for i in range(3)]
    new = alice.set_state(room, "org.example", {"v": 2})
    narrow = json.dumps({"room": {"timeline": {"limit": 2}}})
    before = joined(alice.sync(since, filter=narrow), room)
    assert [e["event_id"] for e in before["state"]["events"]] == [old]
    assert ids(before) == [sent[-1], new]
    for parameter, key in (("use_state_after", "state_after"), ("org.matrix.msc4222.use_state_after", "org.matrix.msc4222.state_after")):
        after = joined(alice.sync(since, filter=narrow, **{parameter: "true"}), room)
        assert [e["event_id"] for e in after[key]["events"]] == [new] and "state" not in after


def test_full_state_ignores_since_for_state(alice):
    room = alice.create_room(name="N")
    since = alice.sync()["next_batch"]
    part = joined(alice.sync(since, full_state="true", timeout=30000), room)
    assert {"m.room.create", "m.room.name"} <= {e["type"] for e in part["state"]["events"]}


def test_a_room_joined_meanwhile_comes_with_its_state(alice, bob):
    room = alice.create_room(preset="public_chat", name="N")
    for i in range(30):
        alice.send(room, f"m{i}")
    since = bob.sync()["next_batch"]
    bob.join(room)
    part = joined(bob.sync(since), room)
    events = part["state"]["events"] + part["timeline"]["events"]
    assert {"m.room.create", "m.room.name", "m.room.power_levels"} <= {e["type"] for e in events}
    assert part["summary"]["m.joined_member_count"] == 2


@pytest.mark.parametrize("kind, named, unnamed", [("m.room.name", {"name": "N"}, {"name": ""}), ("m.room.canonical_alias", {"alias": "#n:{server}"}, {})])
def test_heroes_are_told_while_a_room_has_no_name_of_its_own(alice, bob, kind, named, unnamed):
    room = alice.create_room(preset="public_chat", room_alias_name=alice.user_id[1:].split(":")[0])
    named = {key: value.replace("#n:{server}", f"#{alice.user_id[1:]}") for key, value in named.items()}
    alice.set_state(room, "m.room.canonical_alias", {})
    token = alice.sync()["next_batch"]

    def summary():
        nonlocal token
        reply = alice.sync(token)
        token = reply["next_batch"]
        return joined(reply, room)["summary"]

    bob.join(room)
    assert summary()["m.heroes"] == [bob.user_id]
    alice.set_state(room, kind, named)
    assert "m.heroes" not in summary() and "m.heroes" not in joined(alice.sync(), room)["summary"]
    alice.set_state(room, kind, unnamed)
    assert summary()["m.heroes"] == [bob.user_id] == joined(alice.sync(), room)["summary"]["m.heroes"]


def test_invites_come_with_stripped_state_and_leaves_come_once(alice, bob):
    since = bob.sync()["next_batch"]
    room = alice.create_room(name="N", invite=[bob.user_id])
    reply = bob.sync(since)
    state = reply["rooms"]["invite"][room]["invite_state"]["events"]
    assert {"m.room.create", "m.room.name", "m.room.member"} <= {e["type"] for e in state}
    assert all(set(e) == {"type", "state_key", "sender", "content"} for e in state)
    bob.join(room)
    ok(alice.post(f"/rooms/{room}/kick", {"user_id": bob.user_id}))
    left = bob.sync(reply["next_batch"])
    assert room in left["rooms"]["leave"] and room not in left["rooms"].get("join", {})
    assert room not in bob.sync(left["next_batch"]).get("rooms", {}).get("leave", {})
    assert room not in bob.sync().get("rooms", {}).get("leave", {})
    assert room in bob.sync(filter='{"room": {"include_leave": true}}')["rooms"]["leave"]


def test_lazy_loading_shows_the_members_that_speak(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    for _ in range(12):
        bob.send(room)
    lazy = json.dumps({"room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 3}}})
    third = alice.server.register()
    third.join(room)
    bob.send(room)
    bob.send(room)
    bob.send(room)
    part = joined(alice.sync(filter=lazy), room)
    members = {e["state_key"] for e in part["state"]["events"] if e["type"] == "m.room.member"}
    assert bob.user_id in members and alice.user_id in members
    assert part["summary"]["m.joined_member_count"] == 3


def test_a_waiting_sync_wakes_for_messages_receipts_typing_and_account_data(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    event = alice.send(room)

    def wait_while(action, find):
        since = bob.sync()["next_batch"]
        got = []
        waiting = threading.Thread(target=lambda: got.append(bob.sync(since, timeout=30000)))
        waiting.start()
        action()
        waiting.join(30)
        assert find(got[0]), got[0]

    def ephemeral(reply, kind):
        return [e for e in joined(reply, room)["ephemeral"]["events"] if e["type"] == kind]

    wait_while(lambda: alice.send(room), lambda r: joined(r, room)["timeline"]["events"])
    wait_while(lambda: ok(alice.post(f"/rooms/{room}/receipt/m.read/{event}")), lambda r: alice.user_id in ephemeral(r, "m.receipt")[0]["content"][event]["m.read"])
    wait_while(lambda: ok(alice.put(f"/rooms/{room}/typing/{alice.user_id}", {"typing": True, "timeout": 30000})), lambda r: ephemeral(r, "m.typing")[0]["content"]["user_ids"] == [alice.user_id])
    wait_while(lambda: ok(bob.put(f"/user/{bob.user_id}/account_data/org.example", {"a": 1})), lambda r: r["account_data"]["events"][0]["content"] == {"a": 1})
    wait_while(lambda: ok(bob.put(f"/user/{bob.user_id}/rooms/{room}/account_data/org.example", {"a": 2})), lambda r: joined(r, room)["account_data"]["events"][0]["content"] == {"a": 2})


def test_a_waiting_sync_ends_when_its_device_is_logged_out_and_no_other_does(server):
    phone = server.register("waiting_for_news")
    logins = [ok(server.anonymous().post("/login", {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": phone.user_id},
                                                    "password": "correct horse"})) for _ in range(2)]
    tablet, laptop = (Client(server, login) for login in logins)
    before = server.count("sync_waiting")

    def start(client):
        since, got = client.sync()["next_batch"], []
        thread = threading.Thread(target=lambda: got.append(client.get("/sync", params={"since": since, "timeout": 60000})))
        thread.start()
        return thread, got

    on_tablet, on_laptop = start(tablet), start(laptop)
    wait_until(lambda: server.count("sync_waiting") == before + 2)
    ok(Client(server, logins[0]).post("/logout"))
    on_tablet[0].join(30)
    error(on_tablet[1][0], 401, "M_UNKNOWN_TOKEN")
    assert on_laptop[0].is_alive()
    ok(phone.post("/logout/all"))
    on_laptop[0].join(30)
    error(on_laptop[1][0], 401, "M_UNKNOWN_TOKEN")


@pytest.mark.parametrize("how", ["leave", "kick"])
def test_who_leaves_types_no_more(alice, bob, how):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    ok(bob.put(f"/rooms/{room}/typing/{bob.user_id}", {"typing": True, "timeout": 30000}))
    since = alice.sync()["next_batch"]
    ok(bob.post(f"/rooms/{room}/leave") if how == "leave" else alice.post(f"/rooms/{room}/kick", {"user_id": bob.user_id}))
    told = joined(alice.sync(since), room)["ephemeral"]["events"]
    assert [event["content"]["user_ids"] for event in told if event["type"] == "m.typing"] == [[]]


def test_private_receipts_stay_with_their_user(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    event = alice.send(room)
    a, b = alice.sync()["next_batch"], bob.sync()["next_batch"]
    ok(bob.post(f"/rooms/{room}/receipt/m.read.private/{event}"))
    assert "ephemeral" in joined(bob.sync(b), room)
    assert not alice.sync(a).get("rooms", {}).get("join", {}).get(room, {}).get("ephemeral", {}).get("events")


def test_receipts_and_markers_are_checked(alice, bob):
    room = alice.create_room()
    event = alice.send(room)
    error(alice.post(f"/rooms/{room}/receipt/m.nonsense/{event}"), 400, "M_INVALID_PARAM")
    error(bob.post(f"/rooms/{room}/receipt/m.read/{event}"), 403, "M_FORBIDDEN")
    error(bob.post(f"/rooms/{room}/read_markers", {"m.fully_read": event}), 403, "M_FORBIDDEN")
    ok(alice.post(f"/rooms/{room}/read_markers", {"m.fully_read": event, "m.read": event}))
    assert ok(alice.get(f"/user/{alice.user_id}/rooms/{room}/account_data/m.fully_read"))["event_id"] == event
    error(bob.put(f"/rooms/{room}/typing/{alice.user_id}", {"typing": True}), 403, "M_FORBIDDEN")
    error(bob.put(f"/rooms/{room}/typing/{bob.user_id}", {"typing": True}), 403, "M_FORBIDDEN")
    error(alice.put(f"/rooms/{room}/typing/{alice.user_id}", {}), 400, "M_MISSING_PARAM")


def test_receipts_and_markers_that_make_no_sense_are_refused(alice, bob):
    room = alice.create_room()
    event = alice.send(room)
    unknown = "$" + "A" * 43
    receipt = f"/rooms/{room}/receipt/m.read"
    error(alice.post(f"{receipt}/{unknown}"), 404, "M_NOT_FOUND")
    error(alice.post(f"{receipt}/nonsense"), 400, "M_INVALID_PARAM")
    for thread in ("", 5, unknown[1:]):
        error(alice.post(f"{receipt}/{event}", {"thread_id": thread}), 400, "M_INVALID_PARAM")
    error(alice.post(f"/rooms/{room}/receipt/m.fully_read/{event}", {"thread_id": "main"}), 400, "M_INVALID_PARAM")
    markers = f"/rooms/{room}/read_markers"
    error(alice.post(markers, {"m.fully_read": unknown}), 404, "M_NOT_FOUND")
    error(alice.post(markers, {"m.fully_read": "nonsense"}), 400, "M_INVALID_PARAM")
    error(alice.post(markers, {"m.fully_read": 5}), 400, "M_BAD_JSON")
    typing = f"/rooms/{room}/typing/{alice.user_id}"
    error(alice.put(typing, {"typing": "yes"}), 400, "M_BAD_JSON")
    error(alice.put(typing, {"typing": True, "timeout": "long"}), 400, "M_BAD_JSON")
    for path in (f"/rooms/nonsense/receipt/m.read/{event}", "/rooms/nonsense/read_markers"):
        error(alice.post(path), 400, "M_INVALID_PARAM")


def test_receipts_in_threads_are_told_with_their_thread(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    event = alice.send(room)
    since = bob.sync()["next_batch"]
    ok(alice.post(f"/rooms/{room}/receipt/m.read/{event}", {"thread_id": "main"}))
    told = joined(bob.sync(since, timeout=10000), room)["ephemeral"]["events"][0]["content"]
    assert told[event]["m.read"][alice.user_id]["thread_id"] == "main"


def test_filters_choose_what_is_shown(alice):
    room = alice.create_room()
    other = alice.create_room()
    wanted = alice.send(room, kind="org.example.a", x=1)
    alice.send(room, kind="org.example.b", x=1)
    chosen = {"room": {"rooms": [room], "timeline": {"types": ["org.example.a*"]}, "state": {"types": []}}, "account_data": {"not_types": ["*"]}}
    reply = alice.sync(filter=json.dumps(chosen))
    assert list(reply["rooms"]["join"]) == [room] and ids(joined(reply, room)) == [wanted] and other not in reply["rooms"]["join"]
    assert not reply.get("account_data", {}).get("events")
    kept = ok(alice.post(f"/user/{alice.user_id}/filter", chosen))["filter_id"]
    assert ids(joined(alice.sync(filter=kept), room)) == [wanted]


@pytest.mark.parametrize("parameters", [{"since": "not ours"}, {"timeout": "soon"}, {"filter": "{broken"}, {"filter": "12345"}, {"full_state": "maybe"}])
def test_bad_parameters_are_refused(alice, parameters):
    reply = alice.get("/sync", params=parameters)
    assert reply.status_code == 400 and reply.json()["errcode"].startswith("M_"), reply.text


def test_sync_needs_a_token(server):
    error(server.anonymous().get("/sync"), 401, "M_MISSING_TOKEN")


def test_every_event_comes_exactly_once_while_many_send(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = bob.sync()["next_batch"]
    sent = []

    def talk(n):
        speaker = alice.server.register()
        speaker.join(room)
        for i in range(20):
            sent.append(speaker.send(room, f"{n} {i}"))

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    got = []
    while any(thread.is_alive() for thread in threads) or len([e for e in got if e in set(sent)]) < 100:
        reply = bob.sync(since, timeout=10000)
        since = reply["next_batch"]
        if room in reply.get("rooms", {}).get("join", {}):
            part = joined(reply, room)
            page = ids(part)
            if part["timeline"]["limited"]:
                older = ok(bob.get(f"/rooms/{room}/messages", params={"dir": "b", "from": part["timeline"]["prev_batch"], "limit": 200}))["chunk"]
                missed = [e["event_id"] for e in older if e["event_id"] not in got and e["event_id"] in set(sent)]
                page = missed[::-1] + page
            got += page
    messages = [e for e in got if e in set(sent)]
    assert sorted(messages) == sorted(sent) and len(set(messages)) == len(messages)
