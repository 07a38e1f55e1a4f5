#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small service with an incident in it, to look at with Pyrometer.

Every request runs work(), which takes 75,000 steps in foo() and 25,000 equal steps in bar(); the fixed
version needs only 8,000 in foo().  A thread inside sends requests at a steady pace, so that the process
uses a known share of one core.  README.md tells how to switch the incident and the fix on and off.
"""

import argparse
import http.server
import json
import os
import queue
import signal
import sys
import threading
import time

FOO_STEPS = 75_000
FOO_STEPS_FIXED = 8_000
BAR_STEPS = 25_000


def foo(steps):
    x = 1
    for _ in range(steps):
        x = (x * 75 + 74) % 65537 ^ (x * 31 + 7) % 65521 & (x * 13 + 11) % 65519
    return x


def bar(steps):
    x = 1
    for _ in range(steps):
        x = (x * 75 + 74) % 65537 ^ (x * 31 + 7) % 65521 & (x * 13 + 11) % 65519
    return x


def work(foo_steps):
    return foo(foo_steps) + bar(BAR_STEPS)


class Service:
    """A queue of requests, one worker, and a load that never waits for it."""

    # More waiting requests than this are refused, as a real service would: the queue must not grow for
    # hours after an incident.
    MAX_WAITING = 50

    def __init__(self, share, factor, is_fixed):
        self.share = share
        self.factor = factor
        self.is_fixed = is_fixed
        self.is_incident = False
        self.done = 0
        self.refused = 0
        self.stopping = threading.Event()
        self.requests = queue.Queue(self.MAX_WAITING)
        self.cost = self.measure_cost()

    @staticmethod
    def measure_cost():
        """CPU seconds of one unfixed request: the least of a few tries, since neighbours only slow us."""
        costs = []
        for _ in range(9):
            begin = time.thread_time()
            work(FOO_STEPS)
            costs.append(time.thread_time() - begin)
        return min(costs)

    def rate(self):
        """Requests a second.  It depends on the load alone: the fix saves CPU, it brings no customers."""
        return self.share / self.cost * (self.factor if self.is_incident else 1)

    def serve(self):
        while self.requests.get():
            work(FOO_STEPS_FIXED if self.is_fixed else FOO_STEPS)
            self.done += 1

    def load(self):
        due = time.monotonic()
        while not self.stopping.is_set():
            due = max(due + 1 / self.rate(), time.monotonic() - 1)
            time.sleep(max(0, due - time.monotonic()))
            try:
                self.requests.put_nowait(True)
            except queue.Full:
                self.refused += 1
        self.requests.put(False)

    def state(self):
        return {
            "incident": self.is_incident,
            "fixed": self.is_fixed,
            "requests_per_second": round(self.rate(), 2),
            "done": self.done,
            "refused": self.refused,
            "pid": os.getpid(),
        }

    def switch(self, name):
        """Do what a switch of that name says; False: there is none."""
        switches = {
            "incident": ("is_incident", True),
            "calm": ("is_incident", False),
            "fix": ("is_fixed", True),
            "break": ("is_fixed", False),
        }
        if name not in switches:
            return False
        setattr(self, *switches[name])
        return True


def control_handler(service):
    class Control(http.server.BaseHTTPRequestHandler):
        def answer(self, status, what):
            body = (json.dumps(what) + "\n").encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.answer(200, service.state())

        def do_POST(self):
            if service.switch(self.path.strip("/")):
                self.answer(200, service.state())
            else:
                self.answer(404, {"error": "POST /incident, /calm, /fix or /break"})

        def log_message(self, *_):
            pass

    return Control


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--share", type=float, default=0.15, help="of one core in calm times (default 0.15)")
    parser.add_argument("--factor", type=float, default=4, help="times the load during the incident (4)")
    parser.add_argument("--fixed", action="store_true", help="begin with the fixed version of foo()")
    parser.add_argument("--incident", action="store_true", help="begin in the incident")
    parser.add_argument("--port", type=int, default=4051, help="of the switches, on 127.0.0.1; 0: any (4051)")
    return parser.parse_args()


def main():
    args = options()
    if not 0 < args.share <= 1 or args.factor <= 0:
        sys.exit("app.py: --share must lie in (0, 1], --factor above 0")
    service = Service(args.share, args.factor, args.fixed)
    service.is_incident = args.incident
    try:
        control = http.server.HTTPServer(("127.0.0.1", args.port), control_handler(service))
    except OSError as error:
        sys.exit(f"app.py: cannot listen on port {args.port}: {error.strerror}; give another --port")

    signal.signal(signal.SIGUSR1, lambda *_: service.switch("calm" if service.is_incident else "incident"))
    signal.signal(signal.SIGUSR2, lambda *_: service.switch("break" if service.is_fixed else "fix"))
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), lambda *_: service.stopping.set())
    for name, run in (("worker", service.serve), ("load", service.load), ("switches", control.serve_forever)):
        threading.Thread(target=run, name=name, daemon=True).start()
    print(f"scene A: pid {os.getpid()}, switches on http://127.0.0.1:{control.server_port}", flush=True)
    service.stopping.wait()


if __name__ == "__main__":
    main()
