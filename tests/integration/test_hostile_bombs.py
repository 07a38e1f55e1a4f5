# SPDX-License-Identifier: Apache-2.0
"""
Zip bombs at every level of nesting that is read, one case a line: 16 MiB as sent, 64 MiB inflated, 200:1 after the first
MiB hold under every codec and every dress; the answer names the limit, and the server never needs 256 MiB for it.

Elsewhere: what codecs do with damaged data (tests/unit/codec/test_gzip.c, tests/fuzz/fuzz_gzip.c), bodies too large as
sent (test_hostile_refusals.py), limits by their options (test_access.py), bombs in the answers that `import` reads
(test_import.py).
"""

import base64
import concurrent.futures
import gzip
import json
import os
import re
import subprocess
import sys

import pytest

import bombs
from serving import Server, field, grpc_frame, pprof, push_request

PEAK_BYTES = 256 << 20
SANITIZED = "ASAN_OPTIONS" in os.environ  # shadow memory is not what is measured
PUSH = "/push.v1.PusherService/Push"
OTLP = "/v1development/profiles"
EXPORT = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
SIZE, RATIO = "--max-inflated", "--max-ratio"
PROTO, JSON = {"Content-Type": "application/proto"}, {"Content-Type": "application/json"}
OTLP_PROTO = {"Content-Type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("bombs"))
    yield server
    peak = peak_bytes(server)
    assert server.stop()[0] == 0
    assert SANITIZED or peak < PEAK_BYTES, f"{peak >> 20} MiB"


def peak_bytes(server):
    with open(f"/proc/{server.process.pid}/status") as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1]) << 10


def series(raw, **labels):
    return push_request([({"__name__": "process_cpu", "service_name": "bomb", **labels}, [(raw, "")])])


def form(parts, boundary="abc"):
    body = b"".join(b"--abc\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"x\"\r\n\r\n%s\r\n" % (name, data)
                    for name, data in parts)
    return body + b"--abc--\r\n", {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def as_json(raw):
    return json.dumps({"series": [{"labels": [{"name": "service_name", "value": "bomb"}],
                                   "samples": [{"rawProfile": base64.b64encode(raw).decode()}]}]}).encode()


def compressed_frame(packed):
    frame = bytearray(grpc_frame(packed))
    frame[0] = 1
    return bytes(frame)


GZ = bombs.gzip_bomb(300)
PADDED = gzip.compress(pprof({("main",): 1}) + field(100, bytes(1 << 20)))  # a good profile, most of it of no use
ZSTD = bombs.zstd_bomb(300)
GRPC = {"Content-Type": "application/grpc", "TE": "trailers", "Grpc-Encoding": "gzip"}
INGEST = "/ingest?name=bomb&format="

BOMBS = {
    "gzip, as the body of an upload": (INGEST + "pprof", GZ, {}),
    "gzip, in many members": (INGEST + "pprof", bombs.gzip_members(300), {}),
    "gzip, as Content-Encoding": (INGEST + "groups", GZ, {"Content-Encoding": "gzip"}),
    "gzip in gzip": (INGEST + "pprof", gzip.compress(GZ), {"Content-Encoding": "gzip"}),
    "zstd, as Content-Encoding": (INGEST + "groups", ZSTD, {"Content-Encoding": "zstd"}),
    "gzip, as collapsed text": (INGEST + "groups", GZ, {}),
    "gzip, as lines": (INGEST + "lines", GZ, {}),
    "gzip, as a trie": (INGEST + "trie", GZ, {}),
    "gzip, as a tree": (INGEST + "tree", GZ, {}),
    "gzip, as speedscope": (INGEST + "speedscope", GZ, {}),
    "gzip, as JFR": (INGEST + "jfr", bombs.gzip_bomb(300, b"FLR\0\0\2\0\0"), {}),
    "gzip, in the JFR part of a form": (INGEST + "jfr", *form([(b"jfr", bombs.gzip_bomb(300, b"FLR\0\0\2\0\0"))])),
    "gzip, in the labels part of a form": (INGEST + "jfr", *form([(b"jfr", b"FLR\0"), (b"labels", GZ)])),
    "gzip, in the profile part of a form": (INGEST + "pprof", *form([(b"profile", GZ)])),
    "a form in gzip": (INGEST + "pprof", GZ, {"Content-Encoding": "gzip", **form([])[1]}),
    "gzip, as a Connect message": (PUSH, GZ, {**PROTO, "Content-Encoding": "gzip"}),
    "zstd, as a Connect message": (PUSH, ZSTD, {**PROTO, "Content-Encoding": "zstd"}),
    "gzip, as a Connect message in JSON": (PUSH, GZ, {**JSON, "Content-Encoding": "gzip"}),
    "a pprof in a Push message": (PUSH, series(GZ), PROTO),
    "gzip in a message in gzip": (PUSH, gzip.compress(series(GZ)), {**PROTO, "Content-Encoding": "gzip"}),
    "gzip in base64 in JSON in gzip": (PUSH, gzip.compress(as_json(GZ)), {**JSON, "Content-Encoding": "gzip"}),
    "two hundred profiles of a MiB each": (PUSH, push_request([({"service_name": "many"}, [(PADDED, "")] * 200)]), PROTO),
    "a gRPC frame": (PUSH, compressed_frame(GZ), GRPC),
    "a gRPC frame in zstd": (PUSH, compressed_frame(ZSTD), {**GRPC, "Grpc-Encoding": "zstd"}),
    "a pprof in a gRPC frame in gzip": (PUSH, compressed_frame(gzip.compress(series(GZ))), GRPC),
    "a gRPC-Web frame": (PUSH, compressed_frame(GZ), {**GRPC, "Content-Type": "application/grpc-web+proto"}),
    "a question by gRPC": ("/querier.v1.QuerierService/LabelNames", compressed_frame(GZ), GRPC),
    "a question by Connect": ("/querier.v1.QuerierService/Diff", GZ, {**JSON, "Content-Encoding": "gzip"}),
    "OTLP by HTTP": (OTLP, GZ, {**OTLP_PROTO, "Content-Encoding": "gzip"}),
    "OTLP by HTTP in zstd": (OTLP, ZSTD, {**OTLP_PROTO, "Content-Encoding": "zstd"}),
    "OTLP in JSON": (OTLP, GZ, {**JSON, "Content-Encoding": "gzip"}),
    "OTLP by gRPC": (EXPORT, compressed_frame(GZ), GRPC),
    "a kept file in base64 in JSON": ("/adhocprofiles.v1.AdHocProfileService/Upload",
                                      json.dumps({"name": "x", "profile": base64.b64encode(GZ).decode()}).encode(), JSON),
}


def request(path, body, headers):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join(lines + [f"{name}: {value}" for name, value in headers.items()] + ["", ""]).encode() + body


def verdict(answer):
    """(status, text), whatever the dress; gRPC's RESOURCE_EXHAUSTED is 413."""
    kind = answer.headers["content-type"]
    if kind == "application/grpc":
        return {"8": 413}.get(answer.headers["grpc-status"]), answer.headers["grpc-message"]
    if kind == "application/grpc-web+proto":
        return 413 if b"grpc-status:8\r\n" in answer.body else None, answer.body.decode("latin-1")
    if kind == "application/json":
        return answer.status, answer.json()["message"]
    return answer.status, answer.body.decode("latin-1")


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_the_name_of_the_limit(server, name):
    path, body, headers = BOMBS[name]
    assert len(body) < 4 << 20
    status, text = verdict(server.raw(request(path, body, headers)))
    assert status == 413 and (SIZE in text or RATIO in text), text
    assert peak_bytes(server) < PEAK_BYTES or SANITIZED
    if headers.get("Content-Type") != "application/json" or path in (PUSH, OTLP):
        listed = server.get("/api/v1/rejections").json()["rejections"]
        assert path.startswith("/querier") or listed[0]["reason"] in ("inflate_ratio_limit", "profile_size_limit")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "x-gzip", "compress", "snappy"])
