"""What ./run and ./test show of a build whose output is no terminal."""

import subprocess

from servers import ROOT

# Lets build() meet what ninja is scripted to print instead of cmake. Arguments: its output, its exit status.
SCRIPT = """
set -euo pipefail
. conformance/support/packages.sh
cmake() { printf '%s' "$printed"; return "$status"; }
printed=$1 status=$2
cd "$3"
build release causeway
echo built
"""


def built(tmp_path, printed, status=0):
    (tmp_path / "build/release").mkdir(parents=True, exist_ok=True)
    (tmp_path / "build/release/build.ninja").touch()
    done = subprocess.run(["bash", "-c", SCRIPT, "-", printed, str(status), str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


def steps(*of):
    return "".join(f"causeway-build {done} 349 {elapsed:.3f} Building CXX object {done}.o\n" for done, elapsed in of)


def test_it_says_at_the_start_every_30_seconds_and_at_the_end_how_far_it_is(tmp_path):
    said = steps((1, 3.2), (2, 9.9), (5, 33.1), (6, 40.0), (20, 70.5), (348, 80.0), (349, 81.0))
    assert built(tmp_path, said) == (0, [
        "building: 1 of 349 files, 3 s", "building: 5 of 349 files, 33 s", "building: 20 of 349 files, 70 s",
        "building: 349 of 349 files, 81 s", "built"])


def test_nothing_is_said_where_nothing_was_to_be_built(tmp_path):
    said = "causeway-build 0 2 0.001 Re-checking globbed directories...\nninja: no work to do.\n"
    assert built(tmp_path, said) == (0, ["built"])


def test_what_the_compiler_says_is_shown_whole_and_a_failure_ends_it(tmp_path):
    error = "FAILED: a.o \n/usr/bin/c++ -c a.cpp\na.cpp:1:3: error: 'x\\n' %s\n    1 |   x \\\n      |   ^\nninja: build stopped: subcommand failed."
    status, said = built(tmp_path, steps((1, 3.2), (2, 4.0)) + error, 1)
    assert status == 1
    assert said == ["building: 1 of 349 files, 3 s", *error.split("\n")]
