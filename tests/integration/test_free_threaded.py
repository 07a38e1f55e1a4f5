# SPDX-License-Identifier: Apache-2.0
"""Builds without a GIL: several threads run Python at once, and each is paused to be read."""

import json
import os
import re
import subprocess
import time

import pytest

import pythons
from profiles import cpu_seconds, functions, read_pprof, read_raw, run, summary

FREE_THREADED = ["3.13t", "3.14t"]

# Two threads work, three parts to one; one sleeps in short naps, in and out of Python all the time.
PROGRAM = """
import threading, time
def three(n):
    t = 0
    for i in range(n): t += i
    return t
def one(n):
    t = 0
    for i in range(n): t += i
    return t
def work():
    while True:
        three(900)
        one(300)
def nap():
    while True:
        time.sleep(0.0005)
        one(50)
for target in (work, work, nap):
    threading.Thread(target=target, name=target.__name__, daemon=True).start()
print("ready", flush=True)
time.sleep(1000)
"""
POSSIBLE = [("<module>",), ("work",), ("work", "three"), ("work", "one"), ("nap",), ("nap", "one")]


@pytest.fixture(params=[None, "1"], ids=["without", "with-gil"])
def gil(request):
    """What PYTHON_GIL says: a build without can be started with one."""
    return request.param


@pytest.fixture
def target(spawn, python, gil):
    env = {**os.environ, "PYTHON_GIL": gil} if gil else dict(os.environ)
    process = spawn([python, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout.readline() == "ready\n"
    return process


def shown(done):
    """{(thread name, function names without threading's own): samples}"""
    counts = {}
    for stack, count in read_raw(done.stdout):
        names = functions(stack)
        inner = tuple(name for name in names if name in ("<module>", "work", "three", "one", "nap"))
        key = re.search(r'thread \d+: (\S+)|(MainThread)', stack[0])[0], inner
        counts[key] = counts.get(key, 0) + count
    return counts


@pytest.mark.parametrize("python", pythons.params(FREE_THREADED))
def test_every_thread_shows_what_it_runs(pyrometer, target, gil):
    done = run([pyrometer, "record", "-p", target.pid, "-d", "2", "-r", "500", "-t", "-i", "-f", "raw", "-o", "-"])
    assert done.returncode == 0, done.stderr
    counts = shown(done)
    assert {inner for _, inner in counts} <= set(POSSIBLE)
    workers = {thread for thread, inner in counts if inner[0] == "work"}
    assert len(workers) == 2
    for worker in workers:
        three, one = (counts.get((worker, ("work", name)), 0) for name in ("three", "one"))
        assert three + one > 50
        # With a GIL a thread waits where it was told to give it up: no measure of its work.  Else eight standard
        # errors, since one time slice of a crowded machine holds several samples, and 3 % for calls and loop heads.
        assert gil or abs(three / (three + one) - 0.75) < 8 * (0.75 * 0.25 / (three + one)) ** 0.5 + 0.03
    figures = summary(done.stderr)
    assert figures["dropped"] <= max(3, 0.01 * figures["samples"]), done.stderr


@pytest.mark.parametrize("python", pythons.params(FREE_THREADED))
def test_cpu_time_is_that_of_all_threads(pyrometer, target, tmp_path):
    before, began = cpu_seconds(target.pid), time.monotonic()
    done = run([pyrometer, "record", "-p", target.pid, "-d", "3", "-i", "-o", tmp_path / "x.pb.gz"])
    charged, elapsed = cpu_seconds(target.pid) - before, time.monotonic() - began
    assert done.returncode == 0, done.stderr
    total = sum(sample.values["cpu"] for sample in read_pprof(tmp_path / "x.pb.gz").samples) / 1e9
    # The readings stand around the recording; in the time between, two CPUs at most were charged.
    assert charged - 2.2 * (elapsed - 3) - 0.1 <= total <= charged + 0.05


@pytest.mark.parametrize("python", pythons.params(FREE_THREADED))
def test_nobody_holds_a_gil_that_is_off(pyrometer, target, gil):
    holders = 0
    for _ in range(5):
        done = run([pyrometer, "dump", "-p", target.pid])
        assert done.returncode == 0, done.stderr
        holders += done.stdout.count("gil")
    assert (holders > 0) == bool(gil), done.stdout


@pytest.mark.parametrize("python", pythons.params(FREE_THREADED))
def test_top_says_that_there_is_no_gil(pyrometer, target):
    done = run([pyrometer, "top", "-p", target.pid, "--json", "--delay", "0.2", "-d", "0.5"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["runtime"].endswith(" free-threaded")
