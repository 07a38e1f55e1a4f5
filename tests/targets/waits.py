# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Threads that wait, each in another way: locks, queues, sockets, pipes, polls, children, callbacks of C.

Runs on every version from 2.7 on.  Writes one line when all of them have been started, then sleeps.
"""
import os
import re
import select
import socket
import sys
import threading
import time

try:
    import queue
except ImportError:
    import Queue as queue

FOREVER = 1000
HELD = threading.Lock()
HELD.acquire()
A, B = socket.socketpair()


class Slow(object):
    def __getattr__(self, name):
        time.sleep(FOREVER)


def wait_sleep():
    time.sleep(FOREVER)


def wait_lock():
    HELD.acquire()


def wait_queue():
    queue.Queue().get()


def wait_queue_timeout():
    queue.Queue().get(timeout=FOREVER)


def wait_receive():
    A.recv(1)


def wait_select():
    select.select([B], [], [], FOREVER)


def wait_poll():
    poll = select.poll()
    poll.register(B, 1)
    poll.poll(FOREVER * 1000)


def wait_epoll():
    epoll = select.epoll()
    epoll.register(B.fileno(), 1)
    epoll.poll(FOREVER)


def wait_sort():
    sorted([3, 2], key=lambda item: time.sleep(FOREVER))


def wait_getattr():
    Slow().foo


def wait_pipe():
    os.read(os.pipe()[0], 1)


def wait_file():
    os.fdopen(os.pipe()[0]).read()


def wait_regex():
    re.sub("a", lambda match: time.sleep(FOREVER), "aaa")


for name, function in sorted(globals().copy().items()):
    if name.startswith("wait_"):
        thread = threading.Thread(target=function, name=name)
        thread.daemon = True
        thread.start()
sys.stdout.write("waiting\n")
sys.stdout.flush()
time.sleep(FOREVER)
