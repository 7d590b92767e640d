"""What every black-box test may ask for."""

import fake_homeserver
import pytest
import servers


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
def pair(authority):
    """Two servers for one test, which may kill them."""
    made = [servers.Server(authority), servers.Server(authority)]
    yield made
    for server in made:
        server.remove()


@pytest.fixture
def alice(server):
    return server.register()


@pytest.fixture
def bob(server):
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
