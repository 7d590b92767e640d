"""What clients are told of a timeline of which this server lacks a part: where the part belongs, and how to get it."""

import json
import threading

import pytest

from fake_homeserver import enc
from servers import Server, ok
from views import public_room, state_of, wait_until_shown

UNABLE = (404, {"errcode": "M_NOT_FOUND", "error": "I'd rather not"})


@pytest.fixture
def room(server, fake, alice):
    """A room of the server's that the fake is in, and whose events the fake tells."""
    joined = fake.join(server, public_room(alice))
    joined.serve()
    return joined


def page(user, room, start=None, **parameters):
    return ok(user.get(f"/rooms/{enc(room.id)}/messages", params={"dir": "b", "limit": 100, **({"from": start} if start else {}), **parameters}))


def ids(events):
    return [event["event_id"] for event in events]


def paged(user, room, start=None, **parameters):
    """All that paging back shows, the oldest first."""
    shown, pages = [], 0
    while pages == 0 or start:
        reply = page(user, room, start, **parameters)
        shown += ids(reply["chunk"])
        start, pages = reply.get("end"), pages + 1
        assert pages < 100, "it never ends"
    return shown[::-1]


def told(reply, room):
    return reply["rooms"]["join"][room.id]


def unseen(fake, room, kept=0):
    """Of the messages before the last one, get_missing_events tells `kept`; backfill all."""
    def reply(asked):
        wanted = kept if asked.body["latest_events"] == [room.last] else 0
        return 200, {"events": room.missing_events(asked)[1]["events"][-wanted:] if wanted else []}
    fake.on("POST", f"/v1/get_missing_events/{room.id}", reply)


def leave_gap(server, fake, user, room, length=50, kept=10):
    """Messages of which only the last came here. Returns (those that did not come, those that did)."""
    unseen(fake, room, kept)
    sent = [room.id_of(event) for event in room.messages(length + 1)]
    fake.send(server, room.events[sent[-1]])
    wait_until_shown(user, room.id, sent[-1])
    return sent[:length - kept], sent[length - kept:]


# --- /messages


def test_pages_go_on_until_the_rooms_beginning_however_little_one_backfill_brings(server, fake, alice):
    room = fake.make_room()
    before = [room.id_of(event) for event in room.messages(230)]
    fake.on("GET", f"/v1/backfill/{room.id}", lambda asked: (200, {"pdus": room._walk_back(asked.query["v"], 30)}))
    alice.join(room.id, via=fake.name)
    shown = [one for one in paged(alice, room, limit=1000) if one in set(before)]
    assert shown == before


@pytest.mark.parametrize("trouble", [UNABLE, (500, {}), (200, {"pdus": []})], ids=str)
def test_token_stays_while_nobody_tells_what_is_before(server, fake, alice, trouble):
    room = fake.make_room()
    before = [room.id_of(event) for event in room.messages(5)]
    fake.on("GET", f"/v1/backfill/{room.id}", trouble)
    alice.join(room.id, via=fake.name)
    first = page(alice, room)
    assert len(first["chunk"]) == 1
    again = page(alice, room, first["end"])
    assert again["chunk"] == [] and again["end"] == first["end"]
    fake.on("GET", f"/v1/backfill/{room.id}", room.backfill)
    assert paged(alice, room, again["end"])[-5:] == before


def test_page_goes_on_behind_a_gap_of_which_nobody_has_more(server, fake, alice, room):
    old = alice.send(room.id, "before the gap")
    _, seen = leave_gap(server, fake, alice, room)
    fake.on("GET", f"/v1/backfill/{room.id}", lambda asked: (200, {"pdus": [room.events[room.id_of(room.join_event)]]}))
    reply = page(alice, room)
    assert ids(reply["chunk"])[:len(seen) + 1] == [*seen[::-1], old] and "end" not in reply


def test_page_stops_at_a_gap_that_nobody_answers_for_and_the_next_goes_on_behind_it(server, fake, alice, room):
    old = alice.send(room.id, "before the gap")
    _, seen = leave_gap(server, fake, alice, room)
    fake.on("GET", f"/v1/backfill/{room.id}", UNABLE)
    first = page(alice, room)
    assert ids(first["chunk"]) == seen[::-1]
    tries = len(fake.was_asked("/backfill/"))
    second = page(alice, room, first["end"])
    assert len(fake.was_asked("/backfill/")) > tries
    assert ids(second["chunk"])[0] == old and "end" not in second


def test_gap_in_the_midst_is_filled_in_its_place(server, fake, alice, room):
    old = alice.send(room.id, "before the gap")
    hidden, seen = leave_gap(server, fake, alice, room, 60)
    shown = paged(alice, room)
    assert shown[shown.index(old) + 1:] == hidden + seen


