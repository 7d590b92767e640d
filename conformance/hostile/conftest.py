"""CAUSEWAY_URL names the server under test, any homeserver's client API; without it one is started."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import fake_homeserver  # noqa: E402
import servers  # noqa: E402
import wire  # noqa: E402


@pytest.fixture(scope="session")
def authority():
    made = servers.TestAuthority()
    yield made
    made.remove()


@pytest.fixture(scope="session")
def server(authority):
    """A server that many tests share: they make their own users and rooms."""
    made = servers.Server(authority)
    yield made
    assert made.stop() == 0, "".join(made.log[-50:])
    made.remove()


@pytest.fixture(scope="session")
def url(request):
    given = os.environ.get("CAUSEWAY_URL")
    return given.rstrip("/") if given else request.getfixturevalue("server").url


@pytest.fixture
def alice(server):
    return server.register()


@pytest.fixture
def fake(authority):
    """A homeserver that does what the test tells it to."""
    made = fake_homeserver.FakeHomeserver(authority)
    yield made
    made.close()


@pytest.fixture
def other(authority):
    """A second one."""
    made = fake_homeserver.FakeHomeserver(authority)
    yield made
    made.close()


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
