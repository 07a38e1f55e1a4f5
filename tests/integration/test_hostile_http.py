# SPDX-License-Identifier: Apache-2.0
"""
Requests that no honest client sends, a case for each kind: what is answered, and that nobody else notices.

Elsewhere: the same over a bare HTTP server, byte by byte (tests/unit/http/test_refusals.c: methods, hosts, framing, paths, long
URLs and headers, slow clients), HTTP/2 floods, 600 connections, no descriptors left, rebinding, other sites (test_http.py),
handshakes (test_tls.py), the shapes of refusals, too large, too slow (test_hostile_refusals.py), HEAD and security headers of
every kind of answer (test_http.py), paths of the web page (test_http.py), questions with senseless values (test_status_codes.py).
"""

import concurrent.futures
import json
import re
import socket
import ssl
import struct
import time

import pytest

import serving
from conftest import wait_until
from serving import CPU, Server, h2_frame

HOST = b"Host: localhost\r\n"
CLOSE = b"Connection: close\r\n"
GET = b"GET /ready HTTP/1.1\r\n" + HOST
POST = b"POST /ingest?name=smuggled HTTP/1.1\r\n" + HOST
SMUGGLED = b"GET /metrics HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"
END = b"\r\n\r\n"


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("http"), "--header-timeout", "1s", "--request-timeout", "2s")
    yield server
    code, err = server.stop()
    assert code == 0, err


def services(server):
    return [one["name"] for one in server.get("/api/v1/services", **{"from": 0, "until": 4102444800000}).json()["services"]]


def statuses(server, data, seconds=20):
    """The statuses of all answers to these bytes, [0] for none, and what came with them; half a second of silence ends it."""
    answer = b""
    with server.socket() as sock:
        try:
            sock.sendall(data)
        except ConnectionError:
            pass  # the answer may be there
        sock.settimeout(seconds)
        try:
            while chunk := sock.recv(65536):
                answer += chunk
                sock.settimeout(0.5)
        except OSError:
            pass
    return [int(code) for code in re.findall(rb"(?:^|[\n}])HTTP/1\.1 (\d{3}) ", answer)] or [0], answer


def chunked(body):
    return POST + b"Transfer-Encoding: chunked\r\n\r\n" + body


