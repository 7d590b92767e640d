"""A user and another server who do their worst within the limits: what they make the server hold is bounded.

Each round asks for everything that is kept by something that its asker chooses: account data, filters, transaction identifiers, large
and many-membered JSON, sessions of registrations, transactions of a peer, invented rooms, typing, receipts, half-sent bodies. By
default a few rounds are made; CAUSEWAY_MEMORY_SECONDS=600 makes rounds for so long."""

import itertools
import json
import os
import random
import socket
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from crowd import Crowd
from servers import Server, ok
from waiting import wait_until

SECONDS = float(os.environ.get("CAUSEWAY_MEMORY_SECONDS", 0))
ROUNDS = 2
STATED_MB = 1024  # what the server takes at most, however long it goes on; a build with sanitizers takes it too
numbers = itertools.count(1)


def children(pid):
    task = Path(f"/proc/{pid}/task")
    return [int(child) for thread in task.iterdir() for child in (thread / "children").read_text().split()]


def resident_mb(server):
    """Of the server's own processes, not of its PostgreSQL; without what is mapped from files, like the program itself."""
    found, waiting = 0, [server.process.pid]
    while waiting:
        pid = waiting.pop()
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() == "causeway":
                status = Path(f"/proc/{pid}/status").read_text()
                found += int(status.split("RssAnon:")[1].split()[0])
            waiting += children(pid)
        except (FileNotFoundError, IndexError, ProcessLookupError):
            continue
    return found / 1024


