"""CAUSEWAY_URL names the server under test, any homeserver's client API; without it one is started."""

import os

import pytest
import wire


@pytest.fixture(scope="session")
def url(request):
    given = os.environ.get("CAUSEWAY_URL")
    return given.rstrip("/") if given else request.getfixturevalue("server").url


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
