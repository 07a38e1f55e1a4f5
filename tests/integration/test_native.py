# SPDX-License-Identifier: Apache-2.0
"""Native frames between Python's: the simplest truths, on every interpreter."""

import collections
import json
import os
import re
import shutil
import subprocess

import pytest

import pythons
from conftest import TARGETS, wait_until
from profiles import read_raw, run, state

PYTHON = pythons.first()
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")

Frame = collections.namedtuple("Frame", "name kind module")


@pytest.fixture
def start(spawn):
    """(process, names of modules that it has not)"""
    def begin(threads, python=PYTHON, options=()):
        target = spawn([python, *options, "-u", TARGETS / "native_calls.py", threads], stdout=subprocess.PIPE)
        first, *missing = target.stdout.readline().decode().split()
        assert first == "ready"
        return target, missing
    return begin


def kind_of(frame):
    return "native" if frame.get("is_native") else "marker" if frame.get("is_marker") else "python"


def dump(pyrometer, pid, *options):
    """{thread: [Frame]}, outermost first"""
    done = run([pyrometer, "dump", "-n", "--json", "-p", pid, *options])
    assert done.returncode == 0, done.stderr
    return {thread["thread_name"]: [Frame(frame["name"], kind_of(frame), frame["module"])
                                    for frame in reversed(thread["frames"])]
            for thread in json.loads(done.stdout)}


def shape(frames):
    """"native main native f g native": Python's names, and whether something native lies between them."""
    words = []
    for frame in frames:
        word = frame.name if frame.kind == "python" else frame.kind
        if word != "native" or words[-1:] != ["native"]:
            words.append(word)
    return " ".join(words)


def is_whole(frames):
    """From where the program or the thread began."""
    names = {frame.name.lstrip("_") for frame in frames[:3]}
    return frames[0].kind == "native" and bool(names & {"start", "clone", "clone3", "libc_start_main", "start_thread"}
                                               or "libc" in frames[0].module or "musl" in frames[0].module)


def thread_of(frames, name):
    """Below what `threading` calls, which differs between versions."""
    words = shape(frames).split()
    return " ".join(words[words.index(name):])


def is_musl(python):
    return any(one.path == python and one.libc != "glibc" for one in pythons.every())


@pytest.mark.parametrize("python", pythons.params(builds="all"))
def test_waiting_threads_are_whole_and_in_order(pyrometer, start, python):
    target, missing = start("sleeper,blocked,callback", python)
    threads = wait_until(lambda: (found := dump(pyrometer, target.pid)) and "sleeper" in found and found,
                         what="a dump with names")
    if is_musl(python) and all(frame.kind != "native" for frame in threads["sleeper"]):
        pytest.skip("musl's functions have no unwind information: Python's frames alone")
    # Up to 3.10 every call of a Python function goes through C.
    assert re.fullmatch("sleeper native key_of (native )?nap native", thread_of(threads["sleeper"], "sleeper"))
    assert thread_of(threads["blocked"], "blocked") == "blocked native"
    if "ctypes" not in missing:
        assert re.fullmatch("callback native ordered (native )?nap native", thread_of(threads["callback"], "callback"))
        assert "qsort" in " ".join(frame.name for frame in threads["callback"]) or is_musl(python)
    for frames in threads.values():
        assert is_whole(frames), shape(frames)
    assert state(target.pid) == "S"


def record(pyrometer, pid, *options):
    done = run([pyrometer, "record", "-n", "-p", pid, "-d", "0.7", "-r", "200", "-f", "raw", "-o", "-", *options])
    assert done.returncode == 0, done.stderr
    return done


def native_stats(text):
    """{"complete": …, "of": …, "inner": …, "alone": …} of the summary"""
    found = re.search(r"native stacks: (\d+) of (\d+) complete to their base \(.*?\), (\d+) with inner frames only, "
                      r"(\d+) samples of Python alone", text)
    assert found, text
    return dict(zip(("complete", "of", "inner", "alone"), map(int, found.groups())))


@pytest.mark.parametrize("python", pythons.params())
def test_running_threads_are_whole_with_the_gil_and_without(pyrometer, start, python):
    target, missing = start("zipper,busy", python)
    done = record(pyrometer, target.pid)
    stats = native_stats(done.stderr)
    assert stats["of"] > 20
    assert stats["complete"] >= 0.98 * stats["of"], done.stderr
    stacks = [([place.rsplit(" (", 1)[0] for place in stack], count) for stack, count in read_raw(done.stdout)]
    # Those that are Python's alone are not judged: their number was.
    busy = [names for names, _ in stacks if "busy" in names and names[0].lstrip("_") != "bootstrap"]
    assert busy
    for names in busy:  # sorted() calls it
        assert "double" not in names or names.index("double") - names.index("busy") > 1
        assert "[native frames not known]" not in names
    if "zlib" not in missing:
        below = [names[names.index("shrink") + 1:] for names, _ in stacks if "shrink" in names]
        assert below and all(len(names) >= 2 for names in below if names)
        assert any(names for names in below)


