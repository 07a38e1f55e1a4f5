# SPDX-License-Identifier: Apache-2.0
"""Uploads, queries, leaving clients and a stop, all at once: also run with a server under the thread sanitizer."""

import random
import threading
import time

import pytest
from serving import CPU, Background, Server, h2_frame, h2_frames, h2_request, pprof
import serving

SECONDS = 4


@pytest.fixture
def server(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path / "data")
    yield server
    code, err = server.stop()
    assert code == 0, err
    assert "ThreadSanitizer" not in err and "AddressSanitizer" not in err, err


def test_everything_at_once(server):
    rng, counter, lock = random.Random(3), iter(range(10**9)), threading.Lock()
    start_ms = int(time.time()) * 1000 - 600_000
    seen = {"uploads": 0, "queries": 0, "left": 0, "h2": 0}

    def upload():
        with lock:
            i = next(counter)
        raw = pprof({("main", f"f{i % 50}"): 10**6 + i}, time_ns=(start_ms + i * 100 % 500_000) * 10**6)
        labels = {"__name__": "process_cpu", "service_name": f"s{i % 5}", "worker": str(i % 3)}
        assert server.push([(labels, [(raw, f"race-{i}")])]).status in (200, 503)
        seen["uploads"] += 1

    def query():
        service = f's{rng.randrange(5)}'
        path = rng.choice(["view", "timeline", "services", "labels", "diff", "export"])
        # Whole and shared ranges: the cache is hit, missed and trimmed.
        params = {"query": f'{CPU}{{service_name="{service}"}}', "from": start_ms - rng.randrange(3) * 1000,
                  "until": start_ms + 600_000}
        if path == "diff":
            params.update(from_b=start_ms - 1000, until_b=start_ms + 600_000)
        if path == "export":
            params["format"] = "raw"
        answer = server.get("/api/v1/" + path, **params)
        assert answer.status == 200, answer.body
        seen["queries"] += 1

    def leave():
        sock = server.socket()
        sock.sendall(f"GET /api/v1/view?query={CPU}&from={start_ms}&until={start_ms + 600_000} HTTP/1.1\r\n"
                     "Host: localhost\r\n\r\n".encode())
        time.sleep(rng.random() * 0.005)
        sock.close()
        seen["left"] += 1

    def http2():
        sock = server.socket()
        sock.sendall(serving.PREFACE + h2_frame(serving.SETTINGS, 0, 0))
        for stream in range(1, 41, 2):
            sock.sendall(h2_frame(serving.HEADERS, 5, stream, h2_request("localhost", "/metrics")))
            if rng.random() < 0.3:
                sock.sendall(h2_frame(serving.RST_STREAM, 0, stream, b"\0\0\0\x08"))
        if rng.random() < 0.5:
            h2_frames(sock, 0.2)
        sock.close()
        seen["h2"] += 1

    def metrics():
        assert server.get("/metrics").status == 200
        assert server.get("/ready").status == 200

    calls = [upload, upload, upload, query, query, query, leave, http2, metrics]
    threads = [Background(call) for call in calls]
    for thread in threads:
        thread.__enter__()
    time.sleep(SECONDS)
    for thread in threads:
        thread.ends.set()
    for thread in threads:
        thread.__exit__()
        assert not thread.errors, thread.errors
    assert all(seen.values()), seen
    assert server.get("/ready").status == 200


def test_a_stop_in_the_middle_of_everything(pyrometer, tmp_path):
    for round_ in range(3):
        server = Server(pyrometer, tmp_path / "data")
        counter = iter(range(10**9))

        def upload():
            ident = f"{round_}-{next(counter)}"
            answer = server.push([({"__name__": "process_cpu", "service_name": "s"}, [(pprof({("m",): 1000}), ident)])])
            assert answer.status in (200, 503), answer.body

        def query():
            now = int(time.time() * 1000)
            answer = server.get("/api/v1/view", query=f'{CPU}{{service_name="s"}}', until=now + 1000,
                                **{"from": now - 60_000})
            assert answer.status in (200, 503), answer.body

        with Background(upload) as a, Background(upload) as b, Background(query) as c:
            time.sleep(0.5)
            code, err = server.stop()
        assert code == 0 and "Sanitizer" not in err, err
        assert not a.errors and not b.errors and not c.errors, (a.errors, b.errors, c.errors)
