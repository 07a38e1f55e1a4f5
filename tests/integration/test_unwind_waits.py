# SPDX-License-Identifier: Apache-2.0
"""Waiting threads of every interpreter are unwound to their base from what /proc says, as gdb does where it can.

The unwinder runs in a program of its own (tests/bench/unwind_waits.c): nothing is stopped, and only the stack pointer
and the program counter are known.
"""

import pathlib
import shutil
import subprocess

import pytest

import pythons
from conftest import ROOT, TARGETS, wait_until

WAITS = ROOT / "build" / "tests" / "bench" / "unwind_waits"
THREADS = 14

# Frames by their address, but for those that gdb makes up from debug information.
GDB = """
import gdb
gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace past-entry on")
for thread in gdb.selected_inferior().threads():
    thread.switch()
    frame, addresses = gdb.newest_frame(), []
    while frame is not None:
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            addresses.append("%#x" % frame.pc())
        try:
            frame = frame.older()
        except gdb.error:
            break
    print("STACK", thread.ptid[1], *addresses)
"""


def unwind(pid):
    """{tid: (outcome, recovered, [address])}"""
    text = subprocess.run([WAITS, "-p", str(pid)], capture_output=True, text=True, check=True, timeout=60).stdout
    stacks = {}
    for line in text.splitlines():
        words = line.split(maxsplit=3)
        if not line.startswith(" "):
            addresses = []
            stacks[int(words[0])] = (words[3], int(words[2]), addresses)
        else:
            addresses.append(int(words[0], 16))
    return stacks


def gdb_stacks(pid, folder):
    script = pathlib.Path(folder) / "stacks.py"
    script.write_text(GDB)
    text = subprocess.run(["gdb", "-q", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-p", str(pid), "-x", script],
                          capture_output=True, text=True, timeout=120).stdout
    lines = [line.split() for line in text.splitlines() if line.startswith("STACK ")]
    return {int(words[1]): [int(word, 16) for word in words[2:]] for words in lines}


def build_of(path):
    return next(python for python in pythons.every() if python.path == path)


def has_settled(stacks):
    """Every thread is where it will stay: Python runs below each, so that none of them is short."""
    return len(stacks) == THREADS and min(len(addresses) for _, _, addresses in stacks.values()) >= 8


def start(spawn, python):
    process = spawn([python, TARGETS / "waits.py"], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"waiting\n"
    wait_until(lambda: has_settled(unwind(process.pid)), what="every thread waits")
    return process.pid


@pytest.mark.parametrize("python", pythons.params(builds="all"))
def test_waiting_threads_are_complete(spawn, python):
    pid = start(spawn, python)
    stacks = unwind(pid)
    assert {outcome for outcome, _, _ in stacks.values()} == {"complete"}
    # 3.15 is built with frame pointers, which only a stop would tell; musl has no unwind information.
    if build_of(python).tag != "3.15" and build_of(python).libc == "glibc":
        assert sum(recovered for _, recovered, _ in stacks.values()) == 0


@pytest.mark.parametrize("python", pythons.params(["2.7", "3.11", "3.14", "3.15"]))
def test_gdb_finds_the_same_frames(spawn, python, tmp_path):
    if not shutil.which("gdb"):
        pytest.skip("needs gdb")
    if build_of(python).libc != "glibc":
        pytest.skip("gdb cannot unwind musl")
    pid = start(spawn, python)
    ours = unwind(pid)
    theirs = gdb_stacks(pid, tmp_path)
    if len(theirs) != THREADS:
        pytest.skip("needs a gdb that may attach")
    different = [tid for tid in ours if ours[tid][2] != theirs.get(tid)]
    assert not different, [(ours[tid], theirs.get(tid)) for tid in different[:1]]
