# SPDX-License-Identifier: Apache-2.0
"""Eight workers and one lock: the first has it and works, the other seven wait for it at one line."""

import threading
import time

lock = threading.RLock()
has_it = threading.Event()


def render():
    while True:
        sum(i * i for i in range(1000))
        time.sleep(0.001)


def view():
    with lock:  # LINE: where the others wait
        has_it.set()
        render()


def main():
    for number in range(8):
        worker = threading.Thread(target=view, name="waitress-%d" % number)
        worker.daemon = True
        worker.start()
        has_it.wait()
    print("ready")
    time.sleep(3600)


main()
