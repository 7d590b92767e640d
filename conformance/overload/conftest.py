import pytest
import servers


@pytest.fixture(scope="session")
def small(authority):
    """A server with few places: 8 writes, of which one user gets 2, and as many requests of other servers. 64 writes and 16 of those
    requests may wait, for as long as a test takes."""
    made = servers.Server(authority)
    made.stop()
    made.reconfigure({"overload.writes": "8", "overload.reads": "8", "overload.heavy_reads": "4", "overload.federation": "8",
                      "overload.wait_ms": "60000", "overload.unsent_mb": "16"})
    made.start()
    yield made
    assert made.stop() == 0, "".join(made.log[-120:])
    made.remove()
