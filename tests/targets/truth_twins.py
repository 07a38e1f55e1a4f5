# SPDX-License-Identifier: Apache-2.0
"""Twins: functions of identical bytecode, called in turn at the same depth, directly, from C and as generators.

left() calls only what ends in _left, right() only what ends in _right: a stack that mixes them was never there.
"""
import functools

from truth import alternate, run


def leaf_left(n):
    return n + 1


def leaf_right(n):
    return n + 1


def mid_left(n):
    return leaf_left(n) + leaf_left(n)


def mid_right(n):
    return leaf_right(n) + leaf_right(n)


def many_left():
    for i in range(3):
        yield leaf_left(i)


def many_right():
    for i in range(3):
        yield leaf_right(i)


def left(n):
    mid_left(n)
    list(map(leaf_left, (1, 2)))
    functools.reduce(fold_left, (1, 2, 3))
    sorted((2, 1), key=leaf_left)
    sum(many_left())


def right(n):
    sum(many_right())
    mid_right(n)
    sorted((2, 1), key=leaf_right)
    list(map(mid_right, (1, 2)))
    functools.reduce(fold_right, (1, 2, 3))


def fold_left(a, b):
    return leaf_left(a) + b


def fold_right(a, b):
    return leaf_right(a) + b


run(alternate(left, right))
