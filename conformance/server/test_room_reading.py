"""Reading rooms: events and what surrounds them, members, pages of history; and who may not."""

import json
from urllib.parse import quote

import pytest

from servers import error, ok

NO_EVENT = "$" + "A" * 43


def enc(text):
    return quote(text, safe="")


def at(room, rest):
    return f"/rooms/{enc(room)}{rest}"


def bodies(events):
    return [event["content"].get("body") for event in events]


ONLY_MESSAGES = json.dumps({"types": ["m.room.message"]})


@pytest.mark.parametrize("what", ["/state", "/state/m.room.name", "/state/m.room.name/key", "/members", "/joined_members", "/messages?dir=b", "/aliases"])
def test_rooms_of_others_and_unknown_rooms_look_the_same(alice, bob, what):
    room = alice.create_room(name="N")
    for one in (room, f"!none:{alice.server.name}", "!" + "A" * 43):
        error(bob.get(at(one, what)), 403, "M_FORBIDDEN")
    error(bob.get(f"/rooms/nonsense{what}"), 400, "M_INVALID_PARAM")


def test_events_of_others_are_not_found(alice, bob):
    room = alice.create_room()
    event = alice.send(room)
    error(bob.get(at(room, f"/event/{enc(event)}")), 404, "M_NOT_FOUND")
    error(bob.get(at(f"!none:{alice.server.name}", f"/event/{enc(event)}")), 404, "M_NOT_FOUND")
    error(alice.get(at(alice.create_room(), f"/event/{enc(event)}")), 404, "M_NOT_FOUND")
    error(alice.get(at(room, "/event/nonsense")), 400, "M_INVALID_PARAM")
    error(alice.get(f"/rooms/nonsense/event/{enc(event)}"), 400, "M_INVALID_PARAM")


