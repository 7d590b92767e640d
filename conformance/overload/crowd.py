"""Many requests at once, what became of each, and what makes a server slow."""

import subprocess
import threading
import time
from collections import Counter
from urllib.parse import quote

from servers import ok
from waiting import wait_until

PSQL = "/usr/lib/postgresql/15/bin/psql"


def refused(reply):
    """A refusal as it must be: 429 or 503, and when to come back, twice."""
    if reply.status_code not in (429, 503):
        return False
    body = reply.json()
    expected = "M_LIMIT_EXCEEDED" if reply.status_code == 429 else "M_UNKNOWN"
    assert body["errcode"] == expected and body["error"], reply.text
    assert body["retry_after_ms"] >= 1 and int(reply.headers["Retry-After"]) * 1000 >= body["retry_after_ms"], reply.headers
    return True


class Crowd:
    """Calls that run at once, each in a thread of its own. `replies` are in the order of the calls."""

    def __init__(self, calls):
        calls = list(calls)
        self.replies = [None] * len(calls)
        self.threads = [threading.Thread(target=self._run, args=(number, call), daemon=True) for number, call in enumerate(calls)]
        for thread in self.threads:
            thread.start()

    def _run(self, number, call):
        try:
            self.replies[number] = call()
        except Exception as error:  # the test looks at it
            self.replies[number] = error

    def answered(self):
        return sum(reply is not None for reply in self.replies)

    def statuses(self):
        return Counter(getattr(reply, "status_code", repr(reply)) for reply in self.replies if reply is not None)

    def wait_for_answers(self, count):
        wait_until(lambda: self.answered() >= count, why=lambda: f"{self.answered()} of {count} answers: {self.statuses()}")

    def join(self, seconds=60):
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0, end - time.monotonic()))
            assert not thread.is_alive(), f"not all are answered: {self.statuses()}"
        return self.statuses()


def message(client, room, body):
    """A call for Crowd. The body is the transaction identifier too."""
    path = f"/rooms/{quote(room, safe='')}/send/m.room.message/{body}"
    return lambda: client.put(path, {"msgtype": "m.text", "body": body})


def bodies(client, room):
    """Of all messages in the room, the latest first. Patient with a database that has just come back."""
    found, start = [], None
    while True:
        parameters = {"dir": "b", "limit": 500} | ({"from": start} if start else {})
        reply = client.get(f"/rooms/{quote(room, safe='')}/messages", params=parameters)
        for _ in range(20):
            if reply.status_code != 503:
                break
            reply = client.get(f"/rooms/{quote(room, safe='')}/messages", params=parameters)
        page = ok(reply)
        found += [event["content"].get("body") for event in page["chunk"] if event["type"] == "m.room.message"]
        start = page.get("end")
        if not start:
            return found


class Standstill:
    """While it lasts, no write of the server comes to an end."""

    def __init__(self, server, table="events", mode="exclusive"):
        """`mode`: of PostgreSQL's table locks. "access exclusive" stops reads of the table too."""
        directory = (server.data / "postgres.socket").read_text().strip()
        self.psql = subprocess.Popen([PSQL, "-qAt", "-h", directory, "-U", "causeway", "causeway"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        assert self.ask(f"begin; lock table {table} in {mode} mode; select 'locked'") == "locked"

    def ask(self, sql):
        """One value."""
        self.psql.stdin.write(f"{sql};\n")
        self.psql.stdin.flush()
        return self.psql.stdout.readline().strip()

    def stopped(self):
        """How many statements wait for it to end."""
        return int(self.ask("select count(*) from pg_locks where not granted"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.psql.communicate("rollback;\n")
