"""Style as a test: what reviewers would otherwise have to look for.

    python3 conformance/tidy/tidy.py [--junit FILE] [-k NAME]

Each check_* function yields one line per finding, "path:line: what". No finding: passed.
"""

import argparse
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Who may include whom; docs/ARCHITECTURE.md has the reasons. homeserver/app, the composition root, may include all.
MAY_INCLUDE = {
    "schema": {"schema"},
    "homeserver": {"homeserver", "schema"},
    "client-api": {"client-api", "homeserver", "schema"},
    "federation": {"federation", "homeserver", "schema"},
    "media": {"media", "homeserver", "schema"},
}
# Within a folder: what is told to clients does not know how they are connected.
MAY_NOT_INCLUDE = {"homeserver/sync/": "homeserver/http/"}

# homeserver/rooms from the ground up: docs/ARCHITECTURE.md, "Rooms, class by class".
ROOMS_FOLDERS = ["auth", "resolution", "reader", "head", "receiving", "sending", "members", "making"]
ROOMS_MAY_INCLUDE = {"accounts", "events", "rooms", "runtime", "stream"}
ROOMS_READ_EVERYWHERE = '#include "homeserver/rooms/members/membership.hpp"'  # what a member event says; stands on events/

SQL = re.compile(r'"\s*(select\s+.+\s+from|insert\s+into|update\s+\w+\s+set|delete\s+from|create\s+(table|index)|alter\s+table)\b', re.I)
# Their SQL concerns no table of ours: making the database itself, and measuring PostgreSQL.
NO_TABLES = {"homeserver/app/embedded_postgres.cpp", "homeserver/app/operations.cpp", "conformance/bench/limits.cpp"}
MAX_FILE_LINES = 600


def tracked(*suffixes):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in sorted(set(listed.stdout.split("\n"))):
        path = ROOT / name
        if name and path.is_file() and (not suffixes or path.suffix in suffixes):
            yield name, path


def sources():
    for name, path in tracked(".cpp", ".hpp"):
        yield name, path.read_text(encoding="utf-8").split("\n")


def check_dependency_rule():
    include = re.compile(r'#include "([^"]+)"')
    for name, lines in sources():
        folder = name.split("/")[0]
        if folder not in MAY_INCLUDE or name.startswith("homeserver/app/"):
            continue
        for number, line in enumerate(lines, 1):
            found = include.match(line)
            if not found:
                continue
            target = found.group(1)
            if target.split("/")[0] not in MAY_INCLUDE[folder] or target.startswith("homeserver/app/"):
                yield f"{name}:{number}: {folder} may not include {target}"
            for part, barred in MAY_NOT_INCLUDE.items():
                if name.startswith(part) and target.startswith(barred):
                    yield f"{name}:{number}: {part} may not include {target}"


def check_rooms_stand_on_what_is_below():
    include = re.compile(r'#include "homeserver/(\w+)/(?:(\w+)/)?')
    for name, lines in sources():
        if not name.startswith("homeserver/rooms/"):
            continue
        folder = name.split("/")[2]
        for number, line in enumerate(lines, 1):
            found = include.match(line)
            if not found or line == ROOMS_READ_EVERYWHERE:
                continue
            target, inner = found.groups()
            if target not in ROOMS_MAY_INCLUDE:
                yield f"{name}:{number}: rooms may not include {target}/"
            above = target == "rooms" and inner in ROOMS_FOLDERS and folder in ROOMS_FOLDERS
            if above and ROOMS_FOLDERS.index(inner) > ROOMS_FOLDERS.index(folder):
                yield f"{name}:{number}: {folder}/ may not include {inner}/, which stands on it"


def check_sql_only_under_schema():
    for name, lines in sources():
        if name.startswith("schema/") or "/test/" in name or name in NO_TABLES:
            continue
        for number, line in enumerate(lines, 1):
            if SQL.search(line):
                yield f"{name}:{number}: SQL stands under schema/ alone"


def check_no_co_await_that_may_not_run():
    """GCC 12 destroys the results of such expressions twice: docs/HACKING.md."""
    conditional = re.compile(r"(&&|\|\||\?|[^:]:) *[!(*]*co_await\b")
    for name, lines in sources():
        for number, line in enumerate(lines, 1):
            if conditional.search(line.split("//")[0]):
                yield f"{name}:{number}: co_await beside &&, || or ?: is not safe with this compiler"


def check_logging_goes_through_one_place():
    """spdlog's headers cost each file that includes them seconds: docs/HACKING.md."""
    for name, lines in sources():
        if name in ("schema/log.cpp", "homeserver/app/logging.cpp") or "/test/" in name:
            continue
        for number, line in enumerate(lines, 1):
            if "#include <spdlog" in line:
                yield f"{name}:{number}: log through schema/log.hpp"


def check_no_todo():
    for name, path in tracked(".cpp", ".hpp", ".py", ".mjs", ".sql", ".md", ".sh", ".cmake"):
        if name == "conformance/tidy/tidy.py":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                yield f"{name}:{number}: do it or file it, but don't leave a note"


def check_file_length():
    for name, lines in sources():
        if len(lines) > MAX_FILE_LINES and "/test/" not in name:
            yield f"{name}: {len(lines)} lines; two jobs?"


def check_every_migration_is_append_only():
    numbers = [int(path.name.split("_")[0]) for path in sorted((ROOT / "schema/db/migrations").glob("*.sql"))]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"schema/db/migrations: numbers are not 1, 2, 3 ...: {numbers}"


def check_formatting():
    tool = shutil.which("clang-format")
    if not tool:
        yield "clang-format is not installed"
        return
    names = [name for name, _ in tracked(".cpp", ".hpp")]
    for begin in range(0, len(names), 50):
        done = subprocess.run([tool, "--dry-run", "--ferror-limit=1", *names[begin : begin + 50]], cwd=ROOT, capture_output=True, text=True)
        for line in done.stderr.split("\n"):
            if "[-Wclang-format-violations]" in line:
                yield line.split(": warning")[0] + ": not formatted (clang-format -i)"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--junit")
    arguments.add_argument("-k", default="")
    chosen = arguments.parse_args()
    suite = xml.Element("testsuite", name="tidy")
    failed = False
    for name, check in sorted(globals().items()):
        if not name.startswith("check_") or chosen.k not in name:
            continue
        findings = list(check())
        case = xml.SubElement(suite, "testcase", classname="tidy", name=name)
        if findings:
            failed = True
            xml.SubElement(case, "failure", message=f"{len(findings)} findings").text = "\n".join(findings)
            print("\n".join(findings[:50]))
    if chosen.junit:
        xml.ElementTree(suite).write(chosen.junit)
    sys.exit(failed)


main()
