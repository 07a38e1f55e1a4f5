# SPDX-License-Identifier: Apache-2.0
"""One recording, every view: real time, CPU time, the GIL, with and without what waits, in every format."""

import collections
import json
import os
import re
import subprocess
import time

import pytest

import pythons
from conftest import TARGETS
from profiles import functions, read_pprof, read_raw, run

PYTHON = pythons.first()
pytestmark = [pytest.mark.alone, pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")]
SECONDS = 3


def threads_cpu(pid):
    """{thread id: CPU seconds} by the scheduler's own books."""
    books = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="utf-8") as file:
            books[int(tid)] = int(file.read().split()[0]) / 1e9
    return books


@pytest.fixture(scope="module")
def capture(pyrometer, tmp_path_factory):
    """(path, pid, CPU seconds charged from before the recording to after it, real seconds of that)."""
    path = tmp_path_factory.mktemp("modes") / "in.pyro"
    with subprocess.Popen([PYTHON, "-u", TARGETS / "dropin_shares.py"], stdout=subprocess.PIPE) as target:
        try:
            assert target.stdout.readline() == b"ready\n"
            begun, before = time.monotonic(), threads_cpu(target.pid)
            done = run([pyrometer, "record", "-p", target.pid, "-d", SECONDS, "-r", "250", "-o", path])
            after, seconds = threads_cpu(target.pid), time.monotonic() - begun
        finally:
            target.kill()
    assert done.returncode == 0, done.stderr
    return path, target.pid, sum(after.values()) - sum(before.values()), seconds


def convert(pyrometer, capture, folder, ending, *options):
    out = folder / f"out{ending}"
    done = run([pyrometer, "convert", capture[0], "-o", out, "-t", *options])
    assert done.returncode == 0, done.stderr
    return out


def by_thread(scope):
    """{thread name: (seconds, entries)} of a speedscope file."""
    return {re.search('"(.*)"', profile["name"]).group(1): (sum(profile["weights"]) / 1e9, len(profile["samples"]))
            for profile in json.loads(scope.read_text())["profiles"]}


def test_cpu_time_is_what_the_kernel_charged(pyrometer, capture, tmp_path):
    shown = by_thread(convert(pyrometer, capture, tmp_path, ".speedscope.json", "--mode", "cpu"))
    total = sum(seconds for seconds, _ in shown.values())
    assert 0.85 * capture[2] * SECONDS / capture[3] <= total <= 1.02 * capture[2]
    profile = read_pprof(convert(pyrometer, capture, tmp_path, ".pb.gz", "--mode", "cpu"))
    assert sum(each.values["cpu"] for each in profile.samples) / 1e9 == pytest.approx(total, rel=1e-6)
    assert shown["cruncher"][0] > shown["counter"][0] > 20 * shown.get("MainThread", (0, 0))[0]


def test_real_time_is_the_same_for_every_thread(pyrometer, capture, tmp_path):
    shown = by_thread(convert(pyrometer, capture, tmp_path, ".speedscope.json", "--mode", "wall"))
    assert set(shown) == {"MainThread", "cruncher", "counter"}
    for seconds, _ in shown.values():
        assert 0.75 * SECONDS <= seconds <= 1.1 * SECONDS
    assert shown == by_thread(convert(pyrometer, capture, tmp_path, ".speedscope.json", "--idle"))


def test_without_what_waits_a_half_sleeper_is_a_half(pyrometer, capture, tmp_path):
    shown = by_thread(convert(pyrometer, capture, tmp_path, ".speedscope.json"))
    whole = by_thread(convert(pyrometer, capture, tmp_path, ".speedscope.json", "--mode", "wall"))
    assert "MainThread" not in shown
    assert shown["cruncher"][0] >= 0.8 * whole["cruncher"][0]  # between two hashes it waits for the GIL
    # It sleeps 10 ms after each 10 ms of CPU time; where others keep it from a CPU, it is ready for one in between.
    cpu = by_thread(convert(pyrometer, capture, tmp_path, ".speedscope.json", "--mode", "cpu"))["counter"][0]
    assert 0.8 * cpu <= shown["counter"][0] < whole["counter"][0]
    if cpu > 0.4 * SECONDS:  # nobody did
        assert shown["counter"][0] <= 0.7 * whole["counter"][0]


