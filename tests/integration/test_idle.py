# SPDX-License-Identifier: Apache-2.0
"""A process that sleeps costs next to nothing, and is met again as soon as it runs."""

import os
import pathlib
import resource
import subprocess

import pytest

import pythons
from profiles import cpu_seconds, functions, read_raw, run, summary

PYTHON = pythons.first()
PARANOID = pathlib.Path("/proc/sys/kernel/perf_event_paranoid")
pytestmark = [pytest.mark.alone, pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")]
BURSTS = """
import time
def burst():
    end = time.process_time() + 0.06
    while time.process_time() < end:
        pass
print("ready", flush=True)
while True:
    burst()
    time.sleep(0.7)
"""


def can_watch():
    return os.geteuid() == 0 or (PARANOID.exists() and int(PARANOID.read_text()) <= 1)


def start(text):
    target = subprocess.Popen([PYTHON, "-u", "-c", text], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    return target


def naps():
    """How often anything that was started and is over has gone to sleep."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_nvcsw


@pytest.mark.skipif(not can_watch(), reason="needs kernel.perf_event_paranoid at 1 or less, or root")
def test_ticks_of_a_sleeping_process_are_slept_through(pyrometer, tmp_path):
    with start("import time; print('ready', flush=True); time.sleep(1000)") as target:
        try:
            before = naps()
            done = run([pyrometer, "record", "-p", target.pid, "-r", "1000", "-d", "4", "-o", tmp_path / "x.pyro"])
            slept = naps() - before
        finally:
            target.kill()
    figures = summary(done.stderr)
    # It takes 0.3 s to see that all sleep; a tick without dozing is a nap each, 4,000 together.
    assert slept < 2000, done.stderr
    assert figures["samples"] == pytest.approx(4000, rel=0.2) and figures["dropped"] == 0


def test_bursts_after_long_sleeps_are_seen(pyrometer, tmp_path):
    with start(BURSTS) as target:
        try:
            before = cpu_seconds(target.pid)
            done = run([pyrometer, "record", "-p", target.pid, "-r", "200", "-d", "6", "-o", tmp_path / "x.pyro"])
            used = cpu_seconds(target.pid) - before
        finally:
            target.kill()
    assert done.returncode == 0, done.stderr
    raw = run([pyrometer, "convert", tmp_path / "x.pyro", "--mode", "cpu", "-f", "raw", "-o", "-"]).stdout
    counts = {True: 0, False: 0}
    for stack, value in read_raw(raw):
        counts["burst" in functions(stack)] += value
    assert counts[True] > 0.8 * sum(counts.values()) > 0, (counts, used, done.stderr)
