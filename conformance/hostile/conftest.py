"""CAUSEWAY_URL names the server under test, any homeserver's client API; without it one is started."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import servers  # noqa: E402
import wire  # noqa: E402


@pytest.fixture(scope="session")
def url():
    given = os.environ.get("CAUSEWAY_URL")
    if given:
        yield given.rstrip("/")
        return
    authority = servers.TestAuthority()
    server = servers.Server(authority)
    yield server.url
    assert server.stop() == 0, "".join(server.log[-50:])
    server.remove()
    authority.remove()


@pytest.fixture
def connect(url):
    """Makes connections that send exactly what they are told; afterwards the server must still serve."""
    made = []

    def new():
        made.append(wire.Wire(url))
        return made[-1]

    yield new
    for connection in made:
        connection.close()
    survivor = wire.Wire(url)
    assert survivor.ask("GET", wire.VERSIONS).status == 200, "the server no longer serves"
    survivor.close()
