# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""A function with locals of every kind that Python 2.7 and 3 have, waiting; with "numpy": its scalars, too."""
import sys
import time


class Plain(object):
    pass


class Number(int):
    pass


def builtins(first="foo", second=None, third=True, *rest, **more):
    ints = [-1234, 5678, 2 ** 100, -(2 ** 70), 0]
    letters = ("a", "b", "c")
    large = 123456789123456789
    real = 3.1415
    reals = (0.1, 1e16, 1e-07, -2.0, float("inf"))
    imaginary = 0.3 + 5j
    mapping = {"a": False}
    nested = ("-" * 115, {"key": {"key": {"key": "value"}}})
    text = u"naïve 测试"
    long_text = "x" * 5000
    empty = ""
    quoted = "a\"b\\c\n"
    raw = bytearray(b"ab\x00\xff")
    some = set([7])
    frozen = frozenset(["x"])
    nothing = set()
    numbers = range(3, 10, 2)
    single = (1,)
    plain = Plain()
    kind = Plain
    number = Number(17)
    failure = ValueError("bad", 3)
    cyclic = [1]
    cyclic.append(cyclic)
    unset = 1
    del unset
    shared = "cell"

    def inner():
        return shared

    print("ready")
    sys.stdout.flush()
    time.sleep(1000)
    return inner()


def scalars():
    import numpy
    yes = numpy.bool_(True)
    small = numpy.int8(-3)
    wide = numpy.int64(44)
    unsigned = numpy.uint16(46)
    half = numpy.float16(0.3)
    single = numpy.float32(0.5)
    double = numpy.float64(0.7)
    extended = numpy.longdouble(0.5)
    paired = numpy.complex64(0.5 + 5j)
    print("ready")
    sys.stdout.flush()
    time.sleep(1000)


if __name__ == "__main__":
    scalars() if sys.argv[1:] == ["numpy"] else builtins(7, 8, fourth=9)
