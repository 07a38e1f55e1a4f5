# SPDX-License-Identifier: Apache-2.0
"""Generators resumed from several callers, delegated with yield from, closed early, thrown into."""
import sys

from truth import begin

# In 2.7 a generator cannot delegate; it hands on what it gets.
RELAY = "yield from source(n)" if sys.version_info[0] > 2 else "for one in source(n): yield one"


def tiny(n):
    return n


def source(n):
    for i in range(n):
        yield tiny(i)


exec("def relay(n):\n    " + RELAY)


def outer(n):
    for one in relay(n):  # noqa: F821
        yield one


def drain():
    for _ in outer(4):
        pass


def pick():
    stream = source(4)
    next(stream)
    step(stream)
    stream.close()


def step(stream):
    return next(stream)


def hurt():
    stream = catching()
    next(stream)
    stream.throw(ValueError())
    stream.close()


def catching():
    try:
        yield 1
    except ValueError:
        yield tiny(2)


def total():
    return sum(relay(3)) + sum(x for x in source(2))


def main():
    while True:
        drain()
        pick()
        hurt()
        total()


TOP = ["<module>", "main"]
begin([
    TOP + ["drain", "outer", "relay", "source", "tiny"],
    TOP + ["pick", "source", "tiny"],
    TOP + ["pick", "step", "source", "tiny"],
    TOP + ["hurt", "catching", "tiny"],
    TOP + ["total", "relay", "source", "tiny"],
    TOP + ["total", "total.<locals>.<genexpr>", "source", "tiny"],
    TOP + ["total", "<genexpr>", "source", "tiny"],
    TOP + ["total", "source"],  # from 3.11 on a generator function is entered to make its generator
])
main()
