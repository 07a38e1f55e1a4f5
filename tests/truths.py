# SPDX-License-Identifier: Apache-2.0
"""The truth programs (tests/targets/truth_*.py), and what a profile of one is worth: for tests and benches.

    with truths.Target(python, "flat") as target:
        before = target.spent()
        ... profile target.pid ...
        verdict = target.truth.judge(truths.raw_stacks(text))
        verdict.impossible, verdict.wrong_lines, verdict.classes
        truths.distance(verdict.classes, target.spent_since(before))

A stack is impossible when no call that the program ever makes leads there, by names and files alone; a line is wrong
when a caller does not stand on the very line of its call, or the innermost frame on none of its function's.
tests/targets/truth.py says how the program knows.
"""

import collections
import json
import os
import pathlib
import random
import re
import signal
import subprocess

from unfit import Unfit, last_words

TARGETS = pathlib.Path(__file__).resolve().parent / "targets"
PROGRAMS = sorted(path.stem.removeprefix("truth_") for path in TARGETS.glob("truth_*.py") if path.stem != "truth_stacks")
COLLECTOR = "[GC]"
FRAME = re.compile(r"(.*) \((.*?)(?::(\d+))?\)")
STALE_SECONDS = 0.05  # out of its phase by this much: a program that waits for a CPU overstays its own phase

Verdict = collections.namedtuple("Verdict", "samples impossible wrong_lines classes")


def parse_frame(text):
    match = FRAME.fullmatch(text)
    if not match:
        return text, "", 0
    name, file, line = match.groups()
    return name.rpartition(".")[2], file.rpartition("/")[2], int(line or 0)


def raw_stacks(text):
    """{stack: count} of collapsed lines; a stack is a tuple of (name, file, line), outermost first."""
    stacks = collections.Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        stacks[tuple(parse_frame(frame) for frame in stack.split(";"))] += int(count)
    return stacks


class Truth:
    """What a program says of itself on its first line."""

    def __init__(self, announced):
        self.classes = announced["classes"]
        self.phases = announced.get("phases")
        self.lines = []
        self.call_lines = []
        self.kids = collections.defaultdict(list)  # (parent, name, file) -> nodes
        for at, (parent, call_line, name, file, lines) in enumerate(announced["nodes"]):
            self.lines.append(set(lines))
            self.call_lines.append(call_line)
            self.kids[parent, name.rpartition(".")[2], file].append(at)

    def follow(self, stack, with_lines):
        """Nodes that a stack may end at."""
        ends, called_from = [-1], 0
        for name, file, line in stack:
            ends = [kid for end in ends for kid in self.kids.get((end, name, file), ())
                    if not with_lines or self.call_lines[kid] in (0, called_from)]
            called_from = line
        return ends

    def is_possible(self, stack):
        return bool(self.follow(stack, False))

    def has_right_lines(self, stack):
        return any(stack[-1][2] in self.lines[end] for end in self.follow(stack, True))

    def judge(self, stacks):
        impossible, wrong_lines = collections.Counter(), collections.Counter()
        classes = collections.Counter({name: 0 for name in self.classes})
        for stack, count in stacks.items():
            stack = tuple(frame for frame in stack if frame[0] != COLLECTOR)  # it may begin anywhere
            if not self.is_possible(stack):
                impossible[stack] += count
            elif not self.has_right_lines(stack):
                wrong_lines[stack] += count
            name = next((frame[0] for frame in stack if frame[0] in classes), None)
            if name:
                classes[name] += count
        return Verdict(sum(stacks.values()), impossible, wrong_lines, classes)

    def stale(self, timed):
        """How many of [(seconds, stack)] are not of the phase of their time.  Where the first phase begins on the
        profile's clock is what most samples say."""
        length, names = self.phases["seconds"], self.phases["names"]
        around = length * len(names)
        offs = []
        for seconds, stack in timed:
            phase = next((names.index(name) for name, _, _ in stack if name in names), None)
            if phase is not None:
                offs.append((seconds - (phase + 0.5) * length) % around)
        if not offs:
            return 0
        first = offs[0]
        offs = [(off - first + around / 2) % around for off in offs]
        middle = sorted(offs)[len(offs) // 2]
        return sum(abs(off - middle) > length / 2 + STALE_SECONDS for off in offs)


def tail(stack):
    """The inner end of a stack, for people."""
    return ";".join(f"{name} ({file}:{line})" for name, file, line in stack[-4:])


# ---- distributions ------------------------------------------------------------------------------


def shares(values):
    total = sum(values.values())
    return {name: value / total for name, value in values.items()} if total else dict(values)


def distance(counts, spent):
    """Total-variation distance of two distributions."""
    ours, true = shares(counts), shares(spent)
    return sum(abs(ours.get(name, 0) - true[name]) for name in true) / 2


def floor(n, spent, rounds=4000, quantile=0.999):
    """What the distance of n honest samples is below, in 99.9 % of cases: drawn from the truth itself.  A
    multinomial as a chain of binomials, each near enough a Gaussian at the sizes used here."""
    draw = random.Random(n)
    true = list(shares(spent).values())
    found = []
    for _ in range(rounds):
        left, rest, off = n, 1.0, 0.0
        for share in true:
            part = min(1.0, share / rest) if rest > 0 else 0
            count = min(left, max(0, round(draw.gauss(left * part, (left * part * (1 - part)) ** 0.5))))
            off += abs(count / n - share)
            left -= count
            rest -= share
        found.append(off / 2)
    return sorted(found)[int(rounds * quantile)]


# ---- running them -------------------------------------------------------------------------------


class Target:
    """A truth program that runs; Unfit when it cannot on this interpreter."""

    def __init__(self, python, program):
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
        self.process = subprocess.Popen([python, "-u", TARGETS / f"truth_{program}.py"], env=env, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pid = self.process.pid
        line = self.process.stdout.readline()
        if not line:
            said = self.process.stderr.read()
            self.close()
            raise last_words(said, f"{program} on {python}")
        self.truth = Truth(json.loads(line))

    def spent(self):
        """{class: seconds so far}, by the program's own clock."""
        if not self.truth.classes:
            return {}
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(self.process.stdout.readline())

    def spent_since(self, before):
        return {name: seconds - before[name] for name, seconds in self.spent().items()}

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
