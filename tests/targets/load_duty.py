# SPDX-License-Identifier: Apache-2.0
"""Works 60 % of the time, in slices of 10 ms, for argument 1 seconds (for ever without it)."""

import sys
import time


def work(until):
    total = 0
    while time.perf_counter() < until:
        for i in range(200):
            total += i * i
    return total


def main():
    end = time.perf_counter() + float(sys.argv[1]) if len(sys.argv) > 1 else float("inf")
    print("ready", flush=True)
    start = time.perf_counter()
    while start < end:
        work(start + 0.006)
        start += 0.010
        time.sleep(max(0.0, start - time.perf_counter()))


main()
