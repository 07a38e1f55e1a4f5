# SPDX-License-Identifier: Apache-2.0
"""What random pauses find: chains of frames that are whole, and those torn inside a push or pop.

    python tests/bench/chains.py [--pauses N] [--only REGEX]

For every interpreter here the programs with generators, exceptions and callbacks from C run under the part driver
(tests/unit/python), which pauses the holder of the GIL at random moments, reads, and nudges it on as long as the
chain is not whole.  Prints the table of docs/ACCURACY.md: pauses; whole at the first reading; torn, by the rule
that told (readings; the numbers are those of src/python/walk.c); nudges until whole; never whole; and, the chains
judged by what the program knows of itself, impossible ones.  In ./dev bench the pauses are few (BENCH_PAUSES, 6,000 a
version); 100,000 need about a minute a version.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import pythons  # noqa: E402  (both need the path above)
import truths  # noqa: E402

DRIVER = os.environ.get("PYTHON_DRIVER", str(ROOT / "build" / "tests" / "unit" / "python" / "python_driver"))
PROGRAMS = ["generators", "exceptions", "callbacks"]
RATE = 10000
PIECE_SECONDS = 3
BREAKS = ["base", "cframe", "popped", "frame", "cycle"]
HEAD = ("| interpreter | pauses | whole at once | torn | no base (1) | left over (2) | popped (3) | no frame (4) | cycle "
        "| nudges each | most | never whole | impossible |")


def sample(python, program):
    """The driver's counts of one piece, with the impossible stacks and wrong lines that it showed."""
    with truths.Target(python.path, program) as target:
        done = subprocess.run([DRIVER, "sample", str(target.pid), str(RATE), str(PIECE_SECONDS)], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        verdict = target.truth.judge(truths.raw_stacks(done.stdout))
    counts = {name: int(value) for name, value in re.findall(r"^(\w+) (\d+)$", done.stderr, re.M)}
    counts["impossible"] = sum(verdict.impossible.values()) + sum(verdict.wrong_lines.values())
    return counts


def measure(python, pauses):
    """Sums over pieces until there are enough pauses."""
    sums, most = {}, 0
    while sums.get("complete", 0) + sums.get("incomplete", 0) < pauses:
        for program in PROGRAMS:
            counts = sample(python, program)
            most = max(most, counts["steps_max"])
            for name, value in counts.items():
                sums[name] = sums.get(name, 0) + value
    sums["steps_max"] = most
    return sums


def row(python, sums):
    pauses = sums["complete"] + sums["incomplete"]
    torn = sums["stepped"]
    cells = [f"{python.id} {python.version}", f"{pauses:,}", f"{100 * (pauses - torn) / pauses:.3f} %",
             f"{torn:,} ({100 * torn / pauses:.3f} %)", *(f"{sums['broken_' + name]:,}" for name in BREAKS),
             f"{sums['steps'] / torn:.2f}" if torn else "-", str(sums["steps_max"]), str(sums["incomplete"]),
             str(sums["impossible"])]
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pauses", type=int, default=int(os.environ.get("BENCH_PAUSES", "6000")))
    parser.add_argument("--only", default="", help="interpreters whose name has this")
    options = parser.parse_args()
    bad = []
    print(HEAD + "\n" + "|---" * HEAD.count(" |") + "|", flush=True)
    for python in pythons.every():
        if python.tag not in pythons.READABLE or not re.search(options.only, f"{python.id} {python.version}"):
            continue
        try:
            sums = measure(python, options.pauses)
        except (truths.Unfit, RuntimeError) as unfit:
            print(f"{python.id} {python.version}: {unfit}")
            continue
        print(row(python, sums), flush=True)
        if sums["impossible"]:
            bad.append(f"{python.id}: {sums['impossible']} impossible stacks or wrong lines")
    sys.exit("\n".join(bad) if bad else 0)


if __name__ == "__main__":
    main()
