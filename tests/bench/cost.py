# SPDX-License-Identifier: Apache-2.0
"""What sampling costs: pyrometer at 1 kHz against py-spy 0.4 at 100 Hz, on one program, in one run.

The program is one busy thread, 50 frames deep.  Costs are CPU seconds of everything that the profiler
starts, per second of recording, as the kernel charges them; the two take turns, so that both meet the same
machine.  py-spy comes from PyPI into a scratch folder; without it that part is a reported skip.
"""

import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYROMETER = os.environ.get("PYROMETER_BIN", str(ROOT / "build" / "src" / "cmd" / "pyrometer"))
TARGET = ROOT / "tests" / "targets" / "load_deep.py"
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))


def find_py_spy(scratch):
    """py-spy 0.4 from the path, or installed from PyPI; None when neither can be had."""
    found = shutil.which("py-spy")
    if not found:
        try:
            subprocess.run([sys.executable, "-m", "venv", scratch / "venv"], check=True, capture_output=True)
            subprocess.run([scratch / "venv/bin/pip", "-q", "install", "py-spy>=0.4,<0.5"], check=True,
                           capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError):
            return None
        found = str(scratch / "venv/bin/py-spy")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    return found if " 0.4" in version else None


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cost_of(argv):
    """(CPU seconds per second, stderr) of one recording."""
    before = children_cpu()
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{argv[0]} failed: {done.stderr}")
    return (children_cpu() - before) / SECONDS, done.stderr


def main():
    with tempfile.TemporaryDirectory() as name, \
            subprocess.Popen([sys.executable, "-u", TARGET, "50"], stdout=subprocess.PIPE) as target:
        scratch = pathlib.Path(name)
        try:
            target.stdout.readline()
            compare(target.pid, scratch)
        finally:
            target.kill()


def compare(pid, scratch):
    ours = [PYROMETER, "record", "-p", str(pid), "-d", str(SECONDS), "-f", "raw", "-o", str(scratch / "ours.raw")]
    py_spy = find_py_spy(scratch)
    theirs = [py_spy, "record", "-p", str(pid), "-d", str(int(SECONDS)), "-r", "100", "-f", "raw",
              "-o", str(scratch / "theirs.raw")]
    costs = {"pyrometer 1000 Hz": [], "pyrometer 100 Hz": [], "py-spy 100 Hz": []}
    for _ in range(ROUNDS):
        cost, said = cost_of(ours + ["-r", "1000"])
        costs["pyrometer 1000 Hz"].append(cost)
        print("  " + "\n  ".join(re.sub(r"^pyrometer: ", "", line) for line in said.splitlines() if " Hz: " in line
                                 or " dropped " in line or "pauses: " in line))
        costs["pyrometer 100 Hz"].append(cost_of(ours + ["-r", "100"])[0])
        if py_spy:
            costs["py-spy 100 Hz"].append(cost_of(theirs)[0])
    median = {name: sorted(values)[len(values) // 2] for name, values in costs.items() if values}
    for name, value in median.items():
        print(f"{name}: {100 * value:.2f} % of a CPU")
    if not py_spy:
        print("skipped: the comparison needs py-spy 0.4 (pip could not get it)")
        return
    ratio = median["pyrometer 1000 Hz"] / median["py-spy 100 Hz"]
    print(f"ratio: pyrometer at 1000 Hz costs {ratio:.2f} times what py-spy costs at 100 Hz (goal: below 1)")
    if ratio >= 1:
        sys.exit("dearer than py-spy")


main()
