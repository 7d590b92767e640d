"""More is asked of the server than it can do. Numbers are of the fixture `small`: 8 writes at a time and 64 that wait."""

import itertools

import pytest
from crowd import Crowd, Standstill, bodies, message, refused
from servers import ok
from waiting import wait_until

RUNNING, WAITING = 8, 64
CAPACITY = RUNNING + WAITING
SHARE = RUNNING // 4  # of one user
MOST = CAPACITY // 4  # of one user, those that wait included
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def users(small):
    return [small.register() for _ in range(5 * CAPACITY)]


@pytest.fixture
def room(small, users):
    """A public room with the first user and one beside them all."""
    return users[0].create_room(preset="public_chat")


def rooms_of(users):
    return [user.create_room() for user in users]


def body():
    return f"m{next(numbers)}"


@pytest.mark.parametrize("times", [2, 5])
def test_beyond_capacity_the_admitted_are_done_and_the_others_are_told_when_to_come_back(small, users, times):
    """Each user sends one message, to a room of their own."""
    senders = users[:times * CAPACITY]
    rooms = rooms_of(senders)
    texts = [body() for _ in senders]
    with Standstill(small):
        crowd = Crowd(message(*each) for each in zip(senders, rooms, texts))
        crowd.wait_for_answers(len(senders) - CAPACITY)
        assert all(refused(reply) for reply in crowd.replies if reply is not None)
        assert small.count("http_admitted", **{"class": "write"}) == RUNNING
        assert small.count("http_waiting", **{"class": "write"}) == WAITING
    assert crowd.join() == {200: CAPACITY, 503: len(senders) - CAPACITY}
    for user, room_id, text, reply in zip(senders, rooms, texts, crowd.replies):
        assert bodies(user, room_id) == ([text] if reply.status_code == 200 else [])


def test_recovery_is_at_once_and_what_was_refused_succeeds_when_it_is_sent_again(small, users):
    senders = users[:2 * CAPACITY]
    rooms = rooms_of(senders)
    calls = [message(user, room_id, body()) for user, room_id in zip(senders, rooms)]
    with Standstill(small):
        crowd = Crowd(calls)
        crowd.wait_for_answers(CAPACITY)
    crowd.join()
    again = [ok(call())["event_id"] for call in calls]
    for reply, event in zip(crowd.replies, again):
        assert reply.status_code != 200 or reply.json()["event_id"] == event
    assert all(len(bodies(user, room_id)) == 1 for user, room_id in zip(senders, rooms))


def test_greedy_user_gets_no_more_than_a_share_and_others_all_they_ask(small, users):
    greedy, *modest = users[:1 + RUNNING - SHARE]
    rooms = rooms_of([greedy, *modest])
    flood = 5 * CAPACITY
    with Standstill(small):
        crowd = Crowd(message(greedy, rooms[0], body()) for _ in range(flood))
        crowd.wait_for_answers(flood - MOST)
        others = Crowd(message(user, room_id, body()) for user, room_id in zip(modest, rooms[1:]))
        wait_until(lambda: small.count("http_admitted", **{"class": "write"}) == SHARE + len(modest))
        assert others.answered() == 0, others.statuses()
    assert crowd.join() == {200: MOST, 429: flood - MOST}
    assert all(refused(reply) for reply in crowd.replies if reply.status_code != 200)
    assert others.join() == {200: len(modest)}


def test_greedy_users_make_room_for_others_even_where_they_fill_the_queue(small, users):
    """Four users fill all places, and the queue."""
    greedy, modest = users[:4], users[4]
    rooms = rooms_of([*greedy, modest])
    with Standstill(small):
        crowd = Crowd(message(user, room_id, body()) for user, room_id in zip(greedy, rooms) for _ in range(MOST))
        wait_until(lambda: small.count("http_waiting", **{"class": "write"}) == WAITING)
        modest_one = Crowd([message(modest, rooms[4], body())])
        crowd.wait_for_answers(1)
        assert modest_one.answered() == 0, modest_one.statuses()
    assert crowd.join() == {200: CAPACITY - 1, 429: 1}
    assert modest_one.join() == {200: 1}


def test_writes_at_a_standstill_hold_up_neither_reads_nor_long_polls(small, users):
    user, writers = users[0], users[1:1 + RUNNING]
    rooms = rooms_of(writers)
    since = user.sync()["next_batch"]
    with Standstill(small):
        crowd = Crowd(message(writer, room_id, body()) for writer, room_id in zip(writers, rooms))
        wait_until(lambda: small.count("http_admitted", **{"class": "write"}) == RUNNING)
        assert user.get("/account/whoami").status_code == 200
        assert user.get("/_matrix/client/versions").status_code == 200
        assert user.get("/sync", params={"since": since, "timeout": 0}).status_code == 200
    assert crowd.join() == {200: RUNNING}


def test_heavy_reads_hold_no_more_than_half_of_the_databases_connections(small):
    """Of four. Those who have just logged in are not known from memory, so finding out who they are takes the database."""
    readers, strangers = [small.register() for _ in range(4)], [small.register() for _ in range(4)]
    with Standstill(small, "account_data", "access exclusive") as standstill:
        crowd = Crowd([(lambda user: lambda: user.get("/sync"))(user) for user in readers])
        wait_until(lambda: small.count("http_admitted", **{"class": "heavy"}) == 4 and standstill.stopped() >= 2)
        for user in strangers:
            assert user.get("/account/whoami", timeout=20).status_code == 200
        assert standstill.stopped() == 2
    assert crowd.join() == {200: 4}


def test_long_polls_that_wait_hold_no_places(small, users):
    """Five times as many as there are places for reads, of one user, all of whom learn of the next message."""
    user, waiters = users[0], 40
    room_id = user.create_room()
    since = user.sync()["next_batch"]
    before = small.count("sync_waiting")
    crowd = Crowd([lambda: user.get("/sync", params={"since": since, "timeout": 30000})] * waiters)
    wait_until(lambda: small.count("sync_waiting") == before + waiters)
    assert user.get("/account/whoami").status_code == 200
    event = user.send(room_id, body())
    assert crowd.join() == {200: waiters}
    for reply in crowd.replies:
        timeline = reply.json()["rooms"]["join"][room_id]["timeline"]["events"]
        assert [one["event_id"] for one in timeline] == [event]


def test_greedy_server_shuts_out_no_other_server_and_no_user(small, users, fake, other):
    """8 requests of other servers at a time, 2 of one, of whom 4 more may wait."""
    user = users[0]
    room_id = user.create_room(preset="public_chat")
    mine, theirs = fake.join(small, room_id), other.join(small, room_id)
    flood = 40
    with Standstill(small):
        crowd = Crowd((lambda pdu: lambda: fake.transaction(small, [pdu]))(mine.message(body())) for _ in range(flood))
        crowd.wait_for_answers(flood - 6)
        assert all(refused(reply) for reply in crowd.replies if reply is not None)
        modest = Crowd([lambda: other.transaction(small, [theirs.message("modest")])])
        wait_until(lambda: small.count("http_admitted", **{"class": "federation"}) == 3)
        assert user.get("/account/whoami").status_code == 200
    assert crowd.join() == {200: 6, 429: flood - 6}
    assert modest.join() == {200: 1}
    assert "modest" in bodies(user, room_id)
    assert len(bodies(user, room_id)) == 7
