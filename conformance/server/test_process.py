"""The process: configuration, command line, start, stop, kills, the embedded PostgreSQL, privileges."""

import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from servers import ROOT, Server, TestAuthority, causeway, causeway_binary, error, free_port, ok
from waiting import wait_until


@pytest.fixture
def own_server(authority):
    """A server for one test, which may kill it."""
    made = Server(authority)
    yield made
    made.remove()


def config_error(tmp_path, text):
    path = tmp_path / "causeway.toml"
    path.write_text(text)
    done = causeway("config", "check", "--config", str(path))
    assert done.returncode == 2, done.stdout
    return done.stderr


# --- configuration ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, line, key, word",
    [
        ('[server]\nname = "a"\ntypo = 1\n', 3, "server.typo", "no such key"),
        ("[nonsense]\nx = 1\n", 2, "nonsense.x", "no such key"),
        ("top = 1\n", 1, "top", "no such key"),
        ("[server]\nname = 5\n", 2, "server.name", "string"),
        ('[server]\nname = "not a name"\n', 2, "server.name", "server name"),
        ("[http]\n\nport = 70000\n", 3, "http.port", "65535"),
        ('[http]\nport = "8008"\n', 2, "http.port", "integer"),
        ('[http]\ntrusted_proxies = ["here"]\n', 2, "http.trusted_proxies", "here"),
        ('[log]\nlevel = "loud"\n', 2, "log.level", "debug"),
        ("[rate_limits]\nmessage_per_second = -1.0\n", 2, "rate_limits.message_per_second", "negative"),
        ("[registration]\nopen = 1\n", 2, "registration.open", "true or false"),
        ('[rooms]\ndefault_version = "99"\n', 2, "rooms.default_version", "room version"),
    ],
)
def test_a_wrong_key_is_named_with_file_and_line(tmp_path, text, line, key, word):
    said = config_error(tmp_path, text)
    assert f"causeway.toml:{line}: {key}: " in said and word in said, said


def test_a_file_that_is_not_toml_is_named_with_its_line(tmp_path):
    assert "causeway.toml:2" in config_error(tmp_path, "[server]\nname = = 3\n")


def test_keys_that_need_each_other_are_checked(tmp_path):
    assert "tls_certificate" in config_error(tmp_path, "[http]\ntls_port = 8448\n")
    assert "could reach" in config_error(tmp_path, "[http]\nport = 0\n")


def test_the_default_file_changes_nothing_and_every_line_of_it_is_valid(tmp_path):
    printed = causeway("config", "check", "--defaults").stdout
    path = tmp_path / "causeway.toml"
    for text in (printed, "\n".join(line.removeprefix("# ") if " = " in line else line for line in printed.split("\n"))):
        path.write_text(text)
        done = causeway("config", "check", "--config", str(path))
        assert done.returncode == 0, done.stderr


def test_rooms_are_made_with_the_default_version_unless_another_is_asked_for(authority):
    server = Server(authority, ROOM_VERSION="10")
    try:
        alice = server.register()
        assert ok(alice.get("/capabilities"))["capabilities"]["m.room_versions"]["default"] == "10"
        versions = [ok(alice.get(f"/rooms/{quote(room, safe='')}/state/m.room.create/"))["room_version"]
                    for room in (alice.create_room(), alice.create_room(room_version="11"))]
        assert versions == ["10", "11"]
    finally:
        server.remove()


def test_help_and_version_answer():
    assert "serve" in causeway("--help").stdout
    assert causeway("version").stdout.startswith("causeway ")
    assert causeway("nonsense").returncode == 2


# --- start and stop ----------------------------------------------------------------------------------------------------------


def test_it_listens_on_the_given_address_alone(own_server):
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().split("\n")[1:] if line]
    ports = {f"{own_server.client_port:04X}", f"{own_server.federation_port:04X}"}
    addresses = {fields[1].split(":")[0] for fields in listening if fields[3] == "0A" and fields[1].split(":")[1] in ports}
    assert addresses == {"0100007F"}


def test_a_second_server_on_the_same_data_is_refused(own_server):
    with pytest.raises(RuntimeError, match="another causeway"):
        other = Server.__new__(Server)
        other.environment = {**own_server.environment, "CLIENT_PORT": "0"}
        other.command, other.log = own_server.command, []
        other.start()