def test_the_sending_device_alone_is_told_its_transaction(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    path = at(room, f"/event/{enc(alice.send(room, transaction='mine'))}")
    own, others = ok(alice.get(path))["unsigned"], ok(bob.get(path))["unsigned"]
    assert own["transaction_id"] == "mine" and "transaction_id" not in others
    assert own["membership"] == others["membership"] == "join"


def test_a_repeated_send_is_the_same_event_by_whatever_path(alice):
    room = alice.create_room()
    event = alice.send(room, "once", transaction="same")
    old = f"/_matrix/client/r0/rooms/{enc(room)}/send/m.room.message/same"
    assert ok(alice.put(old, {"msgtype": "m.text", "body": "once"})) == {"event_id": event}


def test_state_is_told_with_what_it_replaced(alice):
    room = alice.create_room()
    first = alice.set_state(room, "m.room.topic", {"topic": "tea"})
    alice.set_state(room, "m.room.topic", {"topic": "coffee"})
    for variant in ("m.room.topic", "m.room.topic/"):
        event = ok(alice.get(at(room, f"/state/{variant}"), params={"format": "event"}))
        assert event["content"] == {"topic": "coffee"}
        assert event["unsigned"]["prev_content"] == {"topic": "tea"} and event["unsigned"]["replaces_state"] == first
        assert event["unsigned"]["prev_sender"] == alice.user_id
        error(alice.get(at(room, f"/state/{variant}"), params={"format": "x"}), 400, "M_INVALID_PARAM")


def test_members_are_listed_as_they_were(alice, bob):
    room = alice.create_room(preset="public_chat")
    before = ok(alice.get(at(room, "/messages"), params={"dir": "b", "limit": 1}))["start"]
    bob.join(room)

    def listed(**parameters):
        return {event["state_key"] for event in ok(alice.get(at(room, "/members"), params=parameters))["chunk"]}

    assert listed() == {alice.user_id, bob.user_id}
    assert listed(at=before) == {alice.user_id}
    assert listed(membership="leave") == set() == listed(not_membership="join")
    assert listed(membership="leave", not_membership="leave") == {alice.user_id, bob.user_id}
    for parameters in ({"membership": "x"}, {"not_membership": "x"}, {"at": "not ours"}):
        error(alice.get(at(room, "/members"), params=parameters), 400, "M_INVALID_PARAM")


def test_joined_members_come_with_their_profiles(alice, bob):
    room = alice.create_room(preset="public_chat")
    ok(bob.put(f"/profile/{bob.user_id}/displayname", {"displayname": "Bob"}))
    bob.join(room)
    assert ok(alice.get(at(room, "/joined_members")))["joined"][bob.user_id] == {"display_name": "Bob"}
    ok(bob.post(at(room, "/leave")))
    error(bob.get(at(room, "/joined_members")), 403, "M_FORBIDDEN")


def test_pages_join_without_gap_and_end(alice):
    room = alice.create_room()
    for number in range(1, 6):
        alice.send(room, str(number))

    def page(**parameters):
        return ok(alice.get(at(room, "/messages"), params={"filter": ONLY_MESSAGES, "limit": 3, **parameters}))

    newest = page(dir="b")
    assert bodies(newest["chunk"]) == ["5", "4", "3"]
    middle = newest["end"]
    older = page(dir="b", **{"from": middle})
    assert bodies(older["chunk"]) == ["2", "1"] and older["start"] == middle and "end" not in older
    assert bodies(page(dir="f", **{"from": middle})["chunk"]) == ["3", "4", "5"]
    assert bodies(page(dir="f", to=middle)["chunk"]) == ["1", "2"]
    assert bodies(page(dir="b", to=middle, limit=10)["chunk"]) == ["5", "4", "3"]


def test_pages_come_with_the_members_that_speak(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    alice.send(room)
    lazy = json.dumps({"types": ["m.room.message"], "lazy_load_members": True})
    page = ok(bob.get(at(room, "/messages"), params={"dir": "b", "filter": lazy}))
    assert [event["state_key"] for event in page["state"]] == [alice.user_id]


@pytest.mark.parametrize("parameters", [{"limit": "-1"}, {"limit": "1.5"}, {"to": "not ours"}])
def test_pages_are_refused_that_make_no_sense(alice, parameters):
    error(alice.get(at(alice.create_room(), "/messages"), params={"dir": "b", **parameters}), 400, "M_INVALID_PARAM")


@pytest.mark.parametrize("bad", ["{broken", "[]", '{"types": 5}', '{"limit": "x"}'])
def test_filters_are_refused_that_make_no_sense(alice, bad):
    room = alice.create_room()
    event = alice.send(room)
    for path, more in (("/messages", {"dir": "b"}), (f"/context/{enc(event)}", {})):
        reply = alice.get(at(room, path), params={"filter": bad, **more})
        assert reply.status_code == 400 and reply.json()["errcode"] in ("M_NOT_JSON", "M_BAD_JSON", "M_INVALID_PARAM"), reply.text


def test_context_surrounds_an_event(alice, bob):
    room = alice.create_room(name="N")
    alice.send(room, "1")
    event = alice.send(room, "2")
    alice.send(room, "3")
    path = at(room, f"/context/{enc(event)}")
    context = ok(alice.get(path, params={"limit": 2}))
    assert context["event"]["event_id"] == event
    assert bodies(context["events_before"]) == ["1"] and bodies(context["events_after"]) == ["3"]
    assert {"m.room.create", "m.room.name", "m.room.member"} <= {state["type"] for state in context["state"]}
    for start, direction, expected in ((context["end"], "b", ["3", "2", "1"]), (context["start"], "f", ["1", "2", "3"])):
        page = ok(alice.get(at(room, "/messages"), params={"dir": direction, "from": start, "filter": ONLY_MESSAGES}))
        assert bodies(page["chunk"]) == expected
    alone = ok(alice.get(path, params={"limit": 0}))
    assert alone["events_before"] == alone["events_after"] == []


def test_context_is_refused_to_whom_it_is_not_for(alice, bob):
    room = alice.create_room()
    event = alice.send(room)
    error(bob.get(at(room, f"/context/{enc(event)}")), 403, "M_FORBIDDEN")
    error(alice.get(at(room, f"/context/{enc(NO_EVENT)}")), 404, "M_NOT_FOUND")
    error(alice.get(at(room, "/context/nonsense")), 400, "M_INVALID_PARAM")
    error(alice.get(at(room, f"/context/{enc(event)}"), params={"limit": "x"}), 400, "M_INVALID_PARAM")


def test_pages_and_contexts_leave_out_what_ignored_users_say_but_not_their_state(alice, bob):
    room = alice.create_room(preset="public_chat", power_level_content_override={"state_default": 0})
    bob.join(room)
    kept = alice.send(room, "kept")
    said = bob.send(room, "said")
    done = bob.set_state(room, "org.example", {})
    last = alice.send(room, "last")
    ok(alice.put(f"/user/{alice.user_id}/account_data/m.ignored_user_list", {"ignored_users": {bob.user_id: {}}}))
    page = ok(alice.get(f"/rooms/{room}/messages", params={"dir": "b", "limit": 4}))["chunk"]
    assert [event["event_id"] for event in page][:3] == [last, done, kept]
    context = ok(alice.get(f"/rooms/{room}/context/{kept}", params={"limit": 6}))
    assert [event["event_id"] for event in context["events_after"]] == [done, last]
    assert said in [event["event_id"] for event in ok(bob.get(f"/rooms/{room}/messages", params={"dir": "b", "limit": 4}))["chunk"]]
