# SPDX-License-Identifier: Apache-2.0
"""What profilers are measured on: one busy thread at the end of a deep stack of distinct functions and a generator.

    load_bench.py [--depth 50] [--idle N] [--native N] [--progress FILE]

--idle threads wait in a lock at the end of such a stack each; --native ones sleep in C without any Python.  The number of
finished units of work stands as 8 bytes in --progress, mapped, so that nobody has to ask.
"""
import argparse
import mmap
import struct
import sys
import threading

STEPS = 400  # of one unit of work: about 10 us


def functions(depth):
    """Source of `depth` functions, one below the other; the last but two is a generator, the last does the work."""
    lines = []
    for i in range(depth - 3):
        lines.append("def level_%d(wait):\n    x = %d\n    return level_%d(wait)\n" % (i, i, i + 1))
    lines.append("def level_%d(wait):\n    for _ in stages(wait):\n        pass\n" % (depth - 3))
    lines.append("def stages(wait):\n    while True:\n        units(wait)\n        yield\n")
    lines.append("def units(wait):\n    if wait:\n        wait.acquire()\n"
                 "    for _ in range(100):\n        t = 0\n        for i in range(STEPS):\n            t += i & 7\n"
                 "        done()\n")
    return "\n".join(lines)


def start_native(n):
    """Threads that Python knows nothing of, in pause()."""
    if not n:
        return
    import ctypes  # some builds lack it
    libc = ctypes.CDLL(None)
    attr = ctypes.create_string_buffer(64)
    libc.pthread_attr_init(attr)
    libc.pthread_attr_setstacksize(attr, ctypes.c_size_t(64 << 10))
    for _ in range(n):
        thread = ctypes.c_ulong()
        if libc.pthread_create(ctypes.byref(thread), attr, ctypes.cast(libc.pause, ctypes.c_void_p), None):
            raise OSError("pthread_create")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--idle", type=int, default=0)
    parser.add_argument("--native", type=int, default=0)
    parser.add_argument("--progress")
    args = parser.parse_args()
    count = bytearray(8)
    if args.progress:
        with open(args.progress, "r+b") as file:
            count = mmap.mmap(file.fileno(), 8)
    place = struct.Struct("<Q")
    units = [0]

    def done():
        units[0] += 1
        place.pack_into(count, 0, units[0])

    scope = {"STEPS": STEPS, "done": done}
    exec(compile(functions(args.depth - 2), "levels.py", "exec"), scope)  # below <module> and main
    never = threading.Lock()
    never.acquire()
    threading.stack_size(512 << 10)
    for _ in range(args.idle):
        thread = threading.Thread(target=scope["level_0"], args=(never,))
        thread.daemon = True
        thread.start()
    start_native(args.native)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    scope["level_0"](None)


main()
