# SPDX-License-Identifier: Apache-2.0
"""pyrometer import: what another server holds, once and whole, from a Pyrometer and from what a Pyroscope answered."""

import http.server
import json
import signal
import struct
import subprocess
import threading
import time

import bombs
import pytest
from serving import CPU, Server, field, pprof, varint

S = 10**9
NOW = int(time.time()) // 3600 * 3600 - 2 * 3600  # the beginning of an hour that is over
INUSE = "memory:inuse_space:bytes:cpu:nanoseconds"
QUERIER = "/querier.v1.QuerierService/"


@pytest.fixture
def servers(pyrometer, tmp_path):
    pair = [Server(pyrometer, tmp_path / name) for name in ("old", "new")]
    yield pair
    for server in pair:
        code, err = server.stop()
        assert code == 0, err


@pytest.fixture
def old(servers):
    """Two services over an hour, with labels that one series has and the other lacks, a level, and profiles across steps."""
    for minute in range(0, 60, 5):
        at = (NOW + 60 * minute + 50) * S
        work, rest = pprof({("main", "work"): 7 * S, ("main", "rest"): minute * S}, time_ns=at, duration_ns=20 * S), \
            pprof({("main", "other"): 3 * S}, time_ns=at, duration_ns=10 * S)
        heap = pprof({("main", "keep"): 1000 + minute}, (("inuse_space", "bytes"),), time_ns=at, duration_ns=0)
        answer = servers[0].push([
            ({"__name__": "process_cpu", "service_name": "shop", "env": "prod"}, [(work, None)]),
            ({"__name__": "process_cpu", "service_name": "shop"}, [(rest, None)]),
            ({"__name__": "process_cpu", "service_name": "mail", "path": 'a"b\\c{}'}, [(work, None)]),
            ({"__name__": "memory", "service_name": "shop"}, [(heap, None)]),
        ])
        assert answer.status == 200, answer.body
    return servers[0]


def run(pyrometer, source, into, *options, since=None):
    since = since or f"{int(time.time()) - NOW + 600}s"
    return subprocess.run([pyrometer, "import", "--from", source, "--to", into.url, "--since", since, *map(str, options)],
                          capture_output=True, text=True, timeout=120)


def view(server, query, first=0, last=3600):
    seen = server.get("/api/v1/view", query=query, until=(NOW + last) * 1000, **{"from": (NOW + first) * 1000}).json()
    return seen["total"], {seen["strings"][seen["frames"]["name"][f]]: own
                           for f, own in zip(seen["table"]["frame"], seen["table"]["self"]) if own}


QUERIES = [f'{CPU}{{service_name="shop"}}', f'{CPU}{{service_name="shop",env="prod"}}', f'{CPU}{{service_name="shop",env=""}}',
           f'{CPU}{{service_name="mail"}}', f"{CPU}{{}}", f'{INUSE}{{service_name="shop"}}']


def same(one, other, tolerance):
    assert one[0] == pytest.approx(other[0], abs=tolerance) and one[1].keys() == other[1].keys()
    for name, value in one[1].items():
        assert value == pytest.approx(other[1][name], abs=tolerance), name


def test_everything_is_there_afterwards_and_once(pyrometer, servers, old):
    new = servers[1]
    for _ in range(2):  # the second run finds all of it known
        done = run(pyrometer, old.url, new)
        assert done.returncode == 0, done.stderr
        for query in QUERIES:
            same(view(new, query), view(old, query), 5000)  # whole microseconds in each of the steps
            same(view(new, query, 600, 1200), view(old, query, 600, 1200), 5000)
    assert "100 %" in done.stderr
    assert new.metric("profiles_duplicate_total") == new.metric("profiles_total") > 50
    labels = new.get("/api/v1/labels/path/values", query='{service_name="mail"}', **{"from": NOW * 1000, "until": (NOW + 3600) * 1000})
    assert labels.json()["values"] == ['a"b\\c{}']


def test_query_and_state_limit_what_is_asked_for(pyrometer, servers, old, tmp_path):
    new, state = servers[1], tmp_path / "state"
    assert run(pyrometer, old.url, new, "--query", '{service_name="mail"}', "--state", state).returncode == 0
    assert view(new, QUERIES[4]) == pytest.approx(view(old, QUERIES[3])) and state.read_text().startswith("until ")
    asked = old.metric('http_requests_total{code="2xx"}')
    again = run(pyrometer, old.url, new, "--query", '{service_name="mail"}', "--state", state)
    assert again.returncode == 0, again.stderr
    assert old.metric('http_requests_total{code="2xx"}') - asked < 6  # it knows that it was done
    other = run(pyrometer, old.url, new, "--state", state, "--step", "30s")
    assert other.returncode == 2 and "--step 60s" in other.stderr


