# SPDX-License-Identifier: Apache-2.0
"""Code objects that die and are born at the same address, their strings too, with other names each time."""
import marshal

from truth import run

SOURCE = """
def outer_{0}(n):
    t = 0
    for i in range(n):
        t += inner_{0}(i)
    return t
def inner_{0}(i):
    return i + 1
outer_{0}(20)
"""
NAMES = ["aaaa", "bbbb", "cccc", "dddd"]
FROZEN = [marshal.dumps(compile(SOURCE.format(name), "<file_%s>" % name, "exec")) for name in NAMES]


def run_frozen(frozen):
    exec(marshal.loads(frozen), {})


def cycle():
    for frozen in FROZEN:
        run_frozen(frozen)


run(cycle)
