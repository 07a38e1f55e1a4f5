# SPDX-License-Identifier: Apache-2.0
"""
Scene A for clients: work() calls foo three quarters and bar one quarter of its time, in bursts of random length (a
fixed one could keep step with a profiler's clock), then sleeps, so that several clients fit onto one CPU.
"""

import json
import os
import random
import time


def burn(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


def foo(n):
    return burn(3 * n)


def bar(n):
    return burn(n)


def work(n):
    return foo(n) + bar(n)


def serve():
    """Until SECONDS are over; returns the CPU seconds that it used."""
    ends, began = time.monotonic() + float(os.environ["SECONDS"]), time.process_time()
    while time.monotonic() < ends:
        work(random.randint(10_000, 80_000))
        time.sleep(0.02)
    return time.process_time() - began


def tell(cpu_seconds):
    """What the test checks the profiles against."""
    print(json.dumps({"cpu_seconds": cpu_seconds}), flush=True)
