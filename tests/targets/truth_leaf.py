# SPDX-License-Identifier: Apache-2.0
"""One function under two callers, for 200 steps on one line and for 2,000 on another: the line must fit the caller."""
from truth import alternate, marked, restrict, run


def leaf(n):
    total = 0  # both
    if n < 1000:  # both
        for i in range(n):  # few
            total += i  # few
    else:
        for i in range(n):  # many
            total -= i  # many
    return total  # both


def few_steps(_):
    leaf(200)


def many_steps(_):
    leaf(2000)


def before():
    both = marked(__file__, "both") + [leaf.__code__.co_firstlineno]
    restrict("leaf", "few_steps", both + marked(__file__, "few"))
    restrict("leaf", "many_steps", both + marked(__file__, "many"))


run(alternate(few_steps, many_steps), before)