def test_the_gil_is_held_by_who_holds_it(pyrometer, capture, tmp_path):
    shown = by_thread(convert(pyrometer, capture, tmp_path, ".speedscope.json", "--mode", "gil"))
    assert shown["counter"][1] > 20 * shown.get("cruncher", (0, 0))[1]
    assert "MainThread" not in shown
    assert shown == by_thread(convert(pyrometer, capture, tmp_path, ".speedscope.json", "--gil"))


def test_formats_that_count_have_an_entry_per_sample(pyrometer, capture, tmp_path):
    for options in ((), ("--idle",), ("--mode", "cpu"), ("--gil",)):
        scope = by_thread(convert(pyrometer, capture, tmp_path, ".speedscope.json", *options))
        counts = collections.Counter()
        for stack, count in read_raw(convert(pyrometer, capture, tmp_path, ".raw", *options).read_text()):
            counts[stack[0].partition(": ")[2]] += count
        assert counts == {name: entries for name, (_, entries) in scope.items()}


def slices(events):
    """{thread: [(name, begin, end)]} of a trace, checked as Perfetto and Chrome read it."""
    stacks, done, last = collections.defaultdict(list), collections.defaultdict(list), 0
    for event in events:
        if event["ph"] == "M":
            continue
        assert event["ts"] >= last
        last = event["ts"]
        key = event["pid"], event["tid"]
        if event["ph"] == "B":
            stacks[key].append((event["name"], event["ts"]))
            assert set(event["args"]) == {"filename", "line"}
        else:
            name, begin = stacks[key].pop()
            assert event["ph"] == "E" and event["name"] == name
            done[key].append((name, begin, event["ts"]))
    assert not any(stacks.values())
    return done


def test_a_trace_shows_each_thread_over_time(pyrometer, capture, tmp_path):
    events = json.loads(convert(pyrometer, capture, tmp_path, ".chrometrace.json", "--idle").read_text())
    named = {event["tid"]: event["args"]["name"] for event in events
             if event["ph"] == "M" and event["name"] == "thread_name"}
    assert set(named.values()) == {"MainThread", "cruncher", "counter"}
    done = slices(events)
    assert {pid for pid, _ in done} == {capture[1]}
    for (_, tid), of_thread in done.items():
        outermost = sum(end - begin for name, begin, end in of_thread if name.startswith("thread "))
        assert 0.7 * SECONDS <= outermost / 1e6 <= 1.1 * SECONDS, named[tid]
    inner = {name for of_thread in done.values() for name, _, _ in of_thread}
    assert {"crunch", "count"} <= inner


def test_a_trace_has_gaps_where_a_thread_waits(pyrometer, capture, tmp_path):
    done = slices(json.loads(convert(pyrometer, capture, tmp_path, ".chrometrace.json").read_text()))
    names = {name for of_thread in done.values() for name, _, _ in of_thread}
    assert "crunch" in names and not any("MainThread" in name for name in names)
    counting = [end - begin for of_thread in done.values() for name, begin, end in of_thread if name == "count"]
    assert len(counting) > 30  # it sleeps after each 10 ms of work


def test_a_recording_shows_the_same_modes(pyrometer, spawn):
    target = spawn([PYTHON, "-u", TARGETS / "dropin_shares.py"], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    leaves = {}
    for mode in ("wall", "cpu", "gil"):
        done = run([pyrometer, "record", "-p", target.pid, "-d", "1", "--mode", mode, "-f", "raw", "-o", "-"])
        assert done.returncode == 0, done.stderr
        leaves[mode] = {functions(stack)[-1] for stack, _ in read_raw(done.stdout)}
    assert {"<module>", "crunch", "count"} <= leaves["wall"]
    assert leaves["cpu"] == {"crunch", "count"}
    assert "count" in leaves["gil"] and "<module>" not in leaves["gil"]


def test_contradictions_are_refused(pyrometer, capture):
    done = run([pyrometer, "convert", capture[0], "-o", "-", "-f", "raw", "--gil", "--mode", "cpu"])
    assert done.returncode == 2 and "--gil contradicts --mode cpu" in done.stderr
