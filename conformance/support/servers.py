"""Real servers for black-box tests, started through conformance/serve-for-suite, and a small HTTP client for them."""

import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import quote

import requests

import endpoint_coverage

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = ROOT / "conformance/serve-for-suite"
SHARED_SECRET = "shared secret of the tests"


def causeway_binary():
    if "CAUSEWAY_BIN" in os.environ:
        return os.path.abspath(os.environ["CAUSEWAY_BIN"])
    release = ROOT / "build/release/bin/causeway"
    return str(release if release.exists() else ROOT / "build/dev/bin/causeway")


def causeway(*arguments, **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([causeway_binary(), *map(str, arguments)], text=True, timeout=120, **pipes)


# Below the ports that the kernel gives to outgoing connections, which would take one between the probe and its use.
# Of two runs at a time each has every other one.
_lane = range(12_000 + int(os.environ.get("CAUSEWAY_PORT_LANE", 0)), 32_000, 2)
_ports = iter(random.sample(_lane, len(_lane)))


def free_port():
    """A port that is never given twice: it is part of a server's name, and who met the name before keeps the keys it had."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no port is free")


class TestAuthority:
    """A certificate authority, and a certificate for localhost and 127.0.0.1 that it signed."""

    __test__ = False

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="causeway-ca-"))
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self._openssl("req", "-x509", *key, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority")
        self._openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
        (self.directory / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self._openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", "2", "-extfile", "server.ext", "-out", "server.pem")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)

    def path(self, name):
        return str(self.directory / name)

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class Homeserver:
    """Any homeserver that lets anybody register, at `url`."""

    def register(self, name=None):
        name = name or f"user{next(_numbers)}"
        reply = requests.post(f"{self.url}/_matrix/client/v3/register", timeout=30,
                              json={"username": name, "password": "correct horse", "auth": {"type": "m.login.dummy"}})
        assert reply.status_code == 200, reply.text
        return Client(self, reply.json())

    def anonymous(self):
        return Client(self, None)


class Server(Homeserver):
    """One Causeway. `name` is localhost and its federation port unless the environment says otherwise, so that others find it
    without DNS."""

    def __init__(self, authority, **environment):
        self.client_port, self.federation_port = free_port(), free_port()
        self.name = environment.get("SERVER_NAME", f"localhost:{self.federation_port}")
        self.url = f"http://127.0.0.1:{self.client_port}"
        self.federation_url = f"https://localhost:{self.federation_port}"
        self.authority = authority
        self.data = Path(tempfile.mkdtemp(prefix="causeway-server-"))
        self.environment = {
            **os.environ,
            "SERVER_NAME": self.name,
            "BIND_HOST": "127.0.0.1",
            "CLIENT_PORT": str(self.client_port),
            "FEDERATION_PORT": str(self.federation_port),
            "DATA_DIR": str(self.data),
            "TLS_CERT": authority.path("server.pem"),
            "TLS_KEY": authority.path("server.key"),
            "CA_CERT": authority.path("ca.pem"),
            "SHARED_SECRET": SHARED_SECRET,
            **environment,
        }
        self.command = [str(LAUNCHER)]
        self.log = []
        self.start()

    def start(self):
        """Returns when the server says that it answers; raises with its log when it ends instead."""
        self.process = subprocess.Popen(self.command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._keep_log, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        if not self.process.stdout.readline():
            self.process.wait()
            self._reader.join(5)
            raise RuntimeError("the server ended:\n" + "".join(self.log))

    def reconfigure(self, values):
        """From the next start on: the launcher's configuration with these TOML values, {"section.key": "value"}, in place of its own."""
        sections = {}
        for line in (self.data / "causeway.toml").read_text().splitlines():
            if line.startswith("["):
                section = sections.setdefault(line.strip("[]"), {})
            else:
                key, value = line.split(" = ", 1)
                section[key] = value
        for name, value in values.items():
            section, key = name.split(".")
            sections.setdefault(section, {})[key] = value
        config = self.data / "reconfigured.toml"
        config.write_text("".join(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for name, keys in sections.items()))
        self.command = [causeway_binary(), "serve", "--config", str(config)]

    def _keep_log(self, stream):
        for line in stream:
            self.log.append(line)
            del self.log[:-5000]

    def _keep_counts(self):
        try:
            endpoint_coverage.keep(requests.get(f"{self.url}/metrics", timeout=10).text)
        except requests.ConnectionError:
            pass  # it has ended

    def kill(self):
        self._keep_counts()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Returns the exit status."""
        self._keep_counts()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def check_database(self):
        """What is wrong with it, a line each. Works while the server runs."""
        checked = causeway("db", "check", "--config", self.data / "causeway.toml")
        return "" if checked.returncode == 0 else checked.stdout + checked.stderr

    def remove(self):
        """A server that still runs must leave a database that does not contradict itself."""
        wrong = ""
        if self.process.poll() is None:
            wrong = self.check_database()
            self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        assert not wrong, f"the database of {self.name}:\n{wrong}"

    def count(self, name, **labels):
        """The sum of a counter in /metrics over all series that have these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = requests.get(f"{self.url}/metrics", timeout=30).text.splitlines()
        series = [line for line in lines if re.match(rf"causeway_{name}[{{ ]", line) and all(label in line for label in wanted)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in series)


_numbers = itertools.count(1)


class Client:
    """A user's view of the client-server API. Methods return requests.Response; paths are below /_matrix/client/v3 unless they
    begin with /_ or /."""

    def __init__(self, server, login):
        self.server = server
        self.session = requests.Session()
        if login:
            self.user_id, self.token, self.device_id = login["user_id"], login["access_token"], login["device_id"]
            self.session.headers["Authorization"] = f"Bearer {self.token}"

    def request(self, method, path, body=None, **options):
        if not path.startswith(("/_", "/.")) and path != "/":
            path = "/_matrix/client/v3" + path
        options.setdefault("timeout", 60)
        if body is not None:
            options["data"] = body if isinstance(body, (str, bytes)) else json.dumps(body)
        return self.session.request(method, self.server.url + path, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def put(self, path, body, **options):
        return self.request("PUT", path, body, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, {} if body is None else body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    # What most tests begin with; these raise unless the answer is 200.

    def create_room(self, **options):
        return ok(self.post("/createRoom", options))["room_id"]

    def join(self, room, **parameters):
        return ok(self.post(f"/join/{quote(room, safe='')}", params=parameters))["room_id"]

    def send(self, room, body="hello", kind="m.room.message", transaction=None, **content):
        content = content or {"msgtype": "m.text", "body": body}
        transaction = transaction or f"t{next(_numbers)}"
        return ok(self.put(f"/rooms/{quote(room, safe='')}/send/{quote(kind, safe='')}/{transaction}", content))["event_id"]

    def set_state(self, room, kind, content, key=""):
        return ok(self.put(f"/rooms/{quote(room, safe='')}/state/{quote(kind, safe='')}/{quote(key, safe='')}", content))["event_id"]

    def sync(self, since=None, timeout=0, **parameters):
        if since:
            parameters["since"] = since
        return ok(self.get("/sync", params={"timeout": timeout, **parameters}))


def ok(reply):
    assert reply.status_code == 200, f"{reply.request.method} {reply.request.path_url}: {reply.status_code} {reply.text[:500]}"
    return reply.json()


def error(reply, status, errcode):
    """The reply is this error, and has the shape every error has."""
    body = reply.json()
    assert (reply.status_code, body.get("errcode")) == (status, errcode), f"{reply.status_code} {reply.text[:500]}"
    assert isinstance(body.get("error"), str) and body["error"]
    return body
