# SPDX-License-Identifier: Apache-2.0
"""--kernel: the kernel's frames below the native ones, as much of them as the kernel charged, and what is said without the right."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from conftest import wait_until

PROGRAM = """
import os, sys, threading, time
def sleeper():
    time.sleep(1000)
def zeros():
    with open("/dev/zero", "rb", buffering=0) as file:
        into = bytearray(1 << 20)
        for _ in range(60):
            file.readinto(into)
def stats():
    for _ in range(20000):
        os.stat("/etc/passwd")
def compute():
    total = 0
    for i in range(400000):
        total += i * i
thread = threading.Thread(target=sleeper, daemon=True)
thread.start()
print("ready", flush=True)
while True:
    zeros(); stats(); compute()
"""


@pytest.fixture
def busy(spawn):
    process = spawn([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def allowed(pyrometer, name):
    """Does doctor say that this is allowed here?"""
    import json
    report = json.loads(subprocess.run([pyrometer, "doctor", "--json"], stdout=subprocess.PIPE, timeout=60).stdout)
    return any(check["name"] == name and check["verdict"] == "ok" for check in report["checks"])


def cpu_ticks(pid):
    """(utime, stime), of all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]), int(fields[12])


def record(pyrometer, pid, out, *options):
    run = subprocess.run([pyrometer, "record", "-p", str(pid), "-f", "raw", "-o", str(out), "--kernel", *options],
                         stderr=subprocess.PIPE, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return [line.rsplit(" ", 1) for line in out.read_text().splitlines()], run.stderr


def test_waiting_threads_show_where_in_the_kernel_they_wait(pyrometer, busy):
    if not allowed(pyrometer, "kernel_waiting"):
        pytest.skip("needs the right to read kernel stacks (CAP_SYS_ADMIN)")

    def sleeps():
        text = subprocess.run([pyrometer, "dump", "--kernel", "-p", str(busy.pid)], stdout=subprocess.PIPE, text=True,
                              timeout=60).stdout
        part = text[text.find("sleeper") - 2000:text.find("sleeper (")] if "sleeper (" in text else ""
        return re.search(r"nanosleep.*\(\[kernel\]\)[^T]*sys_", part, re.S) and text

    text = wait_until(sleeps, 30, "the kernel's frames of the sleeping thread")
    thread = text[text.rindex("Thread ", 0, text.index("sleeper (")):]
    lines = [line.strip() for line in thread.splitlines()[1:]]
    kernel = [i for i, line in enumerate(lines) if "([kernel])" in line]
    python = next(i for i, line in enumerate(lines) if line.startswith("sleeper ("))
    assert kernel == list(range(len(kernel))), "the kernel's frames are the innermost"
    assert kernel[-1] < python


def test_the_kernels_share_of_samples_is_its_share_of_the_time(pyrometer, busy, tmp_path):
    if not allowed(pyrometer, "kernel_running"):
        pytest.skip("needs the right to kernel stacks of running threads (CAP_PERFMON)")
    before = cpu_ticks(busy.pid)
    stacks, _ = record(pyrometer, busy.pid, tmp_path / "out.raw", "-d", "4", "-r", "200")
    user, system = (now - then for now, then in zip(cpu_ticks(busy.pid), before))
    if user + system < 100:
        pytest.skip("needs a machine that lets a program run for a second of four")
    total = sum(int(count) for _, count in stacks)
    in_kernel = [(stack, int(count)) for stack, count in stacks if "_[k]" in stack]
    shown, charged = sum(count for _, count in in_kernel) / total, system / (user + system)
    assert abs(shown - charged) < 0.15, f"shown {shown:.2f}, charged {charged:.2f}"
    # Each under the function that called for it.
    for stack, count in in_kernel:
        calls = stack.split(";")
        first = next(i for i, frame in enumerate(calls) if frame.endswith("_[k]"))
        assert all(frame.endswith("_[k]") for frame in calls[first:])
        assert not re.search(r"newfstatat_\[k\]", stack) or "stats (" in stack, stack
    if allowed(pyrometer, "kernel_names"):
        assert any(re.search(r"stats \(.*(sys_newfstatat|vfs_fstatat|vfs_statx)", stack) for stack, _ in in_kernel)


def test_without_the_rights_it_says_so_and_shows_what_is_allowed(pyrometer, spawn, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root, to give rights up")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    python = "/usr/bin/python3"
    if not os.path.exists(python) or subprocess.run([*nobody, pyrometer, "--version"], stdout=subprocess.DEVNULL).returncode:
        pytest.skip("needs a python and a pyrometer that everybody may run")
    target = spawn([*nobody, python, "-c", PROGRAM], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    run = subprocess.run([*nobody, pyrometer, "dump", "--kernel", "-p", str(target.pid)], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, timeout=60)
    if run.returncode == 3:
        pytest.skip("needs the right to look into processes of the same user")
    assert run.returncode == 0, run.stderr
    assert "kernel stacks of waiting threads are not allowed here" in run.stderr
    assert "CAP_SYS_ADMIN" in run.stderr
    assert re.search(r"sys_(clock_)?nanosleep \(\[kernel\]\)", run.stdout), run.stdout


def test_a_core_file_has_no_kernel_frames(pyrometer, tmp_path):
    run = subprocess.run([pyrometer, "dump", "--kernel", "--core", str(tmp_path / "core")], stderr=subprocess.PIPE, text=True)
    assert run.returncode == 2
    assert "core" in run.stderr
