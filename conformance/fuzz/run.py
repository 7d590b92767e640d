"""Runs the fuzzers, two at a time.

    python3 conformance/fuzz/run.py [--junit FILE] [-k NAME]

FUZZ_SECONDS: how long each runs (60). Inputs that reach new code are kept in build/fuzz/corpus/<fuzzer>, so that the next
run goes on from there; seeds/<fuzzer> is where the first starts. An input that breaks a promise is left in
build/fuzz/findings/<fuzzer>, and the line that runs it again is printed.
"""

import argparse
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path("build/fuzz")  # as seen from ROOT
SEEDS = Path("conformance/fuzz/seeds")
SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
AT_ONCE = 2
SECONDS_PER_INPUT = 120  # by the clock: finds endless loops, not a busy machine
MEMORY_MIB = 1024


def run(fuzzer):
    """What libFuzzer wrote, and whether it found nothing."""
    corpus, findings = BUILD / "corpus" / fuzzer, BUILD / "findings" / fuzzer
    for folder in (corpus, findings):
        (ROOT / folder).mkdir(parents=True, exist_ok=True)
    command = [
        BUILD / "bin" / f"fuzz_{fuzzer}", corpus, SEEDS / fuzzer, f"-artifact_prefix={findings}/", f"-max_total_time={SECONDS}",
        f"-timeout={SECONDS_PER_INPUT}", f"-rss_limit_mb={MEMORY_MIB}", "-print_final_stats=1",
    ]
    dictionary = SEEDS / f"{fuzzer}.dict"
    if (ROOT / dictionary).exists():
        command.append(f"-dict={dictionary}")
    # Where memory was allocated costs half the speed to remember; whoever runs an input again by hand is told.
    asan = "malloc_context_size=0:quarantine_size_mb=64"
    environment = {**os.environ, "ASAN_OPTIONS": asan, "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        timeout=SECONDS + 3 * SECONDS_PER_INPUT,
    )
    return done.stdout, done.returncode == 0


def number(pattern, output):
    return (re.findall(pattern, output) or ["?"])[-1]


def report(fuzzer, output, passed):
    executions = number(r"number_of_executed_units: (\d+)", output)
    edges = number(r"cov: (\d+)", output)
    print(f"{fuzzer}: {executions} inputs, {edges} edges, {'passed' if passed else 'FAILED'}", flush=True)
    if passed:
        return
    print("\n".join(output.split("\n")[-60:]))
    for written in re.findall(r"Test unit written to (\S+)", output):
        print(f"again: {BUILD}/bin/fuzz_{fuzzer} {written}", flush=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--junit")
    arguments.add_argument("-k", default="")
    chosen = arguments.parse_args()
    fuzzers = sorted(path.name for path in (ROOT / SEEDS).iterdir() if path.is_dir() and chosen.k in path.name)
    suite = xml.Element("testsuite", name="fuzz")
    failed = False
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for fuzzer, (output, passed) in zip(fuzzers, pool.map(run, fuzzers)):
            report(fuzzer, output, passed)
            case = xml.SubElement(suite, "testcase", classname="fuzz", name=fuzzer)
            if not passed:
                failed = True
                xml.SubElement(case, "failure", message="an input broke a promise").text = re.sub(r"[^\n\x20-\x7e]", "?", output[-5000:])
    if chosen.junit:
        xml.ElementTree(suite).write(chosen.junit)
    sys.exit(failed)


main()
