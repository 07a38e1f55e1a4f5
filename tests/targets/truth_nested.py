# SPDX-License-Identifier: Apache-2.0
"""Two chains of three functions each, of the same shape and other names, in turn."""
from truth import alternate, run


def a_parent(_):
    for n in (10, 20, 30):
        a_leaf(n)


def a_leaf(n):
    return burn_a(n) + burn_a(n + 1)


def burn_a(n):
    total = 0
    for i in range(n):
        total += i
    return total


def b_parent(_):
    for n in (40, 50, 60):
        b_leaf(n)


def b_leaf(n):
    return burn_b(n) + burn_b(n + 1)


def burn_b(n):
    total = 0
    for i in range(n):
        total += i
    return total


run(alternate(a_parent, b_parent))
