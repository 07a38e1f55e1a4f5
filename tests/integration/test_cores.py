# SPDX-License-Identifier: Apache-2.0
"""Core files with native frames: the same stacks as those of the live process, whoever wrote the core."""

import os
import re
import resource
import shutil
import signal
import subprocess

import pytest

import pythons
from conftest import wait_until

# Python, called back by C, called by Python; and a thread that waits for it.
PROGRAM = """
import ctypes, threading, time
libc = ctypes.CDLL(None)
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
@callback
def compare(a, b):
    inner()
    return 0
def inner():
    time.sleep(1000)
def sorter():
    libc.qsort((ctypes.c_int * 4)(3, 1, 2, 0), 4, 4, compare)
thread = threading.Thread(target=sorter)
thread.start()
print("ready", flush=True) if str is not bytes else None
thread.join()
"""

VERSIONS = ["3.8", "3.11", "3.12", "3.14", "3.15"]


@pytest.fixture
def waiting(pyrometer, spawn, tmp_path):
    """A process both threads of which wait, and its dump."""
    def start(python):
        if subprocess.run([python, "-c", "import ctypes"], stderr=subprocess.DEVNULL).returncode != 0:
            pytest.skip("needs an interpreter with ctypes")
        target = spawn([python, "-c", PROGRAM], stdout=subprocess.PIPE, cwd=tmp_path, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
        assert target.stdout.readline() == b"ready\n"
        seen = {}

        def settled():
            before, seen["live"] = seen.get("live"), dump(pyrometer, "-p", str(target.pid))
            found = seen["live"].values()
            return before == seen["live"] and any("inner" in "".join(lines) for lines in found) and \
                any("join" in "".join(lines) for lines in found)

        wait_until(settled, 30, "both threads wait")
        return target, seen["live"]

    return start


def dump(pyrometer, *options):
    """{thread id: lines of its stack}; native frames by address, so that it is the stacks that are compared."""
    done = subprocess.run([pyrometer, "dump", "-n", "--addresses", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    stacks = {}
    for line in done.stdout.splitlines():
        thread = re.match(r"Thread (\d+)", line)
        if thread:
            stacks[int(thread.group(1))] = into = []
        elif line.startswith("    "):
            into.append(line.strip())
    return stacks


def assert_same(core, live):
    assert core.keys() == live.keys()
    for thread, lines in live.items():
        assert core[thread] == lines
    assert any("inner" in line for lines in core.values() for line in lines)


@pytest.mark.parametrize("python", pythons.params(VERSIONS))
def test_a_core_of_the_kernel_has_the_stacks_of_the_process(pyrometer, waiting, python, tmp_path):
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as file:
        if file.read().strip() not in ("core", "core.%p"):
            pytest.skip("needs a kernel that writes core files into the working directory")
    target, live = waiting(python)
    target.send_signal(signal.SIGABRT)
    target.wait()
    cores = [name for name in os.listdir(tmp_path) if name.startswith("core")]
    if not cores:
        pytest.skip("needs a place where core files may be written")
    assert_same(dump(pyrometer, "--core", str(tmp_path / cores[0])), live)
    os.unlink(tmp_path / cores[0])


@pytest.mark.parametrize("python", pythons.params(["3.11", "3.12"]))
def test_a_core_of_gcore_has_the_stacks_of_the_process(pyrometer, waiting, python, tmp_path):
    if not shutil.which("gcore"):
        pytest.skip("needs gcore (Debian: gdb)")
    target, live = waiting(python)
    done = subprocess.run(["gcore", "-o", str(tmp_path / "core"), str(target.pid)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120)
    if done.returncode != 0 or re.search(r"Memory read failed for corefile section, \d{6,}", done.stdout):
        pytest.skip("needs a gcore that can read the whole process")
    core = tmp_path / f"core.{target.pid}"
    assert_same(dump(pyrometer, "--core", str(core)), live)
    named = subprocess.run([pyrometer, "dump", "-n", "--core", str(core)], stdout=subprocess.PIPE, text=True, timeout=120).stdout
    assert re.search(r"^    qsort|_qsort_r|^    __GI___qsort", named, re.M), named
    core.unlink()
