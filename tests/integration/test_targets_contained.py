# SPDX-License-Identifier: Apache-2.0
"""Targets in namespaces and roots of their own, seen from outside: right threads, right files, right states."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

import pythons
from conftest import wait_until
from hosts import dump, layout_of, with_frame
from profiles import functions, read_raw, run, summary

VERSIONS = ["2.7", "3.8", "3.11", "3.13"]
UNSHARE = ["unshare", "--pid", "--mount", "--user", "--map-root-user", "--fork", "--kill-child"]

PROGRAM = """
import os, sys, threading, time
def busy():
    while True:
        sum(range(1000))
def waits():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
def start(function):
    thread = threading.Thread(target=function, name=function.__name__)
    thread.daemon = True
    thread.start()
def here():
    sys.stdout.write("pid %d\\n" % os.getpid())
    sys.stdout.flush()
    time.sleep(1000)
start(busy)
start(waits)
here()
"""


@pytest.fixture(scope="module", autouse=True)
def namespaces():
    if not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make namespaces of PIDs, mounts and users")


def begin(spawn, argv, **options):
    """A program that becomes process 1 of its namespace; its pid as we see it."""
    outer = spawn([*UNSHARE, *argv], stdout=subprocess.PIPE, **options)
    first = outer.stdout.readline().decode()
    assert first == "pid 1\n", first
    return int(pathlib.Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()[0])


def cpu_ticks(pid, tid):
    fields = pathlib.Path(f"/proc/{pid}/task/{tid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def settled(pyrometer, pid):
    """Every thread, once all but the busy one wait: they need the GIL to get there."""
    def all_wait():
        threads = dump(pyrometer, pid)
        return threads if sum(thread["active"] for thread in threads) == 1 else None

    return wait_until(all_wait, what="one busy thread and two that wait")


def check_threads(pyrometer, pid):
    tids = sorted(map(int, os.listdir(f"/proc/{pid}/task")))
    assert "\t1\n" in re.search(r"NSpid:.*\n", pathlib.Path(f"/proc/{pid}/status").read_text())[0]
    threads = settled(pyrometer, pid)
    assert sorted(thread["os_thread_id"] for thread in threads) == tids
    (main,), (busy,), (waits,) = (with_frame(threads, name) for name in ("here", "busy", "waits"))
    assert (main["os_thread_id"], main["thread_name"]) == (pid, "MainThread")
    assert busy["thread_name"] == "busy" and waits["thread_name"] == "waits"
    assert busy["active"] and not waits["active"] and not main["active"]
    assert waits["state"] == "waiting-lock"
    # The kernel says whose name that is: it alone uses a CPU.
    wait_until(lambda: cpu_ticks(pid, busy["os_thread_id"]) > 20 + cpu_ticks(pid, waits["os_thread_id"]),
               what="CPU time of the busy thread")
    return threads


def check_recording(pyrometer, pid):
    """Without --idle only the busy thread is shown, with all of its time."""
    done = run([pyrometer, "record", "-p", pid, "-d", 1, "-f", "raw", "-o", "-", "--full-filenames"])
    assert done.returncode == 0, done.stderr
    stacks = read_raw(done.stdout)
    shown = sum(count for stack, count in stacks if "busy" in functions(stack))
    assert shown >= 0.9 * sum(count for _, count in stacks) and shown > 5
    assert summary(done.stderr)["dropped"] <= 0.05 * summary(done.stderr)["samples"] + 2
    return stacks


@pytest.mark.parametrize("python", pythons.params(VERSIONS))
def test_namespaces_of_its_own(pyrometer, spawn, tmp_path, python):
    (tmp_path / "program.py").write_text(PROGRAM)
    pid = begin(spawn, [python, tmp_path / "program.py"])
    check_threads(pyrometer, pid)
    check_recording(pyrometer, pid)


ENTER = """
set -e
root=$1 prefix=$2 program=$3
mount -t tmpfs none "$root"
mkdir -p "$root/opt/python" "$root/$(dirname "$program")"
mount --rbind "$prefix" "$root/opt/python"
cp "$program.inner" "$root/$program"
shift 3
for library; do
    mkdir -p "$root/$(dirname "$library")"
    cp -L "$library" "$root/$library"
done
export PYTHONHOME=/opt/python LD_LIBRARY_PATH=/opt/python/lib
exec chroot "$root" /opt/python/bin/python "$program"
"""


@pytest.mark.parametrize("tag", VERSIONS)
def test_a_root_of_its_own_has_its_own_files(pyrometer, spawn, collector, tmp_path, tag):
    """The program and the interpreter lie on a tmpfs, under paths that mean other files outside."""
    python = next((one.path for one in pythons.of(tag) if not one.path.startswith("/usr/")), None)
    if not python:
        pytest.skip(f"needs CPython {tag} in a folder of its own")
    where = layout_of(python)
    needed = subprocess.run(["ldd", os.path.realpath(python), *pathlib.Path(where.libdir).glob("libpython*.so.*")],
                            capture_output=True, text=True, check=False).stdout
    libraries = {path for path in re.findall(r"(/\S+) \(0x", needed) if not path.startswith(where.prefix)}
    program = tmp_path / "program.py"
    program.write_text("this = 'is another file'\n")
    inner = PROGRAM + "# inside\n"
    (tmp_path / "program.py.inner").write_text(inner)
    (tmp_path / "root").mkdir()
    pid = begin(spawn, ["sh", "-c", ENTER, "enter", tmp_path / "root", where.prefix, program, *sorted(libraries)])
    threads = check_threads(pyrometer, pid)
    (busy,) = with_frame(threads, "busy")
    assert busy["frames"][0]["filename"] == str(program)
    url, got = collector
    raw = tmp_path / "out.raw"
    done = run([pyrometer, "record", "-p", pid, "-d", 3, "--push", url, "--service", "s", "--source", "--full-filenames",
                "-o", raw])
    assert done.returncode == 0, done.stderr
    assert f"({program}:" in raw.read_text()
    sources = {each[2]["file"][0]: each[3].decode() for each in got if each[0] == "PUT"}
    assert sources[str(program)] == inner
