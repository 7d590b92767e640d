"""/sync to a device that was away while its user came and went: what it holds in the end is what the room is."""

import json
from urllib.parse import quote

import pytest

from servers import Client, ok

LAZY = {"room": {"state": {"lazy_load_members": True}}}
STATE_AFTER = {"use_state_after": "true"}


def section(reply, room, name="join"):
    return reply["rooms"][name][room]


def told_types(events):
    return [(event["type"], event.get("state_key")) for event in events]


def members(events):
    return {event["state_key"]: event["content"]["membership"] for event in events if event["type"] == "m.room.member"}


def bodies(part):
    return [event["content"].get("body") or event["content"].get("membership") for event in part["timeline"]["events"]]


def path(room, rest):
    return f"/rooms/{quote(room, safe='')}/{rest}"


def other_device(user):
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user.user_id}, "password": "correct horse"}
    return Client(user.server, ok(user.post("/login", login)))


@pytest.fixture
def room(alice):
    return alice.create_room(preset="public_chat")


@pytest.mark.parametrize("since_before_joining", [False, True])
def test_lazy_loading_with_state_after_tells_the_members_that_the_timeline_shows(server, alice, bob, room, since_before_joining):
    """The client takes no state from the timeline."""
    since = bob.sync()["next_batch"] if since_before_joining else None
    carol, dave = server.register(), server.register()
    for user in (bob, carol, dave):
        user.join(room)
    ok(alice.post(path(room, "kick"), {"user_id": dave.user_id}))
    reply = bob.sync(since, filter=json.dumps(LAZY), **STATE_AFTER)
    assert members(section(reply, room)["state_after"]["events"]) == {
        alice.user_id: "join", bob.user_id: "join", carol.user_id: "join", dave.user_id: "leave"}
    carol.send(room, "hello")
    part = section(bob.sync(reply["next_batch"], filter=json.dumps(LAZY), **STATE_AFTER), room)
    assert part["state_after"]["events"] == []  # told already


def test_a_room_left_and_forgotten_on_one_device_is_left_on_the_other(alice, bob, room):
    bob.join(room)
    away = other_device(bob)
    since = away.sync()["next_batch"]
    ok(bob.post(path(room, "leave")))
    here = bob.sync()["next_batch"]
    ok(bob.post(path(room, "forget")))
    reply = away.sync(since)
    assert members(section(reply, room, "leave")["timeline"]["events"]) == {bob.user_id: "leave"}
    assert bob.sync(here).get("rooms", {}) == {}  # who knew is not told again
    assert away.sync(reply["next_batch"]).get("rooms", {}) == {}
    everything = json.dumps({"room": {"include_leave": True}})
    assert bob.sync(filter=everything).get("rooms", {}) == {}


def test_an_invite_declined_and_forgotten_on_one_device_is_gone_on_the_other(alice, bob):
    room = alice.create_room(invite=[bob.user_id])
    away = other_device(bob)
    since = away.sync()["next_batch"]
    ok(bob.post(path(room, "leave")))
    ok(bob.post(path(room, "forget")))
    assert members(section(away.sync(since), room, "leave")["timeline"]["events"]) == {bob.user_id: "leave"}


@pytest.mark.parametrize(
    "then, membership",
    [(["ban"], "ban"), (["ban", "unban"], "leave"), (["invite", "reject"], "leave")],
)
def test_who_was_removed_and_then_more_sees_all_up_to_the_removal_and_what_became_of_them(alice, bob, room, then, membership):
    bob.join(room)
    since = bob.sync()["next_batch"]
    alice.send(room, "missed")
    topic = alice.set_state(room, "m.room.topic", {"topic": "new"})
    ok(alice.post(path(room, "kick"), {"user_id": bob.user_id}))
    alice.send(room, "not for bob")
    for action in then:
        ok(bob.post(path(room, "leave")) if action == "reject" else alice.post(path(room, action), {"user_id": bob.user_id}))
    part = section(bob.sync(since), room, "leave")
    shown = part["timeline"]["events"]
    assert shown[0]["content"]["body"] == "missed" and shown[1]["event_id"] == topic
    assert bodies(part)[2:] == ["leave", membership] and "not for bob" not in bodies(part)
    after = section(bob.sync(since, **STATE_AFTER), room, "leave")
    assert members(after["state_after"]["events"]) == {bob.user_id: membership}
    assert ("m.room.topic", "") in told_types(after["state_after"]["events"])
    everything = json.dumps({"room": {"include_leave": True, "timeline": {"limit": 50}}})
    whole = section(bob.sync(filter=everything), room, "leave")
    assert "missed" in bodies(whole) and bodies(whole)[-1] == membership and "not for bob" not in bodies(whole)


def test_a_declined_invite_is_in_state_after(alice, bob):
    room = alice.create_room(invite=[bob.user_id])
    since = bob.sync()["next_batch"]
    ok(bob.post(path(room, "leave")))
    part = section(bob.sync(since, **STATE_AFTER), room, "leave")
    assert members(part["state_after"]["events"]) == {bob.user_id: "leave"} == members(part["timeline"]["events"])


