# SPDX-License-Identifier: Apache-2.0
"""Generators resumed from several callers, delegated with yield from, closed early, thrown into."""
import sys

from truth import alternate, run


def tiny(n):
    return n


def source(n):
    for i in range(n):
        yield tiny(i)


DELEGATING = """
def relay(n):
    yield from source(n)

def outer(n):
    yield from relay(n)
"""


def relay(n):
    for value in source(n):
        yield value


def outer(n):
    for value in relay(n):
        yield value


if sys.version_info >= (3,):
    exec(compile(DELEGATING, "<delegating>", "exec"))


def drain(_):
    for _ in outer(4):
        pass


def pick(_):
    stream = source(4)
    next(stream)
    step(stream)
    stream.close()


def step(stream):
    return next(stream)


def hurt(_):
    stream = catching()
    next(stream)
    stream.throw(ValueError())
    stream.close()


def catching():
    try:
        yield 1
    except ValueError:
        yield tiny(2)


def total(_):
    return sum(relay(3)) + sum(x for x in source(2))


run(alternate(drain, pick, hurt, total))
