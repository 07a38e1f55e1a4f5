# SPDX-License-Identifier: Apache-2.0
"""A profile counts once: repeated by its ID, by our agent's boot and sequence, across restarts, old or new, and in part."""

import signal
import socket
import subprocess
import threading
import time
import uuid

import pytest

import pythons
from conftest import TARGETS, wait_until
from serving import CPU, Server, pprof

DAY = 86400
NOW = int(time.time())


@pytest.fixture
def server(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path / "data")
    yield server
    server.stop()


def send(server, start, ident, value=5, service="svc"):
    answer = server.push([({"__name__": "process_cpu", "service_name": service},
                           [(pprof({("work",): value * 10**9}, time_ns=start * 10**9), ident)])])
    assert answer.status == 200, answer.body


def total(server, service="svc", first=NOW - 40 * DAY, last=NOW + 3600):
    return server.get("/api/v1/view", query=f'{CPU}{{service_name="{service}"}}', until=last * 1000,
                      **{"from": first * 1000}).json()["total"] / 10**9


@pytest.mark.parametrize("age", [20, 3 * 3600, 2 * DAY, 6 * DAY])
def test_a_repeat_counts_once_whenever_it_comes(server, age):
    """Once more at once, after a restart, after a kill, and after others of its series."""
    ident, start = str(uuid.uuid4()), NOW - age
    send(server, start, ident)
    send(server, start, ident)
    server.stop()
    server.start()
    send(server, start, ident)
    server.stop(signal.SIGKILL)
    server.start()
    for i in range(3):
        send(server, start + 10 * (i + 1), str(uuid.uuid4()), value=1)
    send(server, start, ident)
    assert total(server) == 8 and total(server, first=start, last=start + 10) == 5


def test_equal_bodies_of_two_are_two(server):
    """Two workers that do the same send equal bytes: content is no identity."""
    for ident in (str(uuid.uuid4()), str(uuid.uuid4()), None, None):
        send(server, NOW - 60, ident)
    assert total(server) == 20


def test_a_request_that_was_taken_in_part_is_completed(server):
    """Of a request with a known and a new profile the new one counts, the known one not again."""
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    send(server, NOW - 60, first)
    series = [({"__name__": "process_cpu", "service_name": "svc"},
               [(pprof({("work",): 5 * 10**9}, time_ns=(NOW - 60) * 10**9), first),
                (pprof({("more",): 2 * 10**9}, time_ns=(NOW - 50) * 10**9), second)])]
    assert server.push(series).status == 200
    assert server.push(series).status == 200
    assert total(server) == 7


class Swallow:
    """Hands connections on to the server, and of the first requests loses the answers after the server has given them."""

    def __init__(self, port, lost):
        self.port, self.lost, self.n = port, lost, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay, args=(client,), daemon=True).start()

    def relay(self, client):
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            threading.Thread(target=self.pump, args=(client, server), daemon=True).start()
            while data := server.recv(65536):
                if data.startswith(b"HTTP/1.1 200") and self.n < self.lost:
                    self.n += 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(data)

    @staticmethod
    def pump(client, server):
        try:
            while data := client.recv(65536):
                server.sendall(data)
        except OSError:
            pass


@pytest.mark.skipif(not pythons.first(), reason="needs a supported Python to profile")
def test_what_our_agent_sends_again_counts_once(pyrometer, server, spawn):
    """An answer gets lost: the agent sends the same boot and sequence again, and the seconds that it tells are those that passed."""
    target = spawn([pythons.first(), TARGETS / "dropin_busy.py"], stdout=subprocess.DEVNULL)
    between = Swallow(server.port, lost=1)
    began = time.monotonic()
    done = subprocess.run([pyrometer, "record", "-p", str(target.pid), "--duration", "4", "--push",
                           f"http://127.0.0.1:{between.listener.getsockname()[1]}", "--service", "agent"],
                          capture_output=True, text=True, timeout=60)
    seconds = time.monotonic() - began
    between.listener.close()
    assert done.returncode == 0, done.stderr
    assert between.n == 1 and server.metric("profiles_duplicate_total") > 0
    wait_until(lambda: total(server, "agent") > 0, 10, "its profile")
    view = server.get("/api/v1/view", query=f'{CPU}{{service_name="agent"}}', until=(int(time.time()) + 60) * 1000,
                      **{"from": NOW * 1000}).json()
    assert view["covered_ms"] / 1000 < seconds + 1, view["covered_ms"]
