"""The machine's clock is set, forwards and backwards, while the server runs."""

import os
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from crowd import Crowd, bodies, message
from servers import Server, ok
from waiting import wait_until

DAY_S = 24 * 3600
SOURCE = Path(__file__).with_name("shifted_clock.c")


class ShiftedClock:
    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="causeway-clock-"))
        self.directory.chmod(0o755)
        self.library = self.directory / "shifted_clock.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(self.library), str(SOURCE)], check=True)
        self.file = self.directory / "shift"
        self.set(0)

    def set(self, seconds):
        with open(self.file, "r+b" if self.file.exists() else "wb") as out:
            out.write(struct.pack("l", int(seconds)))

    def environment(self):
        """The sanitizers would object to a library that comes before theirs."""
        options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))
        return {"LD_PRELOAD": str(self.library), "CAUSEWAY_CLOCK": str(self.file), "ASAN_OPTIONS": options}

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="module")
def clock():
    made = ShiftedClock()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def server(authority, clock):
    made = Server(authority, **clock.environment())
    made.stop()
    made.reconfigure({"rate_limits.enabled": "true", "rate_limits.message_per_second": "1", "rate_limits.message_burst": "5"})
    made.start()
    yield made
    assert made.stop() == 0, "".join(made.log[-120:])
    made.remove()


@pytest.mark.parametrize("jump", [DAY_S, -DAY_S])
def test_tokens_limits_waits_and_order_survive_a_jump(server, clock, jump):
    clock.set(0)
    user = server.register()
    room = user.create_room()
    first = user.send(room, "before")
    spent = Crowd(message(user, room, f"early{number}") for number in range(20))
    assert 429 in spent.join(), spent.statuses()
    since = user.sync()["next_batch"]
    poll = Crowd([lambda: user.get("/sync", params={"since": since, "timeout": 2000})])
    wait_until(lambda: server.count("sync_waiting") == 1)
    clock.set(jump)
    assert poll.join() == {200: 1}, "it ends when its time is up"
    # Who is over a limit now is not so for a day, nor is the limit gone.
    while (reply := message(user, room, "after")()).status_code == 429:
        assert reply.json()["retry_after_ms"] <= 1000
        time.sleep(0.05)
    after = ok(reply)["event_id"]
    written = ok(user.get(f"/rooms/{room}/event/{after}"))["origin_server_ts"]
    assert abs(written / 1000 - (time.time() + jump)) < 600, "the clock was not set at all"
    texts = bodies(user, room)
    assert texts[0] == "after" and texts[-1] == "before", "order is of arrival, not of clocks"
    assert ok(user.get(f"/rooms/{room}/event/{first}"))
    assert user.get("/account/whoami").status_code == 200


def test_other_servers_are_tried_again_soon_after_the_clock_was_set_back(server, clock, fake):
    clock.set(0)
    user = server.register()
    room_id = user.create_room(preset="public_chat")
    fake.join(server, room_id)
    fake.on("PUT", "/v1/send/([^/]*)", (503, {"errcode": "M_UNKNOWN", "error": "not now"}))
    user.send(room_id, "unheard")
    fake.wait_until_asked("^/v1/send/")
    clock.set(-DAY_S)
    fake.on("PUT", "/v1/send/([^/]*)", (200, {"pdus": {}}))
    user.send(room_id, "heard")
    fake.wait_until_asked("^/v1/send/", times=2, seconds=60)
