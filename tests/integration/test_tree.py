# SPDX-License-Identifier: Apache-2.0
"""record --subprocesses: every process below one, in one recording."""

import collections
import importlib.util
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

import pytest

import pythons
from conftest import TARGETS, wait_until
from profiles import functions, read_pprof, read_raw, run, state, summary

PYTHON = pythons.first(["3.11", "3.12", "3.10", "3.13", "3.9", "3.8"])
TREE = TARGETS / "load_tree.py"
# In a pid namespace of its own the kernel tells no process events.
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")


def record(pyrometer, *options):
    return [pyrometer, "record", "-s", "-r", "200", "-f", "raw", "-o", "-", *options]


def by_process(text):
    """Samples by the chain of process frames, as tuples of "4711: python3 app.py"."""
    counts = collections.Counter()
    for stack, count in read_raw(text):
        counts[tuple(frame[8:] for frame in stack if frame.startswith("process "))] += count
    return counts


def pids_of(text):
    return {int(chain[-1].partition(":")[0]) for chain in by_process(text)}


def stacks_of(text, pid):
    return [stack for stack, _ in read_raw(text) if any(frame.startswith(f"process {pid}:") for frame in stack)]


@pytest.fixture
def start(spawn):
    """A tree that has said that it is ready, and what it said."""
    def begin(what, number, python=PYTHON):
        target = spawn([python, TREE, what, number], stdout=subprocess.PIPE)
        words = target.stdout.readline().decode().split()
        assert words[0] == "ready"
        return target, [int(word) for word in words[1:]]
    return begin


def needs_namespaces():
    if run(NAMESPACE + ["true"]).returncode != 0:
        pytest.skip("needs the right to make a pid namespace")


def can_have_events(pyrometer):
    done = run(record(pyrometer, "-i", "-d", "0.3", "--", PYTHON, TREE, "child", "0.5"))
    return "found by looking" not in done.stderr


# ---- who is found ------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_are_found_below_their_parent(pyrometer, start, method):
    target, children = start("pool-" + method, 6)
    done = run(record(pyrometer, "-d", "1.5", "-p", target.pid))
    assert done.returncode == 0, done.stderr
    chains = by_process(done.stdout)
    for child in children:
        (chain,) = [chain for chain in chains if chain[-1].startswith(f"{child}: ")]
        assert chain[0].startswith(f"{target.pid}: ") and chains[chain] >= 5
        assert len(chain) == (3 if method == "forkserver" else 2)
        assert any("spin" in functions(stack) for stack in stacks_of(done.stdout, child))
    assert target.poll() is None and all(state(child) in "RS" for child in children)


def test_a_program_is_followed_from_its_first_moment_and_its_exit_code_passed_on(pyrometer):
    """The model is a script that starts a Python late, between other programs."""
    script = f"sleep 0.3; '{PYTHON}' '{TREE}' child 1; true; exit 7"
    done = run(record(pyrometer, "--", "sh", "-c", script))
    assert done.returncode == 7, done.stderr
    ((chain, count),) = by_process(done.stdout).items()
    assert chain[0].endswith(": sh") and "load_tree.py" in chain[1] and count >= 20
    assert re.search(r"1 processes read; [1-9]\d* others", done.stderr)


def test_a_program_that_ends_without_any_python_ends_the_recording(pyrometer):
    done = run(record(pyrometer, "--", "sh", "-c", "sleep 0.2; exit 3"))
    assert done.returncode == 3 and done.stdout == ""
    assert "ended before it could be sampled" in done.stderr


def test_no_python_below_a_process_is_said(pyrometer, spawn):
    sleeper = spawn(["sleep", "60"])
    done = run(record(pyrometer, "-d", "0.5", "-p", sleeper.pid))
    assert done.returncode != 0 and f"no Python was found in process {sleeper.pid} or below it" in done.stderr


def test_a_duration_ends_the_program(pyrometer):
    done = run(record(pyrometer, "-d", "1", "--", PYTHON, TREE, "child", "50"), timeout=20)
    assert done.returncode == 0, done.stderr
    assert 0.5 < summary(done.stderr)["seconds"] < 3


