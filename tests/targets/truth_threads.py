# SPDX-License-Identifier: Apache-2.0
"""A hundred threads under one lock of the interpreter, each in functions of its own kind."""
from truth import run_threads

SOURCE = """
def outer_{0}():
    for n in (5, 10, 20):
        inner_{0}(n)
def inner_{0}(n):
    total = 0
    for i in range(n):
        total += i
    return leaf_{0}(total)
def leaf_{0}(n):
    return n + 1
"""


def make(i):
    space = {}
    exec(compile(SOURCE.format(i), "<thread_%d>" % i, "exec"), space)
    return space["outer_%d" % i]


run_threads([make(i) for i in range(100)])