def test_the_server_name_can_not_be_changed(own_server):
    own_server.stop()
    own_server.environment["SERVER_NAME"] = "other.example"
    with pytest.raises(RuntimeError, match="can't be changed"):
        own_server.start()


def test_sigterm_ends_long_polls_and_exits_0_within_5_seconds(own_server):
    alice = own_server.register()
    since = alice.sync()["next_batch"]
    answers = []
    poll = threading.Thread(target=lambda: answers.append(alice.get("/sync", params={"since": since, "timeout": 60000})))
    poll.start()
    wait_until(lambda: own_server.count("sync_waiting") == 1)
    begun = time.monotonic()
    assert own_server.stop() == 0
    assert time.monotonic() - begun < 5
    poll.join()
    assert ok(answers[0])["next_batch"]


def test_what_other_servers_are_owed_is_sent_after_a_restart(own_server, fake):
    alice = own_server.register()
    room = fake.join(own_server, alice.create_room(preset="public_chat"))
    fake.on("PUT", "/v1/send/([^/]*)", (503, {}))
    bodies = [f"message {i}" for i in range(60)]
    for body in bodies:
        alice.send(room.id, body)
    own_server.kill()
    fake.asked.clear()
    fake.on("PUT", "/v1/send/([^/]*)", (200, {"pdus": {}}))
    own_server.start()
    wait_until(lambda: [pdu["content"].get("body") for pdu in fake.received_pdus() if pdu["type"] == "m.room.message"] == bodies)


def test_what_was_acknowledged_survives_sigkill(own_server):
    alice = own_server.register()
    room = alice.create_room()
    since = alice.sync()["next_batch"]
    sent = [alice.send(room, f"message {i}", transaction=f"k{i}") for i in range(20)]
    own_server.kill()
    own_server.start()
    timeline = alice.sync(since)["rooms"]["join"][room]["timeline"]["events"]
    assert [event["event_id"] for event in timeline][-20:] == sent[-len(timeline):][-20:]
    assert alice.send(room, "message 19", transaction="k19") == sent[19]


def test_a_killed_server_leaves_no_postgresql_behind(own_server):
    pid = int((own_server.data / "postgres/postmaster.pid").read_text().split("\n")[0])
    own_server.kill()
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_postgresql_that_dies_is_started_again_and_service_resumes(own_server):
    alice = own_server.register()
    room = alice.create_room()
    pid = int((own_server.data / "postgres/postmaster.pid").read_text().split("\n")[0])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: alice.put(f"/rooms/{room}/send/m.room.message/after", {"msgtype": "m.text", "body": "x"}).status_code == 200)
    # Each connection of the pool notices for itself.
    wait_until(lambda: requests.get(own_server.url + "/health").status_code == 200)


