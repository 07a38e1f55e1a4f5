# SPDX-License-Identifier: Apache-2.0
"""Threads that are all busy with Python, under one lock of the interpreter; argument 1: how many."""

import sys
import threading


def busy():
    total = 0
    while True:
        for i in range(1000):
            total += i & 7


for _ in range(int(sys.argv[1])):
    thread = threading.Thread(target=busy)
    thread.daemon = True
    thread.start()
sys.stdout.write("ready\n")
sys.stdout.flush()
busy()
