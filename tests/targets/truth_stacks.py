# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Threads that stand still in known places: says where, then waits.

The answer is one line of JSON: {native id: {"name", "ident", "frames": [[name, file, line], ...]}}, outermost frame
first, as sys._current_frames() has them once every thread waits in the lock that it will never get.  With the
argument "small" there are fewer of them, for a memory snapshot.  For every version: what is no syntax of 2.7 is
made by exec().
"""
import json
import os
import sys
import threading
import time

NEVER = threading.Lock()
NEVER.acquire()
IS_SMALL = sys.argv[1:] == ["small"]


def wait_here():
    NEVER.acquire()


def multi_line(call):
    return call(
        *[
            x
            for x in ()
        ]
    )


def keyword_lines():
    return sum(
        (
            1,
            multi_line(
                wait_here,
            ) or 0,
            3,
        )
    )


def generator():
    yield 1
    yield (
        wait_here()
    )


def in_generators():
    for _ in delegating():  # noqa: F821
        pass


def recursion(n):
    if n:
        return recursion(n - 1)
    return wait_here()


class Klasse:
    def method(self):
        return (lambda: wait_here())()

    @classmethod
    def of_class(cls):
        list(map(lambda _: wait_here(), [1]))


def in_exec():
    exec(compile("def made(f):\n\n    f()\nmade(f)", "<made üp>", "exec"), {"f": wait_here})


def in_except():
    try:
        raise ValueError
    except ValueError:
        try:
            1 / 0
        except ZeroDivisionError:
            wait_here()


def in_with():
    with open(os.devnull) as _:
        wait_here()


def far_away():
    pass


if sys.version_info[0] > 2:
    exec(compile(u"def delegating():\n    yield from generator()\n\ndef naïve_Ωmega_喜び():\n    wait_here()\n",
                 "three.py", "exec"))
else:
    exec(compile("def delegating():\n    for one in generator():\n        yield one\n", "two.py", "exec"))
BIG = "def big(f):\n    x = 0\n" + "    x = x + 1; y = x\n" * 9000 + "    f()\n"
exec(compile(BIG, "big.py", "exec"))

PLACES = [
    ("multi", keyword_lines), ("generators", in_generators), ("déjà vu ☃", globals().get("naïve_Ωmega_喜び", wait_here)),
    ("method", Klasse().method), ("klass", Klasse.of_class), ("exec", in_exec), ("except", in_except),
    ("with", in_with), ("big", lambda: big(wait_here)),  # noqa: F821
    ("x" * 300, wait_here),
]
if IS_SMALL:
    threading.stack_size(64 << 10)
    PLACES = PLACES[:6]
else:
    PLACES += [("crowd-%d" % i, wait_here) for i in range(40)]


NATIVE_IDS = {}


def start(name, place):
    """Thread.native_id came with 3.8; the kernel says it at any time."""
    def noted():
        NATIVE_IDS[thread] = int(os.readlink("/proc/thread-self").rsplit("/", 1)[1])
        place()

    thread = threading.Thread(target=noted, name=name)
    thread.daemon = True
    thread.start()
    return thread


def main():
    sys.setrecursionlimit(10000)
    if not IS_SMALL:
        threading.stack_size(256 << 20)
    threads = [start("deep", lambda: recursion(20 if IS_SMALL else 3000))]
    if not IS_SMALL:
        threading.stack_size(0)
    threads += [start(name, place) for name, place in PLACES]
    answer = None
    while answer is None:
        time.sleep(0.05)
        answer = describe(threads)
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    NEVER.acquire()


def describe(threads):
    """None until all of them stand in wait_here()."""
    frames = sys._current_frames()
    answer = {}
    for thread in threads:
        frame = frames.get(thread.ident)
        if frame is None or frame.f_code is not wait_here.__code__:
            return None
        names = []
        while frame:
            code = frame.f_code
            names.append([getattr(code, "co_qualname", code.co_name), code.co_filename.split("/")[-1], frame.f_lineno])
            frame = frame.f_back
        answer[NATIVE_IDS[thread]] = {"name": thread.name, "ident": thread.ident, "frames": names[::-1]}
    return answer


main()
