# SPDX-License-Identifier: Apache-2.0
"""Every method of every service in every dress: Connect in proto and JSON, gRPC over HTTP/1.1 and HTTP/2, gRPC-Web."""

import base64
import gzip
import json
import shutil
import struct
import subprocess
import time

import pytest

from serving import CPU, Server, field, grpc_frame, pprof, varint

NOW = int(time.time()) // 60 * 60
START, END = (NOW - 600) * 1000, NOW * 1000
RANGE = [(3, "start", START), (4, "end", END)]
SELECTION = [(1, "profileTypeID", CPU), (2, "labelSelector", '{service_name="shop"}'), *RANGE]
MATCHERS = '{service_name="shop"}'
FILE = base64.b64encode(b"main;work;foo 3\nmain;work;bar 1\n").decode()
SPAN = "9a517183f26a089d"
QUERIER, ADHOC = "querier.v1.QuerierService", "adhocprofiles.v1.AdHocProfileService"

METHODS = {
    f"{QUERIER}/ProfileTypes": [(1, "start", START), (2, "end", END)],
    f"{QUERIER}/LabelNames": [(1, "matchers", [MATCHERS]), (2, "start", START), (3, "end", END)],
    f"{QUERIER}/LabelValues": [(1, "name", "region"), (2, "matchers", [MATCHERS]), *RANGE],
    f"{QUERIER}/Series": [(1, "matchers", [MATCHERS]), (2, "labelNames", ["service_name", "region"]), *RANGE],
    f"{QUERIER}/SelectMergeStacktraces": [*SELECTION, (5, "maxNodes", 64), (6, "format", 1)],
    f"{QUERIER}/SelectMergeProfile": [*SELECTION, (5, "maxNodes", 64)],
    f"{QUERIER}/SelectSeries": [*SELECTION, (5, "groupBy", ["region"]), (6, "step", 15.0), (9, "limit", 5)],
    f"{QUERIER}/SelectMergeSpanProfile": [(1, "profileTypeID", CPU), (2, "labelSelector", MATCHERS),
                                          (3, "spanSelector", [SPAN]), (4, "start", START), (5, "end", END)],
    f"{QUERIER}/SelectHeatmap": [*SELECTION, (5, "step", 15.0), (6, "groupBy", ["region"]), (7, "queryType", 2),
                                 (8, "exemplarType", 3), (9, "limit", 5)],
    f"{QUERIER}/Diff": [(1, "left", SELECTION), (2, "right", SELECTION)],
    f"{QUERIER}/GetProfileStats": [],
    f"{QUERIER}/AnalyzeQuery": [(2, "start", START), (3, "end", END), (4, "query", CPU + MATCHERS)],
    "settings.v1.SettingsService/Set": [(1, "setting", [(1, "name", "a"), (2, "value", "b"), (3, "modifiedAt", START)])],
    "settings.v1.SettingsService/Get": [],
    "settings.v1.SettingsService/Delete": [(1, "name", "nosuch")],
    f"{ADHOC}/List": [],
    "version.v1.Version/Version": [],
    "capabilities.v1.FeatureFlagsService/GetFeatureFlags": [],
    "debuginfo.v1alpha1.DebuginfoService/ListDebuginfo": [],
}
# What each must have in its answer, as text.
TOLD = {"ProfileTypes": CPU, "LabelNames": "region", "LabelValues": "eu", "Series": "shop", "SelectMergeProfile": "work",
        "SelectMergeStacktraces": "work", "SelectSeries": "eu", "SelectMergeSpanProfile": "foo", "SelectHeatmap": SPAN, "Diff": "work", "Set": "a", "Get": "a",
        "GetFeatureFlags": "utf8LabelNames"}


def as_proto(fields):
    out = b""
    for number, _, value in fields:
        for one in value if isinstance(value, list) and not (value and isinstance(value[0], tuple)) else [value]:
            if isinstance(one, list):
                out += field(number, as_proto(one))
            elif isinstance(one, float):
                out += varint(number << 3 | 1) + struct.pack("<d", one)
            else:
                out += field(number, one)
    return out


def as_json(fields):
    return {name: as_json(value) if isinstance(value, list) and value and isinstance(value[0], tuple) else value
            for _, name, value in fields}


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("protocols") / "data")
    body = pprof({("main", "work", "foo"): 750 * 10**6, ("main", "work", "bar"): 250 * 10**6},
                 time_ns=(NOW - 300) * 10**9, labels={("main", "work", "foo"): {"span_id": SPAN}})
    labels = {"__name__": "process_cpu", "service_name": "shop", "region": "eu"}
    assert server.push([(labels, [(body, None)])]).status == 200
    yield server
    code, err = server.stop()
    assert code == 0, err


def proto(server, method, message):
    got = server.request("POST", "/" + method, message, {"Content-Type": "application/proto"})
    return got.body if got.status == 200 else got.json()["code"]


def compressed_proto(server, method, message):
    got = server.request("POST", "/" + method, gzip.compress(message), {
        "Content-Type": "application/proto", "Content-Encoding": "gzip", "Accept-Encoding": "gzip",
        "Connect-Protocol-Version": "1"})
    body = gzip.decompress(got.body) if got.headers.get("Content-Encoding") == "gzip" else got.body
    return body if got.status == 200 else json.loads(body)["code"]


