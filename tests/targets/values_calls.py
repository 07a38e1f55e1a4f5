# SPDX-License-Identifier: Apache-2.0
"""serve(path) is three times as busy with "/slow" as with "/fast"; several calls stand in one line."""
import sys
import time

now = getattr(time, "perf_counter", time.time)


def spin(until):
    while now() < until:
        pass


def serve(path, seconds):
    started = now()
    spin(started + seconds)


print("ready")
sys.stdout.flush()
while True:
    serve("/fast", 0.01); serve("/slow", 0.03)
