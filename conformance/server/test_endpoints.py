"""What holds of every endpoint: they are told, they know who asks, old paths lead to them, browsers may use them."""

import re

import pytest
import requests

import endpoint_coverage
from servers import error

TABLE = endpoint_coverage.expected()
NEEDS_USER = [row for row, statuses in TABLE.items() if "401" in statuses and row[1].startswith("/_matrix/client/") and row[1] != "/_matrix/client/v3/register"]
NEEDS_SERVER = [row for row, statuses in TABLE.items() if "401" in statuses and row[1].startswith("/_matrix/federation/")]


def name(row):
    return " ".join(row)


def filled_in(path):
    return re.sub(r"\{\w+\}", "x", path)


def ask(server, method, path, **options):
    return requests.request(method, server.url + filled_in(path), timeout=30, **options)


@pytest.fixture(scope="module")
def served(server):
    """{(method, path)} of every endpoint."""
    return {row[:2] for row in endpoint_coverage.counts(requests.get(server.url + "/metrics", timeout=30).text)}


def test_every_endpoint_is_in_the_metrics_and_in_the_table_of_the_tests(served):
    assert {row for row in served if "/r0/" not in row[1]} == set(TABLE)


def test_what_no_test_has_seen_is_found():
    all_seen = {row: set(statuses) for row, statuses in TABLE.items()}
    assert endpoint_coverage.findings(all_seen) == {}
    row = ("GET", "/_matrix/client/v3/sync")
    all_seen[row].remove("400")
    assert endpoint_coverage.findings(all_seen) == {row: "was never seen to answer 400"}
    del all_seen[row]
    assert list(endpoint_coverage.findings(all_seen)) == [row]
    new = ("GET", "/_matrix/client/v3/new")
    assert list(endpoint_coverage.findings({**all_seen, new: {"200"}})) == [new, row]


@pytest.mark.parametrize("row", NEEDS_USER, ids=name)
def test_nobody_gets_in_without_a_good_access_token(server, row):
    error(ask(server, *row), 401, "M_MISSING_TOKEN")
    error(ask(server, *row, headers={"Authorization": "Bearer made_up"}), 401, "M_UNKNOWN_TOKEN")
    error(ask(server, *row, params={"access_token": "made_up"}), 401, "M_UNKNOWN_TOKEN")


@pytest.mark.parametrize("row", NEEDS_SERVER, ids=name)
def test_no_server_gets_in_without_a_signature(server, row):
    error(ask(server, *row), 401, "M_UNAUTHORIZED")
    error(ask(server, *row, headers={"Authorization": "Bearer made_up"}), 401, "M_UNAUTHORIZED")


def test_r0_leads_to_v3(server, served):
    old = {row for row in served if row[1].startswith("/_matrix/client/r0/")}
    assert len(old) > 50
    for method, path in sorted(old):
        young = path.replace("/r0/", "/v3/")
        assert (method, young) in served
        if (method, young) in NEEDS_USER:
            error(ask(server, method, path), 401, "M_MISSING_TOKEN")


def test_every_path_answers_options_for_browsers_and_refuses_other_methods(server, served):
    for path in sorted({path for _, path in served}):
        reply = ask(server, "OPTIONS", path)
        assert reply.status_code == 204 and reply.headers["Access-Control-Allow-Origin"] == "*", path
        assert {"GET", "POST", "PUT", "DELETE"} <= set(reply.headers["Access-Control-Allow-Methods"].split(", ")), path
        allowed = {method for method, other in served if other == path}
        reply = ask(server, "PATCH", path)
        error(reply, 405, "M_UNRECOGNIZED")
        assert allowed <= set(reply.headers["Allow"].split(", ")), path
