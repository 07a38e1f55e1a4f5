# SPDX-License-Identifier: Apache-2.0
"""What a tree costs: many idle processes, many busy ones, and a storm of short-lived shells, each against the
same recording without --subprocesses.  Costs are CPU seconds of everything that the profiler starts, per second of
recording, as the kernel charges them.  Says how soon children are found, too.

    BENCH_PROCESSES=50 BENCH_SECONDS=5 BENCH_RATE=100
"""

import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import pythons  # noqa: E402

PYROMETER = os.environ.get("PYROMETER_BIN", str(ROOT / "build" / "src" / "cmd" / "pyrometer"))
TREE = str(ROOT / "tests" / "targets" / "load_tree.py")
PYTHON = pythons.first()
SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
PROCESSES = int(os.environ.get("BENCH_PROCESSES", "50"))
RATE = os.environ.get("BENCH_RATE", "100")


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def record(pid, *options):
    """(CPU seconds a second, what it said) of one recording.  The front waits for the keeper, that for the readers."""
    before = children_cpu()
    done = subprocess.run([PYROMETER, "record", "-p", str(pid), "-d", str(SECONDS), "-r", RATE, "-i", "-o", "/dev/null",
                           "-f", "raw", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return (children_cpu() - before) / SECONDS, done.stderr


def figure(text, pattern):
    match = re.search(pattern, text)
    return float(match.group(1)) if match else 0


def measure(name, what, number):
    """The target is no child of ours that anybody waits for before the costs are taken."""
    target = subprocess.Popen([PYTHON, TREE, what, str(number)], stdout=subprocess.PIPE)
    target.stdout.readline()
    alone, _ = record(target.pid)
    tree, said = record(target.pid, "-s")
    target.kill()
    target.wait()
    target.stdout.close()
    read, others = figure(said, r"(\d+) processes read"), figure(said, r"; (\d+) others")
    each = (tree - alone) / max(read - 1, 1)
    print(f"{name:<34}{100 * alone:8.1f} %{100 * tree:8.1f} %{100 * each:9.2f} %{read:8.0f}{others:9.0f}"
          f"{figure(said, r'([0-9.]+) % delivered'):10.1f} %")


def find_children():
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "found.speedscope.json")
        done = subprocess.run([PYROMETER, "record", "-s", "-i", "-r", "1000", "-o", out, "--", PYTHON, TREE, "found", "10"],
                              capture_output=True, text=True, check=False)
        profiles = json.loads(pathlib.Path(out).read_text(encoding="utf-8"))["profiles"]
    lived = {pid: float(ms) for pid, ms in re.findall(r"pid (\d+) lived ([\d.]+) ms", done.stdout)}
    covered = dict.fromkeys(lived, 0.0)
    for profile in profiles:
        pid = re.match(r"Process (\d+)", profile["name"]).group(1)
        if pid in covered:
            covered[pid] += sum(profile["weights"]) / 1e6
    unseen = [lived[pid] - covered[pid] for pid in lived]
    print(f"children found after {min(unseen):.0f}, {statistics.median(unseen):.0f} (median), {max(unseen):.0f} ms")


def main():
    if not PYTHON:
        print("skipped: needs a supported Python")
        return
    print(f"{RATE} Hz, {SECONDS:g} s; CPU of the profiler, in % of one\n")
    print(f"{'':<34}{'root only':>10}{'with -s':>10}{'each':>11}{'read':>8}{'others':>9}{'delivered':>12}")
    measure(f"{PROCESSES} idle processes", "idle", PROCESSES)
    measure(f"{PROCESSES} busy processes", "busy", PROCESSES)
    measure("500 shells a second", "storm", 3 * SECONDS)
    find_children()


if __name__ == "__main__":
    main()
