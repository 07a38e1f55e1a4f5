# SPDX-License-Identifier: Apache-2.0
"""One thread, busy for ever at the end of a chain of `depth` functions (argument 1, 50 by default)."""

import sys


def spin():
    total = 0
    while True:
        for i in range(1000):
            total += i & 7


def descend(left):
    if left == 0:
        spin()
    descend(left - 1)


sys.stdout.write("ready\n")
sys.stdout.flush()
descend(int(sys.argv[1]) - 3 if len(sys.argv) > 1 else 47)
