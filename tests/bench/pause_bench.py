# SPDX-License-Identifier: Apache-2.0
"""The pause as its tracer and as a spinning target see it, against a bare INTERRUPT, waitpid, CONT."""
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PYROMETER_BUILD", ROOT / "build"))


def measure(hz, hogs, mode):
    program = BUILD / "tests" / "bench" / "pause_bench"
    out = subprocess.run([program, str(hz), str(hogs), str(2 * hz), mode], check=True, stdout=subprocess.PIPE,
                         text=True, timeout=300).stdout
    return json.loads(out)


def show(times):
    return f"{times['p50']:7.1f} {times['p99']:8.1f} {times['max']:8.1f}"


def main():
    print("pauses of a spinning thread with 6 KB read in each, in us; baseline: a bare INTERRUPT, waitpid, CONT")
    print(f"{'':24}{'call to stop: p50, p99, max':>28}{'stop to going on':>28}{'as the target sees it':>28}")
    for hz in (100, 1000):
        for hogs in (0, 2, 6):
            plain, ours = measure(hz, hogs, "plain"), measure(hz, hogs, "pauser")
            for name, result in (("baseline", plain), ("pauser", ours)):
                columns = "  ".join(show(result[key]) for key in ("stop", "hold", "seen"))
                print(f"{hz:5} Hz {hogs} hogs {name:9} {columns}")
            print(f"{'':14}seen by the target: {ours['seen']['p50'] / plain['seen']['p50']:.2f} x the baseline")


main()