def test_a_server_whose_database_another_one_takes_over_ends(own_server, tmp_path):
    alice = own_server.register()
    room = alice.create_room()
    socket_directory = (own_server.data / "postgres.socket").read_text()
    taker = Path(tempfile.mkdtemp(prefix="causeway-taker-"))
    config = tmp_path / "causeway.toml"
    config.write_text(f'[server]\nname = "{own_server.name}"\ndata_directory = "{taker}"\n[http]\nport = {free_port()}\n'
                      f'[database]\nurl = "host={socket_directory} user=causeway dbname=causeway"\n')
    other = subprocess.Popen([causeway_binary(), "serve", "--config", str(config)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline()
        refused = alice.put(f"/rooms/{room}/send/m.room.message/late", {"msgtype": "m.text", "body": "x"})
        assert refused.status_code == 503
        assert own_server.process.wait(timeout=20) == 1
    finally:
        other.terminate()
        other.wait(timeout=20)
        shutil.rmtree(taker, ignore_errors=True)


def test_a_copied_data_directory_is_put_right(authority, own_server):
    alice = own_server.register("copied")
    own_server.stop()
    copy = Path(tempfile.mkdtemp(prefix="causeway-copy-"))
    shutil.rmtree(copy)
    shutil.copytree(own_server.data, copy)  # as this user, with default modes, whoever owned the original
    (copy / "postgres").chmod(0o755)
    (copy / "postgres/postmaster.pid").write_text(f"{os.getpid()}\n{copy}/postgres\n")
    own_server.environment["DATA_DIR"] = str(copy)
    try:
        own_server.start()
        assert ok(alice.get("/account/whoami"))["user_id"] == alice.user_id
    finally:
        own_server.stop()
        shutil.rmtree(copy, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops privileges")
def test_started_as_root_the_server_and_postgresql_run_as_another_user(own_server):
    postmaster = int((own_server.data / "postgres/postmaster.pid").read_text().split("\n")[0])
    children = subprocess.run(["ps", "-o", "pid=,uid=", "--ppid", str(own_server.process.pid)], capture_output=True, text=True).stdout.split()
    assert int(children[1]) != 0
    assert os.stat(f"/proc/{postmaster}").st_uid == int(children[1])
    assert own_server.data.stat().st_mode & 0o777 == 0o700


def test_it_may_open_as_many_files_as_it_is_to_have_connections(own_server):
    own_server.stop()
    own_server.environment["CAUSEWAY_BIN"] = causeway_binary()
    own_server.process = subprocess.Popen(["bash", "-c", "ulimit -Sn 512; exec conformance/serve-for-suite"], cwd=ROOT,
                                          env=own_server.environment, stdout=subprocess.PIPE, text=True)
    assert own_server.process.stdout.readline()
    limits = Path(f"/proc/{own_server.process.pid}/limits").read_text()
    soft, hard = next(line for line in limits.split("\n") if line.startswith("Max open files")).split()[3:5]
    assert int(soft) >= min(int(hard), 20_000)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops privileges")
def test_a_data_directory_out_of_reach_is_refused_with_the_remedy(authority, own_server):
    own_server.stop()
    closed = Path(tempfile.mkdtemp(prefix="causeway-closed-"))  # mode 0700, root's
    own_server.environment["DATA_DIR"] = str(closed / "data")
    try:
        with pytest.raises(RuntimeError, match=f"chmod o\\+x {closed}"):
            own_server.start()
    finally:
        shutil.rmtree(closed)


def test_sighup_puts_a_new_certificate_to_use():
    def certificate():
        return ssl.get_server_certificate(("localhost", server.federation_port))

    authority, fresh = TestAuthority(), TestAuthority()
    server = Server(authority)
    try:
        before = certificate()
        for name in ("server.pem", "server.key"):
            shutil.copy(fresh.path(name), authority.path(name))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: certificate() != before)
    finally:
        server.remove()
        fresh.remove()
        authority.remove()


def test_users_can_be_made_while_the_server_runs(own_server):
    made = causeway("user", "create", "carol", "--admin", "--password-stdin", "--config", str(own_server.data / "causeway.toml"), input="carol's password\n")
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == f"@carol:{own_server.name}"
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "carol"}, "password": "carol's password"}
    assert ok(own_server.anonymous().post("/login", body))["user_id"] == f"@carol:{own_server.name}"
    again = causeway("user", "create", "carol", "--password-stdin", "--config", str(own_server.data / "causeway.toml"), input="carol's password\n")
    assert again.returncode == 1 and again.stderr


def test_a_database_that_contradicts_itself_is_found_out(own_server):
    alice = own_server.register()
    room = alice.create_room()
    alice.send(room)
    config = str(own_server.data / "causeway.toml")

    def run_sql(text):
        directory = (own_server.data / "postgres.socket").read_text()
        subprocess.run(["psql", "-q", f"host={directory} user=causeway dbname=causeway", "-c", text], check=True)

    good = causeway("db", "check", "--config", config)
    assert (good.returncode, good.stdout) == (0, "The database is consistent.\n"), good.stdout + good.stderr
    run_sql("update stream set position = position - 1")
    bad = causeway("db", "check", "--config", config)
    assert bad.returncode == 1 and bad.stdout.startswith("position_above_stream: event "), bad.stdout + bad.stderr
    run_sql("update stream set position = position + 1")
    assert own_server.stop() == 0
    stopped = causeway("db", "check", "--config", config)
    assert (stopped.returncode, stopped.stdout) == (0, "The database is consistent.\n"), stopped.stdout + stopped.stderr


# --- what operators see --------------------------------------------------------------------------------------------------------


def test_health_and_metrics_answer(server):
    assert ok(requests.get(server.url + "/health")) == {"status": "ok"}
    metrics = requests.get(server.url + "/metrics")
    assert metrics.status_code == 200 and "causeway_" in metrics.text


def test_metrics_are_not_for_everyone(authority):
    made = Server(authority)
    try:
        made.stop()
        made.reconfigure({"http.metrics_from": '["192.0.2.1"]'})
        made.start()
        error(requests.get(made.url + "/metrics"), 403, "M_FORBIDDEN")
    finally:
        made.remove()
