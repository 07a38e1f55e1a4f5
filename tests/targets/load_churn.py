# SPDX-License-Identifier: Apache-2.0
"""Threads that live for a few milliseconds of work each, for argument 1 seconds; then the CPU time used."""

import sys
import threading
import time


def burn():
    total = 0
    for i in range(30000):
        total += i
    return total


print("ready", flush=True)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    thread = threading.Thread(target=burn)
    thread.start()
    thread.join()
