# SPDX-License-Identifier: Apache-2.0
"""Samplers side by side, in one table of one run: ours, py-spy, Austin, 3.15's own.

    sampler.py [--only PART,...] [--python TAG,...] [--long] [--seconds S] [--rounds N]

Parts: rate (highest rate of fresh samples, beside the limit of the machine and impossible stacks), cpu (at 100 Hz, nine
threads of 50 frames), slow (how much slower the target runs, in pairs), native (150 threads of C), size (memory and
capture of a long recording at 1 kHz), start (time until it samples).  Everything that is compared takes turns on the
same process, so that all meet the same machine; figures are medians.  --long takes the time that the figures of
docs/SPEED.md were made with.  A peer, an interpreter or a right that is missing is a skip that is said.
"""

import argparse
import os
import pathlib
import random
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import pythons  # noqa: E402
import samplers  # noqa: E402
import truths  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ROOT / "tests" / "targets"
TOOLS = pathlib.Path(os.environ.get("PYROMETER_BENCH_TOOLS", ROOT / "build" / "tests" / "bench"))
MOST_HZ = 1_000_000  # "as often as it can"
STATE_BYTES, STACK_BYTES = 300, 6000  # what one reading of the 50 frames takes, in two spans; up to 3.10 frames
FRAMES, FRAME_BYTES = 50, 112  # are objects of their own, and each takes one
SETTLE_S = 0.5  # until a sampler that was started samples
PEERS_IN_PAIRS = ("pyrometer", "pyrometer --nonblocking", "py-spy")


