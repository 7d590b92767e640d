"""A Synapse that speaks to the servers of the tests, from the virtual environment that conformance/support/packages.sh installs."""

import base64
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import requests

from gate import Gate
from servers import ROOT, SHARED_SECRET, Homeserver, free_port
from waiting import wait_until

PYTHON = ROOT / "build/interop/synapse/bin/python"
UNLIMITED = {"per_second": 1_000_000, "burst_count": 1_000_000}


class Synapse(Homeserver):
    """Others reach it through its gate."""

    def __init__(self, authority):
        self.client_port, self.federation_port = free_port(), free_port()
        self.gate = Gate()
        self.gate.leads_to(self.federation_port)
        self.name = self.gate.name
        self.url = f"http://127.0.0.1:{self.client_port}"
        self._data = tempfile.TemporaryDirectory(prefix="causeway-synapse-")
        self.data = Path(self._data.name)
        self._configure(authority)
        self.start()

    def _configure(self, authority):
        seed = base64.b64encode(os.urandom(32)).decode().rstrip("=")
        (self.data / "signing.key").write_text(f"ed25519 a_1 {seed}\n")
        log = {"version": 1, "handlers": {"file": {"class": "logging.FileHandler", "filename": str(self.data / "log")}},
               "root": {"level": os.environ.get("SYNAPSE_LOG_LEVEL", "WARNING"), "handlers": ["file"]}}
        # JSON is YAML.
        (self.data / "log.yaml").write_text(json.dumps(log))
        tls = {"tls": True, "port": self.federation_port, "resources": [{"names": ["federation"], "compress": False}]}
        plain = {"port": self.client_port, "resources": [{"names": ["client"], "compress": False}]}
        everywhere = {"type": "http", "bind_addresses": ["127.0.0.1"]}
        config = {
            "server_name": self.name,
            "public_baseurl": self.url,
            "listeners": [{**everywhere, **tls}, {**everywhere, **plain}],
            "tls_certificate_path": authority.path("server.pem"),
            "tls_private_key_path": authority.path("server.key"),
            "federation_verify_certificates": True,
            "federation_custom_ca_list": [authority.path("ca.pem")],
            "database": {"name": "sqlite3", "args": {"database": str(self.data / "homeserver.db")}},
            "log_config": str(self.data / "log.yaml"),
            "media_store_path": str(self.data / "media"),
            "pid_file": str(self.data / "pid"),
            "signing_key_path": str(self.data / "signing.key"),
            "registration_shared_secret": SHARED_SECRET,
            "macaroon_secret_key": "of the tests",
            "form_secret": "of the tests",
            "report_stats": False,
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "ip_range_blacklist": [],
            "enable_registration": True,
            "enable_registration_without_verification": True,
            "bcrypt_rounds": 4,
            "presence": {"enabled": False},
            "room_list_publication_rules": [{"action": "allow"}],
            # It asks again soon after the other was away, as the tests wait for it.
            "federation": {"destination_min_retry_interval": 500, "destination_max_retry_interval": "2s", "client_timeout": "20s",
                           "max_long_retry_delay": "1s", "max_short_retry_delay": "1s", "max_long_retries": 1, "max_short_retries": 1},
            "rc_message": UNLIMITED,
            "rc_registration": UNLIMITED,
            "rc_login": {"address": UNLIMITED, "account": UNLIMITED, "failed_attempts": UNLIMITED},
            "rc_joins": {"local": UNLIMITED, "remote": UNLIMITED},
            "rc_joins_per_room": UNLIMITED,
            "rc_room_creation": UNLIMITED,
            "rc_invites": {"per_room": UNLIMITED, "per_user": UNLIMITED, "per_issuer": UNLIMITED},
            "rc_federation": {"window_size": 1000, "sleep_limit": 1_000_000, "sleep_delay": 1, "reject_limit": 1_000_000, "concurrent": 100},
            "federation_rr_transactions_per_room_per_second": 1_000,
        }
        (self.data / "homeserver.yaml").write_text(json.dumps(config))

    def start(self):
        """Returns when it answers; raises with its log when it ends instead."""
        output = open(self.data / "output", "w")
        command = [str(PYTHON), "-m", "synapse.app.homeserver", "-c", str(self.data / "homeserver.yaml")]
        self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=self.data)
        wait_until(self._answers_or_ended, why=self.log)
        if self.process.poll() is not None:
            raise RuntimeError("Synapse ended:\n" + self.log())

    def _answers_or_ended(self):
        try:
            return self.process.poll() is not None or requests.get(f"{self.url}/_matrix/client/versions", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def log(self):
        return "".join((self.data / name).read_text()[-20_000:] for name in ("output", "log") if (self.data / name).exists())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def remove(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.gate.close()
        self._data.cleanup()
