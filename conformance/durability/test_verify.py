"""The comparison itself: it must find each kind of broken promise in a history that was doctored, and nothing in an honest one."""

import copy

import pytest

from history import History
from verify import Chain, Observed, problems

ALICE, BOB, ROOM = "@alice:one", "@bob:two", "!room"


def event(event_id, marker, **more):
    return {"event_id": event_id, "type": "m.room.message", "content": {"marker": marker} if marker else {}, **more}


def honest():
    """Two servers; alice sends three messages, redacts the first and reads the third; bob's message was never answered but is there."""
    history = History()
    for marker, event_id in (("a1", "$1"), ("a2", "$2"), ("a3", "$3")):
        history.begin("message", 0, ALICE, ROOM, marker).event_id = event_id
    history.begin("redaction", 0, ALICE, ROOM, "a4", "$1").event_id = "$4"
    history.begin("message", 1, BOB, ROOM, "b1")
    for key, value in ((("account_data", ALICE, "", "x"), "d1"), (("receipt", ALICE, ROOM), "$3")):
        register, index = history.try_value(0, key, value)
        history.acknowledge_value(register, index)
    history.try_value(0, ("account_data", ALICE, "", "x"), "d2")
    history.created_rooms.append((0, ALICE, "!own", "mine"))

    timeline = [event("$s", None, type="start"), event("$1", None), event("$2", "a2"), event("$b", "b1"), event("$3", "a3"), event("$4", "a4", type="m.room.redaction")]
    state = {("m.room.create", ""): "$c", ("m.room.topic", ""): "$t"}
    own = {("m.room.create", ""): {}, ("m.room.power_levels", ""): {}, ("m.room.join_rules", ""): {}, ("m.room.name", ""): {"name": "mine"}, ("m.room.member", ALICE): {}}
    observed = []
    for name in ("one", "two"):
        server = Observed(name, {ROOM: copy.deepcopy(timeline)}, {ROOM: dict(state)}, {("receipt", ALICE, ROOM): "$3"}, {(ROOM, ALICE): "$3"})
        chain = Chain(ALICE if name == "one" else BOB, {ROOM: ["$2", "$b", "$3", "$4"]}, {ROOM: dict(state)}, {}, {(ROOM, ALICE): "$3"})
        server.chains.append(chain)
        observed.append(server)
    observed[0].registers["account_data", ALICE, "", "x"] = "d2"
    observed[0].chains[0].account_data["", "x"] = "d2"
    observed[0].rooms_of_creators[ALICE, "!own"] = own
    return history, observed


def test_an_honest_history_has_no_problems():
    assert problems(*honest()) == []


def lose_an_event(history, one, two):
    del two.timelines[ROOM][4]


def lose_an_event_everywhere(history, one, two):
    for server in (one, two):
        del server.timelines[ROOM][4]
        server.chains[0].rooms[ROOM].remove("$3")


def tell_an_event_twice_in_messages(history, one, two):
    one.timelines[ROOM].append(one.timelines[ROOM][2])


def make_two_events_of_one_request(history, one, two):
    for server in (one, two):
        server.timelines[ROOM].append(event("$again", "b1"))
        server.chains[0].rooms[ROOM].append("$again")


def make_a_second_event_of_a_redacted_message(history, one, two):
    for server in (one, two):
        server.timelines[ROOM].append(event("$again", "a1"))
        server.chains[0].rooms[ROOM].append("$again")


def turn_the_order_round(history, one, two):
    for server in (one, two):
        events = server.timelines[ROOM]
        events[2], events[4] = events[4], events[2]
        server.chains[0].rooms[ROOM] = ["$3", "$b", "$2", "$4"]


def leave_a_gap_in_sync(history, one, two):
    one.chains[0].rooms[ROOM].remove("$b")


def stop_sync_early(history, one, two):
    one.chains[0].rooms[ROOM].remove("$4")


def repeat_an_event_in_sync(history, one, two):
    two.chains[0].rooms[ROOM].insert(2, "$2")


