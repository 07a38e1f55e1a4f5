# SPDX-License-Identifier: Apache-2.0
"""
The pause as its tracer and as a spinning target see it, beside 0, 2 and 6 CPU hogs, in one table with its bars.

"as the target sees it" is the gap in its own clock without the time that it waited in the queue for a CPU: that
is what others take on a crowded machine, with and without us (the column "with the queue" has it).  The baseline
is a bare INTERRUPT, waitpid, CONT.  A bar that is missed fails the bench; PAUSE_BENCH_LENIENT=1 only prints.
"""
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PYROMETER_BUILD", ROOT / "build"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
BARS = {"shared": {"p50": 60.0, "p99": 500.0, "max": 10000.0}, "free": {"p50": 150.0, "p99": 500.0, "max": 10000.0}}


def measure(hz, hogs, mode, place):
    program = BUILD / "tests" / "bench" / "pause_bench"
    argv = [program, str(hz), str(hogs), str(int(SECONDS * hz)), mode] + (["shared"] if place == "shared" else [])
    return json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=600).stdout)


def median_run(runs):
    """The round whose median as the target sees it is the middle one; max is that of all rounds."""
    runs = sorted(runs, key=lambda run: run["net"]["p50"])
    chosen = dict(runs[len(runs) // 2])
    chosen["net"] = dict(chosen["net"], max=max(run["net"]["max"] for run in runs))
    return chosen


def show(times):
    return f"{times['p50']:8.1f}{times['p99']:9.1f}{times['max']:9.1f}"


def main():
    print(f"pauses of a spinning thread, 6 KB read in each, us; the middle one of {ROUNDS} rounds of {SECONDS:g} s, taken in turn")
    print(f"{'':34}" + "".join(f"{name:>26}" for name in ("call to stop", "stop to going on", "with the queue",
                                                         "as the target sees it")))
    print(f"{'CPUs':8}{'rate':>8}{'hogs':>6}  {'':10}" + f"{'p50':>8}{'p99':>9}{'max':>9}" * 4)
    missed = []
    for place in ("free", "shared"):
        for hz in (100, 1000):
            for hogs in (0, 2, 6):
                rounds = [(measure(hz, hogs, "plain", place), measure(hz, hogs, "pauser", place)) for _ in range(ROUNDS)]
                plain, ours = (median_run([pair[i] for pair in rounds]) for i in (0, 1))
                for name, result in (("baseline", plain), ("pauser", ours)):
                    columns = "".join(show(result[key]) for key in ("stop", "hold", "seen", "net"))
                    print(f"{place:8}{hz:5} Hz{hogs:6}  {name:10}{columns}", flush=True)
                for key, bar in BARS[place].items():
                    if ours["net"][key] > bar:
                        missed.append(f"{place}, {hz} Hz, {hogs} hogs: {key} {ours['net'][key]:.1f} us, the bar is {bar:g}")
                print(f"{'':24}ratio: {ours['net']['p50'] / plain['net']['p50']:.2f} x the baseline's median, "
                      f"{ours['net']['max'] / plain['net']['max']:.2f} x its longest")
    for line in missed:
        print(f"missed: {line}")
    print("bars: p50 150 us (60 on a shared CPU), p99 500 us, max 10 ms:", "missed" if missed else "kept")
    if missed and not os.environ.get("PAUSE_BENCH_LENIENT"):
        sys.exit(1)


main()
