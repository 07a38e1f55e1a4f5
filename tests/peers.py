# SPDX-License-Identifier: Apache-2.0
"""Other profilers on the truth programs, where they can be had: for tests/bench/accuracy.py --peers.

py-spy is the one on the path, or its wheel from PyPI in a scratch folder; Python 3.15's own sampler comes with that
interpreter; Austin is one on the path, with mojo2austin of the package austin-python.  Each is asked for collapsed
stacks, which are made to look like ours.
"""

import re
import shutil
import subprocess
import sys

import pythons

RATE = 1000


class Unfit(Exception):
    """The peer cannot do this; the reason is its text."""


def run(argv, seconds):
    try:
        done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, timeout=seconds + 60,
                              check=False)
    except subprocess.TimeoutExpired:
        raise Unfit(f"{argv[0]} did not end") from None
    if done.returncode != 0:
        raise Unfit((done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1])
    return done


# ---- py-spy -------------------------------------------------------------------------------------


def find_py_spy(scratch):
    """Its path; None when it cannot be had."""
    found = shutil.which("py-spy") or scratch / "venv/bin/py-spy"
    if not shutil.which(str(found)):
        try:
            subprocess.run([sys.executable, "-m", "venv", scratch / "venv"], check=True, capture_output=True)
            subprocess.run([scratch / "venv/bin/pip", "-q", "install", "py-spy>=0.4,<0.5"], check=True,
                           capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError):
            return None
    return found


def py_spy(pid, seconds, scratch, *options):
    out = scratch / "py-spy.txt"
    done = run([find_py_spy(scratch), "record", "-p", pid, "-r", RATE, "-d", max(1, round(seconds)), "-f", "raw",
                "--full-filenames", "-o", out, *options], seconds)
    errors = re.search(r"Errors: (\d+)", done.stderr + done.stdout)
    text = out.read_text()
    samples = sum(int(line.rpartition(" ")[2]) for line in text.splitlines())
    lost = int(errors.group(1)) if errors else 0
    return text, {"dropped": lost / (samples + lost) if samples + lost else 0.0}


def py_spy_nonblocking(pid, seconds, scratch):
    return py_spy(pid, seconds, scratch, "--nonblocking")


# ---- Python 3.15's own --------------------------------------------------------------------------


def tachyon(pid, seconds, scratch):
    """It attaches to its own version only."""
    out = scratch / "tachyon.txt"
    done = run([pythons.first(["3.15"]), "-m", "profiling.sampling", "attach", "-a", "-r", RATE, "-d",
                max(1, round(seconds)), "--collapsed", "-o", out, pid], seconds)
    rate = re.search(r"[Ee]rror rate:? *([\d.]+)", done.stdout + done.stderr)
    lines = []
    for line in out.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [frame.rsplit(":", 2) for frame in stack.split(";") if not frame.startswith("tid:")]
        lines.append(";".join(f"{name} ({file}:{number})" for file, name, number in
                              (frame for frame in frames if len(frame) == 3)) + " " + count)
    return "\n".join(lines), {"dropped": float(rate.group(1)) / 100} if rate else {}


# ---- Austin -------------------------------------------------------------------------------------


def austin(pid, seconds, scratch):
    mojo, text = scratch / "austin.mojo", scratch / "austin.txt"
    done = run(["austin", "-i", f"{1000000 // RATE}us", "-x", max(1, round(seconds)), "-p", pid, "-o", mojo], seconds)
    run(["mojo2austin", mojo, text], seconds)
    errors = re.search(r"\((\d+)/(\d+)\).*error", done.stderr + done.stdout, re.I)
    lines = []
    for line in text.read_text().splitlines():
        if line.startswith("#") or not line:
            continue
        frames = [frame.rsplit(":", 2) for frame in line.rpartition(" ")[0].split(";")]
        lines.append(";".join(f"{name} ({file}:{number})" for file, name, number in
                              (frame for frame in frames if len(frame) == 3)) + " 1")
    return "\n".join(lines), {"dropped": int(errors.group(1)) / int(errors.group(2))} if errors else {}


PEERS = {"py-spy": py_spy, "py-spy-nb": py_spy_nonblocking, "tachyon": tachyon, "austin": austin}


def prepare(scratch):
    """The peers that are here; says which are not."""
    has = {"py-spy": find_py_spy(scratch), "tachyon": pythons.first(["3.15"]),
           "austin": shutil.which("austin") and shutil.which("mojo2austin")}
    for name, found in has.items():
        if not found:
            print(f"{name}: not here")
    return [name for name in PEERS if has[name.removesuffix("-nb")]]


def record(name, pid, seconds, scratch):
    """(collapsed stacks, {"dropped": share} if it says so)."""
    return PEERS[name](pid, seconds, scratch)
