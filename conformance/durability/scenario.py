"""A run: servers with rooms they share, clients at work, and the end at which everything is compared."""

import random
import time
from contextlib import contextmanager

from clients import Roamer, Syncer, Writer
from connection import Connection, path_of
from history import History
from observe import START, observe
from servers import Server, TestAuthority
from verify import problems
from waiting import wait_until

SETTLE_S = 180  # without progress
SYNCERS = [(5, 0, False), (20, 10000, True), (100, 2000, False)]  # limit, timeout_ms, state_after


@contextmanager
def two_servers(log=None):
    """That federate. What they log is left in the file `log`."""
    authority = TestAuthority()
    servers = []
    try:
        for _ in range(2):
            servers.append(Server(authority))
        yield servers
    finally:
        if log:
            with open(log, "w", encoding="utf-8") as out:
                for server in servers:
                    out.write(f"--- {server.name}\n" + "".join(server.log))
        for server in servers:
            server.remove()
        authority.remove()


class Scenario:
    def __init__(self, servers, seed, rooms=3, writers=6, roamers=1, syncers=3):
        self.servers, self.random = servers, random.Random(seed)
        self.history = History()
        self.writer_users = [[server.register() for _ in range(writers)] for server in servers]
        self.roamer_users = [[server.register() for _ in range(roamers)] for server in servers]
        self.rooms = [self.make_room(index % len(servers)) for index in range(rooms)]
        self.start_markers()
        self.writers, self.syncers = [], []
        for index in range(len(servers)):
            for user in self.writer_users[index]:
                self.writers.append(Writer(self.history, user, index, self.rooms, self.random.random()))
            for user in self.roamer_users[index]:
                self.writers.append(Roamer(self.history, user, index, self.rooms, self.random.random()))
        self.syncers = [[Syncer(self.history, user, *SYNCERS[n % len(SYNCERS)]) for n, user in enumerate(users[:syncers])] for users in self.writer_users]

    def make_room(self, owner):
        creator = self.writer_users[owner][0]
        room = creator.create_room(preset="public_chat", power_level_content_override={"state_default": 0})
        for index, server in enumerate(self.servers):
            for user in self.writer_users[index] + self.roamer_users[index]:
                if user is not creator:
                    user.join(room, server_name=self.servers[owner].name)
        return room

    def start_markers(self):
        """From these events on all servers see all of the rooms live."""
        for room in self.rooms:
            marker = self.writer_users[0][0].send(room, kind=START, marker_of=room)
            for users in self.writer_users:
                wait_until(lambda: users[0].get(f"/rooms/{room}/event/{marker}").status_code == 200, 30, "the start has not arrived")

    def start(self):
        for syncers in self.syncers:
            for syncer in syncers:
                syncer.sync(0)  # the chain's first link, before anything happens
                syncer.start()
        for writer in self.writers:
            writer.start()

    def stop_writers(self):
        """Returns once each has its last answer."""
        for writer in self.writers:
            writer.end()
        for writer in self.writers:
            writer.join(150)
            if writer.is_alive():
                self.history.refusals.append(f"{writer.name} got no answer in 150 s")

    def barriers(self):
        """A last message of each server to each room; whoever has it has what went before."""
        for index, users in enumerate(self.writer_users):
            connection = Connection(self.servers[index], users[0].token)
            for number, room in enumerate(self.rooms):
                marker = f"barrier-{index}-{number}-{len(self.history.sends)}"
                send = self.history.begin("message", index, users[0].user_id, room, marker)
                send.event_id = connection.until_answered("PUT", path_of("rooms", room, "send", "m.room.message", marker), {"body": marker, "marker": marker, "msgtype": "m.text"})["event_id"]

    def missing_somewhere(self):
        """Acknowledged events that some syncer has not been told yet."""
        missing = []
        for syncers in self.syncers:
            for syncer in syncers:
                told = {room: set(events) for room, events in list(syncer.chain.rooms.items())}
                missing += [(syncer.name, send.marker) for send in self.history.acknowledged() if send.event_id not in told.get(send.room, ())]
        return missing

    def settle(self):
        """Waits until what was acknowledged has reached everyone, as long as more of it does. What does not, the comparison reports."""
        self.barriers()
        fewest, end = None, time.monotonic() + SETTLE_S
        while time.monotonic() < end:
            missing = len(self.missing_somewhere())
            if not missing:
                break
            if fewest is None or missing < fewest:
                fewest, end = missing, time.monotonic() + SETTLE_S
            time.sleep(0.2)
        self.stop_syncers()

    def stop_syncers(self):
        for syncers in self.syncers:
            for syncer in syncers:
                syncer.end()
        for syncers in self.syncers:
            for syncer in syncers:
                syncer.join(60)
                syncer.catch_up()

    def observe(self):
        return [observe(index, server, self.writer_users[index], self.rooms, self.syncers[index], self.roamer_users[index])
                for index, server in enumerate(self.servers)]

    def problems(self):
        """Receipts are no events and have no place in the order of things, so they get a moment."""
        for _ in range(20):
            observed = self.observe()
            found = problems(self.history, observed)
            if not found or not all("receipt" in problem or "has read" in problem for problem in found):
                break
            time.sleep(1)
        return found

    def summary(self):
        sends = self.history.sends
        return f"{len(self.history.acknowledged())} of {len(sends)} events acknowledged, {sum(s.replies for part in self.syncers for s in part)} replies to /sync"
