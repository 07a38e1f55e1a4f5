# SPDX-License-Identifier: Apache-2.0
"""Half of the time (by its own clock) collects garbage, the other half computes; says at the end how much of each."""
import gc
import sys
import time

SECONDS = float(sys.argv[1])
PIECE = 0.05
now = getattr(time, "perf_counter", time.time)


def compute(until):
    n = 0
    while now() < until:
        n += 1
    return n


def collect(until):
    while now() < until:
        gc.collect()


def main():
    kept = [[i, {}] for i in range(100000)]
    spent = [0.0, 0.0]
    gc.disable()
    print("ready")
    sys.stdout.flush()
    end = now() + SECONDS
    while now() < end:
        for which, work in enumerate((compute, collect)):
            begun = now()
            work(begun + PIECE)
            spent[which] += now() - begun
    print("%f %f" % tuple(spent))
    sys.stdout.flush()
    return kept


main()
