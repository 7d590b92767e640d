"""One Causeway and one Synapse for all tests. Each test runs in rooms of several versions, made on either side: INTEROP_ALL=1 for all of
them, otherwise some."""

import os

import pytest

from gate import Gate
from scene import Scene
from servers import Server
from synapse import Synapse

VERSIONS = [6, 9, 10, 11, 12]
ALL = [(version, creator) for version in VERSIONS for creator in ("causeway", "synapse")]
SOME = [(6, "synapse"), (10, "causeway"), (11, "synapse"), (12, "causeway"), (12, "synapse")]


def pytest_configure(config):
    config.addinivalue_line("markers", "rooms(of, least): which of the rooms a test is about, if INTEROP_ALL does not say all; versions from `least` on")


def pytest_generate_tests(metafunc):
    if "scene" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("rooms")
    chosen = {"of": SOME, "least": 1, **(marker.kwargs if marker else {})}
    rooms = ALL if os.environ.get("INTEROP_ALL") else chosen["of"]
    rooms = [room for room in rooms if room[0] >= chosen["least"]]
    metafunc.parametrize("scene", rooms, indirect=True, ids=[f"{version}-{creator}" for version, creator in rooms])


@pytest.fixture(scope="session")
def causeway(authority):
    gate = Gate()
    made = Server(authority, SERVER_NAME=gate.name, LOG_LEVEL=os.environ.get("LOG_LEVEL", "warn"))
    made.gate = gate
    gate.leads_to(made.federation_port)
    yield made
    assert made.stop() == 0, "".join(made.log[-120:])
    made.remove()
    gate.close()


@pytest.fixture(scope="session")
def synapse(authority):
    made = Synapse(authority)
    yield made
    made.remove()


@pytest.fixture
def scene(request, causeway, synapse):
    version, creator = request.param
    servers = (causeway, synapse) if creator == "causeway" else (synapse, causeway)
    refused = causeway.count("http_requests_total", status="500")
    yield Scene(*servers, str(version))
    assert causeway.count("http_requests_total", status="500") == refused, "".join(causeway.log[-60:])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What both servers logged, beside what went wrong."""
    report = (yield).get_result()
    servers = getattr(item, "funcargs", {})
    if report.failed and "causeway" in servers and "synapse" in servers:
        report.sections += [("Causeway", "".join(servers["causeway"].log[-60:])), ("Synapse", servers["synapse"].log()[-8000:])]