class Target:
    """A running load_bench.py, and how much work it has done."""

    def __init__(self, python, scratch, *args):
        self.progress = pathlib.Path(scratch) / "progress"
        self.progress.write_bytes(bytes(8))
        self.process = subprocess.Popen([python.path, "-u", TARGETS / "load_bench.py", "--progress", self.progress,
                                         *map(str, args)], stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise samplers.Failed(f"{python.id} could not run load_bench.py")
        self.pid = self.process.pid

    def work(self):
        return struct.unpack("<Q", self.progress.read_bytes())[0]

    def speed(self, seconds):
        """Units of work a second."""
        began, before = time.monotonic(), self.work()
        time.sleep(seconds)
        return (self.work() - before) / (time.monotonic() - began)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Bench:
    def __init__(self, args, scratch):
        self.args, self.scratch = args, pathlib.Path(scratch)
        self.pythons = [python for python in pythons.every() if not args.python or python.tag in args.python.split(",")]
        self.samplers = samplers.every(scratch, pythons.every())

    def python(self):
        """What parts that need only one run on: the newest that py-spy and Austin read, too."""
        common = [python for python in self.pythons if python.tag in ("3.12", "3.13", "3.14")]
        return (common or self.pythons)[-1]

    def for_python(self, python, names=None):
        return [sampler for sampler in self.samplers if sampler.reads(python) and (not names or sampler.name in names)]

    def run(self, sampler, pid, hz, seconds, wrap=()):
        out = self.scratch / f"out.{sampler.suffix}"
        return sampler.run(pid, hz, seconds, out, wrap), out

    def take_turns(self, chosen, run):
        """{name: [results]}, with one result of each in each round."""
        results = {sampler.name: [] for sampler in chosen}
        for _ in range(self.args.rounds):
            for sampler in chosen:
                try:
                    results[sampler.name].append(run(sampler))
                except samplers.Failed as error:
                    print(f"  {sampler.name}: {error}")
        return {name: found for name, found in results.items() if found}


def table(title, columns, rows):
    print(f"\n{title}")
    cells = [[str(cell) for cell in row] for row in [columns, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for row in cells:
        print("  " + "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]))


def check(text, is_met):
    print(f"  {'met   ' if is_met else 'MISSED'}  {text}")


def median(values):
    return statistics.median(values) if values else float("nan")


# ---- the highest rate of fresh samples ---------------------------------------------------------

def limit(pid, seconds, *sizes):
    done = subprocess.run([TOOLS / "read_limit", str(pid), str(seconds), *map(str, sizes)], capture_output=True,
                          text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else float("nan")


def reads_per_sample(bench, sampler, pid):
    """Calls that read the target, counted by the kernel, for each sample that the sampler says it took."""
    counted = bench.scratch / "reads"
    try:
        result, _ = bench.run(sampler, pid, MOST_HZ, 1, [str(TOOLS / "count_reads"), str(counted)])
        return int(counted.read_text()) / max(1, result.samples)
    except (samplers.Failed, OSError, ValueError):
        return None


def impossible_share(bench, sampler, python):
    """Of a program of twin functions that last microseconds: stacks that never were, per sample."""
    try:
        with truths.Target(python.path, "twins") as target:
            _, out = bench.run(sampler, target.pid, 10000, max(1, bench.args.seconds))
            stacks = {stack[first:]: count for stack, count in sampler.stacks(out).items()
                      for first in [next((i for i, frame in enumerate(stack) if frame[0] == "<module>"), 0)]}
            verdict = target.truth.judge(stacks)
            return sum(verdict.impossible.values()) / verdict.samples if verdict.samples else None
    except (samplers.Failed, truths.Unfit):
        return None


def part_rate(bench):
    for python in bench.pythons:
        chosen = bench.for_python(python)
        has_data_stack = tuple(map(int, python.tag.rstrip("t").split("."))) >= (3, 11)
        sizes = [STACK_BYTES] if has_data_stack else [FRAME_BYTES] * FRAMES
        with Target(python, bench.scratch) as target:
            limits = []

            def run(sampler):
                limits.append(limit(target.pid, 0.5, STATE_BYTES, *sizes))
                return bench.run(sampler, target.pid, MOST_HZ, bench.args.seconds)[0]

            results = bench.take_turns(chosen, run)
            reads = {sampler.name: reads_per_sample(bench, sampler, target.pid) for sampler in chosen}
        rows, rates = [], {}
        for sampler in chosen:
            found = results.get(sampler.name)
            if not found:
                continue
            said = median([result.samples / (result.wall_s if sampler.is_late else bench.args.seconds)
                           for result in found])
            per = reads[sampler.name]
            # A sample that took no reading of its own is an old one.
            rates[sampler.name] = said * min(1, per) if per is not None else said
            wrong = impossible_share(bench, sampler, python)
            cost = median([1e6 * result.cpu_s / max(1, result.samples) for result in found])
            rows.append([sampler.name, f"{rates[sampler.name]:,.0f}", "?" if per is None else f"{per:.2f}",
                         f"{cost:.1f}", "?" if wrong is None else f"{100 * wrong:.2f} %",
                         f"{median([result.rss_kb for result in found]) / 1024:.0f} MB"])
        bare = median(limits)
        rows.append(["limit: bare reads of the same bytes", f"{bare:,.0f}", "1.00", f"{1e6 / bare:.1f}", "", ""])
        table(f"rate, {python.id} ({python.version}): as fast as it goes, one busy thread, 50 frames",
              ["", "fresh samples/s", "reads each", "CPU us each", "impossible", "RSS"], rows)
        ours = rates.pop("pyrometer --nonblocking", 0)
        rates.pop("pyrometer", 0)
        check(f"{ours / bare:.2f} of the limit (goal: 0.35)", ours >= 0.35 * bare)
        if rates:
            best = max(rates.values())
            check(f"{ours / best:.2f} times the best peer (goal: 1.5)", ours >= 1.5 * best)


# ---- CPU at 100 Hz -----------------------------------------------------------------------------

def costs_at_100_hz(bench, chosen, target):
    seconds = 20 if bench.args.long else 5  # so that starting up weighs little
    return bench.take_turns(chosen, lambda s: bench.run(s, target.pid, 100, seconds)[0].cpu_s / seconds)


def part_cpu(bench):
    python = bench.python()
    with Target(python, bench.scratch, "--idle", 8) as target:
        shares = {name: median(found) for name, found in
                  costs_at_100_hz(bench, bench.for_python(python), target).items()}
    table(f"cpu, {python.id}: at 100 Hz, nine threads of 50 frames, one of them busy", ["", "of one CPU"],
          [[name, f"{100 * share:.2f} %"] for name, share in shares.items()])
    ours, free, austin, py_spy = (shares.get(name) for name in ("pyrometer", "pyrometer --nonblocking", "Austin",
                                                                "py-spy"))
    if austin:
        check(f"--nonblocking {free / austin:.2f} times Austin (goal: 0.5)", free <= austin / 2)
        check(f"default {ours / austin:.2f} times Austin (goal: 1)", ours <= austin)
    if py_spy:
        check(f"default {ours / py_spy:.3f} times py-spy (goal: 0.125)", ours <= py_spy / 8)


# ---- how much slower the target runs -----------------------------------------------------------

def bootstrap(values, n=2000):
    """The mean and its 95 % interval."""
    draw = random.Random(1)
    means = sorted(statistics.fmean(draw.choices(values, k=len(values))) for _ in range(n))
    return statistics.fmean(values), means[int(0.025 * n)], means[int(0.975 * n)]


def speed_under(bench, sampler, target, seconds):
    out = bench.scratch / f"slow.{sampler.suffix}"
    command = list(map(str, sampler.command(target.pid, 100, seconds + 2 * SETTLE_S, out)))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        time.sleep(SETTLE_S)
        speed = target.speed(seconds)
        return speed, process.communicate()[0]


def part_slow(bench):
    python = bench.python()
    pairs, window = (30, 2.0) if bench.args.long else (4, 0.7)
    rows = []
    with Target(python, bench.scratch, "--idle", 8) as target:
        for sampler in bench.for_python(python, PEERS_IN_PAIRS):
            losses, pauses = [], []
            for _ in range((pairs + 1) // 2):  # one ABBA is two pairs
                before = target.speed(window)
                (first, said), (second, _) = (speed_under(bench, sampler, target, window) for _ in range(2))
                after = target.speed(window)
                losses += [1 - first / before, 1 - second / after]
                held = re.search(r"(\d+) ms together", said)
                pauses.append(int(held.group(1)) / 10 / (window + 2 * SETTLE_S) if held else 0)
            mean, low, high = bootstrap(losses)
            rows.append([sampler.name, f"{100 * mean:.2f} %", f"{100 * low:.2f} .. {100 * high:.2f} %",
                         f"{median(pauses):.2f} %"])
            if sampler.name == "pyrometer":
                check(f"default: lower end {100 * low:.2f} % (goal: 1.5 %), held {median(pauses):.2f} % of the time "
                      "(goal: 3 %)", low <= 0.015 and median(pauses) <= 3)
            elif sampler.name == "pyrometer --nonblocking":
                check(f"--nonblocking: lower end {100 * low:.2f} % (goal: not above 0)", low <= 0)
    table(f"slow, {python.id}: the target at 100 Hz, {pairs} pairs of {window} s in turns ABBA",
          ["", "slower by", "95 % interval", "paused"], rows)


# ---- threads that are not Python's -------------------------------------------------------------

def part_native(bench):
    python = bench.python()
    chosen = bench.for_python(python, PEERS_IN_PAIRS)
    seconds = 20 if bench.args.long else 5
    costs = {(sampler.name, n): [] for sampler in chosen for n in (0, 150)}
    with Target(python, bench.scratch) as none, Target(python, bench.scratch / "..", "--native", 150) as many:
        for _ in range(bench.args.rounds):
            for sampler in chosen:
                for n, target, other in ((0, none, many), (150, many, none)):
                    other.process.send_signal(19)  # SIGSTOP: both are busy
                    try:
                        costs[sampler.name, n].append(bench.run(sampler, target.pid, 100, seconds)[0].cpu_s / seconds)
                    except samplers.Failed as error:
                        print(f"  {sampler.name}: {error}")
                    finally:
                        other.process.send_signal(18)
    rows = []
    for sampler in chosen:
        few, lots = median(costs[sampler.name, 0]), median(costs[sampler.name, 150])
        rows.append([sampler.name, f"{100 * few:.2f} %", f"{100 * lots:.2f} %", f"{lots / few:.2f}"])
        if sampler.name.startswith("pyrometer"):
            check(f"{sampler.name}: {lots / few:.2f} times the cost (goal: 1.1)", lots <= 1.1 * few)
    table(f"native, {python.id}: CPU at 100 Hz without and with 150 sleeping threads of C",
          ["", "none", "150", "ratio"], rows)


# ---- a long recording --------------------------------------------------------------------------

def part_size(bench):
    python = bench.python()
    seconds = 600 if bench.args.long else max(5, bench.args.seconds)
    out = bench.scratch / "long.pyro"
    with Target(python, bench.scratch, "--idle", 8) as target:
        result = samplers.Pyrometer(False).run(target.pid, 1000, seconds, out)
    bytes_of_10_min = out.stat().st_size * 600 / seconds
    table(f"size, {python.id}: {seconds} s at 1 kHz, one busy thread and eight idle ones",
          ["", "RSS", "capture", "of ten minutes"],
          [["pyrometer", f"{result.rss_kb / 1024:.1f} MB", f"{out.stat().st_size / 1e6:.2f} MB",
            f"{bytes_of_10_min / 1e6:.1f} MB"]])
    check(f"RSS {result.rss_kb / 1024:.0f} MB (goal: 64)", result.rss_kb < 64 << 10)
    check(f"capture {bytes_of_10_min / 1e6:.1f} MB in ten minutes (goal: 20)", bytes_of_10_min < 20e6)


# ---- start-up ----------------------------------------------------------------------------------

def part_start(bench):
    """From exec to exit less the duration: until the first sample, and what is done after the last."""
    duration = 0.1
    rows = []
    for python in bench.pythons:
        with Target(python, bench.scratch) as target:
            times = [samplers.Pyrometer(False).run(target.pid, 1000, duration, bench.scratch / "start.pyro").wall_s
                     - duration for _ in range(9 if bench.args.long else 5)]
        rows.append([python.id, f"{1e3 * median(times):.0f} ms", f"{1e3 * min(times):.0f} ms"])
        check(f"{python.id}: {1e3 * median(times):.0f} ms (goal: 50)", median(times) < 0.05)
    table("start: from exec to exit, less the duration (start-up and writing the result)", ["", "median", "least"], rows)


PARTS = {"rate": part_rate, "cpu": part_cpu, "slow": part_slow, "native": part_native, "size": part_size,
         "start": part_start}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, joined by commas")
    parser.add_argument("--python", default="", help="tags of interpreters, joined by commas (all of 3.9 and later)")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--rounds", type=int, default=0)
    args = parser.parse_args()
    args.seconds = args.seconds or (5 if args.long else 1)
    args.rounds = args.rounds or (5 if args.long else 2)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(args, scratch)
        if not bench.pythons:
            sys.exit("skipped: needs a Python to profile")
        for part in args.only.split(","):
            PARTS[part](bench)
    for reason in samplers.missing:
        print(f"skipped: {reason}")


main()
