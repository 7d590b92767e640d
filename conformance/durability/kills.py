"""Two servers under load, killed and started again."""

import random
import time
from contextlib import ExitStack

from faults import Killer, Target
from power_cut import CuttableTarget
from scenario import Scenario, two_servers


def run(kills, seconds, seed, power=False, log=None):
    """Returns what is wrong, one sentence each. `power`: some of the kills cut the power."""
    print(f"seed {seed}", flush=True)
    seeds = random.Random(seed)
    with ExitStack() as disks, two_servers(log) as servers:
        targets = [(CuttableTarget if power else Target)(server) for server in servers]
        for target in targets:
            disks.callback(target.remove)
        scenario = Scenario(servers, seeds.random())
        killer = Killer(targets, kills, seeds.random(), max(1.0, 2 * seconds / max(kills, 1)))
        begun = time.monotonic()
        scenario.start()
        killer.start()
        killer.join()
        if killer.failure:
            return [killer.failure]
        time.sleep(max(0, begun + seconds - time.monotonic()))
        scenario.stop_writers()
        scenario.settle()
        found = scenario.problems()
        print(f"{time.monotonic() - begun:.0f} s, {killer.done} kills, {scenario.summary()}", flush=True)
        return found