def long_text(length=14_000):
    """Different each time."""
    return f"{next(numbers)}-" + "".join(random.choices("abcdefgh", k=32)) * (length // 32)


def bushy(bytes_):
    """JSON that takes many times its text when it is parsed."""
    return [0] * (bytes_ // 2)


class User:
    def __init__(self, server):
        self.server, self.client = server, server.register()
        self.room = self.client.create_room(preset="public_chat")
        self.base = f"/rooms/{quote(self.room, safe='')}"

    def another_device(self):
        login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": self.client.user_id}, "password": "correct horse"}
        return ok(self.client.post("/login", login))["access_token"]

    def account_data(self, _):
        """All that may be stored, again and again."""
        kinds = [f"/user/{self.client.user_id}/account_data/t", f"/user/{self.client.user_id}/rooms/{quote(self.room, safe='')}/account_data/t"]
        statuses = [self.client.put(f"{kinds[i % 2]}{i}", {"text": long_text(500_000)}).status_code for i in range(20)]
        assert 413 in statuses[16:] and set(statuses) <= {200, 413}, statuses

    def first_syncs(self, _):
        calls = [lambda: self.client.get("/sync", params={"filter": json.dumps({"room": {"timeline": {"limit": 100}}})}, timeout=120)] * 6
        Crowd(calls).join(240)

    def filters(self, _):
        for _ in range(15):
            self.client.get("/sync", params={"since": self.since(), "filter": json.dumps({"room": {"timeline": {"not_types": [long_text(9_000)]}}})})

    def since(self):
        if not hasattr(self, "token"):
            self.token = self.client.sync(filter=json.dumps({"room": {"rooms": []}}))["next_batch"]
        return self.token

    def transactions(self, _):
        for _ in range(40):
            self.client.put(f"{self.base}/send/m.room.message/{long_text()}", {"msgtype": "m.text", "body": "x"})

    def large_events(self, round_):
        for i in range(15):
            self.client.put(f"{self.base}/send/org.example.large/l{round_}-{i}", {"a": bushy(60_000)})
            self.client.put(f"{self.base}/state/org.example.large/{round_ * 15 + i}", {"a": bushy(60_000)})
        for path in (f"{self.base}/messages?dir=b&limit=100", f"{self.base}/state", f"{self.base}/members"):
            self.client.get(path, timeout=120)

    def ignored_users(self, _):
        ignored = {f"@{next(numbers)}:x": {} for _ in range(20_000)}
        self.client.put(f"/user/{self.client.user_id}/account_data/m.ignored_user_list", {"ignored_users": ignored})
        self.client.get("/sync", params={"since": self.since()})

    def registrations(self, _):
        for _ in range(30):
            self.server.anonymous().post("/register", {"username": long_text(200), "initial_device_display_name": long_text(15_000)})

    def typing_and_receipts(self, _):
        for _ in range(5):
            room = self.client.create_room()
            self.client.put(f"/rooms/{quote(room, safe='')}/typing/{self.client.user_id}", {"typing": True, "timeout": 120_000})

    def half_bodies(self, _):
        """Ever more bodies that never end."""
        self.open = getattr(self, "open", [])[-200:]
        head = f"PUT /_matrix/federation/v1/send/{next(numbers)} HTTP/1.1\r\nHost: {self.server.name}\r\nContent-Length: 16000000\r\n\r\n"
        for _ in range(20):
            made = socket.create_connection(("127.0.0.1", self.server.client_port))
            made.settimeout(5)
            try:
                made.sendall(head.encode() + b"x" * 2_000_000)
                self.open.append(made)
            except OSError:
                made.close()

    steps = [account_data, first_syncs, filters, transactions, large_events, ignored_users, registrations, typing_and_receipts, half_bodies]


class Peer:
    def __init__(self, fake, server, room):
        self.fake, self.server = fake, server
        self.room = fake.join(server, room)

    def invented_rooms(self, _):
        pdus = [{"room_id": f"!{long_text(200)[:200]}:{self.fake.name}", "type": "m.room.message", "content": {}, "sender": self.fake.user()}
                for _ in range(50)]
        for _ in range(5):
            self.fake.transaction(self.server, pdus, transaction=long_text(10_000))

    def edus(self, _):
        typing = [{"edu_type": "m.typing", "content": {"room_id": self.room.id, "user_id": self.fake.user(f"u{next(numbers)}"), "typing": True}}
                  for _ in range(99)]
        receipt = {self.room.id: {"m.read": {self.fake.user(): {"event_ids": ["$" + long_text(64)[:43]], "data": {"ts": 1}}}}}
        for _ in range(3):
            self.fake.transaction(self.server, edus=[*typing, {"edu_type": "m.receipt", "content": receipt}], transaction=long_text(10_000))

    def large_events(self, _):
        for _ in range(5):
            event = self.room.event("m.room.message", {"a": bushy(50_000), "n": next(numbers)})
            self.fake.transaction(self.server, [event])
            self.room.add(event)

    def junk(self, _):
        """Transactions as large as they may be, of nothing."""
        for _ in range(2):
            self.fake.transaction(self.server, [{"room_id": self.room.id, "a": bushy(150_000)} for _ in range(50)])

    steps = [invented_rooms, edus, large_events, junk]


@pytest.fixture
def lone(authority):
    """A server with the usual configuration."""
    quarantine = "quarantine_size_mb=8:malloc_context_size=0"  # memory that is freed, which a sanitizer would hold back
    made = Server(authority, ASAN_OPTIONS=":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), quarantine])))
    yield made
    assert made.stop() == 0, "".join(made.log[-120:])
    made.remove()


def test_a_user_and_a_server_who_do_their_worst_leave_the_memory_below_what_is_stated(lone, fake):
    user = User(lone)
    peer = Peer(fake, lone, user.room)
    begun, most, seen = time.monotonic(), 0, []
    for round_ in itertools.count():
        for who in (user, peer):
            for step in type(who).steps:
                step(who, round_)
                now = resident_mb(lone)
                if now > most:
                    most, worst = now, f"{now:.0f} MB after {step.__qualname__} of round {round_}"
        seen.append(f"{resident_mb(lone):.0f}")
        assert most < STATED_MB, worst
        if round_ + 1 >= ROUNDS and time.monotonic() - begun >= SECONDS:
            break
    print(f"\n{len(seen)} rounds in {time.monotonic() - begun:.0f} s; at their ends {', '.join(seen)} MB; at most {worst}")
    for made in user.open:
        made.close()
    bystander = lone.register()
    wait_until(lambda: bystander.get("/account/whoami").status_code == 200, why="others are not served any more")
    assert bystander.send(bystander.create_room())
