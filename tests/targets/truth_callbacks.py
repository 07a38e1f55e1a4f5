# SPDX-License-Identifier: Apache-2.0
"""Python called from C called from Python: sorted(), map(), reduce(), re.sub(), iterators, ctypes."""
import functools
import re

from truth import alternate, run

try:
    import ctypes
except ImportError:  # an interpreter without libffi
    ctypes = None

WORDS = re.compile("[a-z]+")
TEXT = "one two three four"
NUMBERS = [5, 3, 1, 4]


def key(n):
    return -n


def by_key(_):
    sorted(NUMBERS, key=key)
    max(
        NUMBERS,
        key=key,
    )


def replaced(match):
    return tidy(match.group())


def tidy(word):
    return word[::-1]


def by_match(_):
    WORDS.sub(replaced, TEXT)


def fold(total, n):
    return total + twice(n)


def twice(n):
    return 2 * n


def by_fold(_):
    functools.reduce(fold, NUMBERS)
    list(map(twice, NUMBERS))
    list(filter(twice, NUMBERS))


class Steps(object):
    def __init__(self):
        self.left = 5

    def __iter__(self):
        return self

    def __next__(self):
        self.left -= 1
        if not self.left:
            raise StopIteration
        return self

    next = __next__

    def __lt__(self, other):
        return lighter(self, other)


def lighter(one, other):
    return id(one) < id(other)


def by_protocol(_):
    list(Steps())
    sorted([Steps(), Steps(), Steps()])


def compare(one, other):
    return twice(one[0]) - twice(other[0])


def by_ctypes(_):
    if ctypes:
        LIBC.qsort(ctypes.byref(ARRAY), len(ARRAY), ctypes.sizeof(ctypes.c_int), COMPARE)


if ctypes:
    LIBC = ctypes.CDLL(None)
    ARRAY = (ctypes.c_int * 4)(4, 2, 3, 1)
    COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))(compare)

run(alternate(by_key, by_match, by_fold, by_protocol, by_ctypes))
