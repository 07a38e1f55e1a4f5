# SPDX-License-Identifier: Apache-2.0
"""What is taken in, and under which names; what is refused, and how it is said."""

import base64
import gzip
import json
import re
import time
import zlib

import pytest
import serving
from serving import CPU, Server, field, pprof, push_request


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("ingest") / "data")
    yield server
    code, err = server.stop()
    assert code == 0, err


NOW = int(time.time())
FROM, UNTIL = NOW - 60, NOW - 50


def span():
    return {"from": (NOW - 7200) * 1000, "until": (NOW + 3600) * 1000}


def view(server, service, profile_type=CPU, **more):
    answer = server.get("/api/v1/view", query=f'{profile_type}{{service_name="{service}"}}', **span(), **more)
    assert answer.status == 200, answer.body
    return answer.json()


def table(view):
    """{name: (self, total)} of a view."""
    names = view["frames"]["name"]
    rows = view["table"]
    return {view["strings"][names[f]]: (s, t) for f, s, t in zip(rows["frame"], rows["self"], rows["total"])}


def types(server, service):
    services = server.get("/api/v1/services", **span()).json()["services"]
    return {s["name"]: s["profile_types"] for s in services}.get(service)


def labels(server, service):
    query = f'{{service_name="{service}"}}'
    names = server.get("/api/v1/labels", query=query, **span()).json()["names"]
    return {name: server.get(f"/api/v1/labels/{name}/values", query=query, **span()).json()["values"]
            for name in names}


# ---- /ingest ----

COLLAPSED = b"main;work;foo 75\nmain;work;bar 25\n"


def preorder(*nodes):
    """Nodes of (name, value, number of children): the bytes of format=trie and format=tree; all below 128."""
    return b"".join(bytes([len(name)]) + name + bytes([value, n_children]) for name, value, n_children in nodes)


TRIE = preorder((b"", 0, 1), (b"main;work;", 0, 2), (b"foo", 75, 0), (b"bar", 25, 0))
TREE = preorder((b"", 0, 1), (b"main", 0, 1), (b"work", 0, 2), (b"foo", 75, 0), (b"bar", 25, 0))
SPEEDSCOPE = json.dumps({
    "$schema": "https://www.speedscope.app/file-format-schema.json",
    "shared": {"frames": [{"name": name} for name in ("main", "work", "foo", "bar")]},
    "profiles": [{"type": "sampled", "name": "x", "unit": "none", "startValue": 0, "endValue": 100,
                  "samples": [[0, 1, 2], [0, 1, 3]], "weights": [75, 25]}]}).encode()


@pytest.mark.parametrize("name,body,params,headers", [
    ("plain", COLLAPSED, {}, {}),
    ("folded", COLLAPSED, {"format": "folded"}, {}),
    ("groups", COLLAPSED, {"format": "groups"}, {}),
    ("zipped", gzip.compress(COLLAPSED), {}, {}),
    ("encoded", gzip.compress(COLLAPSED), {}, {"Content-Encoding": "gzip"}),
    ("crlf", COLLAPSED.replace(b"\n", b"\r\n"), {}, {}),
    ("lines", b"main;work;foo\n" * 75 + b"main;work;bar\n" * 25, {"format": "lines"}, {}),
    ("octets", COLLAPSED, {}, {"Content-Type": "binary/octet-stream"}),
    ("trie", TRIE, {"format": "trie"}, {}),
    ("trie2", gzip.compress(TRIE), {}, {"Content-Type": "binary/octet-stream+trie"}),
    ("tree", TREE, {"format": "tree"}, {}),
    ("tree2", TREE, {}, {"Content-Type": "binary/octet-stream+tree"}),
    ("speedscope", SPEEDSCOPE, {"format": "speedscope"}, {}),
])
def test_collapsed_text_becomes_cpu_time(server, name, body, params, headers):
    answer = server.ingest(body, headers, name=name, **{"from": FROM, "until": UNTIL}, **params)
    assert (answer.status, answer.body) == (200, b"")
    seen = view(server, name)
    assert seen["total"] == 100 * 10**7 and seen["wall_ms"] == 10_000
    assert table(seen) == {"main": (0, 10**9), "work": (0, 10**9), "foo": (75 * 10**7, 75 * 10**7),
                           "bar": (25 * 10**7, 25 * 10**7)}


def test_both_paths_of_ingest_are_one(server):
    assert server.request("POST", "/pyroscope/ingest?name=second", COLLAPSED).status == 200
    assert types(server, "second") == [CPU]