def test_import_that_is_broken_off_goes_on(pyrometer, servers, old):
    new, codes = servers[1], []
    for seconds in (0.02, 0.05, 0.1, 0.15):
        process = subprocess.Popen([pyrometer, "import", "--from", old.url, "--to", new.url, "--since", "5h", "--step", "1s"],
                                   stderr=subprocess.PIPE, text=True)
        time.sleep(seconds)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        codes.append(process.returncode)
    assert any(codes), "all of them were faster"
    assert run(pyrometer, old.url, new, "--step", "1s").returncode == 0
    same(view(new, QUERIES[4]), view(old, QUERIES[4]), 100_000)


@pytest.mark.parametrize("options,code,text", [
    (["--from", "http://127.0.0.1:1"], 2, "--since"),
    (["--since", "1h"], 2, "--from"),
    (["--from", "ftp://x", "--since", "1h"], 2, "http://HOST:PORT"),
    (["--from", "http://127.0.0.1:1", "--since", "1h", "--query", "{a=}"], 2, "--query"),
    (["--from", "http://127.0.0.1:1", "--since", "1h", "--from-token-file", "/nowhere"], 1, "/nowhere"),
    (["--from", "http://127.0.0.1:1", "--since", "10s"], 2, "no whole step"),
])
def test_wrong_options_are_named(pyrometer, options, code, text):
    done = subprocess.run([pyrometer, "import", *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == code and text in done.stderr, done.stderr


# ---- a real Pyroscope: its recorded answers, JSON as it was recorded, said again in proto ----

def double(number, value):
    return varint(number << 3 | 1) + struct.pack("<d", value)


def types_in_proto(answer):
    return b"".join(field(1, field(1, kind["ID"]) + field(2, kind["name"]) + field(4, kind["sampleType"]))
                    for kind in answer["profileTypes"])


def labels_in_proto(labels):
    return b"".join(field(1, field(1, label["name"]) + field(2, label["value"])) for label in labels)


def points_in_proto(answer):
    return b"".join(field(1, b"".join(field(2, double(1, point["value"]) + field(2, int(point["timestamp"])))
                                      for point in series["points"])) for series in answer["series"])


def number(message, *names):
    return b"".join(field(i, int(message[name])) for i, name in names if int(message.get(name, 0)))


def pprof_in_proto(answer):
    out = b"".join(field(1, number(t, (1, "type"), (2, "unit"))) for t in answer["sampleType"])
    for sample in answer["sample"]:
        out += field(2, b"".join(field(1, int(i)) for i in sample["locationId"]) +
                     b"".join(field(2, int(v)) for v in sample["value"]))
    for mapping in answer.get("mapping", []):
        out += field(3, number(mapping, (1, "id"), (5, "filename"), (6, "buildId")))
    for location in answer["location"]:
        lines = b"".join(field(4, number(line, (1, "functionId"), (2, "line"))) for line in location.get("line", []))
        out += field(4, number(location, (1, "id"), (2, "mappingId"), (3, "address")) + lines)
    for function in answer["function"]:
        out += field(5, number(function, (1, "id"), (2, "name"), (3, "systemName"), (4, "filename"), (5, "startLine")))
    out += b"".join(field(6, text) for text in answer["stringTable"])
    period = number(answer.get("periodType", {}), (1, "type"), (2, "unit"))
    return out + number(answer, (9, "timeNanos"), (10, "durationNanos"), (12, "period")) + field(11, period)


class Pyroscope(http.server.ThreadingHTTPServer):
    """Says what a real one said, for goapp's CPU time alone; paths that it does not know are 404."""

    daemon_threads = True

    def __init__(self, corpus):
        def recorded(name):
            return json.loads((corpus / f"{name}.resp.body.bin").read_bytes())

        types = {"profileTypes": [t for t in recorded("001")["profileTypes"] if t["ID"] == CPU]}
        self.points, self.profile = recorded("025"), recorded("022")
        (point,) = self.points["series"][0]["points"]
        self.end_ms = -(-int(point["timestamp"]) // 60000) * 60000  # steps end where they are asked to, on whole minutes
        point["timestamp"] = self.end_ms
        begins = varint(3 << 3) + varint(self.end_ms - 60000)
        answers = {
            "ProfileTypes": types_in_proto(types),
            "LabelNames": field(1, "service_name") + field(1, "__profile_type__"),
            "Series": field(2, labels_in_proto([{"name": "service_name", "value": "goapp"}])),
            "SelectSeries": points_in_proto(self.points),
            "SelectMergeProfile": pprof_in_proto(self.profile),
        }
        self.asked = asked = []
        busy = {"left": 2}

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                method = self.path.removeprefix(QUERIER)
                status, out = (200, answers[method]) if method in answers else (404, b"not found")
                if method == "SelectMergeProfile" and begins not in body:
                    out = field(6, "")  # a profile of nothing
                if method == "Series" and busy["left"]:  # as behind a proxy that is short of something
                    busy["left"] -= 1
                    status, out = 503, b"later"
                asked.append((method, status, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Type", "application/proto" if status == 200 else "text/plain")
                self.send_header("Content-Length", str(len(out)))
                self.end_headers()
                self.wfile.write(out)

            do_GET = do_POST = answer

            def log_message(self, *args):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def test_recorded_answers_of_pyroscope_are_imported(pyrometer, shared, tmp_path):
    source = Pyroscope(shared / "corpus" / "pyroscope-http")
    new = Server(pyrometer, tmp_path / "data", "--retention", "5000d")
    (tmp_path / "token").write_text("abc\n")
    ago = int(time.time()) - source.end_ms // 1000
    try:
        done = run(pyrometer, f"http://127.0.0.1:{source.server_port}", new, "--from-tenant", "t1", "--from-token-file",
                   tmp_path / "token", "--until", f"{max(ago - 3600, 0)}s", since=f"{ago + 3600}s")
        assert done.returncode == 0, done.stderr
        merges = [(headers, body) for method, _, headers, body in source.asked if method == "SelectMergeProfile"]
        assert len(merges) == 2  # the step of the point, and the one behind its edge
        for headers, body in merges:
            assert headers["X-Scope-OrgID"] == "t1" and headers["Authorization"] == "Bearer abc"
            assert b'{service_name="goapp"}' in body
        assert varint(4 << 3) + varint(source.end_ms - 1) in merges[0][1]  # the last millisecond belongs to its ranges
        assert [status for method, status, *_ in source.asked if method == "Series"] == [503, 503, 200]
        total = sum(int(sample["value"][0]) for sample in source.profile["sample"])
        seen = new.get("/api/v1/view", query=f'{CPU}{{service_name="goapp"}}', until=source.end_ms,
                       **{"from": source.end_ms - 60000}).json()
        assert seen["total"] == total and seen["covered_ms"] == 60000
        names = {seen["strings"][i] for i in seen["frames"]["name"]}
        assert "runtime.main" in names and "main.main" in names
    finally:
        source.shutdown()
        source.server_close()
        new.stop()


class Fake(http.server.ThreadingHTTPServer):
    """Answers each method of the querier with the same bytes, or what a function of the request makes."""

    daemon_threads = True

    def __init__(self, answers):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = answers[self.path.removeprefix(QUERIER)]
                self.send_response(200)
                self.end_headers()
                self.wfile.write(answer(body) if callable(answer) else answer)

            def do_GET(self):
                self.send_error(404)

            def log_message(self, *args):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def import_into(self, pyrometer, server):
        try:
            return run(pyrometer, f"http://127.0.0.1:{self.server_port}", server, since=f"{int(time.time()) - NOW + 60}s")
        finally:
            self.shutdown()
            self.server_close()


def answers_of(kind, value, profile):
    """One series with one point, in the first minute."""
    return {"ProfileTypes": field(1, field(1, kind)), "LabelNames": field(1, "service_name"),
            "Series": field(2, labels_in_proto([{"name": "service_name", "value": "fake"}])),
            "SelectSeries": lambda body: field(1, field(2, double(1, value(body)) + field(2, (NOW + 60) * 1000))),
            "SelectMergeProfile": lambda body: profile if varint(3 << 3) + varint(NOW * 1000) in body else field(6, "")}


def test_levels_that_a_merge_added_up_are_their_mean(pyrometer, servers):
    """Three heaps of a minute, 100 each: a Pyroscope's merge has 300, its average says 100."""
    average = varint(7 << 3) + b"\x01"
    source = Fake(answers_of(INUSE, lambda body: 100.0 if body.endswith(average) else 300.0,
                             pprof({("main", "keep"): 240, ("main", "more"): 60}, (("inuse_space", "bytes"),))))
    done = source.import_into(pyrometer, servers[1])
    assert done.returncode == 0, done.stderr
    assert view(servers[1], f'{INUSE}{{service_name="fake"}}') == (100, {"keep": 80, "more": 20})



HOSTILE = {
    "cut": b"\x0a\xff\xff\xff\xff\x0f",
    "markup": b"<script>alert(1)</script>\x1b[31m",
    "deep": b"\x0a\x7e" * 5000,
    "bomb": bombs.gzip_bomb(300),
    "many": field(1, "x") * 300_000,
    "long": field(1, field(1, "t" * 100_000 + ":inuse_space:bytes::")) + field(2, field(1, field(1, "n" * 5000) + field(2, "v"))),
}


@pytest.fixture(scope="module")
def sink(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("sink") / "data")
    yield server
    code, err = server.stop()
    assert code == 0, err


@pytest.mark.parametrize("bad", HOSTILE)
@pytest.mark.parametrize("method", ["ProfileTypes", "LabelNames", "Series", "SelectSeries", "SelectMergeProfile"])
def test_hostile_answers_end_an_import_cleanly(pyrometer, sink, method, bad):
    """It ends with an error or takes nothing wrong; it neither crashes nor goes on for ever."""
    answers = {**answers_of(CPU, lambda body: 5.0, pprof({("a",): 5})), method: HOSTILE[bad]}
    done = Fake(answers).import_into(pyrometer, sink)
    assert done.returncode in (0, 1), done.stderr
    assert "\x1b" not in done.stderr and len(done.stderr) < 5000
    assert done.returncode == 1 or "100 %" in done.stderr
