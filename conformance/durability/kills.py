"""Two servers under load, killed and started again."""

import random
import time

from faults import Killer, Target
from power_cut import CuttableTarget
from scenario import Scenario
from servers import Server, TestAuthority


def run(kills, seconds, seed, power=False, log=None):
    """Returns what is wrong, one sentence each. `power`: some of the kills cut the power."""
    print(f"seed {seed}", flush=True)
    seeds = random.Random(seed)
    authority = TestAuthority()
    servers, targets = [], []
    try:
        servers = [Server(authority) for _ in range(2)]
        scenario = Scenario(servers, seeds.random())
        for server in servers:
            targets.append((CuttableTarget if power else Target)(server))
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
    finally:
        if log:
            with open(log, "w", encoding="utf-8") as out:
                for server in servers:
                    out.write(f"--- {server.name}\n" + "".join(server.log))
        for server in servers:
            server.remove()
        for target in targets:
            target.remove()
        authority.remove()