def test_a_process_goes_on_under_its_pid_through_execs(pyrometer, start):
    """Python, then a shell, then another Python."""
    target, _ = start("exec", 6)
    done = run(record(pyrometer, "-d", "3", "-p", target.pid))
    assert done.returncode == 0, done.stderr
    stacks = stacks_of(done.stdout, target.pid)
    assert any("become_a_shell" in functions(stack) for stack in stacks), done.stdout
    assert any("<module>" in functions(stack) and "become_a_shell" not in functions(stack)
               for stack in stacks), done.stdout
    assert target.poll() is None


def test_a_daemon_that_left_its_parent_is_found(pyrometer, spawn):
    if not can_have_events(pyrometer):
        pytest.skip("needs process events (CAP_NET_ADMIN and the first namespaces)")
    done = run(record(pyrometer, "-d", "2.5", "--", PYTHON, TREE, "daemon", "2"))
    assert done.returncode == 0, done.stderr
    assert any("daemon" in functions(stack) for stack, _ in read_raw(done.stdout)), done.stdout


def test_a_recording_goes_on_until_the_last_python_has_ended(pyrometer):
    """The program itself ends at once."""
    script = f"'{PYTHON}' '{TREE}' child 1.5 & sleep 0.5; exit 4"
    done = run(record(pyrometer, "--", "sh", "-c", f"export LOAD_TREE_ROOT={os.getpid()}; {script}"))
    assert done.returncode == 4, done.stderr
    assert summary(done.stderr)["seconds"] > 0.9


def test_a_zombie_child_is_no_obstacle(pyrometer, start):
    target, _ = start("zombie", 5)
    done = run(record(pyrometer, "-d", "0.7", "-p", target.pid))
    assert done.returncode == 0, done.stderr
    assert pids_of(done.stdout) == {target.pid}


@pytest.mark.parametrize("prefix", [[], NAMESPACE], ids=["events", "looking"])
def test_children_are_found_within_100_ms(pyrometer, prefix, tmp_path):
    """A child says how long it lived, its samples how much of that they cover: what is missing went by unseen."""
    if prefix:
        needs_namespaces()
    out = tmp_path / "found.speedscope.json"
    done = run([*prefix, pyrometer, "record", "-s", "-i", "-r", "1000", "-o", out,
                "--", PYTHON, TREE, "found", "6"])
    assert done.returncode == 0 and ("found by looking" in done.stderr or not prefix), done.stderr
    lived = {int(pid): float(ms) for pid, ms in re.findall(r"pid (\d+) lived ([\d.]+) ms", done.stdout)}
    covered = collections.Counter()
    for profile in json.loads(out.read_text())["profiles"]:
        covered[int(re.match(r"Process (\d+)", profile["name"]).group(1))] += sum(profile["weights"]) / 1e6
    unseen = [lived[pid] - covered[pid] for pid in lived]
    print(f"children found after {min(unseen):.0f}, {statistics.median(unseen):.0f} (median), {max(unseen):.0f} ms")
    # The promise is 100 ms; a machine that other tests share gets more for its worst case.
    assert len(unseen) == 6 and statistics.median(unseen) < 100 and max(unseen) < 2000


# ---- what is written ---------------------------------------------------------------------------

def test_process_and_thread_label_a_pprof(pyrometer, start, tmp_path):
    target, children = start("pool-fork", 4)
    out = tmp_path / "out.pb.gz"
    done = run([pyrometer, "record", "-s", "-t", "-d", "1", "-p", target.pid, "-o", out])
    assert done.returncode == 0, done.stderr
    profile = read_pprof(out)
    assert {sample.labels["pid"] for sample in profile.samples} >= set(children)
    for sample in profile.samples:
        assert sample.labels["thread_id"] == sample.labels["pid"]
        assert not any(name.startswith("process ") for name, _, _ in sample.stack)


