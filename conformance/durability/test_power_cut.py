"""Every promise is kept when the power is cut; and the simulation of that does lose what a careless database would."""

import random
import time

import pytest

import kills
from faults import Target, kill_and_wait
from power_cut import OwnPostgres
from scenario import Scenario
from servers import Server, TestAuthority


def test_what_was_acknowledged_survives_power_cuts():
    assert kills.run(4, 0, random.randrange(1 << 32), power=True) == []


@pytest.mark.parametrize("setting", ["fsync=off", "synchronous_commit=off"])
def test_a_database_that_does_not_wait_for_the_disk_is_found_out(setting):
    """The control: the same clients, comparison and power cut have to find acknowledged events missing."""
    authority, postgres = TestAuthority(), OwnPostgres(setting, "wal_writer_delay=10s")
    server = Server(authority, DATABASE_URL=postgres.url)
    try:
        scenario = Scenario([server], seed=1, rooms=2, writers=3)
        server.stop()
        postgres.stop()
        postgres.disk.begin()
        postgres.start()
        server.start()
        scenario.start()
        while len(scenario.history.acknowledged()) < 50:
            time.sleep(0.01)
        postgres.disk.cut()
        kill_and_wait(Target(server).everything() + postgres.processes())
        server.process.wait()
        for client in [*scenario.writers, *scenario.syncers[0]]:
            client.end()
        postgres.lose_memory()
        postgres.start()
        server.start()
        for client in [*scenario.writers, *scenario.syncers[0]]:
            client.join(60)
        found = scenario.problems()
        assert any("acknowledged message" in problem and "is missing" in problem for problem in found), found
    finally:
        server.remove()
        postgres.remove()
        authority.remove()