CODES = {0: "ok", 3: "invalid_argument", 5: "not_found", 12: "unimplemented"}


def framed(body, trailers):
    """The message of a gRPC answer whose status is 0, else its code."""
    status = int(trailers["grpc-status"])
    if status:
        return CODES[status]
    assert body[0] == 0 and int.from_bytes(body[1:5], "big") == len(body) - 5
    return body[5:]


def grpc_h1(server, method, message):
    """As profilecli speaks it: chunks, then trailers."""
    with server.socket() as sock:
        frame = grpc_frame(message)
        sock.sendall(f"POST /{method} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/grpc\r\nTE: trailers\r\n"
                     f"Connection: close\r\nContent-Length: {len(frame)}\r\n\r\n".encode() + frame)
        data = b""
        while chunk := sock.recv(1 << 16):
            data += chunk
    head, rest = data.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200"), head
    body = b""
    while True:
        size, rest = rest.split(b"\r\n", 1)
        size = int(size, 16)
        if not size:
            break
        body, rest = body + rest[:size], rest[size + 2:]
    trailers = dict(line.lower().split(": ", 1) for line in rest.decode().splitlines() if line)
    return framed(body, trailers)


def grpc_h2(server, method, message):
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    out = subprocess.run(["curl", "-sSi", "--http2-prior-knowledge", "-H", "Content-Type: application/grpc", "-H",
                          "TE: trailers", "--data-binary", "@-", f"{server.url}/{method}"], input=grpc_frame(message),
                         capture_output=True, timeout=30, check=True).stdout
    head, rest = out.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/2 200"), head
    at = rest.rindex(b"grpc-status:")
    trailers = dict(line.lower().split(": ", 1) for line in rest[at:].decode().splitlines() if ": " in line)
    length = int.from_bytes(rest[1:5], "big") + 5 if rest[:1] == b"\0" else 0
    return framed(rest[:length], trailers)


def grpc_web(server, method, message):
    got = server.request("POST", "/" + method, grpc_frame(message), {"Content-Type": "application/grpc-web+proto"})
    assert got.status == 200 and got.headers["Content-Type"] == "application/grpc-web+proto"
    at = 0
    while got.body[at] != 0x80:
        at += 5 + int.from_bytes(got.body[at + 1:at + 5], "big")
    trailers = dict(line.split(":", 1) for line in got.body[at + 5:].decode().splitlines())
    return framed(got.body[:at], trailers)


DRESSES = [compressed_proto, grpc_h1, grpc_h2, grpc_web]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_says_the_same_in_every_dress(server, method):
    message = as_proto(METHODS[method])
    plain = proto(server, method, message)
    assert isinstance(plain, bytes), plain
    assert TOLD.get(method.split("/")[1], "").encode() in plain
    for dress in DRESSES:
        assert dress(server, method, message) == plain, dress.__name__
    got = server.request("POST", "/" + method, json.dumps(as_json(METHODS[method])).encode(),
                         {"Content-Type": "application/json; charset=utf-8"})
    assert got.status == 200 and got.headers["Content-Type"] == "application/json", got.body
    assert (got.json() == {}) == (plain == b"")
    for text in texts_of(got.json()):
        assert text.encode() in plain, text


def texts_of(value):
    """All texts of a JSON value but numbers in disguise."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for one in value for text in texts_of(one)]
    return [value] if isinstance(value, str) and not value.lstrip("-").isdigit() else []


WRONG = {
    f"{QUERIER}/SelectMergeStacktraces": ([(1, "profileTypeID", "bad"), *RANGE], "invalid_argument"),
    f"{QUERIER}/LabelValues": (RANGE, "invalid_argument"),
    f"{QUERIER}/Series": ([(1, "matchers", ["{a="])], "invalid_argument"),
    f"{QUERIER}/NoSuchMethod": ([], "unimplemented"),
    "settings.v1.SettingsService/Set": ([], "invalid_argument"),
    "settings.v1.RecordingRulesService/ListRecordingRules": ([], "unimplemented"),
    "vcs.v1.VCSService/GetFile": ([], "unimplemented"),
    f"{ADHOC}/Get": ([(1, "id", "01M81DMR4HKYT3TAMK5RB0F8C4-nosuch")], "not_found"),
}


@pytest.mark.parametrize("method", WRONG)
def test_an_error_has_the_same_code_in_every_dress(server, method):
    fields, code = WRONG[method]
    for dress in [proto, *DRESSES]:
        assert dress(server, method, as_proto(fields)) == code, dress.__name__
    got = server.request("POST", "/" + method, json.dumps(as_json(fields)).encode(), {"Content-Type": "application/json"})
    assert got.json()["code"] == code and got.json()["message"]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_called_by_post_only_and_with_a_type(server, method):
    for verb in ("GET", "PUT", "DELETE", "PATCH"):
        assert server.request(verb, "/" + method).status in (405, 501), verb
    assert server.request("POST", "/" + method, b"{}", {"Content-Type": "text/plain"}).status == 415