@pytest.mark.parametrize("suffix,profile_type,value", [
    ("cpu", CPU, 10**9), ("wall", "wall:wall:nanoseconds:cpu:nanoseconds", 10**9),
    ("alloc_space", "memory:alloc_space:bytes::", 100), ("inuse_objects", "memory:inuse_objects:count::", 100),
    ("mutex_count", "mutex:contentions:count::", 100),
])
def test_the_last_part_of_the_name_tells_the_type(server, suffix, profile_type, value):
    name = f"typed.{suffix}"
    assert server.ingest(COLLAPSED, name=f"{name}{{k={suffix}}}", **{"from": FROM, "until": UNTIL}).status == 200
    assert profile_type in types(server, "typed")
    answer = server.get("/api/v1/view", query=f'{profile_type}{{service_name="typed",k="{suffix}"}}', **span())
    assert answer.json()["total"] == value


def test_a_name_with_dots_is_a_name(server):
    assert server.ingest(COLLAPSED, name="shop.example.com").status == 200
    assert types(server, "shop.example.com") == [CPU]


def test_sample_rate_gives_a_sample_its_time(server):
    assert server.ingest(b"a 10\n", name="rate", sampleRate=1000).status == 200
    assert view(server, "rate")["total"] == 10 * 10**6
    for rate in ("0", "-5", "abc", ""):
        assert server.ingest(b"a 10\n", name=f"rate{rate or 'none'}", sampleRate=rate).status == 200


def test_labels_of_the_name(server):
    name = "labelled{env=prod,region=eu west,__session_id__=1f, version = 1.0 }"
    assert server.ingest(COLLAPSED, name=name, spyName="testspy").status == 200
    assert labels(server, "labelled") == {"env": ["prod"], "region": ["eu west"], "version": ["1.0"],
                                          "pyroscope_spy": ["testspy"], "service_name": ["labelled"]}


@pytest.mark.parametrize("scale,suffix", [(1, "s"), (10**3, "ms"), (10**6, "us"), (10**9, "ns")])
def test_times_in_any_unit(server, scale, suffix):
    name = f"time-{suffix}"
    answer = server.ingest(COLLAPSED, name=name, **{"from": FROM * scale, "until": UNTIL * scale})
    assert answer.status == 200
    answer = server.get("/api/v1/view", query=f'{CPU}{{service_name="{name}"}}',
                        **{"from": FROM * 1000, "until": UNTIL * 1000})
    assert answer.json()["total"] == 10**9


def test_times_relative_to_now(server):
    assert server.ingest(COLLAPSED, name="relative", **{"from": "now-2min", "until": "now-1min"}).status == 200
    assert view(server, "relative")["wall_ms"] == 60_000


def multipart(parts, boundary="b0undary"):
    body = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\nContent-Type: a/b\r\n\r\n%s\r\n' %
        (boundary.encode(), name.encode(), data) for name, data in parts)
    return body + b"--%s--\r\n" % boundary.encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def test_pprof_as_body_and_as_part_of_a_form(server):
    raw = pprof({("main", "work"): 4000}, time_ns=FROM * 10**9)
    assert server.ingest(gzip.compress(raw), name="raw", format="pprof").status == 200
    body, headers = multipart([("profile", raw)])
    assert server.ingest(body, headers, name="form").status == 200
    assert server.ingest(body, headers, name="form2", format="pprof").status == 200
    for name in ("raw", "form", "form2"):
        assert table(view(server, name)) == {"main": (0, 4000), "work": (4000, 4000)}


def test_sample_type_config_names_and_averages(server):
    config = {"goroutine": {"units": "goroutines", "display-name": "goroutines", "aggregation": "average"}}
    for i in range(3):
        raw = pprof({("main",): 10 + i}, types=(("goroutine", "count"),), time_ns=(FROM + 10 * i) * 10**9)
        body, headers = multipart([("profile", raw), ("sample_type_config", json.dumps(config).encode())])
        assert server.ingest(body, headers, name="levels").status == 200
    (profile_type,) = types(server, "levels")
    assert profile_type.startswith("goroutines:goroutine:count:"), "shown names are not types"
    assert view(server, "levels", profile_type)["total"] == 11, "the mean of 10, 11 and 12"
    timeline = server.get("/api/v1/timeline", query=f'{profile_type}{{service_name="levels"}}',
                          **{"from": FROM * 1000, "until": (FROM + 30) * 1000}, step=10_000).json()
    assert timeline["is_gauge"] is True


