# SPDX-License-Identifier: Apache-2.0
"""Two functions that call themselves 300 times, in turn."""
import sys

from truth import alternate, run


def a(n):
    return a(n - 1) if n else 0


def b(n):
    if n == 0:
        return 0
    total = n * n
    total += b(n - 1)
    return total


def down_a(_):
    a(300)


def down_b(_):
    b(300)


sys.setrecursionlimit(5000)
run(alternate(down_a, down_b))
