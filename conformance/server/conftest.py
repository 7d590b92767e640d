import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import fake_homeserver  # noqa: E402
import servers  # noqa: E402


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
    assert made.stop() == 0, "".join(made.log[-120:])
    made.remove()


@pytest.fixture(scope="session")
def peer(authority):
    """A second server, for what needs federation."""
    made = servers.Server(authority)
    yield made
    assert made.stop() == 0, "".join(made.log[-120:])
    made.remove()


@pytest.fixture
def alice(server):
    return server.register()


@pytest.fixture
def bob(server):
    return server.register()


@pytest.fixture
def fake(authority):
    """Another server, whose requests and replies the test writes."""
    made = fake_homeserver.FakeHomeserver(authority)
    yield made
    made.close()
