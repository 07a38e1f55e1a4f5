# SPDX-License-Identifier: Apache-2.0
"""What HTTP itself refuses has the shape that clients of the path read, names the limit, and is listed."""

import json
import struct
import time

import pytest

import serving
from conftest import wait_until
from serving import Server, h2_frame

PUSH = "/push.v1.PusherService/Push"
QUERIER = "/querier.v1.QuerierService/LabelNames"
OTLP = "/v1development/profiles"
EXPORT = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED = 4, 8, 12


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("refusals"), "--max-body", "64KiB", "--request-timeout", "1s",
                    "--header-timeout", "1s", "--max-uri", "1KiB")
    yield server
    server.stop()


def own(status, word, body, headers):
    told = json.loads(body)
    assert set(told) == {"error", "detail"} and word in told["detail"]
    return status


def connect(status, word, body, headers):
    told = json.loads(body)
    assert set(told) == {"code", "message"} and word in told["message"]
    assert told["code"] in {413: "resource_exhausted", 408: "deadline_exceeded", 405: "unimplemented"}[status]
    return status


def otlp_proto(status, word, body, headers):
    assert headers["content-type"] == "application/x-protobuf"
    assert body[:1] == b"\x08" and body[2:3] == b"\x12" and word.encode() in body
    assert body[1] in {413: (RESOURCE_EXHAUSTED,), 408: (DEADLINE_EXCEEDED,), 405: (UNIMPLEMENTED,)}[status]
    return status


def otlp_json(status, word, body, headers):
    told = json.loads(body)
    assert set(told) == {"code", "message"} and word in told["message"]
    assert told["code"] == {413: RESOURCE_EXHAUSTED, 408: DEADLINE_EXCEEDED, 405: UNIMPLEMENTED}[status]
    return status


def grpc(status, word, body, headers):
    assert status == 200 and headers["content-type"] == "application/grpc"
    assert word in headers["grpc-message"] and not body
    return {str(RESOURCE_EXHAUSTED): 413, str(DEADLINE_EXCEEDED): 408, str(UNIMPLEMENTED): 405}[headers["grpc-status"]]


def grpc_web(status, word, body, headers):
    assert status == 200 and body[:1] == b"\x80"
    length, = struct.unpack(">I", body[1:5])
    assert len(body) == 5 + length and word.encode() in body
    code = body.split(b"grpc-status:")[1].split(b"\r\n")[0].decode()
    return {str(RESOURCE_EXHAUSTED): 413, str(DEADLINE_EXCEEDED): 408, str(UNIMPLEMENTED): 405}[code]


SHAPES = [
    ("/ingest?name=x", "application/octet-stream", connect),
    ("/pyroscope/ingest?name=x", "application/octet-stream", connect),
    (PUSH, "application/proto", connect),
    (PUSH, "application/json", connect),
    (PUSH, "application/grpc", grpc),
    (PUSH, "application/grpc-web+proto", grpc_web),
    (QUERIER, "application/json", connect),
    (QUERIER, "application/grpc+proto", grpc),
    (OTLP, "application/x-protobuf", otlp_proto),
    (OTLP, "application/json", otlp_json),
    (EXPORT, "application/grpc", grpc),
    ("/api/v1/delete", "application/json", own),
]
IDS = [f"{path.split('?')[0]} {kind}" for path, kind, _ in SHAPES]


def exchange(server, data):
    answer = server.raw(data)
    return answer.status, answer.body, answer.headers


def head(path, kind, *more, method="POST"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", *more, "", ""]).encode()


@pytest.mark.parametrize("path,kind,shape", SHAPES, ids=IDS)
def test_a_body_that_is_announced_too_large(server, path, kind, shape):
    status, body, headers = exchange(server, head(path, kind, "Content-Length: 65537"))
    assert shape(status, "65536 bytes", body, headers) == 413
    assert headers["x-content-type-options"] == "nosniff" and headers["connection"] == "close"


@pytest.mark.parametrize("path,kind,shape", SHAPES, ids=IDS)
def test_a_body_that_turns_out_too_large(server, path, kind, shape):
    chunks = b"10000\r\n" + bytes(65536) + b"\r\n1\r\nx\r\n"
    status, body, headers = exchange(server, head(path, kind, "Transfer-Encoding: chunked") + chunks)
    assert shape(status, "65536 bytes", body, headers) == 413
    assert headers["x-content-type-options"] == "nosniff" and headers["connection"] == "close"


@pytest.mark.parametrize("path,kind,shape", SHAPES, ids=IDS)
def test_a_method_that_is_not_served(server, path, kind, shape):
    status, body, headers = exchange(server, head(path, kind, "Connection: close", method="DELETE"))
    assert shape(status, "not served with this method", body, headers) == 405


def test_bodies_that_come_too_slowly(server):
    """All at once, since each takes its second."""
    sockets = [server.socket() for _ in SHAPES]
    for sock, (path, kind, _) in zip(sockets, SHAPES):
        sock.sendall(head(path, kind, "Content-Length: 5000"))
    for answer, (_, _, shape) in zip([serving.raw_answer(sock) for sock in sockets], SHAPES):
        assert shape(answer.status, "too slowly", answer.body, answer.headers) == 408


def until_reset(sock):
    """Frames until the first RST_STREAM."""
    frames = []
    while not any(kind == serving.RST_STREAM for kind, *_ in frames):
        length = int.from_bytes(read(sock, 3), "big")
        rest = read(sock, 6 + length)
        frames.append((rest[0], rest[1], int.from_bytes(rest[2:6], "big"), rest[6:]))
    return frames


def read(sock, length):
    data = b""
    while len(data) < length:
        more = sock.recv(length - len(data))
        assert more, "the connection ended"
        data += more
    return data


def test_slow_bodies_over_http2_are_told_so(server):
    with server.socket() as sock:
        pairs = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", PUSH),
                 ("content-type", "application/json")]
        sock.sendall(serving.PREFACE + h2_frame(serving.SETTINGS, 0, 0) +
                     h2_frame(serving.HEADERS, serving.END_HEADERS, 1, serving.h2_headers(pairs)))
        seen = until_reset(sock)
    bodies = [payload for kind, _, stream, payload in seen if kind == serving.DATA and stream == 1]
    assert json.loads(b"".join(bodies)) == {"code": "deadline_exceeded", "message": "the body came too slowly"}
    assert [kind for kind, _, stream, _ in seen if stream == 1][-1] == serving.RST_STREAM


def test_the_limit_and_its_option_are_named(server):
    for path, option in (("/ingest?name=" + "x" * 2000, "--max-uri"), ("/ingest?name=x", "--max-body")):
        _, body, _ = exchange(server, head(path, "text/plain", "Content-Length: 70000"))
        assert option in json.loads(body).get("message", body.decode())


def test_refused_and_late_uploads_are_listed(server):
    exchange(server, head(PUSH, "application/grpc", "Content-Length: 70000"))
    listed = server.get("/api/v1/rejections").json()["rejections"]
    texts = {row["reason"]: row["detail"] for row in listed}
    assert "413" in texts["body_size_limit_exceeded"] and "--max-body" in texts["body_size_limit_exceeded"]
    start = time.monotonic()
    assert exchange(server, head("/ingest?name=x", "text/plain", "Content-Length: 5"))[0] == 408
    assert time.monotonic() - start > 0.9
    wait_until(lambda: server.get("/api/v1/rejections").json()["rejections"][0]["reason"] == "timeout")
