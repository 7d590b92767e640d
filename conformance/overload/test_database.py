"""A database that is full, slow or away, under load. What was acknowledged is there exactly once, whatever else was said."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from crowd import bodies, message
from faults import Target
from servers import Server, error
from waiting import wait_until

AS_ROOT = [] if os.geteuid() == 0 else ["sudo"]


class Writers:
    """Users who send one message after the other, each to a room of their own, again until it is acknowledged if it was not."""

    def __init__(self, server, count):
        self.users = [server.register() for _ in range(count)]
        self.rooms = [user.create_room() for user in self.users]
        self.acknowledged = [[] for _ in self.users]
        self.statuses = set()
        self.odd = []  # what is neither success nor a refusal as it must be
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive(), "a request is not answered"

    def _run(self, number):
        user, room = self.users[number], self.rooms[number]
        for count in itertools.count():
            text = f"w{number}m{count}"
            while not self._sent(user, room, text):
                if self.ending.is_set():
                    return
                time.sleep(0.05)
            self.acknowledged[number].append(text)
            if self.ending.is_set():
                return

    def _sent(self, user, room, text):
        reply = message(user, room, text)()
        self.statuses.add(reply.status_code)
        if reply.status_code == 200:
            return True
        if reply.status_code not in (429, 503) or "errcode" not in reply.json() or not reply.json()["error"]:
            self.odd.append((reply.status_code, reply.text))
        return False

    def total(self):
        return sum(map(len, self.acknowledged))

    def wait_for_more(self, count=40, seconds=90):
        """Every one of them gets something through."""
        before = [len(mine) for mine in self.acknowledged]
        wait_until(lambda: self.total() >= sum(before) + count and all(len(now) > then for now, then in zip(self.acknowledged, before)),
                   seconds, lambda: f"{self.total() - sum(before)} more messages; {self.statuses} {self.odd[:3]}")

    def check(self):
        for user, room, mine in zip(self.users, self.rooms, self.acknowledged):
            there = bodies(user, room)[::-1]
            assert there[:len(mine)] == mine, "what was acknowledged is there once, in order"
            assert len(there) <= len(mine) + 1, "one more may be, whose answer was a refusal when all ended"
        assert self.odd == []


LEAKS = {"LSAN_OPTIONS": f"suppressions={Path(__file__).with_name('leaks.txt')}"}


@pytest.fixture(scope="module")
def server(authority):
    made = Server(authority, **LEAKS)
    yield made
    assert made.stop() == 0, "".join(made.log[-120:])
    made.remove()


def test_database_that_stands_still_for_a_while(server):
    with Writers(server, 8) as writers:
        writers.wait_for_more()
        everyone = Target(server).of_postgres()
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        before = writers.total()
        time.sleep(1.5)
        stood_still = writers.total() - before
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)
        writers.wait_for_more()
    assert stood_still <= len(writers.users), "something is acknowledged before it is committed"
    writers.check()


def test_database_restarted_under_load(server):
    with Writers(server, 8) as writers:
        for how in (signal.SIGINT, signal.SIGKILL):
            writers.wait_for_more()
            for pid in Target(server).postmaster():
                os.kill(pid, how)
        writers.wait_for_more()
    writers.check()


class SmallDisk:
    """A file system that can be filled up."""

    def __init__(self, megabytes):

        self.path = Path(tempfile.mkdtemp(prefix="causeway-small-"))
        subprocess.run([*AS_ROOT, "mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "tmpfs", str(self.path)], check=True)
        self.ballast = self.path / "ballast"

    def fill(self):
        # Unbuffered: closing must not try once more to write what no longer fits.
        with open(self.ballast, "wb", buffering=0) as out:
            try:
                while True:
                    out.write(bytes(1 << 16))
            except OSError:
                pass

    def give_space(self):
        self.ballast.unlink()

    def remove(self):
        subprocess.run([*AS_ROOT, "umount", "-l", str(self.path)], check=True)
        shutil.rmtree(self.path, ignore_errors=True)


@pytest.fixture
def disk():
    try:
        made = SmallDisk(256)
    except subprocess.CalledProcessError:
        pytest.skip("no file system may be mounted here")
    yield made
    made.remove()


def test_full_disk_is_a_clear_error_and_recovers_when_there_is_space(authority, disk):
    server = Server(authority, **LEAKS)
    server.stop()
    shutil.rmtree(server.data)
    server.data = disk.path / "data"
    server.environment["DATA_DIR"] = str(server.data)
    server.start()
    large = "x" * 30_000
    try:
        with Writers(server, 8) as writers:
            writers.wait_for_more()
            disk.fill()
            filler = writers.users[0]
            room = writers.rooms[0]
            wait_until(lambda: 503 in writers.statuses or filler.put(f"/rooms/{room}/send/filler/{time.monotonic_ns()}", {"body": large}).status_code != 200,
                       120, "the disk does not fill up")
            wait_until(lambda: 503 in writers.statuses, 60, lambda: f"nothing was refused: {writers.statuses}")
            # What fits into space that is left here and there succeeds.
            for number in range(10):
                account = {"username": f"late{number}", "password": "correct horse", "auth": {"type": "m.login.dummy"}}
                reply = server.anonymous().post("/register", account)
                if reply.status_code != 200:
                    error(reply, 503, "M_UNKNOWN")
            disk.give_space()
            writers.wait_for_more(seconds=120)
        writers.check()
        assert server.stop() == 0
        server.start()
        writers.check()
        assert server.stop() == 0
    finally:
        server.remove()
