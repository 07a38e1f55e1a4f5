# SPDX-License-Identifier: Apache-2.0
"""Native frames against programs whose stacks are known by construction: the short form of tests/bench/native.py."""

import collections
import json
import os
import re

import pytest

import native_oracles
import natives
import pythons
from profiles import run

# Without 1,100 frames, handlers on a stack of their own and a library without tables, where a caller can be missing at the
# first instructions of a function: they are judged apart.
ORDINARY = r"^(?!.*(deep|elsewhere|bare))"
PYTHON = next((python for tag in ["3.11", *pythons.READABLE] for python in pythons.of(tag) if python.libc == "glibc"), None)


def every():
    """One glibc build of each kind (shared, static) of each version: all of them, in turns of ctypes and extension."""
    chosen = []
    for i, python in enumerate(each for each in pythons.every() if each.tag in pythons.READABLE):
        chosen.append(pytest.param(python, "module" if i % 2 else "ctypes", id=f"{python.id}-{python.version}"))
    return chosen


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("native")


@pytest.fixture
def start(scratch):
    running = []

    def begin(python, program, how, wanted=""):
        if python is None:
            pytest.skip("needs a supported Python to profile")
        try:
            try:
                folder = natives.build(scratch, python, how)
            except natives.Unfit:
                how = "none" if python.libc == "none" else {"ctypes": "module", "module": "ctypes"}[how]
                folder = natives.build(scratch, python, how)
            running.append(natives.Target(python, program, folder, how, wanted))
        except natives.Unfit as unfit:
            pytest.skip(str(unfit))
        return running[-1]

    yield begin
    for target in running:
        target.close()


def judge(pyrometer, target, *options):
    done = run([pyrometer, "record", "-n", "-p", target.pid, "-f", "raw", "-o", "-", *options])
    assert done.returncode == 0, done.stderr
    verdict = target.truth.judge(natives.raw_stacks(done.stdout))
    assert verdict.samples > 20, done.stderr
    return verdict, done.stderr


def reasons(verdict):
    found = collections.Counter()
    for (why, _), count in verdict.wrong.items():
        found[why] += count
    return found.most_common(5)


def dropped(stderr):
    return int(re.search(r"(\d+) dropped", stderr).group(1))


@pytest.mark.parametrize("python, how", every())
def test_running_stacks_are_whole_and_in_order(pyrometer, start, python, how):
    target = start(python, "running", how, ORDINARY)
    verdict, stderr = judge(pyrometer, target, "-d", "0.8", "-r", "500")
    few = 2 + 0.01 * verdict.samples  # 99 %, and what chance does to few samples
    assert verdict.samples - verdict.complete <= few, stderr
    # musl has no unwind tables: what is found there is found by searching, and marked so.
    limit = 0.01 * verdict.samples if python.libc == "musl" else 0
    assert sum(verdict.wrong.values()) <= limit, reasons(verdict)
    assert dropped(stderr) <= 2, stderr


@pytest.mark.parametrize("python, how", every())
def test_waiting_stacks_are_whole_and_in_order(pyrometer, start, python, how):
    target = start(python, "waiting", how)
    verdict, stderr = judge(pyrometer, target, "-i", "-d", "0.5", "-r", "100")
    assert verdict.complete >= 0.97 * verdict.samples, stderr
    limit = 0.01 * verdict.samples if python.libc == "musl" else 0
    assert sum(verdict.wrong.values()) <= limit, reasons(verdict)


@pytest.mark.parametrize("wanted", [r"^(?!.*bare).*deep", r"^(?!.*bare).*elsewhere"], ids=["deep", "elsewhere"])
def test_stacks_that_one_copy_does_not_hold_are_whole_and_in_order(pyrometer, start, wanted):
    """165 KiB of frames, of which a pause copies 64; signal handlers on a stack of their own."""
    target = start(PYTHON, "running", "ctypes", wanted)
    verdict, stderr = judge(pyrometer, target, "-d", "1.5", "-r", "500")
    assert sum(verdict.wrong.values()) == 0, reasons(verdict)
    # Where the outer part moved before it was read it is cut: a program that leaves 1,100 frames at once.
    assert verdict.samples - verdict.complete <= 2 + 0.05 * verdict.samples, stderr
    assert dropped(stderr) <= 2, stderr
    copied = float(re.search(r"([\d.]+) KiB copied in a pause", stderr).group(1))
    assert copied <= 64
    if "deep" in wanted:
        assert int(re.search(r"outer frames read after their pause: (\d+)", stderr).group(1)) > 0


def test_a_library_without_tables_is_searched_and_its_python_frames_are_in_order(pyrometer, start):
    target = start(PYTHON, "running", "ctypes", "bare")
    verdict, stderr = judge(pyrometer, target, "-d", "1.5", "-r", "500")
    # Without tables a caller is missing where a search took an older return address: these are counted as searched for.
    assert sum(verdict.wrong.values()) <= 0.05 * verdict.samples, reasons(verdict)
    assert dropped(stderr) <= 2, stderr


def test_names_are_those_of_the_source(pyrometer, start):
    """Split debug information, C++ and Rust, what is inlined; a stripped library has its exported names only."""
    target = start(PYTHON, "running", "ctypes", "(split|cpp|rust|stripped).* (metal_inline|metal_cpp_call|metal_rust_call)")
    done = run([pyrometer, "record", "-n", "-p", target.pid, "-f", "raw", "-o", "-", "-d", "1.5", "-r", "500"])
    names = collections.Counter(natives.plain(name) for stack, count in natives.raw_stacks(done.stdout).items()
                                for name, place in stack if "metal" in name)
    assert names["metal_inline_inner"] > 0 and names["metal_inline_middle"] > 0, names
    assert names["metal::worker::run"] > 0, names
    if "libmetal_rust.so" in os.listdir(natives.TARGETS.parent) or "metal_rust_call" in names:
        assert names["metal_rust::inner::bottom"] > 0, names
    lines = re.findall(r"metal_inline_inner \(metal\.c:(\d+)\)", done.stdout)
    text = (natives.TARGETS / "metal.c").read_text().splitlines()
    assert lines and all("METAL_BOTTOM" in text[int(line) - 1] for line in lines), set(lines)


# ---- other unwinders on the same threads --------------------------------------------------------


def dump(pyrometer, pid):
    done = run([pyrometer, "dump", "-n", "--json", "--addresses", "-p", pid])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("program", ["waiting", "running"])
@pytest.mark.parametrize("name", native_oracles.NAMES)
def test_another_unwinder_says_the_same_of_a_process_that_stands_still(pyrometer, start, scratch, name, program):
    target = start(PYTHON, program, "ctypes", ORDINARY)
    native_oracles.stop(target.pid)
    try:
        theirs = native_oracles.ask(name, target.pid, scratch)
    except natives.Unfit as unfit:
        pytest.skip(str(unfit))
    ours = dump(pyrometer, target.pid)
    differences = native_oracles.compare(ours, theirs, native_oracles.Maps(target.pid))
    # Where theirs gives up, or leaves what is mapped, it has nothing to say.
    judged = [each for each in differences if not native_oracles.is_theirs(each[1])]
    assert not judged
    # A thread in vfork() is stopped only when its child has ended, so that perf may see nothing of it.
    assert len({thread["os_thread_id"] for thread in ours} - set(theirs)) <= 2
    assert len(differences) <= 1 + 0.3 * len(ours)  # perf's copy of a stack ends at 64 KiB
