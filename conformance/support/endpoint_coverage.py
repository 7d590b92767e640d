"""Has every endpoint been seen to succeed, and to fail in each way it should?

Servers count requests by endpoint and status, and list every endpoint from their start (/metrics). With CAUSEWAY_REQUEST_COUNTS, a
folder, test servers leave their counts there when they are stopped. When all black-box tests have run,

    endpoint_coverage.py FOLDER JUNIT_FILE

compares their sum with conformance/endpoints.tsv, row by row. Only whole runs can be compared: ./test leaves it out of others.
"""

import json
import os
import re
import sys
import uuid
import xml.etree.ElementTree as xml
from collections import defaultdict
from pathlib import Path

EXPECTED = Path(__file__).resolve().parents[1] / "endpoints.tsv"
SERIES = re.compile(r'causeway_http_requests_total\{method="(\w+)",operation="\w+",path="(/[^"]*)",status="(\d+)"\} (\d+)')


def expected():
    """{(method, path): statuses}"""
    lines = (line.split("\t") for line in EXPECTED.read_text().splitlines() if not line.startswith("#"))
    return {(method, path): set(statuses.split()) for method, path, statuses in lines}


def counts(metrics):
    """{(method, path, status): requests}, from the text of /metrics."""
    return {(method, path, status): int(count) for method, path, status, count in SERIES.findall(metrics)}


def keep(metrics):
    """Leaves the counts of a server that is about to stop, if somebody collects them."""
    folder = os.environ.get("CAUSEWAY_REQUEST_COUNTS")
    if folder:
        Path(folder, f"{uuid.uuid4()}.json").write_text(json.dumps([[*key, count] for key, count in counts(metrics).items()]))


def seen(folder):
    """{(method, path): statuses} over all servers. Paths under r0 have the handlers of v3."""
    rows = defaultdict(set)
    for path in Path(folder).glob("*.json"):
        for method, endpoint, status, count in json.loads(path.read_text()):
            statuses = rows[method, endpoint.replace("/_matrix/client/r0/", "/_matrix/client/v3/")]
            if count:
                statuses.add(status)
    return rows


def findings(rows):
    """{row: what is wrong}"""
    wrong = {}
    table = expected()
    for row in sorted(table.keys() | rows.keys()):
        if row not in rows:
            wrong[row] = "is in endpoints.tsv, but not served"
        elif row not in table:
            wrong[row] = "is served, but not in endpoints.tsv"
        elif missing := table[row] - rows[row]:
            wrong[row] = f"was never seen to answer {' '.join(sorted(missing))}"
    return wrong


def main(folder, junit):
    wrong = [f"{method} {path} {what}" for (method, path), what in findings(seen(folder)).items()]
    suite = xml.Element("testsuite", name="endpoint_coverage")
    case = xml.SubElement(suite, "testcase", classname="endpoint_coverage", name="every_endpoint_was_seen_to_succeed_and_to_fail")
    if wrong:
        xml.SubElement(case, "failure", message=f"{len(wrong)} endpoints").text = "\n".join(wrong)
        print("\n".join(wrong))
    xml.ElementTree(suite).write(junit)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
