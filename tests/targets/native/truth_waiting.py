# SPDX-License-Identifier: Apache-2.0
"""truth_waiting.py ctypes|module|none FOLDER: a thread for every way to wait; each waits for ever, or again and again.

Runs on Python 2.7 and 3.6+.
"""
import os
import select
import socket
import subprocess
import sys
import threading
import time

import metal

try:
    import _thread as thread
except ImportError:
    import thread
try:
    import queue
except ImportError:
    import Queue as queue
try:
    import ssl
except ImportError:
    ssl = None

FOR_EVER = 1000000
NAP_US = -FOR_EVER * 1000
keep = []


def wait_lock():
    lock = thread.allocate_lock()
    lock.acquire()
    lock.acquire()


def wait_rlock():
    lock, has_it = threading.RLock(), thread.allocate_lock()
    has_it.acquire()

    def hold():
        lock.acquire()
        has_it.release()
        time.sleep(FOR_EVER)

    thread.start_new_thread(hold, ())
    has_it.acquire()
    lock.acquire()


def wait_condition():
    condition = threading.Condition()
    with condition:
        condition.wait()


def wait_queue():
    queue.Queue().get()


def wait_event():
    threading.Event().wait(FOR_EVER / 10)


def wait_sleep():
    time.sleep(FOR_EVER)


def wait_select():
    ends = socket.socketpair()
    keep.append(ends)
    select.select([ends[0]], [], [])


def wait_poll():
    ends = socket.socketpair()
    keep.append(ends)
    poll = select.poll()
    poll.register(ends[0], select.POLLIN)
    poll.poll()


def wait_epoll():
    ends = socket.socketpair()
    keep.append(ends)
    epoll = select.epoll()
    epoll.register(ends[0].fileno(), select.EPOLLIN)
    epoll.poll()


def wait_socket():
    ends = socket.socketpair()
    keep.append(ends)
    ends[0].recv(1)


def wait_accept():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    keep.append(listener)
    listener.accept()


def wait_read():
    ends = os.pipe()
    keep.append(ends)
    os.read(ends[0], 1)


def wait_ssl():
    ends = socket.socketpair()
    keep.append(ends)
    context = ssl.SSLContext(getattr(ssl, "PROTOCOL_TLS_CLIENT", ssl.PROTOCOL_SSLv23))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.wrap_socket(ends[0])


def wait_process():
    process = subprocess.Popen(["sleep", str(FOR_EVER)], stdout=subprocess.PIPE)
    keep.append(process)
    process.wait()


# ---- below frames of C, C++ and Rust ------------------------------------------------------------


def nap(n):
    time.sleep(FOR_EVER)
    return n


def wait_native(shape, nothing):
    shape(nothing, NAP_US)


def wait_below(shape, callback):
    shape(callback, 1)


def wait_mutex(shape, nothing):
    shape(nothing, -10000000)


def wait_vfork(shape, nothing):
    while True:
        shape(nothing, -100000)


OTHERS = [wait_lock, wait_rlock, wait_condition, wait_queue, wait_event, wait_sleep, wait_select, wait_poll, wait_epoll,
          wait_socket, wait_accept, wait_read, wait_process] + ([wait_ssl] if ssl else [])


def main():
    thread.stack_size(2 << 20)  # musl's are small
    loader, paths = metal.loader(), ["<module> main", "hold"]
    shapes = {}
    for function in OTHERS:
        thread.start_new_thread(function, ())
        paths.append(function.__name__)
    for library in metal.libraries():
        for name in metal.shapes_of(library):
            # One alternate stack, one handler: threads cannot share these.
            if name in ("metal_elsewhere", "metal_alarm", "metal_raise", "metal_jump"):
                continue
            shape, nothing = loader.shape(library, name)
            callback = loader.callback(nap)
            keep.append(callback)
            shapes[library, name] = shape
            if sys.argv[1] == "ctypes":  # the extension's callbacks are one thread's
                thread.start_new_thread(wait_below, (shape, callback))
                paths += metal.shape_paths("wait_below", name, "nap")
            if library not in metal.WORK:
                thread.start_new_thread(wait_native, (shape, nothing))
                paths += metal.shape_paths("wait_native", name, "metal_work")
    if loader:
        shape, nothing = loader.shape("libmetal_omit.so", "metal_mutex")
        thread.start_new_thread(wait_mutex, (shape, nothing))
        thread.start_new_thread(wait_mutex, (shape, nothing))
        shape, nothing = loader.shape("libmetal_omit.so", "metal_vfork")
        thread.start_new_thread(wait_vfork, (shape, nothing))
        paths += ["wait_mutex metal_mutex metal_work", "wait_vfork metal_vfork"]
    time.sleep(0.3)  # all of them have come to their waits
    metal.say(paths, [function.__name__ for function in OTHERS])
    while True:
        time.sleep(FOR_EVER)


if __name__ == "__main__":
    main()
