"""Kills servers at random moments, and starts what does not start itself."""

import os
import random
import signal
import threading
import time
from pathlib import Path

import requests


def processes():
    """pid: (parent, name) of everything that runs."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = stat.read_text().split(" (", 1)
            name, rest = rest.rsplit(") ", 1)
            found[int(pid)] = (int(rest.split()[1]), name)
        except (OSError, ValueError):
            pass
    return found


def descendants(root):
    """The process and all that it started, with their names."""
    known = processes()
    found = {root: known[root][1]} if root in known else {}
    grown = True
    while grown:
        more = {pid: name for pid, (parent, name) in known.items() if parent in found and pid not in found}
        grown = bool(more)
        found.update(more)
    return found


def is_alive(pid):
    try:
        return not Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].startswith("Z")
    except OSError:
        return False


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def kill_and_wait(pids):
    """Returns once they are gone."""
    kill(pids)
    while any(is_alive(pid) for pid in pids):
        time.sleep(0.002)


class Target:
    """A server and its PostgreSQL as something to kill. The embedded one is a descendant of the server."""

    faults = ["causeway", "postgres", "both"]

    def __init__(self, server):
        self.server = server

    def of_causeway(self):
        return [pid for pid, name in descendants(self.server.process.pid).items() if not name.startswith("postgres")]

    def of_postgres(self):
        return [pid for pid, name in descendants(self.server.process.pid).items() if name.startswith("postgres")]

    def postmaster(self):
        try:
            return [int((self.server.data / "postgres/postmaster.pid").read_text().split("\n")[0])]
        except (OSError, ValueError):
            return []

    def everything(self):
        return list(descendants(self.server.process.pid))

    def strike(self, fault, random):
        if fault == "causeway":
            # All of it, or the server without the parent that keeps its privileges.
            pids = self.of_causeway()
            kill_and_wait(pids if random.random() < 0.5 else pids[-1:])
        elif fault == "postgres":
            everyone = self.of_postgres()
            kill_and_wait(random.choice([self.postmaster(), everyone, everyone and [random.choice(everyone)]]))
        else:
            kill_and_wait(self.everything())

    def bring_back(self, fault, random):
        """Returns the number of kills that this took."""
        more = 0
        if fault != "postgres":
            if random.random() < 0.15:
                self.kill_while_starting(random.uniform(0.1, 2.0))
                more = 1
            self.start()
        self.wait_until_ready()
        return more

    def kill_while_starting(self, after_s):
        moment = threading.Timer(after_s, lambda: kill(self.everything()))
        moment.start()
        try:
            self.start()
        except RuntimeError:
            pass
        moment.join()
        kill_and_wait(self.everything())  # it may have started only after that moment

    def start(self):
        self.server.process.wait()
        self.server.process.stdout.close()
        self.server.start()

    def ready(self):
        try:
            return requests.get(self.server.url + "/health", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def wait_until_ready(self, seconds=90):
        end = time.monotonic() + seconds
        while not self.ready():
            if self.server.process.poll() is not None:
                raise RuntimeError("the server ended by itself:\n" + "".join(self.server.log[-60:]))
            if time.monotonic() > end:
                raise RuntimeError("the server does not recover:\n" + "".join(self.server.log[-60:]))
            time.sleep(0.05)


    def remove(self):
        pass


class Killer(threading.Thread):
    """Stops after so many kills; `failure` says why if it had to stop earlier."""

    def __init__(self, targets, kills, seed, longest_pause_s=1.0):
        super().__init__(daemon=True)
        self.targets, self.kills, self.longest_pause_s = targets, kills, longest_pause_s
        self.random = random.Random(seed)
        self.done = 0
        self.failure = None

    def run(self):
        try:
            while self.done < self.kills:
                time.sleep(self.random.uniform(0.05, self.longest_pause_s))
                self.strike()
        except Exception as error:  # the run reports it, with the seed
            self.failure = f"after kill {self.done}: {error}"

    def strike(self):
        chosen = [self.random.choice(self.targets)] if self.random.random() < 0.85 else list(self.targets)
        faults = [(target, self.random.choice(target.faults)) for target in chosen]
        self.done += len(faults)
        print(f"kill {self.done}: " + ", ".join(f"{fault} of {target.server.name}" for target, fault in faults), flush=True)
        for target, fault in faults:
            target.strike(fault, self.random)
        for target, fault in faults:
            self.done += target.bring_back(fault, self.random)
