# SPDX-License-Identifier: Apache-2.0
"""Native stacks, code and files that lie: each costs its own native frames only, in bounded time, and is counted."""

import collections
import re
import subprocess
import time

import pytest

import natives
import pythons
from profiles import is_free, run, state, summary

PYTHON = next((python for tag in ["3.11", "3.12", "3.13", "3.8"] for python in pythons.of(tag) if python.libc == "glibc"), None)
PROGRAM = natives.TARGETS / "forged_native.py"
LIES = re.findall(r'^ {4,}"([a-z-]+)": ', re.sub(r', "', ',\n    "', PROGRAM.read_text()), re.M)
TOLD = ["sp-nowhere", "sp-in-the-kernel", "frames-in-a-circle"]  # what cannot be followed at all is said
SLOWEST_S = 20  # for a second of recording


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    if PYTHON is None:
        pytest.skip("needs a supported Python to profile")
    try:
        return natives.build(tmp_path_factory.mktemp("forged"), PYTHON, "ctypes") / "libmetal_omit.so"
    except natives.Unfit as unfit:
        pytest.skip(str(unfit))


def test_the_list_of_lies_is_whole():
    if PYTHON is None:
        pytest.skip("needs a supported Python to profile")
    assert sorted(LIES) == run([PYTHON.path, PROGRAM, "list"]).stdout.split()


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_costs_its_own_native_frames_only(pyrometer, spawn, library, tmp_path, lie):
    target = spawn([PYTHON.path, "-u", PROGRAM, lie, library, tmp_path], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    began = time.monotonic()
    done = run([pyrometer, "record", "-n", "-p", target.pid, "-d", "0.4", "-r", "250", "-f", "raw", "-o", "-"])
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < SLOWEST_S
    seen = collections.Counter()
    for stack, count in natives.raw_stacks(done.stdout).items():
        names = {name.rpartition(".")[2] for name, place in stack if natives.is_python((name, place))}
        for name in names & {"lie", "spin_honestly"}:
            seen[name] += count
            seen[name + " whole"] += count * (natives.CUT not in [each for each, _ in stack]
                                              and any(map(natives.is_native, stack)))
    figures = summary(done.stderr)
    # Both threads are there, and the honest one with all of its native frames.
    assert seen["lie"] > 5 and seen["spin_honestly"] > 5, done.stderr
    unpaused = re.search(r"ran and were not paused: (\d+)", done.stderr)  # on a crowded machine
    without = seen["spin_honestly"] - seen["spin_honestly whole"]
    assert without <= 1 + int(unpaused.group(1) if unpaused else 0), (seen, done.stderr)
    assert figures["dropped"] <= 2 + 0.02 * figures["samples"], done.stderr
    if lie in TOLD:
        whole, of = map(int, re.search(r"native stacks: (\d+) of (\d+) complete", done.stderr).groups())
        assert whole < of, done.stderr
        assert re.search(r"native stacks (that|through|deeper)", done.stderr), done.stderr
    assert state(target.pid) in "RS" and is_free(target.pid)