def test_levels_and_flows_of_one_profile_are_kept_apart(server):
    kinds = (("alloc_space", "bytes"), ("inuse_space", "bytes"))
    for i in range(2):
        raw = pprof({("main",): (100, 1000)}, types=kinds, time_ns=(FROM + 10 * i) * 10**9)
        assert server.push([({"__name__": "memory", "service_name": "heap"}, [(raw, f"heap-{i}")])]).status == 200
    flow, level = sorted(types(server, "heap"))
    assert view(server, "heap", flow)["total"] == 200, "summed"
    assert view(server, "heap", level)["total"] == 1000, "averaged"


# ---- Push ----

def test_push_as_json(server):
    raw = base64.b64encode(gzip.compress(pprof({("main",): 9000}))).decode()
    body = {"series": [{"labels": [{"name": "service_name", "value": "json"}, {"name": "__name__", "value": "process_cpu"}],
                        "samples": [{"rawProfile": raw, "ID": "734FD599-6865-419E-9475-932762D8F469"}],
                        "annotations": [{"key": "x", "value": "y"}]}]}
    answer = server.request("POST", "/push.v1.PusherService/Push", json.dumps(body), {"Content-Type": "application/json"})
    assert (answer.status, answer.body) == (200, b"{}")
    assert view(server, "json")["total"] == 9000


@pytest.mark.parametrize("encoding,pack", [("gzip", gzip.compress), ("identity", bytes)])
def test_push_with_content_encoding(server, encoding, pack):
    body = push_request([({"service_name": f"enc-{encoding}", "__name__": "process_cpu"}, [(pprof({("m",): 1000}), "")])])
    answer = server.request("POST", "/push.v1.PusherService/Push", pack(body),
                            {"Content-Type": "application/proto", "Content-Encoding": encoding})
    assert (answer.status, answer.body) == (200, b"")


def test_sample_labels_make_series_markers_and_states(server):
    stacks = {("a",): 1000, ("b",): 2000, ("c",): 4000}
    raw = pprof(stacks, labels={("a",): {"thread_name": "main", "pid": 7, "state": "running"},
                                ("b",): {"controller": "slow", "state": "waiting-io"},
                                ("c",): {"span_id": "1234567890abcdef", "profile_id": "x"}})
    assert server.push([({"__name__": "process_cpu", "service_name": "split"}, [(raw, "")])]).status == 200
    assert labels(server, "split") == {"service_name": ["split"], "controller": ["slow"]}
    assert table(view(server, "split")) == {"a": (1000, 1000), "b": (2000, 2000), "c": (4000, 4000)}
    shown = view(server, "split", threads="split")
    names = [shown["strings"][i] for i in shown["frames"]["name"]]
    assert any("main" in n for n in names) and any("process 7" in n for n in names)
    assert view(server, "split", states="waiting-io")["total"] == 2000


def test_a_series_without_service_gets_a_name(server):
    assert server.push([({"__name__": "process_cpu"}, [(pprof({("m",): 1000}), "")])]).status == 200
    assert types(server, "unknown_service") == [CPU]


def test_one_bad_profile_refuses_the_whole_request(server):
    good, bad = pprof({("m",): 1000}), b"\xff\xff\xff"
    answer = server.push([({"service_name": "both", "__name__": "process_cpu"}, [(good, ""), (bad, "")])])
    assert answer.status == 400 and answer.json()["code"] == "invalid_argument"
    assert types(server, "both") is None


# ---- refused ----

BOMB = gzip.compress(b"a;b;c 1\n" * (64 << 17), 9)  # 64 MiB
NESTED = gzip.compress(gzip.compress(b"\0" * (100 << 20), 9), 9)


