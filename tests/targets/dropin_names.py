# SPDX-License-Identifier: Apache-2.0
"""Eight threads with names of their own, all asleep, and the main one."""
import threading
import time


def rest():
    time.sleep(10 ** 6)


for number in range(8):
    thread = threading.Thread(target=rest, name="sleeper number %d" % number)
    thread.daemon = True
    thread.start()
rest()
