# SPDX-License-Identifier: Apache-2.0
"""What every integration test shares: the binary, free ports, clean ends."""

import http.server
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))  # for `import pythons`
TARGETS = ROOT / "tests" / "targets"
SHARED = ROOT.parent / "shared"


def pytest_configure():
    """Who starts tests in the background of a shell has them ignore Ctrl-C, and so would every program that they start."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val, argname):
    """Bytes are named by their argument: those with a time in them differ between processes that collect the tests."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def pyrometer():
    """Path of the binary under test."""
    path = pathlib.Path(os.environ.get("PYROMETER_BIN", ROOT / "build" / "src" / "cmd" / "pyrometer"))
    if not path.exists():
        pytest.fail(f"{path} is not built: run ./dev build")
    return str(path)


@pytest.fixture
def free_port():
    """A loopback port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def shared():
    """The folder of recorded traffic beside the checkout; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the recorded corpus beside the checkout")
    return SHARED


@pytest.fixture
def spawn():
    """Start processes that are ended, whatever happens, when the test is over."""
    running = []

    def start(argv, **options):
        process = subprocess.Popen([str(arg) for arg in argv], **options)
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


@pytest.fixture
def collector():
    """A server that takes everything: a list of (method, path, query, body)."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def take(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            url = urllib.parse.urlsplit(self.path)
            got.append((self.command, url.path, urllib.parse.parse_qs(url.query), body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT = take

        def log_message(self, format, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def terminal():
    """Terminals that are closed, whatever happens."""
    pytest.importorskip("pyte", reason="needs pyte, a terminal in Python")
    from screens import Terminal
    made = []

    def open_terminal(argv, **options):
        made.append(Terminal(argv, **options))
        return made[-1]

    yield open_terminal
    for each in made:
        each.close()


@pytest.fixture
def page(pyrometer, terminal):
    """top of a process, with its first picture drawn."""
    def begin(target, *options, **more):
        shown = terminal([pyrometer, "top", "-p", target.pid, "--delay", "0.1", *options], **more)
        shown.wait_for(r"^PID \d+ ")
        return shown
    return begin


def wait_until(condition, seconds=10.0, what="condition"):
    """Poll condition() until it is true; fail after `seconds`, generous because machines are shared."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    pytest.fail(f"{what}: not within {seconds} s")