@pytest.mark.parametrize("path,kind", [(INGEST, "text/plain"), (PUSH, "application/proto"), (OTLP, "application/x-protobuf")])
def test_other_codecs_are_refused_unread(server, path, kind, encoding):
    answer = server.request("POST", path, bytes(1000), {"Content-Type": kind, "Content-Encoding": encoding})
    assert answer.status == 415 and b"use gzip, zstd" in answer.body


def test_a_window_of_two_gigabytes_is_not_made(server):
    answer = server.request("POST", INGEST + "groups", bombs.zstd_window(31), {"Content-Encoding": "zstd"})
    assert answer.status in (413, 422) and (SANITIZED or peak_bytes(server) < PEAK_BYTES)


def test_what_is_just_allowed_comes_from_many_at_once(server):
    """64 MiB from a third of a MiB, eight times together: some wait, some are told to; memory stays what it is."""
    body = bombs.just_allowed(60, b"main;work 1\n#")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.request("POST", INGEST + "groups", body), range(8)))
    assert {answer.status for answer in answers} <= {200, 413, 422, 503}
    assert peak_bytes(server) < PEAK_BYTES or SANITIZED


# ---- the same from files ----

# A process begins with the memory of the one that starts it, and a worker of many tests has more than what is allowed here.
MEASURE = """import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss << 10)
sys.exit(os.waitstatus_to_exitcode(status))"""


def peak_of(argv, **more):
    """(exit code, errors, bytes at most) of a program that says nothing else."""
    done = subprocess.run([sys.executable, "-S", "-c", MEASURE, *argv], capture_output=True, text=True, check=False, **more)
    return done.returncode, done.stderr, int(done.stdout.split()[-1])


@pytest.mark.parametrize("name,inside", [
    ("x.pb.gz", b""), ("x.collapsed.gz", b"main 1\n"), ("x.speedscope.json.gz", b'{"$schema":"'), ("x.jfr.gz", b"FLR\0\0\2\0\0"),
    ("x.perf.gz", b"python 1 1.0: 1 cycles:\n"), ("x.pyro", b"")])
def test_convert_does_not_unpack_a_bomb(pyrometer, tmp_path, name, inside):
    (tmp_path / name).write_bytes(bombs.gzip_bomb(1000, inside))
    code, errors, peak = peak_of([pyrometer, "convert", tmp_path / name, "-f", "raw", "-o", tmp_path / "out"])
    assert code == 1 and "error: " in errors and "Traceback" not in errors
    assert peak < PEAK_BYTES or SANITIZED
    assert not (tmp_path / "out").exists()

