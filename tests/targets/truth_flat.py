# SPDX-License-Identifier: Apache-2.0
"""Functions that last 1 to 20 microseconds, in turn, at the same depth."""
from truth import alternate, run


def shortest(_):
    return sum_up(15)


def sum_up(n):
    total = 0
    for i in range(n):
        total += i
    return total


def shorter(_):
    total = 0
    for i in range(40):
        total += i
    return total


def short(_):
    total = 0
    for i in range(80):
        total += i
    return total


def long(_):
    total = 0
    for i in range(160):
        total += i
    return total


def longer(_):
    total = 0
    for i in range(300):
        total += i
    return total


def longest(_):
    return sum_up(500)


run(alternate(shortest, longest, shorter, longer, short, long))