@pytest.mark.parametrize("params,body,headers,status,text", [
    ({}, b"a 1\n", {}, 400, "name"),
    ({"name": ""}, b"a 1\n", {}, 400, "name"),
    ({"name": "x{=bad}"}, b"a 1\n", {}, 400, "name"),
    ({"name": "x{" + ",".join(f"l{i}=1" for i in range(40)) + "}"}, b"a 1\n", {}, 413, "labels"),
    ({"name": "x", "from": "yesterday"}, b"a 1\n", {}, 400, "from"),
    ({"name": "x", "from": "99999999999999999999"}, b"a 1\n", {}, 400, "from"),
    ({"name": "x", "from": UNTIL, "until": FROM}, b"a 1\n", {}, 400, "until"),
    ({"name": "x", "from": 1000, "until": 1010}, b"a 1\n", {}, 400, "old"),
    ({"name": "x", "from": NOW + 86400, "until": NOW + 86410}, b"a 1\n", {}, 400, "clock"),
    ({"name": "x", "format": "trie"}, b"a 1\n", {}, 422, "trie"),
    ({"name": "x", "format": "jfr"}, b"garbage", {}, 422, "JFR"),
    ({"name": "x"}, b"", {}, 422, ""),
    ({"name": "x"}, b"no count here\n", {}, 422, ""),
    ({"name": "x"}, b"\x00\x01\x02\xff\xfe\n" * 10, {}, 422, ""),
    ({"name": "x", "format": "pprof"}, b"garbage", {}, 422, "pprof"),
    ({"name": "x", "format": "pprof"}, gzip.compress(b"garbage")[:-6], {}, 422, ""),
    ({"name": "x", "format": "pprof"}, NESTED, {}, 422, "pprof"),
    ({"name": "x"}, BOMB, {}, 413, ""),
    ({"name": "x"}, b"a 1\n", {"Content-Encoding": "gzip"}, 422, "gzip"),
    ({"name": "x"}, b"a 1\n", {"Content-Encoding": "br"}, 415, "Content-Encoding"),
    ({"name": "x"}, b"x", {"Content-Type": "multipart/form-data"}, 422, "boundary"),
    ({"name": "x"}, b"x", {"Content-Type": "multipart/form-data; boundary=" + "b" * 10000}, 422, "boundary"),
    ({"name": "x"}, b"x", {"Content-Type": "multipart/form-data; boundary=abc"}, 422, "boundary"),
    ({"name": "x"}, b"--abc\r\n\r\nbody", {"Content-Type": "multipart/form-data; boundary=abc"}, 422, "cut off"),
    ({"name": "x"}, b"--abc--\r\n", {"Content-Type": "multipart/form-data; boundary=abc"}, 422, "profile"),
    ({"name": "x"}, multipart([("prev_profile", b"x"), ("profile", b"y")], "abc")[0],
     {"Content-Type": "multipart/form-data; boundary=abc"}, 422, "prev_profile"),
    ({"name": "x"}, multipart([(f"p{i}", b"x") for i in range(100)], "abc")[0],
     {"Content-Type": "multipart/form-data; boundary=abc"}, 413, "parts"),
    ({"name": "x"}, multipart([("profile", pprof({("m",): 1})), ("sample_type_config", b"[" * 10000)], "abc")[0],
     {"Content-Type": "multipart/form-data; boundary=abc"}, 413, "sample_type_config"),
])
def test_bad_uploads_are_refused_in_one_line(server, params, body, headers, status, text):
    before = serving.rss_bytes(server.process.pid)
    answer = server.ingest(body, headers, **params)
    assert answer.status == status, answer.body
    error = answer.json()
    assert set(error) == {"code", "message"} and "\n" not in error["message"]
    assert text in error["message"], error
    assert serving.rss_bytes(server.process.pid) - before < 150 << 20
    assert server.get("/ready").status == 200


@pytest.mark.parametrize("body,headers,status,code", [
    (b"\xff\xff\xff", {}, 400, "invalid_argument"),
    (field(1, field(1, field(1, "service_name"))) + b"\x0a\x7f", {}, 400, "invalid_argument"),
    (b"{", {"Content-Type": "application/json"}, 400, "invalid_argument"),
    (b'{"series":[{"samples":[{"rawProfile":"!"}]}]}', {"Content-Type": "application/json"}, 400, "invalid_argument"),
    (b'{"series":[{"samples":[{"rawProfile":"aGVsbG8="}]}]}', {"Content-Type": "application/json"}, 400,
     "invalid_argument"),
    (b"[" * 100000, {"Content-Type": "application/json"}, 413, "resource_exhausted"),
    (gzip.compress(b"\0" * (80 << 20)), {"Content-Encoding": "gzip"}, 413, "resource_exhausted"),
    (b"plain", {"Content-Encoding": "gzip"}, 400, "invalid_argument"),
    (b"plain", {"Content-Encoding": "br"}, 415, "unimplemented"),
    (push_request([({"service_name": "x"}, [(pprof({("m",): 1}), "i" * 80)])]), {}, 400, "invalid_argument"),
    (push_request([({"service_name": "x"}, [(pprof({("m",): 1}), "")] * 1001)]), {}, 413, "resource_exhausted"),
    (push_request([({"n" * 2000: "x"}, [])]), {}, 413, "resource_exhausted"),
])
def test_bad_pushes_are_connect_errors(server, body, headers, status, code):
    answer = server.request("POST", "/push.v1.PusherService/Push", body, {"Content-Type": "application/proto", **headers})
    assert answer.status == status, answer.body
    error = answer.json()
    assert error["code"] == code and error["message"]