def test_a_capture_of_a_tree_gives_all_and_each(pyrometer, start, tmp_path):
    target, children = start("pool-fork", 4)
    capture = tmp_path / "tree.pyro"
    done = run([pyrometer, "record", "-s", "-d", "1", "-p", target.pid, "-o", capture])
    assert done.returncode == 0, done.stderr

    def convert(*options):
        done = run([pyrometer, "convert", capture, "-f", "raw", "-o", "-", *options])
        assert done.returncode == 0, done.stderr
        return done.stdout

    apart = by_process(convert("-s"))
    assert {int(chain[-1].partition(":")[0]) for chain in apart} >= set(children)
    together = read_raw(convert())
    assert not any(frame.startswith("process ") for stack, _ in together for frame in stack)
    assert sum(count for _, count in together) == sum(apart.values())
    one = read_raw(convert("-p", children[0]))
    assert sum(count for _, count in one) == sum(
        count for chain, count in apart.items() if chain[-1].startswith(f"{children[0]}: "))


# ---- who is lost loses only itself -------------------------------------------------------------

def readers_of(front):
    """{pid of the target: pid of its reader}: by the memory that each reader has open last."""
    found = {}
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/comm", encoding="ascii", errors="replace") as comm:
                if not name.isdigit() or comm.read().strip() != "pyrometer-read":
                    continue
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                keeper = int(stat.read().rpartition(")")[2].split()[1])
            with open(f"/proc/{keeper}/stat", encoding="ascii", errors="replace") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) != front:
                    continue
            for fd in os.listdir(f"/proc/{name}/fd"):
                match = re.match(r"/proc/(\d+)/", os.readlink(f"/proc/{name}/fd/{fd}"))
                if match:
                    found[int(match.group(1))] = int(name)
        except OSError:
            continue
    return found


def test_a_reader_that_is_killed_loses_no_other(pyrometer, start, spawn, tmp_path):
    target, children = start("pool-fork", 8)
    front = spawn([*map(str, record(pyrometer, "-d", "4", "-p", target.pid))],
                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: set(children) <= set(readers_of(front.pid)), what="a reader for each child")
    time.sleep(0.5)
    killed = wait_until(lambda: readers_of(front.pid).get(children[0]), what="a reader to kill")
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: readers_of(front.pid).get(children[0], killed) != killed, what="a new reader")
    out, err = front.communicate(timeout=30)
    assert front.returncode == 0, err
    assert re.search(r"the reader was started again [1-9]\d* times", err), err
    counts = {chain[-1].partition(":")[0]: count for chain, count in by_process(out).items()}
    assert min(counts[str(child)] for child in children) > 20
    assert all(state(child) in "RS" for child in children)


def test_a_child_that_dies_ends_nothing_else(pyrometer, start, spawn):
    target, children = start("pool-fork", 8)
    front = spawn([*map(str, record(pyrometer, "-d", "2.5", "-p", target.pid))],
                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: set(children) <= set(readers_of(front.pid)), what="a reader for each child")
    time.sleep(0.5)
    os.kill(children[0], signal.SIGKILL)
    out, err = front.communicate(timeout=30)
    assert front.returncode == 0, err
    counts = {chain[-1].partition(":")[0]: count for chain, count in by_process(out).items()}
    assert counts[str(children[0])] > 0 and counts[str(children[1])] > counts[str(children[0])]
    assert summary(err)["seconds"] > 2


REUSE = r"""
import os, subprocess, sys
def life(name):
    return subprocess.Popen([sys.executable, "-c", '''
import time
def %s():
    end = time.monotonic() + 0.8
    while time.monotonic() < end:
        for _ in range(20000):
            pass
%s()
''' % (name, name)])
first = life("first")
first.wait()
with open("/proc/sys/kernel/ns_last_pid", "w") as last:
    last.write(str(first.pid - 1))
second = life("second")
second.wait()
sys.exit(0 if first.pid == second.pid else 9)
"""


