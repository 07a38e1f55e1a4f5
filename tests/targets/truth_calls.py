# SPDX-License-Identifier: Apache-2.0
"""Calls that go over several lines, nested in each other: a caller stands on the line that its interpreter says."""
from truth import alternate, run


def tiny(n):
    return n + 1


def pair(left, right):
    return left + right


def spread(_):
    return pair(
        tiny(
            1
        ),
        pair(
            tiny(2),
            tiny(
                3
            ),
        ),
    )


class Thing(object):
    def one(self, n):
        self.n = n
        return self

    def two(self, n):
        self.n += tiny(n)
        return self


THING = Thing()


def chained(_):
    return (
        THING
        .one(
            tiny(5))
        .two(
            6)
        .one(
            7
        )
    )


def conditional(n):
    return (
        tiny(n)
        if n > 5 else
        pair(
            tiny(n),
            n) + tiny(
                n)
    )


def looped(_):
    return [
        tiny(
            n)
        for n in (
            tiny(1),
            2,
        )
        if tiny(
            n
        )
    ]


def keyworded(_):
    return dict(
        a=tiny(1),
        b=pair(
            left=tiny(2),
            right=3,
        ),
        **{
            "c": tiny(
                4
            ),
        }
    )


run(alternate(spread, chained, conditional, looped, keyworded))
