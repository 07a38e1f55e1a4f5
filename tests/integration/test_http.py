# SPDX-License-Identifier: Apache-2.0
"""One port: HTTP/1.1, HTTP/2 and gRPC, their limits and their floods."""

import gzip
import shutil
import socket
import subprocess
import time

import pytest
import serving
from conftest import wait_until
from serving import Server, grpc_frame, h2_frame, pprof, push_request


@pytest.fixture
def server(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path / "data")
    yield server
    server.stop()


@pytest.fixture
def curl(server):
    if not shutil.which("curl"):
        pytest.skip("needs curl")

    def run(*args, body=b""):
        argv = ["curl", "-sS", "-m", "20", "--dump-header", "-", *args]
        done = subprocess.run(argv, input=body, capture_output=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run


SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.mark.parametrize("method,path,status", [
    ("GET", "/ready", 200), ("GET", "/metrics", 200), ("GET", "/healthz", 200), ("GET", "/", 200),
    ("GET", "/nosuch", 404), ("GET", "/a/nosuch.js", 404), ("POST", "/nosuch", 404), ("POST", "/", 405),
    ("GET", "/ingest", 405), ("PUT", "/ready", 405), ("DELETE", "/ready", 405), ("OPTIONS", "/ingest", 405),
    ("GET", "/api/v1/view", 400), ("POST", "/ingest", 400), ("POST", "/push.v1.PusherService/Push", 415),
    ("GET", "/push.v1.PusherService/Push", 405),
    ("POST", "/querier.v1.QuerierService/NoSuchMethod", 415),
])
def test_every_answer_has_the_security_headers(server, method, path, status):
    answer = server.request(method, path)
    assert answer.status == status
    for name, value in SECURITY.items():
        assert answer.headers[name].startswith(value), name
    assert answer.headers["Cache-Control"] in ("no-store", "no-cache")
    assert answer.headers["Access-Control-Allow-Origin"] is None
    if status >= 400:
        assert set(answer.json()) in ({"error", "detail"}, {"code", "message"})
        assert path not in answer.body.decode() or path == "/"
    if status == 405:
        assert answer.headers["Allow"]


def test_head_is_get_without_a_body(server):
    for path in ("/ready", "/metrics", "/", "/api/v1/services?from=0&until=1"):
        head, get = server.request("HEAD", path), server.request("GET", path)
        assert head.status == get.status and head.body == b""
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        if path != "/metrics":
            assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_http2_by_prior_knowledge(server, curl):
    out = curl("--http2-prior-knowledge", server.url + "/ready")
    assert b"HTTP/2 200" in out and out.endswith(b"ready\n")
    assert b"x-content-type-options: nosniff" in out
    assert b"pyrometer_http_connections 1" in curl("--http2-prior-knowledge", server.url + "/metrics")


def test_http2_serves_many_streams_at_once_and_one_after_the_other(server):
    sock = h2_open(server)
    for streams in (range(1, 101, 2), range(101, 201, 2)):
        sock.sendall(b"".join(h2_frame(serving.HEADERS, 5, i, serving.h2_request("localhost")) for i in streams))
        frames = serving.h2_frames(sock, 2)
        bodies = {stream: payload for kind, _, stream, payload in frames if kind == serving.DATA}
        assert bodies == {i: b"ready\n" for i in streams}


def test_upgrade_headers_are_ignored(server, curl):
    assert b"HTTP/1.1 200" in curl("--http2", server.url + "/ready")


def test_large_answers_are_gzipped(server, curl):
    plain = server.request("GET", "/metrics")
    packed = server.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and plain.headers["Content-Encoding"] is None
    assert len(packed.body) < len(plain.body) / 2
    assert gzip.decompress(packed.body).startswith(b"# HELP pyrometer_http_connections")
    assert b"content-encoding: gzip" in curl("--http2-prior-knowledge", "-H", "Accept-Encoding: gzip",
                                             "-o", "/dev/null", server.url + "/metrics")


PUSH = "/push.v1.PusherService/Push"
REQUEST = push_request([({"__name__": "process_cpu", "service_name": "grpc"}, [(pprof({("main",): 5}), "")])])


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("compressed", [False, True])
def test_grpc_status_comes_in_trailers(server, curl, version, compressed):
    out = curl(version, "-H", "Content-Type: application/grpc", "-H", "TE: trailers", "-H", "Grpc-Encoding: gzip",
               "--data-binary", "@-", server.url + PUSH, body=grpc_frame(REQUEST, compressed))
    head, _, rest = out.partition(b"\r\n\r\n")
    assert b" 200" in head.splitlines()[0]
    assert b"application/grpc" in head.lower() and b"trailer: grpc-status" in head.lower()
    assert b"grpc-status: 0" in rest.lower()
    assert b"\0\0\0\0\0" in rest
    assert server.metric("profiles_total") == 1


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_grpc_error_is_a_status_in_trailers(server, curl, version):
    bad = push_request([({"service_name": "x"}, [(b"no pprof \xff", "")])])
    out = curl(version, "-H", "Content-Type: application/grpc", "--data-binary", "@-", server.url + PUSH,
               body=grpc_frame(bad)).lower()
    assert b" 200" in out.splitlines()[0]
    assert b"grpc-status: 3" in out and b"grpc-message: not a valid pprof" in out


def test_grpc_web_carries_its_trailers_in_the_body(server):
    answer = server.request("POST", PUSH, grpc_frame(REQUEST), {"Content-Type": "application/grpc-web+proto"})
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/grpc-web+proto"
    assert answer.body == b"\0\0\0\0\0" + b"\x80\0\0\0\x0f" + b"grpc-status:0\r\n"


@pytest.mark.parametrize("body,status", [
    (b"", 3), (b"\0\0\0", 3), (b"\0\xff\xff\xff\xff", 3), (b"\0\0\0\0\5abc", 3), (b"\2\0\0\0\0", 3),
    (b"\1\0\0\0\3abc", 3), (grpc_frame(REQUEST) * 2, 3),
])
def test_broken_grpc_frames_are_invalid_arguments(server, curl, body, status):
    out = curl("--http2-prior-knowledge", "-H", "Content-Type: application/grpc", "--data-binary", "@-",
               server.url + PUSH, body=body).lower()
    assert b"grpc-status: %d" % status in out


def test_host_names_are_checked_against_rebinding(server, pyrometer, tmp_path):
    assert server.request("GET", "/ready", headers={"Host": "attacker.example"}).status == 421
    assert server.request("GET", "/ready", headers={"Host": "localhost:4040"}).status == 200
    named = Server(pyrometer, tmp_path / "named", "--host", "profiles.example")
    try:
        assert named.request("GET", "/ready", headers={"Host": "profiles.example:4040"}).status == 200
        assert named.request("GET", "/ready", headers={"Host": "attacker.example"}).status == 421
    finally:
        named.stop()


def test_other_sites_cannot_upload(server):
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert server.ingest(b"a 1\n", headers, name="x").status == 403
    assert server.ingest(b"a 1\n", {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}, name="x").status == 200


# ---- HTTP/2, hostile ----

def h2_open(server):
    sock = server.socket()
    sock.sendall(serving.PREFACE + h2_frame(serving.SETTINGS, 0, 0))
    return sock


def goaway_code(frames):
    return [int.from_bytes(p[4:8], "big") for kind, _, _, p in frames if kind == serving.GOAWAY]


def flood(sock, data, times):
    """Send until done or the server hangs up."""
    try:
        for _ in range(times):
            sock.sendall(data)
    except (ConnectionError, TimeoutError):
        pass


def test_rapid_reset_is_ended(server):
    before = serving.cpu_seconds(server.process.pid)
    sock = h2_open(server)
    headers = serving.h2_request(server.host)
    burst = b"".join(
        h2_frame(serving.HEADERS, serving.END_STREAM | serving.END_HEADERS, stream, headers) +
        h2_frame(serving.RST_STREAM, 0, stream, b"\0\0\0\x08") for stream in range(1, 20001, 2))
    flood(sock, burst, 1)
    assert goaway_code(serving.h2_frames(sock))
    assert serving.cpu_seconds(server.process.pid) - before < 1
    assert server.get("/ready").status == 200


def test_continuation_flood_is_ended(server):
    sock = h2_open(server)
    sock.sendall(h2_frame(serving.HEADERS, serving.END_STREAM, 1, serving.h2_request(server.host)))
    flood(sock, h2_frame(serving.CONTINUATION, 0, 1, b"\0\x01a\x01b" * 100), 10000)
    serving.h2_frames(sock, 2)
    wait_until(lambda: server.metric("http_connections") <= 1, what="the flooding connection is closed")


@pytest.mark.parametrize("frame", [h2_frame(serving.SETTINGS, 0, 0), h2_frame(serving.PING, 0, 0, b"12345678")])
def test_floods_of_frames_that_want_answers_are_ended(server, frame):
    sock = h2_open(server)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    flood(sock, frame * 1000, 3000)
    sock.close()
    assert server.get("/ready").status == 200
    assert serving.rss_bytes(server.process.pid) < 200 << 20


@pytest.mark.parametrize("data", [
    b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    serving.PREFACE + b"\xff" * 100,
    serving.PREFACE + h2_frame(serving.SETTINGS, 0, 0) + h2_frame(serving.DATA, 0, 1, b"x"),
    serving.PREFACE + h2_frame(serving.SETTINGS, 0, 0) + h2_frame(serving.HEADERS, 5, 2, b"\x82"),
    serving.PREFACE + h2_frame(serving.SETTINGS, 0, 0) + h2_frame(serving.HEADERS, 5, 1, b"\xff\xff\xff\xff\xff"),
])
def test_broken_http2_ends_the_connection_and_nothing_else(server, data):
    sock = server.socket()
    sock.sendall(data)
    serving.h2_frames(sock, 5)
    wait_until(lambda: server.metric("http_connections") <= 1, what="the connection is closed")


@pytest.mark.parametrize("pairs,status", [
    ([(":method", "GET"), (":scheme", "http"), (":path", "/ready"), (":authority", "a@b")], b"400"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "/ready"), (":authority", "evil.example")], b"421"),
    ([(":method", "POST"), (":scheme", "http"), (":path", "/ingest"), (":authority", "localhost"),
      ("content-length", "99999999")], b"413"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "/../x"), (":authority", "localhost")], b"400"),
])
def test_http2_requests_are_checked_like_others(server, pairs, status):
    sock = h2_open(server)
    end = serving.END_HEADERS | (0 if any(k == "content-length" for k, _ in pairs) else serving.END_STREAM)
    sock.sendall(h2_frame(serving.HEADERS, end, 1, serving.h2_headers(pairs)))
    wait = [f for f in serving.h2_frames(sock, 2) if f[0] == serving.HEADERS and f[2] == 1]
    codes = {b"400": 0x8c, b"404": 0x8d}  # of HPACK's static table
    payload = wait[0][3]
    assert status in payload or payload[0] == codes.get(status) or huffman(status) in payload


