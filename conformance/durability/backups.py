"""A backup is made under load, the server goes on and is lost, and the backup becomes a server again."""

import random
import shutil
import stat
import tempfile
import time
from contextlib import closing
from pathlib import Path

from clients import Syncer, Writer
from connection import Connection
from faults import Target
from observe import timeline
from scenario import Scenario, two_servers
from servers import causeway
from waiting import eventually


class Backup:
    def __init__(self, server):
        self.directory = Path(tempfile.mkdtemp(prefix="causeway-backup-"))
        self.file = self.directory / "causeway.backup"
        self.config = self.directory / "causeway.toml"
        shutil.copy(server.data / "causeway.toml", self.config)

    def make(self):
        """Returns what is wrong."""
        done = causeway("backup", self.file, "--config", self.config)
        if done.returncode != 0:
            return [f"backup failed: {done.stderr}"]
        left = sorted(path.name for path in self.directory.iterdir())
        mode = stat.S_IMODE(self.file.stat().st_mode)
        wrong = [f"the backup has mode {mode:o}"] if mode != 0o600 else []
        return wrong + ([f"the backup left {left}"] if left != ["causeway.backup", "causeway.toml"] else [])

    def restore(self, **options):
        return causeway("restore", self.file, "--config", self.config, **options)

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class Promises:
    """What a server had acknowledged at one moment."""

    def __init__(self, history, server):
        self.event_ids = [(send.room, send.event_id) for send in history.acknowledged() if send.server == server]
        self.values = {key: register.acknowledged for key, register in history.registers.items() if register.server == server}
        self.created_rooms = [made for made in history.created_rooms if made[0] == server]


def take_back_what_was_lost(scenario, promises, server):
    """From here on the server owes what it had promised before the backup, and what it promises anew. Events come back from its peer,
    but after what is sent now; receipts of the peer's users don't until the next one."""
    history = scenario.history
    history.life += 1
    for key, register in history.registers.items():
        if register.server == server:
            register.acknowledged = promises.values.get(key, -1)
        else:
            register.federated = False
    history.created_rooms[:] = [made for made in history.created_rooms if made[0] != server] + promises.created_rooms


def go_on(scenario, index):
    """The syncers of the server that was lost, with the tokens it gave them, and new writers on all servers. A client that is told
    of a gap in a timeline begins it anew, so of the chain the part is left that the server still has."""
    fresh = []
    for old in scenario.syncers[index]:
        syncer = Syncer(scenario.history, scenario.writer_users[index][len(fresh)], old.limit, old.timeout_ms, old.state_after)
        syncer.chain, syncer.since = old.chain, old.since
        for room, events in old.chain.rooms.items():
            there = {event["event_id"] for event in timeline(syncer.connection, room)}
            syncer.chain.rooms[room] = [event for event in events if event in there]
        fresh.append(syncer)
    scenario.syncers[index] = fresh
    numbers = {writer.name: writer.count for writer in scenario.writers}
    scenario.writers = [Writer(scenario.history, user_of(scenario, old), old.server, scenario.rooms, scenario.random.random()) for old in scenario.writers]
    for writer in scenario.writers:
        writer.count = numbers[writer.name]
    for client in fresh + scenario.writers:
        client.start()


def user_of(scenario, writer):
    return next(user for user in scenario.writer_users[writer.server] if user.user_id == writer.user)


def lose(server):
    """The server and all it had."""
    target = Target(server)
    target.strike("both", random)
    server.process.wait()
    shutil.rmtree(server.data)
    server.data.mkdir()


def run(seed, before_s=3.0, after_s=1.0, log=None):
    """Returns what is wrong, one sentence each."""
    print(f"seed {seed}", flush=True)
    with two_servers(log) as servers, closing(Backup(servers[0])) as backup:
        # Nobody leaves and comes back: who did so in the life that is lost may be out of the room by what the peers still know.
        # And state is read from state_after: replaying a timeline in which lost events come back does not give the state.
        scenario = Scenario(servers, seed, rooms=4, writers=4, roamers=0)
        for syncer in scenario.syncers[0] + scenario.syncers[1]:
            syncer.state_after = True
        scenario.start()
        time.sleep(before_s)
        promises = Promises(scenario.history, 0)
        wrong = backup.make()
        if wrong:
            return wrong
        time.sleep(after_s)
        scenario.stop_writers()
        scenario.barriers()
        if not eventually(lambda: not scenario.missing_somewhere(), 120):
            return ["acknowledged events had not arrived everywhere before the loss"]
        for syncer in scenario.syncers[0]:
            syncer.end()
        for syncer in scenario.syncers[0]:
            syncer.join(60)
        lose(servers[0])
        done = backup.restore()
        if done.returncode != 0:
            return [f"restore: {done.stderr}"]
        if backup.restore().returncode == 0:
            return ["a second restore was not refused"]
        servers[0].start()
        found = missing_after_restore(scenario, promises)
        take_back_what_was_lost(scenario, promises, 0)
        go_on(scenario, 0)
        time.sleep(2)
        scenario.stop_writers()
        scenario.settle()
        found += scenario.problems()
        print(f"{len(promises.event_ids)} events acknowledged before the backup, {scenario.summary()}", flush=True)
        return found


def missing_after_restore(scenario, promises):
    watcher = Connection(scenario.servers[0], scenario.writer_users[0][0].token)
    there = {room: {event["event_id"] for event in timeline(watcher, room)} for room in scenario.rooms}
    return [f"{event_id} was acknowledged before the backup began and is not in it" for room, event_id in promises.event_ids if event_id not in there[room]]
