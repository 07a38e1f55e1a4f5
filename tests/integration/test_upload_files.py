# SPDX-License-Identifier: Apache-2.0
"""
Files that people send to /ingest with curl, and every parameter and answer that clients of Pyroscope rely on there; also what
Pyroscope is known to get wrong.

Where each part of the interface (docs/API.md, "Ingest") is tested:
    name, labels in it                  test_ingest: labels_of_the_name; here: names_as_pyroscope_reads_them
    profile_id in it                    here: a_profile_of_one_request_is_taken_and_forgotten
    from, until                         test_ingest: times_in_any_unit, times_relative_to_now; here: …_in_every_unit; unit test attime
    sampleRate                          test_ingest: sample_rate_gives_a_sample_its_time
    spyName                             test_ingest_spies; here: the_spy_is_unknown_unless_it_says_so
    units, last part of the name        here: units_tell_the_type_…, a_name_may_have_dots; test_ingest: the_last_part_of_the_name_…
    aggregationType                     here: averages_are_of_the_requests_choice
    format, Content-Type: groups, lines, trie, tree, speedscope     test_ingest: collapsed_text_becomes_cpu_time; unit test preorder
    no format                           here: a_body_without_a_known_format_is_what_it_looks_like, a_format_that_is_said_is_not_guessed
    pprof, raw, gzip, multipart         test_ingest: pprof_as_body_and_as_part_of_a_form; here: a_form_of_pprof_may_have_other_parts
    sample_type_config, prev_profile    test_ingest: sample_type_config_…, bad_uploads_…; test_ingest_spies: clients_of_cumulative_…
    pprof of 1970, empty                here: a_pprof_of_1970_gets_the_requests_time, an_empty_pprof_…
    JFR, labels                         test_jfr
    speedscope, profile_name            here: each_profile_of_a_speedscope_file_is_a_series
    answers, limits                     here: "answers"; test_ingest: bad_uploads_are_refused_in_one_line, every_refusal_…
    what SDKs sent to a real Pyroscope  test_recorded_calls; test_ingest: recorded_clients_are_understood; test_clients
"""

import gzip
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys

import pytest
from conftest import ROOT
from serving import CPU, Server, pprof
from test_ingest import COLLAPSED, FROM, UNTIL, labels, multipart, span, table, types, view

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from jfr_files import chunk, snapshot  # noqa: E402

WALL = "wall:wall:nanoseconds:cpu:nanoseconds"
TIMES = {"from": FROM, "until": UNTIL}
CYCLES = """
shop 4711/4712 [002] 94564.109216:     250000 cycles:u:
\t    55d0c0a1b2c3 foo+0x43 (/srv/shop)
\t    55d0c0a1b2d4 main+0x43 (/srv/shop)

shop 4711/4712 [002] 94564.119216:     350000 cycles:u:
\t    55d0c0a1b2c3 foo+0x43 (/srv/shop)
\t    55d0c0a1b2d4 main+0x43 (/srv/shop)

"""
CLOCK = CYCLES.replace("cycles:u", "cpu-clock:u")


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("files") / "data")
    yield server
    code, err = server.stop()
    assert code == 0, err


def speedscope(*profiles, frames=("main", "work", "foo", "bar")):
    return json.dumps({"$schema": "https://www.speedscope.app/file-format-schema.json",
                       "shared": {"frames": [{"name": name} for name in frames]}, "profiles": profiles}).encode()


def sampled(name, unit, samples, weights, **more):
    return {"type": "sampled", "name": name, "unit": unit, "startValue": 0, "endValue": sum(weights), "samples": samples,
            "weights": weights, **more}


def evented(name, unit, *events, end=0):
    """Events as (type, frame, time)."""
    return {"type": "evented", "name": name, "unit": unit, "startValue": events[0][2], "endValue": end,
            "events": [{"type": kind, "frame": frame, "at": at} for kind, frame, at in events]}


# ---- the documented commands ----

def commands():
    (block,) = re.findall(r"```sh\n((?:.*?/ingest\?.*?\n)+)```", (ROOT / "docs" / "API.md").read_text())
    return block.strip().splitlines()


