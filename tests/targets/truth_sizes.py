# SPDX-License-Identifier: Apache-2.0
"""Frames of very different sizes in turn, so that the data stack's chunks come, go and move."""
from truth import alternate, run

WIDE = "def wide(n):\n" + "".join("    v%d = n\n" % i for i in range(3000)) + "    return small_wide(n)\n"
exec(WIDE)


def small_wide(n):
    return n


def small_deep(n):
    return n


def deep(n):
    return deep(n - 1) if n else small_deep(n)


def many(n):
    a, b, c, d, e, f, g, h = n, n, n, n, n, n, n, n
    return small_many(a + b + c + d + e + f + g + h)


def small_many(n):
    return n


def wide_frames(_):
    wide(1)  # noqa: F821


def deep_frames(_):
    deep(40)


def small_frames(_):
    many(1)


run(alternate(wide_frames, deep_frames, small_frames))
