# SPDX-License-Identifier: Apache-2.0
"""Which function runs, the clock decides: eight phases of 100 ms in turn, so that a stale stack shows.

The announcement says how long a phase is and on which clock: phase_K runs while (clock / length) % 8 is K.
"""
import time

from truth import run

PHASE = 0.1
monotonic = getattr(time, "monotonic", None)  # the profiler's own clock; not in 2.7

SOURCE = """
def phase_{0}(until):
    while monotonic() < until:
        burn_{0}()

def burn_{0}():
    total = 0
    for i in range(30):
        total += i
    return total
"""

SPACE = {"monotonic": monotonic}
for each in range(8):
    exec(compile(SOURCE.format(each), "<phase_%d>" % each, "exec"), SPACE)
PHASES = [SPACE["phase_%d" % each] for each in range(8)]


def cycle():
    number = int(monotonic() / PHASE)
    PHASES[number % 8]((number + 1) * PHASE)


if not monotonic:
    raise SystemExit("needs time.monotonic")
run(cycle, rounds=len(PHASES) + 1, phases={"seconds": PHASE, "names": [phase.__name__ for phase in PHASES]})
