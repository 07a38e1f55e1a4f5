# SPDX-License-Identifier: Apache-2.0
"""Threads that Python and C call each other in, each in an order that is known.  Says "ready", and what it could not
import.  For every version from 2.7 on."""

import sys
import threading
import time

missing = []
try:
    import zlib
except ImportError:
    missing.append("zlib")
try:
    import ctypes
except ImportError:
    missing.append("ctypes")

DATA = b"".join(b"%d" % (i * i) if sys.version_info > (3, 5) else str(i * i).encode() for i in range(60000))
taken = threading.Lock()
taken.acquire()


def nap():
    time.sleep(1000)


def key_of(item):
    return nap()


def sleeper():
    sorted([1], key=key_of)


def blocked():
    taken.acquire()


def shrink():
    return zlib.compress(DATA, 9)


def zipper():
    while True:
        shrink()


def ordered(left, right):
    nap()
    return 0


def callback():
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    ctypes.CDLL(None).qsort((ctypes.c_int * 2)(2, 1), ctypes.c_size_t(2), ctypes.c_size_t(4), kind(ordered))


def double(item):
    return 2 * item


def busy():
    while True:
        sorted(range(100), key=double)


def start_c():
    """A thread that Python does not know of: it pauses for ever."""
    libc = ctypes.CDLL(None)
    libc.pthread_create(ctypes.byref(ctypes.c_void_p()), None, libc.pause, None)


def start(function):
    thread = threading.Thread(target=function, name=function.__name__)
    thread.daemon = True
    thread.start()


wanted = sys.argv[1].split(",") if len(sys.argv) > 1 else ["sleeper", "blocked", "zipper", "callback"]
for name in wanted:
    if name == "zipper" and "zlib" in missing or name in ("callback", "start_c") and "ctypes" in missing:
        continue
    if name == "start_c":
        start_c()
    else:
        start(globals()[name])
sys.stdout.write(" ".join(["ready"] + missing) + "\n")
sys.stdout.flush()
while True:
    time.sleep(1000)
