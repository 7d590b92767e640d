import pytest
import servers


@pytest.fixture(scope="session")
def small(authority):
    """A server with few places: 16 writes, of which one user gets 4, 8 requests of other servers, of which one gets 2, and so on;
    twice as many may wait, for as long as a test takes."""
    made = servers.Server(authority)
    made.stop()
    made.reconfigure({"overload.writes": "16", "overload.reads": "8", "overload.heavy_reads": "4", "overload.federation": "8",
                      "overload.wait_ms": "60000", "overload.unsent_mb": "16"})
    made.start()
    yield made
    assert made.stop() == 0, "".join(made.log[-120:])
    made.remove()
