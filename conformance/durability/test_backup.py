"""causeway backup and restore: what is in a backup, and what a restored server and its clients make of it."""

import random
import subprocess

import pytest

import backups
from backups import Backup, lose
from connection import Connection
from faults import descendants
from observe import timeline
from power_cut import OwnPostgres
from servers import Server, TestAuthority, causeway, causeway_binary, ok
from waiting import wait_until


def test_a_backup_made_under_load_becomes_a_server_that_everyone_can_go_on_with():
    assert backups.run(random.randrange(1 << 32)) == []


@pytest.fixture
def authority():
    made = TestAuthority()
    yield made
    made.remove()


@pytest.fixture
def server(authority):
    made = Server(authority)
    yield made
    made.remove()


@pytest.fixture
def peer(authority):
    made = Server(authority)
    yield made
    made.remove()


@pytest.fixture
def backup(server):
    made = Backup(server)
    yield made
    made.close()


def test_what_only_a_peer_still_has_comes_back_in_order_however_much_it_is(server, peer, backup):
    alice, bob = server.register(), peer.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room, server_name=server.name)
    assert backup.make() == []
    lost = [alice.send(room, f"message {number}") for number in range(270)]  # more than one answer of a peer holds
    wait_until(lambda: bob.get(f"/rooms/{room}/event/{lost[-1]}").status_code == 200, why="the peer lacks messages")
    lose(server)
    done = backup.restore()
    assert done.returncode == 0, done.stderr
    server.start()
    new = bob.send(room, "after the loss")
    wait_until(lambda: alice.get(f"/rooms/{room}/event/{new}").status_code == 200, why="nothing comes from the peer")
    seen = [event["event_id"] for event in timeline(Connection(server, alice.token), room)]
    assert len(seen) == len(set(seen))
    assert [event for event in seen if event in set(lost)] == lost


def test_a_backup_of_the_embedded_database_can_be_restored_into_another_one(server, backup):
    alice = server.register()
    room = alice.create_room(name="kept")
    assert backup.make() == []
    postgres = OwnPostgres()
    try:
        config = backup.config.read_text().replace("[http]\n", f'[database]\nurl = "{postgres.url}"\n[http]\n', 1)
        backup.config.write_text(config)
        done = backup.restore()
        assert done.returncode == 0, done.stderr
        refused = backup.restore()
        assert refused.returncode == 1 and "not empty" in refused.stderr
        lose(server)
        server.environment["DATABASE_URL"] = postgres.url
        server.start()
        assert ok(alice.get(f"/rooms/{room}/state/m.room.name"))["name"] == "kept"
        server.stop()
    finally:
        postgres.remove()


def test_a_token_given_out_after_the_backup_leads_to_what_is_true_now(server, backup):
    alice = server.register()
    room = alice.create_room(name="before")
    path = f"/user/{alice.user_id}/account_data/org.example.value"
    ok(alice.put(path, {"value": "before"}))
    old = alice.sync()["next_batch"]
    assert backup.make() == []
    ok(alice.put(path, {"value": "lost"}))
    alice.set_state(room, "m.room.name", {"name": "lost"})
    lost = [alice.send(room, f"lost {number}") for number in range(30)]
    token = alice.sync()["next_batch"]
    lose(server)
    done = backup.restore()
    assert done.returncode == 0, done.stderr
    server.start()

    new = alice.send(room, "new")
    for since in (token, old):
        reply = alice.sync(since)
        part = reply["rooms"]["join"][room]
        assert [event["event_id"] for event in part["timeline"]["events"]] == [new]
        assert not set(lost) & {event["event_id"] for event in alice.get(f"/rooms/{room}/messages", params={"dir": "b", "from": since}).json()["chunk"]}
    reply = alice.sync(token)
    part = reply["rooms"]["join"][room]
    assert part["timeline"]["limited"] is True
    assert {"name": "before"} in [event["content"] for event in part["state"]["events"] if event["type"] == "m.room.name"]
    assert {"value": "before"} in [event["content"] for event in reply["account_data"]["events"] if event["type"] == "org.example.value"]
    # What comes next is a token like any other.
    assert room not in alice.sync(reply["next_batch"]).get("rooms", {}).get("join", {})


def test_a_backup_goes_to_standard_output_and_comes_from_standard_input(server, backup):
    alice = server.register()
    with open(backup.file, "wb") as out:
        done = causeway("backup", "-", "--config", backup.config, stdout=out)
    assert done.returncode == 0
    lose(server)
    with open(backup.file, "rb") as stored:
        done = causeway("restore", "-", "--config", backup.config, stdin=stored)
    assert done.returncode == 0, done.stderr
    server.start()
    assert ok(alice.get("/account/whoami"))["user_id"] == alice.user_id


def test_a_backup_that_is_told_to_end_leaves_no_file_behind(server, backup):
    # A lock that pg_dump has to wait for.
    socket = (server.data / "postgres.socket").read_text()
    blocker = subprocess.Popen(["psql", "-h", socket, "-U", "causeway", "-c", "begin; lock events; select pg_sleep(100)"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        making = subprocess.Popen([causeway_binary(), "backup", str(backup.file), "--config", str(backup.config)], stderr=subprocess.PIPE, text=True)
        wait_until(lambda: "pg_dump" in descendants(making.pid).values(), why="there is no pg_dump")
        making.terminate()
        assert making.wait(30) == 1 and "no backup was made" in making.stderr.read()
        assert [path.name for path in backup.directory.iterdir()] == ["causeway.toml"]
    finally:
        blocker.kill()
        blocker.wait()


def test_what_is_cut_short_is_not_restored_at_all(server, backup):
    server.register()
    assert backup.make() == []
    whole = backup.file.read_bytes()
    backup.file.write_bytes(whole[: len(whole) * 3 // 4])
    lose(server)
    done = backup.restore()
    assert done.returncode == 1 and "still empty" in done.stderr
    backup.file.write_bytes(whole)
    assert backup.restore().returncode == 0
