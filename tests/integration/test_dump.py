# SPDX-License-Identifier: Apache-2.0
"""dump: every thread's stack now."""

import json
import re
import subprocess

import pytest

import pythons
from conftest import TARGETS
from profiles import run, state

PYTHON = pythons.first()
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")


@pytest.fixture
def start(spawn):
    def begin(program, *args, python=PYTHON):
        target = spawn([python, "-u", TARGETS / f"{program}.py", *args], stdout=subprocess.PIPE)
        assert target.stdout.readline() == b"ready\n"
        return target
    return begin


def threads_of(text):
    """{name: (tid, state, [frame])}"""
    found = {}
    for block in re.split(r"^Thread ", text, flags=re.M)[1:]:
        head, *frames = block.rstrip("\n").split("\n")
        tid, doing, name = re.fullmatch(r'(\d+) \((.*)\): "(.*)"', head).groups()
        found[name] = (int(tid), doing, [frame.strip() for frame in frames if frame.strip()])
    return found


@pytest.mark.parametrize("python", pythons.params())
def test_dump_shows_what_every_thread_does(pyrometer, start, python):
    target = start("load_threads", python=python)
    done = run([pyrometer, "dump", "-p", target.pid])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Process {target.pid}: ")
    assert re.search(r"^Python v\d\.\d+\.\d+", done.stdout, re.M)
    threads = threads_of(done.stdout)
    assert threads["MainThread"][0] == target.pid
    assert threads["busy"][1] in ("active+gil", "active", "idle, waiting for the GIL")
    assert re.fullmatch(r"busy \(load_threads\.py:1[456]\)", threads["busy"][2][0])
    assert threads["blocked"][1] == "idle, waiting for a lock"
    assert threads["reader"][1] == threads["poller"][1] == "idle, waiting for I/O"
    assert threads["sleeper"][1].startswith("idle")
    assert threads["sleeper"][2][0] == "sleeping (load_threads.py:21)"
    assert threads["sleeper"][2][-1].lstrip("_").startswith("bootstrap (threading.py:")
    assert state(target.pid) in "RS"


def test_json_says_the_same_in_full(pyrometer, start):
    target = start("load_threads")
    done = run([pyrometer, "dump", "--json", "-p", target.pid])
    assert done.returncode == 0, done.stderr
    threads = {thread["thread_name"]: thread for thread in json.loads(done.stdout)}
    busy = threads["busy"]
    assert busy["pid"] == target.pid and busy["os_thread_id"] != target.pid
    assert busy["frames"][0]["name"] == "busy"
    assert busy["frames"][0]["filename"] == str(TARGETS / "load_threads.py")
    assert busy["frames"][0]["line"] in (14, 15, 16)
    assert threads["blocked"]["state"] == "waiting-lock" and not threads["blocked"]["active"]
    assert sum(thread["owns_gil"] for thread in threads.values()) <= 1
    assert threads["MainThread"]["thread_id"] > 0


def test_the_holder_of_the_gil_is_named(pyrometer, start):
    target = start("load_deep", "10")
    done = run([pyrometer, "d", "-p", target.pid])
    (thread,) = threads_of(done.stdout).values()
    assert thread[1] == "active+gil"
    assert len(thread[2]) in (9, 10)


def test_threads_without_python_are_shown_too(pyrometer, spawn):
    code = """
import ctypes, time
libc = ctypes.CDLL(None)
tid = ctypes.c_ulong()
libc.pthread_create(ctypes.byref(tid), None, ctypes.cast(libc.pause, ctypes.c_void_p), None)
print("ready", flush=True)
time.sleep(1000)
"""
    target = spawn([PYTHON, "-c", code], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    done = run([pyrometer, "dump", "-p", target.pid])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nThread ") == 2
    assert "    [no Python]\n" in done.stdout


def test_hostile_names_are_printed_safely(pyrometer, start):
    target = start("load_names")
    done = run([pyrometer, "dump", "-p", target.pid])
    assert done.returncode == 0
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.stdout)
    assert "naïve_名前" in done.stdout and "\\x1b" in done.stdout
    for frame in ("plain", "naïve_名前"):
        assert re.search(rf"^    {frame} \(", done.stdout, re.M)


def test_a_reader_of_the_pipe_that_leaves_is_no_error(pyrometer, start):
    target = start("load_threads")
    done = run(["sh", "-c", f"{pyrometer} dump -p {target.pid} | true; exit 0"])
    assert done.stderr == ""


@pytest.mark.parametrize("argv", [[], ["-p", "0"], ["-p", "x"], ["-p", "12x"], ["-p", "-1"],
                                  ["-p", "99999999999999999999"], ["-p", "1", "more"], ["--nonsense"]])
def test_nonsense_is_refused_in_one_line(pyrometer, argv):
    done = run([pyrometer, "dump", *argv])
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("pyrometer: error: ")