def test_a_pid_that_is_given_out_again_is_another_process(pyrometer, tmp_path):
    """In a pid namespace of its own, where one can say which pid comes next."""
    needs_namespaces()
    capture = tmp_path / "reuse.pyro"
    done = run([*NAMESPACE, pyrometer, "record", "-s", "-r", "200", "-o", capture, "--", PYTHON, "-c", REUSE])
    if done.returncode == 9:
        pytest.skip("needs a kernel that lets one choose the next pid")
    assert done.returncode == 0, done.stderr
    assert "3 processes read" in done.stderr
    stacks = read_raw(run([pyrometer, "convert", capture, "-s", "-f", "raw", "-o", "-"]).stdout)
    for name in ("first", "second"):
        assert any(name in functions(stack) for stack, _ in stacks), stacks
    assert not any({"first", "second"} <= set(functions(stack)) for stack, _ in stacks)


# ---- servers that fork -------------------------------------------------------------------------

def needs(module):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"needs {module} (tests/requirements.txt)")


def test_workers_of_gunicorn_are_found(pyrometer, spawn, free_port):
    needs("gunicorn")
    master = spawn([sys.executable, "-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{free_port}",
                    "--chdir", TARGETS, "load_gunicorn:serve"], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{free_port}/?"

    def ask(seconds):
        try:
            with urllib.request.urlopen(url + str(seconds), timeout=20) as answer:
                return int(answer.read())
        except OSError:
            return None

    wait_until(lambda: ask(0), what="gunicorn to answer")
    front = spawn([*map(str, record(pyrometer, "-d", "4", "-p", master.pid))],
                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(readers_of(front.pid)) == 3, what="a reader for each process")
    worker = ask(1.5)
    out, err = front.communicate(timeout=30)
    assert front.returncode == 0, err
    assert any(functions(stack)[-1] == "crunch" for stack in stacks_of(out, worker))
    assert {chain[0].partition(":")[0] for chain in by_process(out)} == {str(master.pid)}
    master.terminate()
    master.wait(timeout=20)


def test_workers_of_celery_are_found(pyrometer, spawn, tmp_path):
    needs("celery")
    folder = tmp_path / "broker"
    for name in (folder, tmp_path / "broker.control"):
        name.mkdir()
    environ = {**os.environ, "LOAD_CELERY_FOLDER": str(folder), "PYTHONPATH": str(TARGETS), "C_FORCE_ROOT": "1"}
    master = spawn([sys.executable, "-m", "celery", "-A", "load_celery", "worker", "-c", "2", "-P", "prefork",
                    "--without-gossip", "--without-mingle", "--without-heartbeat"],
                   env=environ, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    front = spawn([*map(str, record(pyrometer, "-d", "6", "-p", master.pid))],
                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    subprocess.run([sys.executable, TARGETS / "load_celery.py", "2", "2"], env=environ, check=True, timeout=30)
    wait_until(lambda: len(readers_of(front.pid)) >= 3, seconds=30, what="a reader for each process")
    out, err = front.communicate(timeout=40)
    assert front.returncode == 0, err
    crunching = {pid for pid in pids_of(out) if pid != master.pid and any(
        functions(stack)[-1] == "crunch" for stack in stacks_of(out, pid) if stack[-1:])}
    assert crunching and master.pid not in crunching
    master.terminate()
    master.wait(timeout=20)


# ---- dump --------------------------------------------------------------------------------------

def test_a_dump_shows_every_python_once(pyrometer, spawn):
    shell = spawn(["sh", "-c", f"'{PYTHON}' '{TREE}' pool-fork 8; true"], stdout=subprocess.PIPE)
    children = [int(word) for word in shell.stdout.readline().split()[1:]]
    done = run([pyrometer, "dump", "-s", "-p", shell.pid])
    assert done.returncode == 0, done.stderr
    heads = re.findall(r"^Process (\d+): .*\nPython v3\.\d+\.\d+", done.stdout, re.M)
    assert len(heads) == 3 and {str(child) for child in children} < set(heads)
    assert str(shell.pid) not in heads and f"Parent Process {shell.pid}: sh" in done.stdout
    assert done.stdout.count("pooled (") == 2
