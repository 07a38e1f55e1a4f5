# SPDX-License-Identifier: Apache-2.0
"""A WSGI application that spins for a while: gunicorn load_gunicorn:serve."""

import time


def crunch(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(20000):
            pass


def serve(environ, start_response):
    crunch(float(environ.get("QUERY_STRING") or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d\n" % __import__("os").getpid()]
