"""The README's tour, typed word for word into a shell on a machine of its own (a network namespace, where port 8008 is free)."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from servers import ROOT, causeway_binary

NAMESPACE = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-current-user", "--keep-caps", "--net"]

# ./run itself, but for installing and building.
NOTHING_TO_INSTALL = """
install_packages() { :; }
make_server_user() { :; }
build() { :; }
build_packages=()
"""

# Starts the server as the README says, and the tour in a second shell once it runs. Stops it as ./run says.
TERMINALS = """
ip link set lo up
./run >run.out 2>run.err & server=$!
until grep -q 'Stop it with' run.out; do kill -0 $server || { cat run.err >&2; exit 1; }; sleep 0.1; done
bash tour.sh
kill -TERM $server
wait $server && echo '--- the server exits 0'
"""


def blocks():
    return re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)


@pytest.fixture
def clone():
    """A folder that looks like a fresh clone with everything built."""
    folder = Path(tempfile.mkdtemp(prefix="causeway-tour-"))
    folder.chmod(0o755)  # the server's own user must find its data
    shutil.copy(ROOT / "run", folder)
    (folder / "conformance/support").mkdir(parents=True)
    (folder / "conformance/support/packages.sh").write_text(NOTHING_TO_INSTALL)
    (folder / "build/release/bin").mkdir(parents=True)
    (folder / "build/release/bin/causeway").symlink_to(causeway_binary())
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def said(clone):
    """What each block of the tour prints, and then the end; and the folder."""
    if subprocess.run([*NAMESPACE, "ip", "link", "set", "lo", "up"], capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody make a network namespace")
    (clone / "tour.sh").write_text("".join(f"{block}echo '--- next'\n" for block in blocks()))
    done = subprocess.run([*NAMESPACE, "bash", "-c", TERMINALS], cwd=clone, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr + (clone / "run.err").read_text()[-3000:]
    return re.split(r"\n?--- next\n", done.stdout)


def replies(text):
    """The JSON objects that stand one behind the other in a text, in any order of lines."""
    decoder, found, at = json.JSONDecoder(), [], text.find("{")
    while at >= 0:
        value, end = decoder.raw_decode(text, at)
        found.append(value)
        at = text.find("{", end)
    return found


def bodies(sync):
    """Of the messages in the only room."""
    (room,) = sync["rooms"]["join"].values()
    return [event["content"]["body"] for event in room["timeline"]["events"] if event["type"] == "m.room.message"]


def test_the_tour_does_what_the_readme_says(said, clone):
    accounts, login, join, hello, wake, end = said
    assert accounts.split() == ["@alice:localhost", "@bob:localhost"]
    (whoami,) = replies(login)
    assert whoami["user_id"] == "@alice:localhost" and whoami["device_id"]
    (joined,) = replies(join)
    assert joined["room_id"].startswith("!")
    sent, sync = replies(hello)
    assert sent["event_id"].startswith("$") and list(sync["rooms"]["join"]) == [joined["room_id"]] and bodies(sync) == ["Hello, Bob"]
    both = replies(wake)
    assert len(both) == 2 and any("event_id" in reply for reply in both)
    assert [bodies(reply) for reply in both if "rooms" in reply] == [["This wakes you up"]]
    assert end == "--- the server exits 0\n"
    announced = (clone / "run.out").read_text()
    assert "Causeway is running:       http://localhost:8008" in announced and "./run user create alice --admin" in announced