# What may be answered: 0 is a connection that is closed without a word.
CASES = {
    "garbage": (b"\xde\xad\xbe\xef" * 10, {400}),
    "a letter and garbage": (b"A\xff\xfe\xfd\r\n\r\n", {400, 0}),
    "a TLS handshake on the plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), {400}),
    "HTTP/0.9": (b"GET /ready\r\n", {400, 0}),
    "HTTP/0.9 with an end": (b"GET /ready\r\n\r\n", {400, 0}),
    "HTTP/2.0 in a request line": (b"GET /ready HTTP/2.0\r\n" + HOST + b"\r\n", {505, 400}),
    "HTTP/1.1 in small letters": (b"GET /ready http/1.1\r\n" + HOST + b"\r\n", {400, 505, 0}),
    "half of the preface of HTTP/2": (b"PRI * HT", {400, 0}),
    "the preface and garbage": (serving.PREFACE + b"\xff" * 64, {0}),
    "upgrade to h2c": (GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", {200}),
    "upgrade to a websocket": (GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n\r\n", {200}),
    "a request line of 64 KiB": (b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {414, 431}),
    "a request line of a MiB": (b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\n" + HOST + b"\r\n", {414, 431}),
    "a header of a MiB": (GET + b"X: " + b"a" * (1 << 20) + END, {431, 413}),
    "a header name of 64 KiB": (GET + b"X" * 65536 + b": a" + END, {431, 413}),
    "a thousand headers": (GET + b"".join(b"X-%d: a\r\n" % i for i in range(1000)) + b"\r\n", {431}),
    "cookies of 64 KiB": (GET + b"Cookie: a=" + b"b" * 65536 + END, {431, 413}),
    "an If-None-Match of 12 KiB": (GET + b"If-None-Match: " + b'"x",' * 3000 + END, {200}),
    "a thousand ranges": (GET + b"Range: bytes=" + b",".join(b"%d-%d" % (i, i) for i in range(1000)) + END, {200}),
    "a list of a thousand codings": (GET + b"Accept-Encoding: " + b"gzip;q=0.0000000001, " * 500 + b"br" + END, {200}),
    "a header name with a space": (GET + b"Bad Name: x" + END, {400, 0}),
    "a space before the colon": (GET + b"Content-Length : 5" + END, {400, 0}),
    "a header name with an 8-bit letter": (GET + b"X\xe9: x" + END, {400, 0}),
    "a header without a colon": (GET + b"nothing" + END, {400, 0}),
    "a header without a name": (GET + b": x" + END, {400, 0, 200}),  # libmicrohttpd drops it
    "NUL in a header": (GET + b"X: a\0b" + END, {400, 0, 200}),  # libmicrohttpd cuts the value there
    "a bare CR in a header": (GET + b"X: a\rTransfer-Encoding: chunked" + END, {400, 0}),
    "a folded header": (GET + b"X: a\r\n b" + END, {400, 0, 200}),
    "two hosts": (GET + b"Host: localhost" + END, {400}),
    "no host": (b"GET /ready HTTP/1.1" + END, {400}),
    "a host with a user": (b"GET /ready HTTP/1.1\r\nHost: a@localhost" + END, {400}),
    "a host with a path": (b"GET /ready HTTP/1.1\r\nHost: localhost/x" + END, {400}),
    "a host of another": (b"GET /ready HTTP/1.1\r\nHost: attacker.example" + END, {421}),
    "a forwarded host": (b"GET /ready HTTP/1.1\r\nHost: attacker.example\r\nX-Forwarded-Host: localhost" + END, {421}),
    "absolute form": (b"GET http://localhost/ready HTTP/1.1\r\n" + HOST + b"\r\n", {400, 200}),
    "absolute form for another host": (b"GET http://attacker.example/ready HTTP/1.1\r\n" + HOST + b"\r\n", {400, 421}),
    "CONNECT": (b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n", {400, 501, 421}),
    "TRACE": (b"TRACE /ready HTTP/1.1\r\n" + HOST + b"\r\n", {501, 405}),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", {400, 405}),
    "a method of 64 KiB": (b"M" * 65536 + b" /ready HTTP/1.1\r\n" + HOST + b"\r\n", {431, 414, 400, 413, 501}),
    "a method in small letters": (b"get /ready HTTP/1.1\r\n" + HOST + b"\r\n", {501}),
    "%2e%2e": (b"GET /assets/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "%2e%2e%2f": (b"GET /%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "%252e%252e": (b"GET /%252e%252e/etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", {404, 200, 400}),
    "a backslash": (b"GET /..\\..\\etc\\passwd HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "NUL in the path": (b"GET /ready%00.css HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "a raw NUL in the path": (b"GET /rea\0dy HTTP/1.1\r\n" + HOST + b"\r\n", {400, 404, 0}),
    "overlong UTF-8": (b"GET /%c0%af%c0%ae HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "half a percent": (b"GET /ready% HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "percent and no digits": (b"GET /ready%zz HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "two slashes": (b"GET //etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "two Content-Length": (POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\na 1\n", {400, 0}),
    "two that differ": (POST + b"Content-Length: 4\r\nContent-Length: 400\r\n\r\na 1\n", {400, 0}),
    "Content-Length 5,5": (POST + b"Content-Length: 5,5\r\n\r\na 1\n\n", {400, 0}),
    "Content-Length +4": (POST + b"Content-Length: +4\r\n\r\na 1\n", {400, 0}),
    "Content-Length -1": (POST + b"Content-Length: -1\r\n\r\na 1\n", {400, 0}),
    "Content-Length 0x4": (POST + b"Content-Length: 0x4\r\n\r\na 1\n", {400, 0}),
    "Content-Length 4 spaces": (POST + b"Content-Length: 4 4\r\n\r\na 1\n", {400, 0}),
    "Content-Length 2^64": (POST + b"Content-Length: 18446744073709551616\r\n\r\na 1\n", {400, 413, 0}),
    "Content-Length 2^63": (POST + b"Content-Length: 9223372036854775808\r\n\r\na 1\n", {400, 413, 0}),
    "Content-Length and Transfer-Encoding": (POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
                                             {400, 0}),
    "Transfer-Encoding and Content-Length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n"
                                             + SMUGGLED, {400, 0}),
    "chunked, chunked": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501, 0}),
    "chunked twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 0}),
    "xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501, 0}),
    "chunked;x": (POST + b"Transfer-Encoding: chunked;x\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501, 0}),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\na 1\n" + SMUGGLED, {400, 501, 0}),
    "a tab before chunked": (POST + CLOSE + b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", {400, 422, 501, 0}),
    "a vertical tab before chunked": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501, 0}),
    "a chunk of 2^64-1": (chunked(b"FFFFFFFFFFFFFFFF\r\na 1\n"), {400, 413, 408, 0}),
    "a chunk of 2^64": (chunked(b"10000000000000000\r\na 1\n\r\n0\r\n\r\n"), {400, 413, 0}),
    "a chunk of 0x4": (chunked(b"0x4\r\na 1\n\r\n0\r\n\r\n"), {400, 0}),
    "a chunk of -4": (chunked(b"-4\r\na 1\n\r\n0\r\n\r\n"), {400, 0}),
    "a chunk of nothing": (chunked(b"\r\na 1\n\r\n0\r\n\r\n"), {400, 0}),
    "a chunk without an end": (chunked(b"4\r\na 1\n0\r\n\r\n"), {400, 0}),
    "an extension of a MiB": (chunked(b"4;" + b"x" * (1 << 20) + b"\r\na 1\n\r\n0\r\n\r\n"), {400, 413, 500, 0}),  # libmicrohttpd's word
    "trailers of 64 KiB": (chunked(b"4\r\na 1\n\r\n0\r\nX: " + b"x" * 65536 + END), {400, 413, 431, 0}),
    "an unknown expectation": (POST + b"Expect: 200-ok\r\nContent-Length: 4\r\n\r\na 1\n", {417}),
    "100-continue for too much": (POST + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n", {413}),
    "a body cut off": (POST + b"Content-Length: 400\r\n\r\na 1\n", {0, 400, 408}),
    "a gzip that is none": (POST + b"Content-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n\r\na 1\n", {422}),
    "no boundary": (POST + b"Content-Type: multipart/form-data\r\nContent-Length: 4\r\nConnection: close\r\n\r\na 1\n", {422}),
    "NUL in a boundary": (POST + b"Content-Type: multipart/form-data; boundary=a\0b\r\nContent-Length: 4\r\n\r\na 1\n", {400, 422, 0}),
    "a form in a form": (POST + b"Content-Type: multipart/form-data; boundary=a\r\nContent-Length: 74\r\nConnection: close\r\n\r\n"
                         b"--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--a--\r\n", {422}),
    "an Origin of another site": (POST + b"Origin: https://attacker.example\r\nContent-Length: 4\r\n\r\na 1\n", {403}),
    "a preflight of another site": (b"OPTIONS /ingest HTTP/1.1\r\n" + HOST + CLOSE + b"Origin: https://attacker.example\r\n"
                                    b"Access-Control-Request-Method: POST\r\n\r\n", {403, 405}),
    "who it is forwarded for": (GET + b"X-Forwarded-For: 127.0.0.1, <script>\r\nForwarded: for=\"[::1]\"\r\n\r\n", {200}),
}


@pytest.fixture(scope="module")
def answers(server):
    """To all of them, asked at the same time: some wait for a timeout."""
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        return dict(zip(CASES, pool.map(lambda case: statuses(server, case[0]), CASES.values())))


@pytest.mark.parametrize("name", CASES)
def test_an_odd_request_is_answered_or_closed(answers, name):
    allowed = CASES[name][1]
    seen, answer = answers[name]
    assert seen[0] in allowed, answer[:300]
    # libmicrohttpd 0.9.75 sends the head of its own refusals twice, and closes.
    assert set(seen) == {seen[0]} and b"pyrometer_http_connections" not in answer, "a request was smuggled behind another"
    if seen[0] >= 400:
        body = answer.split(END, 1)[1]
        assert b"passwd" not in answer and b"attacker" not in body and b"<script>" not in body, "an error repeats what was sent"
        assert b"\0" not in body
    assert b"Access-Control-Allow-Origin" not in answer


def test_none_of_them_left_a_profile_or_a_connection(server, answers):
    assert len(answers) == len(CASES)
    assert "smuggled" not in services(server)
    wait_until(lambda: server.metric("http_connections") <= 1, what="all of them closed")


def test_pipelined_requests_are_answered_in_order(server):
    with server.socket() as sock:
        sock.sendall(GET + b"\r\n" + b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n" + b"GET /nosuch HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
        data = b""
        while chunk := sock.recv(65536):
            data += chunk
    assert [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+) ", data)] == [200, 200, 404]


def test_a_thousand_pipelined_requests(server):
    with server.socket() as sock:
        sock.sendall((GET + b"\r\n") * 999 + GET + CLOSE + b"\r\n")
        data = b""
        while chunk := sock.recv(1 << 20):
            data += chunk
    assert data.count(b"HTTP/1.1 200 ") == 1000


def test_what_follows_a_refused_body_is_not_a_request(server):
    """The body of a refused upload looks like a request: it must not be taken for one."""
    body = SMUGGLED * 3
    seen, answer = statuses(server, b"POST /nosuch HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert seen == [404] and b"connection: close" in answer.lower()


def test_methods_do_not_multiply_counters(server):
    for i in range(50):
        server.raw(b"FOO%d /ready HTTP/1.1\r\n" % i + HOST + CLOSE + b"\r\n")
    assert "FOO" not in server.get("/metrics").body.decode()


def test_ten_thousand_parameters_are_refused(server):
    assert server.request("GET", "/api/v1/view?" + "&".join("a=1" for _ in range(2000))).status in (400, 408, 414)


BAD_TIMES = ["-1", "nan", "inf", "1e400", "9" * 40, "0x10", "now-", "now-1y-1y", "%00", "9999-12-31T23:59:59Z", "\u0663"]


@pytest.mark.parametrize("value", BAD_TIMES)
@pytest.mark.parametrize("path,name", [("/api/v1/services", "from"), ("/pyroscope/render", "until"), ("/ingest", "from")])
def test_senseless_times_are_refused_or_empty(server, path, name, value):
    params = {"from": "0", "until": "1", "query": f"{CPU}{{}}", "name": "x", name: value}
    answer = server.ingest(b"a 1\n", **params) if path == "/ingest" else server.get(path, **params)
    assert answer.status in (200, 400, 422), answer.body
    if answer.status == 200 and path == "/ingest":
        assert "x" not in services(server)


BAD_SELECTORS = {
    "unclosed": "{", "no operator": "{a}", "no value": "{a=}", "no quote": '{a="b}', "NUL": '{a="\0"}', "a name": '{"<b>"="x"}',
    "an unclosed group": '{a=~"("}', "backtracking": '{a=~"(a+)+$"}', "a repetition": '{a=~"(((a{1000}){1000}){1000})"}',
    "ten KiB of regex": '{a=~"' + "(a|b)*" * 1000 + '"}', "a back reference": '{a=~"(a)\\\\1"}',
    "a thousand matchers": "{" + ",".join(f'a{i}="b"' for i in range(1000)) + "}",
}


@pytest.mark.parametrize("name", BAD_SELECTORS)
def test_senseless_selectors_end_at_once(server, name):
    """By POST: a URL would be too long."""
    began = serving.cpu_seconds(server.process.pid)
    body = json.dumps({"matchers": [BAD_SELECTORS[name]], "labelNames": [], "start": 0, "end": 4102444800000})
    answer = server.request("POST", "/querier.v1.QuerierService/Series", body, {"Content-Type": "application/json"})
    assert answer.status in (200, 400, 413, 429), answer.body
    assert serving.cpu_seconds(server.process.pid) - began < 1


def test_a_million_labels_in_a_name(server):
    labels = ",".join(f"l{i}=v" for i in range(1_000_000))
    seen, answer = statuses(server, b"POST /ingest?name=x%7B" + labels.encode() + b"%7D HTTP/1.1\r\n" + HOST + b"\r\n")
    assert seen[0] in (414, 431, 0)


def test_hundreds_of_thousands_of_labels_in_a_message(server):
    began = serving.cpu_seconds(server.process.pid)
    pair = serving.field(1, serving.field(1, "l") + serving.field(2, "v"))
    answer = server.request("POST", "/push.v1.PusherService/Push", serving.field(1, pair * 300_000),
                            {"Content-Type": "application/proto"})
    assert answer.status in (400, 413) or answer.status == 200
    distinct = b"".join(serving.field(1, serving.field(1, f"l{i}") + serving.field(2, "v")) for i in range(50_000))
    answer = server.request("POST", "/push.v1.PusherService/Push", serving.field(1, distinct), {"Content-Type": "application/proto"})
    assert answer.status == 413 and "--max-labels" in answer.json()["message"]
    assert serving.cpu_seconds(server.process.pid) - began < 5


# ---- slow ones and many ----

def test_slow_heads_end_by_themselves_while_others_are_served(server):
    """A hundred that send a byte of their headers now and then; each is told 408, and nobody waits for them."""
    slow = [server.socket() for _ in range(100)]
    ends = time.monotonic() + 15
    try:
        for sock in slow:
            sock.sendall(b"GET /ready HTTP/1.1\r\n")
        slowest = 0
        while server.metric('http_refused_total{reason="timeout"}') < 100 and time.monotonic() < ends:
            for sock in slow:
                try:
                    sock.sendall(b"x")
                except OSError:
                    pass
            began = time.monotonic()
            assert server.get("/ready").status == 200
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.2)
        wait_until(lambda: server.metric("http_connections") <= 1, 20, "the slow ones gone")
        assert slowest < 5
    finally:
        for sock in slow:
            sock.close()


def test_readers_that_do_not_read_hold_up_nobody(server):
    """Twenty ask for an answer and take none of it."""
    idle = []
    for _ in range(20):
        sock = server.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.sendall((b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n") * 20)
        idle.append(sock)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(answer.status == 200 for answer in pool.map(lambda _: server.get("/ready"), range(20)))
    for sock in idle:
        sock.close()
    wait_until(lambda: server.metric("http_connections") <= 1, 20, "the idle ones gone")


def test_resets_in_every_phase_leave_nothing(server):
    hard = struct.pack("ii", 1, 0)
    for data in (b"", b"G", GET, GET + b"\r\n", POST + b"Content-Length: 400\r\n\r\na 1\n", POST + b"Content-Length: 4\r\n\r\na 1\n",
                 serving.PREFACE, serving.PREFACE + h2_frame(serving.SETTINGS, 0, 0) +
                 h2_frame(serving.HEADERS, 5, 1, serving.h2_request("localhost", "/metrics"))):
        for _ in range(5):
            sock = server.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hard)
            sock.sendall(data)
            sock.close()
    wait_until(lambda: server.metric("http_connections") <= 1, 20, "all of them gone")
    assert server.metric("http_in_flight") <= 1


def test_a_half_closed_client_is_told_what_became_of_its_upload(server):
    """Closing one's side is leaving; who leaves too early is not told 200, and nothing is kept."""
    for i in range(20):
        with server.socket() as sock:
            sock.sendall(b"POST /ingest?name=half%d HTTP/1.1\r\n" % i + HOST + b"Content-Length: 7\r\n\r\nmain 1\n")
            sock.shutdown(socket.SHUT_WR)
            answer = sock.recv(65536)
        if answer:
            assert re.match(rb"HTTP/1.1 (200|503) ", answer), answer
            assert b" 200 " in answer[:20] or b"closed" in answer
            assert (b" 200 " in answer[:20]) == (f"half{i}" in services(server))


def test_a_file_name_in_a_header_is_one_line(server):
    """Who chooses names of services chooses what stands in Content-Disposition."""
    name = 'x"\r\nSet-Cookie: a=b\r\n\r\n<script>/../é'
    assert server.push([({"__name__": "process_cpu", "service_name": name}, [(serving.pprof({("main",): 1}), "")])]).status in (200, 400)
    answer = server.get("/api/v1/export", query=f"{CPU}{{}}", format="pprof", **{"from": 0, "until": 4102444800000})
    assert "Set-Cookie" not in answer.headers
    for value in answer.headers.values():
        assert "\n" not in value and "/../" not in value


def test_plain_http_to_a_tls_client_is_an_error_of_the_client(server):
    context = ssl.create_default_context()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(server.socket(), server_hostname="localhost")
    assert server.get("/ready").status == 200
