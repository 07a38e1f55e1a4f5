# SPDX-License-Identifier: Apache-2.0
"""Exceptions through several frames, caught at different depths, with finally blocks and context managers."""
from truth import alternate, run


class Guard(object):
    def __enter__(self):
        return enter_work()

    def __exit__(self, *_):
        exit_work()
        return True


def enter_work():
    return 1


def exit_work():
    return 2


def fail_deep(n):
    if n:
        fail_deep_inner(n)


def fail_deep_inner(n):
    raise KeyError(n)


def tidy():
    return 3


def with_finally(n):
    try:
        fail_deep(n)
    finally:
        tidy()


def catch(_):
    try:
        with_finally(1)
    except KeyError:
        recover()


def recover():
    return 4


def guarded(_):
    with Guard():
        fail_deep(1)


run(alternate(catch, guarded))