# --- /sync


@pytest.mark.parametrize("gone_on", [0, 3])
def test_sync_begins_its_timeline_behind_a_gap_and_leads_back_into_it(server, fake, alice, room, gone_on):
    since = alice.sync()["next_batch"]
    old = alice.send(room.id, "before the gap")
    hidden, seen = leave_gap(server, fake, alice, room)
    more = [alice.send(room.id, f"behind {number}") for number in range(gone_on)]
    many = json.dumps({"room": {"timeline": {"limit": 100}}})
    for reply in (alice.sync(since, filter=many), alice.sync(filter=many)):
        timeline = told(reply, room)["timeline"]
        assert ids(timeline["events"]) == seen + more and timeline["limited"] is True
    before = paged(alice, room, timeline["prev_batch"])
    assert before[before.index(old) + 1:] == hidden
    # Those who were away are told of the gap also when it has been filled: its events were never told.
    timeline = told(alice.sync(since, filter=many), room)["timeline"]
    assert ids(timeline["events"]) == seen + more and timeline["limited"] is True


def test_gap_is_told_though_the_filter_hides_the_events_around_it(server, fake, alice, room):
    since = alice.sync()["next_batch"]
    hidden, seen = leave_gap(server, fake, alice, room)
    topics = json.dumps({"room": {"timeline": {"types": ["m.room.topic"]}}})
    timeline = told(alice.sync(since, filter=topics), room)["timeline"]
    assert timeline["events"] == [] and timeline["limited"] is True
    topic = alice.set_state(room.id, "m.room.topic", {"topic": "new"})
    timeline = told(alice.sync(since, filter=topics), room)["timeline"]
    assert ids(timeline["events"]) == [topic] and timeline["limited"] is True
    before = paged(alice, room, timeline["prev_batch"])
    assert before[before.index(hidden[0]):] == hidden + seen


def test_waiting_sync_is_told_of_the_gap(server, fake, alice, room):
    since, replies = alice.sync()["next_batch"], []
    waiting = threading.Thread(target=lambda: replies.append(alice.sync(since, timeout=30000)))
    waiting.start()
    unseen(fake, room)
    sent = [room.id_of(event) for event in room.messages(12)]
    fake.send(server, room.events[sent[-1]])
    waiting.join(60)
    timeline = told(replies[0], room)["timeline"]
    assert ids(timeline["events"]) == sent[-1:] and timeline["limited"] is True
    assert paged(alice, room, timeline["prev_batch"])[-11:] == sent[:-1]


def test_sync_after_a_restart_still_knows_the_gap(authority, fake):
    server = Server(authority)
    try:
        alice = server.register()
        room = fake.join(server, public_room(alice))
        room.serve()
        since = alice.sync()["next_batch"]
        alice.send(room.id, "before the gap")
        _, seen = leave_gap(server, fake, alice, room)
        server.stop()
        server.start()
        many = json.dumps({"room": {"timeline": {"limit": 100}}})
        for reply in (alice.sync(since, filter=many), alice.sync(filter=many)):
            timeline = told(reply, room)["timeline"]
            assert timeline["limited"] is True and ids(timeline["events"]) == seen
    finally:
        server.remove()


def test_state_that_changed_in_the_gap_is_told(server, fake, alice, room):
    since = alice.sync()["next_batch"]
    unseen(fake, room)
    second = fake.user("second")
    joined = room.add(room.event("m.room.member", {"membership": "join"}, second, second))
    sent = [room.id_of(event) for event in room.messages(3)]
    fake.send(server, room.events[sent[-1]])
    wait_until_shown(alice, room.id, sent[-1])
    part = told(alice.sync(since), room)
    assert ids(part["state"]["events"]) == [joined] and ids(part["timeline"]["events"]) == sent[-1:]
    assert state_of(alice, room.id)["m.room.member", second]["event_id"] == joined


# --- what arrives late


def test_events_that_come_late_stand_in_the_gap_and_are_told(server, fake, alice, room):
    old = alice.send(room.id, "before the gap")
    unseen(fake, room)
    sent = room.messages(5)
    fake.send(server, sent[-1])
    wait_until_shown(alice, room.id, room.last)
    since = alice.sync()["next_batch"]
    after = alice.send(room.id, "after the gap")
    for event in sent[:-1]:
        assert fake.send(server, event) == {room.id_of(event): {}}
    order = [room.id_of(event) for event in sent]
    shown = paged(alice, room)
    assert shown[shown.index(old) + 1:] == [*order, after]
    part = told(alice.sync(since), room)
    assert ids(part["timeline"]["events"]) == [after, *order[:-1]]