def test_a_thread_without_python_has_its_own_stack(pyrometer, start):
    target, missing = start("start_c")
    if "ctypes" in missing:
        pytest.skip("needs a Python with ctypes")

    def settled():  # it has just been started
        done = run([pyrometer, "dump", "-n", "--json", "-p", target.pid])
        alone = [thread["frames"] for thread in json.loads(done.stdout)
                 if all(frame.get("is_native") for frame in thread["frames"])]
        return len(alone) == 1 and "pause" in alone[0][0]["name"] and alone[0]
    frames = wait_until(settled, what="a thread that pauses")
    assert "clone" in frames[-1]["name"]


@pytest.mark.parametrize("python", pythons.params(["3.12", "3.13", "3.14"], builds="all"))
def test_trampolines_of_perf_are_left_out(pyrometer, start, python):
    target, _ = start("sleeper", python, options=("-X", "perf"))
    threads = wait_until(lambda: (found := dump(pyrometer, target.pid)) and "sleeper" in found and found,
                         what="a dump with names")
    words = thread_of(threads["sleeper"], "sleeper").split()
    assert [word for word in words if word != "native"] == ["sleeper", "key_of", "nap"]
    assert is_whole(threads["sleeper"]), shape(threads["sleeper"])
    assert not any(frame.name.startswith("py::") or frame.module == "[anonymous]" for frame in threads["sleeper"])


def test_names_come_from_a_file_that_has_no_path_any_more(pyrometer, spawn, tmp_path):
    static = [one for one in pythons.every() if not one.is_shared and one.libc == "glibc"]
    if not static:
        pytest.skip("needs a Python that is not in a library")
    program = tmp_path / "own-python"
    shutil.copy(os.path.realpath(static[0].path), program)
    target = spawn([program, "-u", TARGETS / "native_calls.py", "sleeper"], stdout=subprocess.PIPE,
                   env=dict(os.environ, PYTHONHOME=os.path.dirname(os.path.dirname(static[0].path))))
    assert target.stdout.readline().startswith(b"ready")
    program.unlink()
    found = []

    def named():
        frames = dump(pyrometer, target.pid).get("sleeper", [])
        found[:] = [frame.name for frame in frames if frame.kind == "native" and "own-python" in (frame.module or "")]
        return any(name.startswith("Py") for name in found)
    wait_until(named, what="names")


def test_without_pauses_only_those_that_wait_have_native_frames(pyrometer, start):
    target, _ = start("sleeper,busy")
    done = record(pyrometer, target.pid, "--nonblocking", "--idle", "-t")
    stacks = read_raw(done.stdout)
    shown = {name: [len(stack) for stack, _ in stacks if any(place.startswith(f"{name} (") for place in stack)]
             for name in ("nap", "busy")}
    assert min(shown["nap"]) > 12  # clone, interpreter, sleep
    assert min(shown["busy"]) < 8
    assert native_stats(done.stderr)["alone"] > 0


def test_a_capture_gives_the_same_stacks_later(pyrometer, start, tmp_path):
    target, _ = start("sleeper")
    capture = tmp_path / "out.pyro"
    done = run([pyrometer, "record", "-n", "--idle", "-p", target.pid, "-d", "0.5", "-o", capture])
    assert done.returncode == 0, done.stderr
    later = run([pyrometer, "convert", capture, "--idle", "-f", "raw", "-o", "-"])
    assert later.returncode == 0, later.stderr
    found = [stack for stack, _ in read_raw(later.stdout) if any(place.startswith("key_of (") for place in stack)]
    assert found
    for stack in found:
        names = [place.rsplit(" (", 1)[0] for place in stack]
        assert names.index("sleeper") + 1 < names.index("key_of") < names.index("nap") < len(names) - 1


@pytest.mark.parametrize("form", ["flamegraph", "speedscope", "chrometrace", "pprof"])
def test_every_format_takes_native_frames(pyrometer, start, tmp_path, form):
    target, _ = start("busy")
    out = tmp_path / "out"
    done = run([pyrometer, "record", "-n", "-p", target.pid, "-d", "0.3", "-f", form, "-o", out])
    assert done.returncode == 0, done.stderr
    assert out.stat().st_size > 500
    assert native_stats(done.stderr)["complete"] > 0


def test_locals_stay_with_their_frames(pyrometer, start):
    target, _ = start("sleeper")
    done = run([pyrometer, "dump", "-n", "-l", "--json", "-p", target.pid])
    assert done.returncode == 0, done.stderr
    found = [frame for thread in json.loads(done.stdout) for frame in thread["frames"] if frame["name"] == "key_of"]
    assert [local["repr"] for frame in found for local in frame["locals"]] == ["1"]


def test_children_have_native_frames_too(pyrometer, spawn):
    code = ("import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
            "sys.stdout.write('ready\\n'); sys.stdout.flush(); time.sleep(1000)")
    target = spawn([PYTHON, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert target.stdout.readline() == b"ready\n"

    def both():
        done = run([pyrometer, "dump", "-n", "-s", "--json", "-p", target.pid])
        threads = json.loads(done.stdout) if done.returncode == 0 else []
        return len(threads) == 2 and all(thread["frames"][0].get("is_native") for thread in threads) and threads
    threads = wait_until(both, seconds=20, what="both processes")
    subprocess.run(["kill", str(max(thread["pid"] for thread in threads)), str(target.pid)], check=False)