def huffman(digits):
    """Three digits in HPACK's Huffman code, as nghttp2 writes a status that is not in the static table."""
    code = {"0": "00000", "1": "00001", "2": "00010", "3": "011001", "4": "011010", "5": "011011"}
    bits = "".join(code[d] for d in digits.decode())
    bits += "1" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def test_a_window_that_never_opens_is_given_up(server):
    """The client lets no byte of the body through: its request must not hold anything up."""
    sock = server.socket()
    sock.sendall(serving.PREFACE + h2_frame(serving.SETTINGS, 0, 0, b"\0\4\0\0\0\0"))
    sock.sendall(h2_frame(serving.HEADERS, 5, 1, serving.h2_request("localhost", "/metrics")))
    time.sleep(0.3)
    start = time.monotonic()
    assert server.get("/ready").status == 200
    assert time.monotonic() - start < 5
    sock.close()


# ---- HTTP/1.1, many and slow ----

def test_many_connections_are_bounded_and_legitimate_ones_served(server):
    sockets = []
    for _ in range(600):
        try:
            sockets.append(server.socket())
        except OSError:
            break
    time.sleep(0.5)
    assert server.process.poll() is None
    for sock in sockets[:300]:
        sock.close()
    wait_until(lambda: server.get("/ready").status == 200, what="room for others again")
    assert server.metric('http_refused_total{reason="connections"}') > 0
    for sock in sockets[300:]:
        sock.close()


def test_running_out_of_descriptors_is_survived(pyrometer, tmp_path):
    import resource
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    server = Server(pyrometer, tmp_path / "data", preexec_fn=limit)
    try:
        sockets = [server.socket() for _ in range(100)]
        time.sleep(0.5)
        before = serving.cpu_seconds(server.process.pid)
        time.sleep(1)
        assert serving.cpu_seconds(server.process.pid) - before < 0.3, "busy while out of descriptors"
        for sock in sockets:
            sock.close()
        wait_until(lambda: server.get("/ready").status == 200, what="served again")
        assert server.ingest(b"a 1\n", name="x").status == 200
    finally:
        server.stop()
