# SPDX-License-Identifier: Apache-2.0
"""Named threads, one for each thing a thread can do; argument 1: how many more that just sleep."""

import select
import socket
import sys
import threading
import time

lock = threading.Lock()


def busy():
    total = 0
    while True:
        total += 1


def sleeping():
    while True:
        time.sleep(60)


def blocked():
    with lock:
        pass


def reading(connection):
    connection.recv(1)


def polling(connection):
    select.select([connection], [], [])


def start(target, name, *args):
    thread = threading.Thread(target=target, name=name, args=args)
    thread.daemon = True
    thread.start()


lock.acquire()
left, right = socket.socketpair()
start(busy, "busy")
start(sleeping, "sleeper")
start(blocked, "blocked")
start(reading, "reader", left)
start(polling, "poller", right)
for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 0):
    start(sleeping, "extra-%d" % number)
time.sleep(0.2)
sys.stdout.write("ready\n")
sys.stdout.flush()
while True:
    time.sleep(60)
