# SPDX-License-Identifier: Apache-2.0
"""Two branches of tiny functions with the same code: parent_a calls only leaf_a, parent_b only leaf_b.

A stack that mixes them never existed.  Branch a does three times the work of b.
"""


def leaf_a(n):
    total = 0
    for i in range(n):
        total += i
    return total


def leaf_b(n):
    total = 0
    for i in range(n):
        total += i
    return total


def gen_a(n):
    for _ in range(n):
        yield leaf_a(3)


def gen_b(n):
    for _ in range(n):
        yield leaf_b(3)


def parent_a(n):
    for _ in range(n):
        leaf_a(5)
    return sum(gen_a(n))


def parent_b(n):
    for _ in range(n):
        leaf_b(5)
    return sum(gen_b(n))


print("ready", flush=True)
while True:
    parent_a(6)
    parent_b(2)