def test_a_wrong_content_type_is_told_what_is_right(server):
    answer = server.request("POST", "/push.v1.PusherService/Push", b"", {"Content-Type": "text/plain"})
    assert answer.status == 415 and "application/proto" in answer.headers["Accept-Post"]


def test_every_refusal_is_counted_by_reason(server):
    before = server.metric('uploads_refused_total{reason="malformed"}')
    assert server.ingest(b"garbage", name="x", format="pprof").status == 422
    assert server.metric('uploads_refused_total{reason="malformed"}') == before + 1


def test_truncated_pprof_at_every_byte_is_refused_or_taken_but_never_hurts(server):
    raw = gzip.compress(pprof({("main", "a"): 5, ("main", "b"): 6}))
    for cut in range(1, len(raw), 3):
        assert server.ingest(raw[:cut], name="cut", format="pprof").status == 422
    plain = zlib.decompress(raw, 31)
    for cut in range(0, len(plain), 5):
        assert server.ingest(plain[:cut], name="cut2", format="pprof").status in (200, 422)


# ---- sources ----

def test_source_text_is_kept_for_its_lines(server):
    path = "/api/v1/source?service=src&file=/srv/app.py"
    answer = server.request("PUT", path, "def work():\n    pass  # größer\n".encode())
    assert (answer.status, answer.body) == (204, b"")
    raw = pprof({("main", "work"): 3000}, time_ns=FROM * 10**9)
    assert server.push([({"__name__": "process_cpu", "service_name": "src"}, [(raw, "")])]).status == 200
    seen = view(server, "src")
    key = seen["frames"]["key"][[seen["strings"][i] for i in seen["frames"]["name"]].index("work")]
    lines = server.get("/api/v1/lines", query=f'{CPU}{{service_name="src"}}', function=key, **span()).json()
    assert lines["source"]["text"].endswith("größer\n")
    assert lines["lines"] == [{"line": 7, "self": 3000, "total": 3000}]
    assert lines["function"]["file"] == "/srv/app.py"


@pytest.mark.parametrize("path,body,status", [
    ("/api/v1/source", b"x", 400), ("/api/v1/source?service=a", b"x", 400), ("/api/v1/source?service=&file=b", b"x", 400),
    ("/api/v1/source?service=a&file=" + "f" * 5000, b"x", 400), ("/api/v1/source?service=a&file=b", b"\xff", 400),
    ("/api/v1/source?service=a&file=b", b"x" * ((2 << 20) + 1), 413),
])
def test_bad_sources_are_refused(server, path, body, status):
    answer = server.request("PUT", path, body)
    assert answer.status == status and answer.json()["detail"]


# ---- real clients ----

CLIENTS = ["pyroscope-python", "pyroscope-python-mem", "pyroscope-python-0.8.16", "pyroscope-go", "pyroscope-nodejs",
           "pyroscope-java", "pyroscope-java-labels",
           "profilecli"]


@pytest.mark.parametrize("client", CLIENTS)
def test_recorded_clients_are_understood(pyrometer, tmp_path, shared, client):
    """What real SDKs sent to a real Pyroscope gets the same status here."""
    folder = shared / "corpus" / "clients" / client
    server = Server(pyrometer, tmp_path / "data", "--retention", "5000d")
    try:
        n = 0
        for request in sorted(folder.glob("*.req.txt")):
            line, *head = request.read_text().splitlines()
            method, path, _ = line.split(" ")
            if "/ingest" not in path and "PusherService" not in path:
                continue
            headers = dict(h.split(": ", 1) for h in head if ": " in h)
            for name in ("Host", "host", "Content-Length", "content-length", "Transfer-Encoding", "connection", "Accept-Encoding",
                         "accept-encoding"):
                headers.pop(name, None)
            body = (request.parent / request.name.replace(".req.txt", ".req.body.bin")).read_bytes()
            want = int(re.match(r"HTTP/\S+ (\d+)", (request.parent / request.name.replace(".req.", ".resp."))
                                .read_text())[1])
            assert server.request(method, path, body, headers).status == want == 200
            n += 1
        assert n >= 2
        services = server.get("/api/v1/services", **{"from": 0, "until": 4 * 10**12}).json()["services"]
        assert services and all(s["profile_types"] for s in services)
        for service in services:
            for profile_type in service["profile_types"]:
                answer = server.get("/api/v1/view", query=f'{profile_type}{{service_name="{service["name"]}"}}',
                                    **{"from": 0, "until": 4 * 10**12})
                assert answer.status == 200 and answer.json()["flame"]["total"]
    finally:
        server.stop()