def sync_in_another_order(history, one, two):
    two.chains[0].rooms[ROOM] = ["$2", "$3", "$b", "$4"]


def tell_in_sync_what_is_not_there(history, one, two):
    two.chains[0].rooms[ROOM].append("$ghost")


def tell_no_room_at_all(history, one, two):
    two.chains[0].rooms.clear()


def differ_in_state(history, one, two):
    two.state[ROOM]["m.room.topic", ""] = two.chains[0].state[ROOM]["m.room.topic", ""] = "$other"


def tell_wrong_state_in_sync(history, one, two):
    one.chains[0].state[ROOM]["m.room.topic", ""] = "$old"


def keep_redacted_content(history, one, two):
    two.timelines[ROOM][1]["content"] = {"body": "secret"}


def forget_account_data(history, one, two):
    del one.registers["account_data", ALICE, "", "x"]
    del one.chains[0].account_data["", "x"]


def go_back_in_account_data(history, one, two):
    history.acknowledge_value(history.registers["account_data", ALICE, "", "x"], 1)
    one.registers["account_data", ALICE, "", "x"] = one.chains[0].account_data["", "x"] = "d1"


def lose_a_receipt_on_the_way(history, one, two):
    two.receipts.clear()
    two.registers.clear()


def tell_an_old_receipt_in_sync(history, one, two):
    two.chains[0].receipts[ROOM, ALICE] = "$2"


def make_an_event_of_nothing(history, one, two):
    for server in (one, two):
        server.timelines[ROOM].append(event("$new", "nobody"))
        server.chains[0].rooms[ROOM].append("$new")


def make_half_a_room(history, one, two):
    del one.rooms_of_creators[ALICE, "!own"]["m.room.join_rules", ""]


def lose_a_room(history, one, two):
    one.rooms_of_creators.clear()


def refuse_a_good_request(history, one, two):
    history.refusals.append("alice was refused")


WRONGS = [
    (lose_an_event, "acknowledged message a3 ($3) of @alice:one is missing"),
    (lose_an_event_everywhere, "acknowledged message a3 ($3) of @alice:one is missing"),
    (tell_an_event_twice_in_messages, "$2 is 2 times in the timeline"),
    (make_two_events_of_one_request, "one request, b1, made 2 events"),
    (make_a_second_event_of_a_redacted_message, "one request, a1, made 2 events"),
    (turn_the_order_round, "the other way round"),
    (leave_a_gap_in_sync, "left out 1 of 4 events, e.g. $b"),
    (stop_sync_early, "left out 1 of 4 events, e.g. $4"),
    (repeat_an_event_in_sync, "told 1 events twice, e.g. $2"),
    (sync_in_another_order, "another order than /messages, first at $3"),
    (tell_in_sync_what_is_not_there, "/messages does not have, e.g. $ghost"),
    (tell_no_room_at_all, "left out 6 of 6"),
    (differ_in_state, "one and two differ in !room"),
    (tell_wrong_state_in_sync, "is not /state"),
    (keep_redacted_content, "$1 was redacted by $4"),
    (forget_account_data, "is None; acknowledged last was d1"),
    (go_back_in_account_data, "is d1; acknowledged last was d2"),
    (lose_a_receipt_on_the_way, "two: receipt @alice:one !room is None"),
    (tell_an_old_receipt_in_sync, "has read $2 in !room; it is $3"),
    (make_an_event_of_nothing, "has the marker nobody, which nobody sent"),
    (make_half_a_room, "was made in part"),
    (lose_a_room, "the room !own that @alice:one made is gone"),
    (refuse_a_good_request, "alice was refused"),
]


@pytest.mark.parametrize("doctor, sentence", WRONGS, ids=[doctor.__name__ for doctor, _ in WRONGS])
def test_a_doctored_history_is_found_out(doctor, sentence):
    history, observed = honest()
    doctor(history, *observed)
    found = problems(history, observed)
    assert any(sentence in problem for problem in found), found
