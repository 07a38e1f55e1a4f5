# SPDX-License-Identifier: Apache-2.0
"""load_rate.py FOLDER COUNTER [THREADS]: how fast a program of Python and C gets on, as a number in the file COUNTER.

One thread computes, 60 frames of C below Python and back; THREADS others (20) wait.  Runs on Python 2.7 and 3.6+.
"""
import ctypes
import mmap
import os
import struct
import sys
import threading
import time


def spin(n):
    total = 0
    for i in range(n):
        total += i * i
    return total & 1


def wait():
    while True:
        time.sleep(1000)


def work(library, counter):
    callback_type = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long)
    sixty, back, nothing = library.metal_sixty, callback_type(spin), callback_type()
    sixty.argtypes = [callback_type, ctypes.c_long]
    rounds = 0
    while True:
        sixty(back, 300)
        sixty(nothing, 30000)
        rounds += 1
        counter[:8] = struct.pack("Q", rounds)


def main():
    with open(sys.argv[2], "r+b") as file:
        counter = mmap.mmap(file.fileno(), 8)
    for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 20):
        thread = threading.Thread(target=wait)
        thread.daemon = True
        thread.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    work(ctypes.PyDLL(os.path.join(sys.argv[1], "libmetal_omit.so")), counter)


main()
