# SPDX-License-Identifier: Apache-2.0
"""
Known shares: "cruncher" computes without the GIL (hashing of large data, with hardly a wait for the GIL), "counter" holds it, and the main thread
sleeps.  Each loop lasts a fixed time by its thread's CPU clock, so that every pass is the same work.
"""
import hashlib
import sys
import threading
import time

DATA = b"x" * (32 << 20)


def crunch():
    while True:
        hashlib.sha256(DATA).digest()


def count():
    while True:
        end = time.thread_time() + 0.010
        while time.thread_time() < end:
            pass
        time.sleep(0.010)


for name, target in (("cruncher", crunch), ("counter", count)):
    thread = threading.Thread(target=target, name=name)
    thread.daemon = True
    thread.start()
sys.stdout.write("ready\n")
sys.stdout.flush()
while True:
    time.sleep(100)
