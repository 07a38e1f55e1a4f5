# SPDX-License-Identifier: Apache-2.0
"""Exceptions through several frames, caught at different depths, with finally blocks and context managers."""
from truth import begin


class Guard:
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


def catch():
    try:
        with_finally(1)
    except KeyError:
        recover()


def recover():
    return 4


def guarded():
    with Guard():
        fail_deep(1)


def main():
    while True:
        catch()
        guarded()


TOP = ["<module>", "main"]
begin([
    TOP + ["catch", "with_finally", "fail_deep", "fail_deep_inner"],
    TOP + ["catch", "with_finally", "tidy"],
    TOP + ["catch", "recover"],
    TOP + ["guarded", "fail_deep", "fail_deep_inner"],
    TOP + ["guarded", "Guard.__enter__", "enter_work"],
    TOP + ["guarded", "Guard.__exit__", "exit_work"],
    TOP + ["guarded", "__enter__", "enter_work"],
    TOP + ["guarded", "__exit__", "exit_work"],
])
main()
