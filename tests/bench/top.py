# SPDX-License-Identifier: Apache-2.0
"""What the terminal page costs beyond its sampling, and how soon it answers keys.

    top.py [--threads 200] [--frames 50] [--seconds 10] [--rounds 3] [--keys 300]

The program has that many threads of that many frames, all but one waiting.  `top` on a pty of 200 x 50 with a picture every
0.5 s takes turns with `record` into a capture, both at 100 Hz, so that both meet the same machine; costs are CPU seconds
of everything that each starts, as the kernel charges them, per second.  Keys are pressed at random moments; an answer is
the first byte that the page sends.  Bars: 3 % of a core above record, 50 ms for 99 of 100 keys.
"""

import argparse
import os
import pathlib
import random
import resource
import select
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))
import pythons  # noqa: E402

PYROMETER = os.environ.get("PYROMETER_BIN", str(ROOT / "build" / "src" / "cmd" / "pyrometer"))
BAR_SHARE, BAR_ANSWER_MS = 0.03, 50


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cost_of_record(pid, seconds, scratch):
    before = children_cpu()
    subprocess.run([PYROMETER, "record", "-p", str(pid), "-d", str(seconds), "--idle", "-o", scratch / "out.pyro"],
                   check=True, capture_output=True)
    return (children_cpu() - before) / seconds


def cost_of_top(Terminal, pid, seconds, tab):
    before = children_cpu()
    shown = Terminal([PYROMETER, "top", "-p", pid, "-d", seconds], rows=50, columns=200)
    try:
        shown.wait_for(r"^PID \d+ ")
        shown.press(*["tab"] * tab)
        shown.wait(seconds + 20)
    finally:
        shown.close()
    return (children_cpu() - before) / seconds


def answers(Terminal, pid, keys):
    """Milliseconds from a key to the first byte after it."""
    shown = Terminal([PYROMETER, "top", "-p", pid], rows=50, columns=200)
    dice, took = random.Random(1), []
    try:
        shown.wait_for(r"^PID \d+ ")
        shown.press("tab")
        for number in range(keys):
            shown.settle(0.01 + dice.uniform(0, 0.04), 0.3)
            began = time.monotonic()
            shown.press("down" if number % 20 < 10 else "up")
            select.select([shown.master], [], [], 5)
            took.append(1e3 * (time.monotonic() - began))
        shown.press("q")
        shown.wait()
    finally:
        shown.close()
    return sorted(took)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    for name, value in (("threads", 200), ("frames", 50), ("seconds", 10), ("rounds", 3), ("keys", 300)):
        parser.add_argument("--" + name, type=int, default=value)
    args = parser.parse_args()
    try:
        from screens import Terminal
    except ImportError:
        sys.exit("top.py: skipped: needs pyte (pip install -r tests/requirements.txt)")
    python = pythons.first()
    if not python:
        sys.exit("top.py: skipped: needs a supported Python")
    with tempfile.TemporaryDirectory() as scratch, subprocess.Popen(
            [python, "-u", ROOT / "tests/targets/load_bench.py", "--depth", str(args.frames), "--idle",
             str(args.threads - 1)], stdout=subprocess.PIPE) as target:
        try:
            target.stdout.readline()
            compare(Terminal, target.pid, args, pathlib.Path(scratch))
        finally:
            target.kill()


def compare(Terminal, pid, args, scratch):
    tabs = ["functions", "threads", "tree", "flame", "source"]
    base, costs = [], {tab: [] for tab in tabs}
    for _ in range(args.rounds):
        base.append(cost_of_record(pid, args.seconds, scratch))
        for number, tab in enumerate(tabs):
            costs[tab].append(cost_of_top(Terminal, pid, args.seconds, number))
    record = statistics.median(base)
    print(f"{args.threads} threads x {args.frames} frames, 100 Hz, medians of {args.rounds} x {args.seconds} s")
    print(f"record      {100 * record:6.2f} % of a core")
    worst = 0
    for tab in tabs:
        cost = statistics.median(costs[tab])
        worst = max(worst, cost - record)
        print(f"{tab:12}{100 * cost:6.2f} % of a core, {100 * (cost - record):+.2f} beyond record")
    took = answers(Terminal, pid, args.keys)
    p50, p99 = took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)]
    print(f"keys        p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {took[-1]:.1f} ms of {len(took)}")
    print(f"ratio to the bars: cost {worst / BAR_SHARE:.2f}, answers {p99 / BAR_ANSWER_MS:.2f}")


if __name__ == "__main__":
    main()