def replayed(part):
    """What a client holds that takes `state` and then the timeline."""
    held = {}
    for event in part["state"]["events"] + part["timeline"]["events"]:
        if "state_key" in event:
            held[event["type"], event["state_key"]] = event["event_id"]
    return held


@pytest.mark.parametrize("initial", [False, True])
def test_replaying_gives_the_state_though_what_happened_in_between_is_hidden(alice, bob, initial):
    room = alice.create_room(preset="public_chat", initial_state=[{"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}])
    bob.join(room)
    since = None if initial else bob.sync()["next_batch"]
    alice.set_state(room, "m.room.topic", {"topic": "one"})
    ok(bob.post(path(room, "leave")))
    alice.set_state(room, "m.room.topic", {"topic": "two"})
    bob.join(room)
    last = alice.send(room, "and on")
    part = section(bob.sync(since), room)
    state = {(event["type"], event["state_key"]): event["event_id"] for event in ok(bob.get(path(room, "state")))}
    assert replayed(part) == {key: event for key, event in state.items() if initial or key in replayed(part)}
    assert ("m.room.topic", "") in replayed(part)
    assert part["timeline"]["events"][-1]["event_id"] == last and part["timeline"]["limited"] is True


def test_replaying_gives_the_state_though_the_filter_leaves_out_who_changed_it(alice, bob):
    room = alice.create_room(preset="public_chat", power_level_content_override={"events": {"m.room.topic": 0}})
    bob.join(room)
    since = alice.sync()["next_batch"]
    alice.set_state(room, "m.room.topic", {"topic": "one"})
    alice.send(room, "shown before")
    new = bob.set_state(room, "m.room.topic", {"topic": "two"})
    alice.send(room, "shown")
    part = section(alice.sync(since, filter=json.dumps({"room": {"timeline": {"not_senders": [bob.user_id]}}})), room)
    assert replayed(part)["m.room.topic", ""] == new and bodies(part)[-1] == "shown"


@pytest.mark.parametrize("visibility, messages", [("shared", 12), ("joined", 0)])
def test_members_that_changed_while_the_user_was_out_of_the_room_are_told(server, alice, bob, room, visibility, messages):
    alice.set_state(room, "m.room.history_visibility", {"history_visibility": visibility})
    dave = server.register()
    dave.join(room)
    bob.join(room)
    dave.send(room, "here I am")
    first = bob.sync(filter=json.dumps(LAZY))
    ok(bob.post(path(room, "leave")))
    ok(dave.post(path(room, "leave")))
    for number in range(messages):
        alice.send(room, f"m{number}")
    bob.join(room)
    part = section(bob.sync(first["next_batch"], filter=json.dumps(LAZY)), room)
    assert members(part["state"]["events"])[dave.user_id] == "leave"


@pytest.mark.parametrize("also_away", [False, True])
def test_members_that_left_after_the_client_was_told_that_its_user_left_are_told_on_coming_back(server, alice, bob, room, also_away):
    """What a client believes of members is as old as the end of its user's last stay, however often it synced since."""
    dave = server.register()
    dave.join(room)
    bob.join(room)
    dave.send(room, "here I am")
    token = bob.sync(filter=json.dumps(LAZY))["next_batch"]
    ok(bob.post(path(room, "leave")))
    if not also_away:
        token = bob.sync(token, filter=json.dumps(LAZY))["next_batch"]
    ok(dave.post(path(room, "leave")))
    for number in range(12):
        alice.send(room, f"m{number}")
    token = bob.sync(token, filter=json.dumps(LAZY))["next_batch"]
    bob.join(room)
    part = section(bob.sync(token, filter=json.dumps({"room": {**LAZY["room"], "timeline": {"limit": 2}}})), room)
    assert members(part["state"]["events"])[dave.user_id] == "leave"


def test_members_of_a_room_that_the_user_enters_for_the_first_time_are_loaded_lazily(server, alice, bob, room):
    dave = server.register()
    dave.join(room)
    for number in range(12):
        alice.send(room, f"m{number}")
    since = bob.sync(filter=json.dumps(LAZY))["next_batch"]
    bob.join(room)
    part = section(bob.sync(since, filter=json.dumps({"room": {**LAZY["room"], "timeline": {"limit": 2}}})), room)
    assert dave.user_id not in members(part["state"]["events"]) or dave.user_id in part["summary"]["m.heroes"]


def test_what_a_user_said_about_a_room_before_entering_it_comes_with_it(alice, bob, room):
    bob.join(room)
    ok(bob.put(f"/user/{bob.user_id}/rooms/{quote(room, safe='')}/account_data/m.tag", {"tags": {"m.favourite": {}}}))
    ok(bob.post(path(room, "leave")))
    other = other_device(bob)
    since = other.sync()["next_batch"]
    bob.join(room)
    part = section(other.sync(since), room)
    assert part["account_data"]["events"] == [{"type": "m.tag", "content": {"tags": {"m.favourite": {}}}}]