@pytest.mark.parametrize("command", commands(), ids=lambda c: re.search(r"@([\w.-]+)", c)[1])
def test_documented_commands_work(server, tmp_path, command):
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    files = {"stacks.txt": COLLAPSED, "cpu.pb.gz": gzip.compress(pprof({("main",): 5000})), "labels.pb": snapshot({}, {}),
             "shop.jfr": chunk([{"stack": ["App.main"]}], start_ns=FROM * 10**9), "shop.speedscope.json": speedscope(
                 sampled("main thread", "seconds", [[0]], [1]))}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    perf = tmp_path / "perf"
    perf.write_text(f"#!/bin/sh\ncat <<'END'\n{CYCLES}\nEND\n")
    perf.chmod(0o755)
    before = server.metric("profiles_total")
    command = command.replace("http://127.0.0.1:4040", server.url).replace("curl ", "curl --silent --show-error --fail-with-body ")
    done = subprocess.run(["sh", "-c", f"PATH=.:$PATH; {command}"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    assert server.metric("profiles_total") > before


# ---- what a body looks like ----

@pytest.mark.parametrize("params", [{}, {"format": "perf"}])
@pytest.mark.parametrize("text,name,kinds", [
    (CLOCK, "clock", {CPU: 600_000, "process_cpu:samples:count:cpu:nanoseconds": 2}),
    (CYCLES, "cycles", {CPU: 2 * 10**6, "process_cpu:cycles_u:count:cpu:nanoseconds": 600_000}),
], ids=["clock", "cycles"])
def test_perf_script(server, text, name, kinds, params):
    name += params.get("format", "")
    for body in (text.encode(), gzip.compress(text.encode())):
        assert server.ingest(body, name=name, sampleRate=1000, **TIMES, **params).status == 200
    assert sorted(types(server, name)) == sorted(kinds)
    for kind, value in kinds.items():
        assert view(server, name, kind)["total"] == 2 * value
    assert table(view(server, name)) == {"main": (0, 2 * kinds[CPU]), "foo": (2 * kinds[CPU],) * 2}


@pytest.mark.parametrize("name,body,total", [
    ("pprof", pprof({("main",): 5000}), 5000), ("pprofzip", gzip.compress(pprof({("main",): 5000})), 5000),
    ("jfr", chunk([{"stack": ["main"]}]), 10**7), ("json", speedscope(sampled("x", "none", [[0]], [3])), 3 * 10**7),
    ("pretty", json.dumps(json.loads(speedscope(sampled("x", "none", [[0]], [3]))), indent=2).encode(), 3 * 10**7),
    ("php", b"{main};work 2\n", 2 * 10**7), ("zip", gzip.compress(b"main 2\n"), 2 * 10**7), ("number", b"7 2\n", 2 * 10**7),
])
@pytest.mark.parametrize("params,headers", [({}, {}), ({"format": "guess"}, {}),
                                            ({}, {"Content-Type": "application/x-www-form-urlencoded"})])
def test_a_body_without_a_known_format_is_what_it_looks_like(server, name, body, total, params, headers):
    name = f"looks-{name}{len(params)}{len(headers)}"
    assert server.ingest(body, headers, name=name, **TIMES, **params).status == 200
    assert view(server, name)["total"] == total


def test_a_format_that_is_said_is_not_guessed(server):
    for body in (pprof({("main",): 5000}), chunk([]), speedscope(sampled("x", "none", [[0]], [3]))):
        for said in ("folded", "groups", "collapsed", "tree"):
            assert server.ingest(body, name="said", format=said).status == 422


# ---- speedscope ----

def test_each_profile_of_a_speedscope_file_is_a_series(server):
    body = speedscope(sampled("main thread", "microseconds", [[0, 1, 2], [0, 1, 3]], [75, 25]),
                      evented("worker", "milliseconds", ("O", 0, 10), ("O", 2, 12.5), ("C", 2, 20), ("C", 0, 30)),
                      sampled("main thread", "microseconds", [[0, 1, 2]], [5]), sampled("heap", "bytes", [[0, 2]], [4096]),
                      sampled("counts", "none", [[0]], [3]), sampled("", "seconds", [[1]], [2]))
    assert server.ingest(body, name="threads", format="speedscope", **TIMES).status == 200
    assert sorted(types(server, "threads")) == sorted([CPU, "memory:space:bytes::", WALL])
    assert labels(server, "threads")["profile_name"] == sorted(["counts", "heap", "main thread", "worker"])

    def of(profile_name, kind=WALL):
        answer = server.get("/api/v1/view", query=f'{kind}{{service_name="threads",profile_name="{profile_name}"}}', **span())
        return table(answer.json())

    assert of("main thread") == {"main": (0, 105_000), "work": (0, 105_000), "foo": (80_000, 80_000), "bar": (25_000, 25_000)}
    assert of("worker") == {"main": (12_500_000, 20_000_000), "foo": (7_500_000, 7_500_000)}
    assert of("heap", "memory:space:bytes::") == {"main": (0, 4096), "foo": (4096, 4096)}
    assert of("counts", CPU) == {"main": (3 * 10**7, 3 * 10**7)}
    assert of("") == {"work": (2 * 10**9, 2 * 10**9)}


@pytest.mark.parametrize("name,kind", [("single", CPU), ("single.wall", WALL), ("single.cpu", CPU), ("single.itimer", CPU)])
def test_times_of_a_single_profile_are_what_the_name_says(server, name, kind):
    body = speedscope(sampled("one", "seconds", [[0]], [1.5]))
    assert server.ingest(body, name=name + "{k=" + name.replace(".", "-") + "}", format="speedscope", **TIMES).status == 200
    query = f'{kind}{{service_name="single",k="{name.replace(".", "-")}"}}'
    assert server.get("/api/v1/view", query=query, **span()).json()["total"] == 1_500_000_000


@pytest.mark.parametrize("body", [
    speedscope(sampled("x", "samples", [[0]], [1])), speedscope(sampled("x", "seconds", [[4]], [1])),
    speedscope(sampled("x", "seconds", [[0]], [-1])), speedscope(sampled("x", "seconds", [[0], [0]], [1])),
    speedscope(evented("x", "seconds", ("C", 0, 1))), speedscope(evented("x", "seconds", ("O", 0, 2), ("C", 0, 1))),
    speedscope(evented("x", "seconds", ("O", 0, 1), ("C", 1, 2))), speedscope(sampled("x", "none", [[0]], [1])).replace(b"www", b"w"),
    speedscope({"type": "stacked", "unit": "none"}), speedscope(sampled("x", "none", [[0]], [1]))[:-1], b"{}", b'{"profiles":1}',
])
def test_bad_speedscope_files_are_422(server, body):
    answer = server.ingest(body, name="badscope", format="speedscope")
    assert answer.status == 422 and "speedscope" in answer.json()["message"] or "JSON" in answer.json()["message"]
    assert types(server, "badscope") is None


# ---- parameters ----

def test_the_spy_is_unknown_unless_it_says_so(server):
    assert server.ingest(COLLAPSED, name="nospy", **TIMES).status == 200
    assert labels(server, "nospy")["pyroscope_spy"] == ["unknown"]


@pytest.mark.parametrize("name,service,expected", [
    ("lenient{a=1}ignored", "lenient", {"a": ["1"]}), ("open{a=1", "open", {"a": ["1"]}), ("bare{debug", "bare", {}),
    ("bare2{debug}", "bare2", {}), ("a/b-c.d_e{x.y=1/2=3,z={w}", "a/b-c.d_e", {"x.y": ["1/2=3"], "z": ["{w"]}),
    ("hash{color=#fff}", "hash", {"color": ["#fff"]}), (" spaces { k = v } ", "spaces", {"k": ["v"]}),
    ("two{service_name=mine}", "mine", {"app_name": ["two"]}), ("hidden{__x__=1,__name__=evil}", "hidden", {}),
])
def test_names_as_pyroscope_reads_them(server, name, service, expected):
    assert server.ingest(COLLAPSED, name=name, **TIMES).status == 200
    got = labels(server, service)
    assert {k: v for k, v in got.items() if k not in ("service_name", "pyroscope_spy")} == expected


@pytest.mark.parametrize("units,kind,value", [
    ("samples", CPU, 10**12), ("objects", "memory:alloc_objects:count::", 10**5),
    ("bytes", "memory:alloc_space:bytes::", 10**5), ("lock_nanoseconds", "block:delay:nanoseconds::", 10**5),
    ("lock_samples", "block:contentions:count::", 10**5), ("nonsense", CPU, 10**12),
])
def test_units_tell_the_type_where_the_name_does_not(server, units, kind, value):
    name = f"units-{units}"
    assert server.ingest(COLLAPSED.replace(b"5\n", b"5000\n"), name=name, units=units, **TIMES).status == 200
    assert types(server, name) == [kind] and view(server, name, kind)["total"] == value


@pytest.mark.parametrize("text,seconds", [("now-90s", 90), ("now-2m", 120), ("-2min", 120), ("now-1h+30min", 1800)])
def test_times_relative_to_now_in_every_unit(server, text, seconds):
    name = f"ago{len(text)}{seconds}"
    answer = server.ingest(COLLAPSED, name=name, **{"from": text, "until": "now"})
    assert answer.status == 200
    wall_ms = view(server, name)["wall_ms"]
    assert abs(wall_ms - seconds * 1000) <= 1000


def test_averages_are_of_the_requests_choice(server):
    for i, value in enumerate((10, 20, 30)):
        assert server.ingest(b"a %d\n" % value, name="average.goroutines", aggregationType="average",
                             **{"from": FROM + 10 * i, "until": FROM + 10 * i + 10}).status == 200
    (kind,) = types(server, "average")
    assert view(server, "average", kind)["total"] == 20


# ---- answers ----

def test_answers_are_empty_or_json(server):
    answer = server.ingest(COLLAPSED, name="answers", **TIMES)
    assert (answer.status, answer.body) == (200, b"")
    for params, body, status, code in (({}, b"a 1\n", 400, "invalid_argument"), ({"name": "x", "format": "jfr"}, b"garbage", 422, "unknown"),
                                       ({"name": "x", "format": "pprof"}, b"garbage", 422, "unknown"),
                                       ({"name": "x"}, gzip.compress(b"a;b 1\n" * (16 << 20)), 413, "resource_exhausted")):
        answer = server.ingest(body, **params)
        assert (answer.status, answer.json()["code"]) == (status, code)
        assert answer.headers["Content-Type"] == "application/json" and answer.json()["message"]
    assert server.request("GET", "/ingest?name=x").status == 405


def test_an_empty_pprof_is_taken_as_pyroscope_takes_it(server):
    assert server.ingest(b"", name="nothing", format="pprof").status == 200
    assert types(server, "nothing") is None


def test_too_many_series_are_429_with_a_reason(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path / "data", "--max-series", "3")
    try:
        got = [server.ingest(COLLAPSED, name=f"series{i}", **TIMES) for i in range(5)]
        assert [a.status for a in got] == [200, 200, 200, 429, 429]
        error = got[-1].json()
        assert error["code"] == "resource_exhausted" and "3" in error["message"] and got[-1].headers["Retry-After"]
    finally:
        server.stop()


def test_a_body_that_does_not_come_is_408_and_one_too_large_413(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path / "data", "--request-timeout", "1s")
    try:
        for length, sent, status in ((100, b"a 1\n", b"408"), (1 << 40, b"", b"413")):
            with socket.create_connection((server.host, server.port), timeout=20) as connection:
                connection.sendall(b"POST /ingest?name=slow HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s" % (length, sent))
                answer = b""
                while piece := connection.recv(4096):
                    answer += piece
                    if b"}" in piece:
                        break
            assert answer.split(b" ", 2)[1] == status, answer
            assert json.loads(answer.partition(b"\r\n\r\n")[2])
    finally:
        server.stop()


# ---- known bugs that are not ours ----

@pytest.mark.parametrize("length", [65_535, 65_536, 70_000, 1_000_000])
def test_long_lines_end_nothing(server, length):
    """Pyroscope stops reading at a line of 64 KiB, and says nothing."""
    line = b";".join([b"frame%04d" % (i % 1000) for i in range(length // 10)]) + b" 5\n"
    name = f"long{length}"
    assert server.ingest(b"before 1\n" + line + b"after 2\n", name=name, **TIMES).status == 200
    seen = table(view(server, name))
    assert seen["before"] == (10**7, 10**7) and seen["after"] == (2 * 10**7, 2 * 10**7)
    assert view(server, name)["total"] == 8 * 10**7


@pytest.mark.parametrize("name", ["example.com", "shop.example.com", "v1.2.3", "a.b.c", "my.service"])
def test_a_name_may_have_dots(server, name):
    """Pyroscope takes what follows the last dot for a profile type, and refuses those it does not know."""
    assert server.ingest(COLLAPSED, name=name, **TIMES).status == 200
    assert types(server, name) == [CPU]


def test_a_count_that_is_none_is_named_with_its_line(server):
    answer = server.ingest(b"a;b 1\na;c x\n", name="badcount")
    assert answer.status == 422 and "line 2" in answer.json()["message"]


def test_a_profile_of_one_request_is_taken_and_forgotten(server):
    """Exemplars of old SDKs came beside the whole: storing them would count twice."""
    assert server.ingest(COLLAPSED, name="exemplar{profile_id=239239239239}", **TIMES).status == 200
    assert types(server, "exemplar") is None


def test_a_pprof_of_1970_gets_the_requests_time(server):
    raw = pprof({("main",): 1000}, time_ns=1000)
    assert server.ingest(raw, name="epoch", format="pprof", **TIMES).status == 200
    seen = server.get("/api/v1/view", query=f'{CPU}{{service_name="epoch"}}', **{"from": FROM * 1000, "until": UNTIL * 1000})
    assert seen.json()["total"] == 1000


def test_a_form_of_pprof_may_have_other_parts(server):
    body, headers = multipart([("extra", b"x"), ("profile", pprof({("main",): 1000}))])
    assert server.ingest(body, headers, name="extra", **TIMES).status == 200
    assert view(server, "extra")["total"] == 1000
