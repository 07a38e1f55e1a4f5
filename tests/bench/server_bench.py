# SPDX-License-Identifier: Apache-2.0
"""The server: profiles a CPU second through Push, and the flame graph of a day, each against a baseline.

	server_bench.py [--short]	(--short: two hours instead of a day)
"""

import gzip
import os
import pathlib
import random
import re
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import http.client  # noqa: E402

from serving import CPU, Server, cpu_seconds, field, pprof, push_request, rss_bytes  # noqa: E402

BINARY = os.environ.get("PYROMETER_BIN", ROOT / "build" / "src" / "cmd" / "pyrometer")
DAY_LIMIT_MS = 50


def stacks(rng, n, functions=400, depth=25):
    """Like those of a service: a few entry points, Zipf below, weights in nanoseconds."""
    names = [f"module_{i % 20}.function_with_a_usual_name_{i}" for i in range(functions)]
    out = {}
    while len(out) < n:
        stack = tuple(names[min(int(rng.paretovariate(0.6)) + level, functions - 1)] for level in range(depth))
        out[stack] = rng.randrange(10**6, 10**8)
    return out


class Client(threading.Thread):
    """Sends bodies from a shared list, one after the other, on one connection."""

    def __init__(self, server, bodies):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        self.bodies, self.failed = bodies, None

    def run(self):
        while self.bodies:
            try:
                body = self.bodies.pop()
            except IndexError:
                return
            self.connection.request("POST", "/push.v1.PusherService/Push", body,
                                    {"Content-Type": "application/proto"})
            answer = self.connection.getresponse()
            answer.read()
            if answer.status != 200:
                self.failed = answer.status
                return


def send(server, bodies, clients):
    """Returns (profiles a second, profiles a CPU second of the server)."""
    n, began, cpu = len(bodies), time.monotonic(), cpu_seconds(server.process.pid)
    threads = [Client(server, bodies) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
        assert not thread.failed, thread.failed
    elapsed, used = time.monotonic() - began, cpu_seconds(server.process.pid) - cpu
    return n / elapsed, n / max(used, 0.01)


def bodies(raw, service, n):
    labels = {"__name__": "process_cpu", "service_name": service}
    return [push_request([(labels, [(raw, f"{service}-{i}")])]) for i in range(n)]


def bench_push(server):
    plain = pprof(stacks(random.Random(1), 300))
    raw = gzip.compress(plain)
    send(server, bodies(raw, "warm", 50), 4)
    alone, alone_cpu = send(server, bodies(raw, "alone", 300), 1)
    many, many_cpu = send(server, bodies(raw, "many", 3000), 32)
    print(f"Push, 300 samples, {len(plain) // 1000} KB, {len(raw) // 1000} KB gzipped, acknowledged once on disk:")
    print(f"  one client:  {alone:6.0f} profiles/s, {alone_cpu:6.0f} per CPU second of the server (baseline)")
    print(f"  32 clients:  {many:6.0f} profiles/s, {many_cpu:6.0f} per CPU second: {many / alone:.1f} x,"
          f" {many_cpu / alone_cpu:.1f} x")


def server_ms(answer):
    return float(re.search(r"dur=([0-9.]+)", answer.headers["Server-Timing"])[1])


def ask(server, path, start_ms, end_ms, **more):
    answer = server.get(path, query=f'{CPU}{{service_name="day"}}', **{"from": start_ms, "until": end_ms}, **more)
    assert answer.status == 200, answer.body
    return server_ms(answer)


def bench_day(server, seconds):
    now = int(time.time()) // 60 * 60
    first = now - seconds
    rng = random.Random(2)
    days = [pprof(stacks(rng, 500)) for _ in range(4)]
    work = []
    for i, start in enumerate(range(first, now, 10)):
        raw = days[i % 4] + field(9, start * 10**9)  # of a field that is there twice the last counts
        work.append(push_request([({"__name__": "process_cpu", "service_name": "day"}, [(raw, f"day-{i}")])]))
    n = len(work)
    send(server, work, 32)
    time.sleep(10)  # roll-ups follow in the background
    # Odd edges, and each range a little different: nothing comes from the cache.
    cpu = cpu_seconds(server.process.pid)
    cold = sorted(ask(server, "/api/v1/view", first * 1000 + 1234 + i, now * 1000 - 4321) for i in range(15))
    cpu_ms = (cpu_seconds(server.process.pid) - cpu) * 1000 / len(cold)
    warm = sorted(ask(server, "/api/v1/view", first * 1000 + 1234, now * 1000 - 4321) for _ in range(5))
    short = sorted(ask(server, "/api/v1/view", (now - 600) * 1000 + i, now * 1000) for i in range(15))
    line = sorted(ask(server, "/api/v1/timeline", first * 1000 + i, now * 1000) for i in range(15))
    print(f"Flame graph and table of {seconds // 3600} h of one service ({n} profiles of 500 stacks), server's time:")
    print(f"  10 minutes (baseline): {short[7]:6.1f} ms")
    print(f"  {seconds // 3600} h:                  {cold[7]:6.1f} ms (best {cold[0]:.1f}, worst {cold[-1]:.1f}; CPU"
          f" {cpu_ms:.1f} ms), {cold[7] / short[7]:.1f} x the time for {seconds // 600} x the range; asked again {warm[2]:.1f} ms")
    print(f"  its timeline:          {line[7]:6.1f} ms")
    print(f"  memory of the server:  {rss_bytes(server.process.pid) >> 20} MB")
    return cold[0]  # others may use the machine: the best is what the server needs


def main():
    seconds = 7200 if "--short" in sys.argv else 86400
    with tempfile.TemporaryDirectory(prefix="server-bench-") as directory:
        server = Server(str(BINARY), directory + "/data")
        try:
            bench_push(server)
            day_ms = bench_day(server, seconds)
        finally:
            server.stop()
    if day_ms > DAY_LIMIT_MS:
        sys.exit(f"the flame graph of a day took more than {DAY_LIMIT_MS} ms")


main()
