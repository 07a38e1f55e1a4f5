# SPDX-License-Identifier: Apache-2.0
"""
Bodies that are not what they claim to be, line by line: every one is refused by name or taken for what it is worth, no
handler is hurt, nothing half is stored.

Elsewhere: JFR (test_jfr.py: test_hostile_recordings_lose_only_themselves, test_hostile_forms), OTLP's tables and dresses
(test_otlp.py, tests/unit/format), each cut and each flipped byte (tests/fuzz), zip bombs (test_hostile_bombs.py), string indices
on both sides (pprof_checks_every_string_index_on_both_sides), forms (test_ingest.py), captures (test_convert.py).
"""

import concurrent.futures
import gzip
import json
import struct
import time

import pytest

import serving
from serving import CPU, Server, field, pprof, varint

PUSH, OTLP = "/push.v1.PusherService/Push", "/v1development/profiles"
ALL = {"from": 0, "until": 4102444800000}
TAKEN, REFUSED, LIMIT = {200}, {400, 422}, {413}


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("formats"))
    yield server
    code, err = server.stop()
    assert code == 0, err


def total(server, service, kind=CPU):
    answer = server.get("/api/v1/view", query=f'{kind}{{service_name="{service}"}}', **ALL)
    return answer.json()["total"] if answer.status == 200 else 0


# ---- pprof, in pieces ----

STRINGS = ["", "cpu", "nanoseconds", "main", "work", "app.py", "key", "value"]
TYPE, SAMPLE, MAPPING, LOCATION, FUNCTION, STRING = 1, 2, 3, 4, 5, 6


def profile(samples=None, types=1, strings=STRINGS, locations=None, functions=None, mappings=b"", more=b"", time_ns=None):
    """A small good profile, with pieces replaced."""
    value_type = field(TYPE, field(1, 1) + field(2, 2))
    if samples is None:
        samples = [field(1, varint(1)) + field(2, varint(10**9))]
    if locations is None:
        locations = [field(1, 1) + field(4, field(1, 1) + field(2, 7))]
    if functions is None:
        functions = [field(1, 1) + field(2, 3) + field(4, 5)]
    return b"".join([value_type * types, *(field(SAMPLE, one) for one in samples), mappings,
                     *(field(LOCATION, one) for one in locations), *(field(FUNCTION, one) for one in functions),
                     *(field(STRING, text) for text in strings),
                     field(9, time.time_ns() - 10**10 if time_ns is None else time_ns), field(10, 10**10),
                     field(11, field(1, 1) + field(2, 2)), field(12, 10**7), more])


def value(number):
    return [field(1, varint(1)) + field(2, varint(number))]


GOOD = profile()
PPROF = {
    "P1 empty": (b"", TAKEN),  # an SDK that had nothing to say
    "P2 the head of a gzip": (gzip.compress(GOOD)[:10], REFUSED),
    "P2 a gzip with a wrong sum": (gzip.compress(GOOD)[:-8] + bytes(8), REFUSED),
    "P2 a gzip and garbage": (gzip.compress(GOOD) + b"garbage", REFUSED),
    "P2 two members": (gzip.compress(GOOD[:9]) + gzip.compress(GOOD[9:]), TAKEN),
    "P4 not packed": (GOOD, TAKEN),
    "P5 a varint of 11 bytes": (GOOD + b"\x48" + b"\xff" * 10 + b"\x01", REFUSED),
    "P6 field 0": (GOOD + b"\x00\x01", REFUSED),
    "P6 a field beyond 2^29": (GOOD + varint(1 << 32 | 2) + b"\x00", REFUSED | TAKEN),
    "P6 a group in a group": (GOOD + b"\xa3\x06" * 100_000, REFUSED),
    "P6 wire type 6": (GOOD + b"\xa6\x06", REFUSED),
    "P7 longer than the rest": (GOOD + b"\x32\xff\xff\x03abc", REFUSED),
    "P7 a length of 2^63": (GOOD + b"\x32" + varint(1 << 63), REFUSED),
    "P8 the last of two counts": (profile(more=field(12, 5) + field(12, 10**7) + field(99, "unknown")), TAKEN),
    "P9 no strings": (profile(strings=[]), REFUSED),
    "P9 the first is not empty": (profile(strings=["x"] + STRINGS[1:]), REFUSED),
    "P10 a type of string -1": (field(TYPE, field(1, 2**64 - 1)) + GOOD, REFUSED),
    "P10 a name of string 2^31": (profile(functions=[field(1, 1) + field(2, 1 << 31)]), REFUSED),
    "P10 a file of string 2^63": (profile(functions=[field(1, 1) + field(2, 3) + field(4, 1 << 63)]), REFUSED),
    "P11 no type": (profile(types=0), REFUSED),
    "P11 256 types": (profile(types=256, samples=[field(1, varint(1)) + field(2, varint(1) * 256)]), LIMIT | REFUSED),
    "P11 two values of one type": (profile(samples=[field(1, varint(1)) + field(2, varint(1) * 2)]), REFUSED),
    "P11 no value": (profile(samples=[field(1, varint(1))]), REFUSED),
    "P12 location 0": (profile(samples=[field(1, varint(0)) + field(2, varint(5))]), REFUSED),
    "P12 a location that is not there": (profile(samples=[field(1, varint(9)) + field(2, varint(5))]), REFUSED),
    "P12 a location twice": (profile(locations=[field(1, 1) + field(4, field(1, 1))] * 2), REFUSED),
    "P12 location 2^64-1": (profile(samples=[field(1, varint(2**64 - 1)) + field(2, varint(5))],
                                    locations=[field(1, 2**64 - 1) + field(4, field(1, 1))]), TAKEN | REFUSED),
    "P13 no line": (profile(locations=[field(1, 1) + field(3, 0xdeadbeef)]), TAKEN),
    "P13 100,000 lines": (profile(locations=[field(1, 1) + field(4, field(1, 1)) * 100_000]), TAKEN | LIMIT | REFUSED),
    "P13 a function that is not there": (profile(locations=[field(1, 1) + field(4, field(1, 9))]), REFUSED),
    "P14 a mapping that is not there": (profile(locations=[field(1, 1) + field(2, 9) + field(4, field(1, 1))]), TAKEN | REFUSED),
    "P14 a mapping that ends before it begins": (profile(mappings=field(MAPPING, field(1, 1) + field(2, 2**40) + field(3, 5))), TAKEN),
    "P15 a negative value": (profile(value(2**64 - 5)), REFUSED),
    "P15 the least value": (profile(value(1 << 63)), REFUSED),
    "P15 a sum beyond 2^63": (profile(value((1 << 63) - 1) * 3), TAKEN | REFUSED),
    "P16 no time": (profile(time_ns=0), TAKEN),
    "P16 a negative time": (profile(time_ns=2**64 - 1), REFUSED | TAKEN),
    "P16 the year 2262": (profile(time_ns=2**63 - 1), REFUSED),
    "P16 a duration of a year": (profile(more=field(10, 365 * 86400 * 10**9)), TAKEN | REFUSED),
    "P16 a negative duration": (profile(more=field(10, 2**64 - 1)), TAKEN | REFUSED),
    "P16 a negative period": (profile(more=field(12, 2**64 - 1)), TAKEN | REFUSED),
    "P17 a sample without a stack": (profile(samples=[field(2, varint(5))]), TAKEN),
    "P17 a stack of 200,000": (profile(samples=[field(1, varint(1) * 200_000) + field(2, varint(5))]), TAKEN | LIMIT),
    "P18 a label of text and number": (profile([value(5)[0] + field(3, field(1, 6) + field(2, 7) + field(3, 9))]), TAKEN | REFUSED),
    "P18 a label without a name": (profile([value(5)[0] + field(3, field(2, 7))]), TAKEN | REFUSED),
    "P18 100,000 labels": (profile([value(5)[0] + field(3, field(1, 6) + field(2, 7)) * 100_000]), TAKEN | LIMIT | REFUSED),
    "P18 a label that is ours": (profile([value(5)[0] + field(3, field(1, 6) + field(2, 7))],
                                         strings=STRINGS[:6] + ["__tenant__", "other"]), TAKEN),
    "P19 what is no UTF-8": (profile(strings=STRINGS[:3] + [b"\xff\xfe\xc0\xaf", b"\xed\xa0\x80"] + STRINGS[5:]), TAKEN),
    "P19 NUL in a name": (profile(strings=STRINGS[:3] + [b"a\0b", b""] + STRINGS[5:]), TAKEN),
    "P20 the old text format": (b"--- heap profile: 1: 2 [3: 4] @ heapprofile\n", REFUSED | {415}),
    "P20 the old binary format": (struct.pack("<QQQQQ", 0, 3, 0, 10000, 0), REFUSED | {415}),
    "P21 keep and drop frames": (profile(strings=STRINGS + ["(a+)+$"], more=field(7, 8) + field(8, 8)), TAKEN),
    "P22 a million empty strings": (profile(more=field(STRING, "") * 1_000_000), TAKEN | LIMIT),
    "P23 200,001 samples": (profile(value(1) * 200_001), LIMIT),
    "P24 no samples": (profile(samples=[]), TAKEN),
    "P26 a byte order mark": (b"\xef\xbb\xbf" + GOOD, REFUSED),
    "P26 a page": (b"<!doctype html><script>alert(1)</script>", REFUSED),
    "P26 JSON": (b'{"flamebearer": {}}', REFUSED),
    "P26 ELF": (b"\x7fELF" + bytes(60), REFUSED),
}


def check(server, answer, allowed, service):
    assert answer.status in allowed, answer.body
    if answer.status != 200:
        told = answer.json()
        assert set(told) == {"code", "message"} and "\n" not in told["message"] and "<script" not in told["message"]
        assert "\x7f" not in told["message"] and len(told["message"]) < 400
        assert service not in names_of_services(server), "a refused body left something"


def names_of_services(server):
    return {one["name"] for one in server.get("/api/v1/services", **ALL).json()["services"]}


@pytest.mark.parametrize("name", PPROF)
def test_pprof(server, name):
    body, allowed = PPROF[name]
    service = "pprof." + name.split()[0] + str(list(PPROF).index(name))
    check(server, server.ingest(body, name=service, format="pprof"), allowed, service)


def test_the_same_sample_a_hundred_thousand_times_is_one(server):
    assert server.ingest(profile(value(10) * 100_000), name="merged", format="pprof").status == 200
    assert total(server, "merged") == 1_000_000


def test_values_at_the_edge_are_not_wrapped(server):
    """What cannot be summed is refused or held at the edge, never turned negative."""
    server.ingest(profile(value((1 << 63) - 1)), name="edge", format="pprof")
    server.ingest(profile(value((1 << 63) - 1)), name="edge", format="pprof")
    assert total(server, "edge") >= 0


# ---- text ----

COLLAPSED = {
    "K1 no count": (b"main;work\n", REFUSED), "K1 a negative count": (b"main -1\n", REFUSED),
    "K1 a power": (b"main 1e5\n", REFUSED | TAKEN), "K1 hexadecimal": (b"main 0x1f\n", REFUSED),
    "K1 a count of 2^80": (b"main 99999999999999999999\n", REFUSED | LIMIT | TAKEN), "K1 Arabic digits": ("main ٣\n".encode(), REFUSED),
    "K2 CRLF": (b"main;work 5\r\n", TAKEN), "K2 no end": (b"main;work 5", TAKEN), "K2 a byte order mark": (b"\xef\xbb\xbfmain 5\n", TAKEN),
    "K2 UTF-16, little": ("main 5\n".encode("utf-16"), REFUSED | {415}), "K2 UTF-16, big": ("\ufeffmain 5\n".encode("utf-16-be"), REFUSED | {415}),
    "K3 empty lines": (b"\n\n  \nmain 5\n\n", TAKEN), "K3 nothing but separators": (b";;;; 1\n", REFUSED | TAKEN),
    "K3 a separator at both ends": (b";main; 1\n", REFUSED | TAKEN), "K4 a line of 4 MiB": (b"a" * (4 << 20) + b" 1\n", LIMIT | TAKEN | REFUSED),
    "K5 200,000 frames": (b"a;" * 200_000 + b"a 1\n", LIMIT | TAKEN), "K6 spaces in names": (b"main loop;the work  7\n", TAKEN),
    "K6 a tab before the count": (b"main\t5\n", TAKEN | REFUSED), "K7 NUL": (b"ma\0in 5\n", REFUSED | TAKEN),
    "K8 a sum beyond 2^63": (b"main 9223372036854775807\n" * 3, REFUSED | LIMIT | TAKEN), "K10 comments": (b"# made by\nmain 5\n", TAKEN | REFUSED),
    "nothing": (b"", REFUSED), "one good of a hundred": (b"main 5\n" + b"bad\n" * 99, REFUSED),
}


@pytest.mark.parametrize("name", COLLAPSED)
def test_collapsed(server, name):
    body, allowed = COLLAPSED[name]
    service = f"collapsed.{list(COLLAPSED).index(name)}"
    check(server, server.ingest(body, name=service, format="groups"), allowed, service)


# ---- speedscope ----

def speedscope(**more):
    one = {"type": "sampled", "name": "x", "unit": "milliseconds", "startValue": 0, "endValue": 10, "samples": [[0]], "weights": [10]}
    one.update(more)
    return {"$schema": "https://www.speedscope.app/file-format-schema.json", "shared": {"frames": [{"name": "main"}]}, "profiles": [one]}


def evented(*events):
    return speedscope(type="evented", samples=None, weights=None,
                      events=[{"type": kind, "frame": frame, "at": at} for kind, frame, at in events])


def whole(**more):
    return {**speedscope(), **more}


SPEEDSCOPE = {
    "S1 cut off": (json.dumps(speedscope())[:-5], REFUSED), "S1 NaN": (json.dumps(speedscope(weights=[float("nan")])), REFUSED),
    "S1 Infinity": (json.dumps(speedscope(weights=[float("inf")])), REFUSED),
    "S1 1e999": (json.dumps(speedscope()).replace("[10]", "[1e999]"), REFUSED), "S1 -0": (json.dumps(speedscope(weights=[-0.0])), TAKEN | REFUSED),
    "S1 a comma too many": (json.dumps(speedscope()).replace("[10]", "[10,]"), REFUSED),
    "S1 2^53+1": (json.dumps(speedscope(weights=[2**53 + 1])), TAKEN | REFUSED),
    "S2 a million [": ("[" * 1_000_000, LIMIT | REFUSED), "S2 __proto__": (json.dumps(whole(__proto__={"x": 1}, constructor="y")), TAKEN),
    "S2 a key twice": (json.dumps(speedscope())[:-1] + ', "profiles": []}', TAKEN | REFUSED),
    "S3 another schema": (json.dumps(whole(**{"$schema": "http://x/<script>"})), TAKEN | REFUSED),
    "S3 a hostile exporter": (json.dumps(whole(exporter="\x1b[31m<script>")), TAKEN),
    "S4 an unknown unit": (json.dumps(speedscope(unit="parsecs")), REFUSED), "S4 a unit that is a number": (json.dumps(speedscope(unit=5)), REFUSED),
    "S4 no unit": (json.dumps(speedscope(unit=None)), REFUSED), "S5 frame -1": (json.dumps(speedscope(samples=[[-1]])), REFUSED),
    "S5 a frame that is not there": (json.dumps(speedscope(samples=[[9]])), REFUSED), "S5 frame 1.5": (json.dumps(speedscope(samples=[[0.5]])), REFUSED),
    "S5 frame 1e309": (json.dumps(speedscope()).replace("[[0]]", "[[1e309]]"), REFUSED), "S5 a frame that is text": (json.dumps(speedscope(samples=[["0"]])), REFUSED),
    "S6 more weights": (json.dumps(speedscope(weights=[1, 2])), REFUSED), "S6 fewer weights": (json.dumps(speedscope(samples=[[0], [0]], weights=[1])), REFUSED),
    "S6 a negative weight": (json.dumps(speedscope(weights=[-1])), REFUSED), "S6 a sum beyond 2^63": (json.dumps(speedscope(samples=[[0]] * 3, weights=[9e18] * 3)), REFUSED | TAKEN | LIMIT),
    "S7 a close without an open": (json.dumps(evented(("C", 0, 5))), REFUSED), "S7 not closed": (json.dumps(evented(("O", 0, 5))), REFUSED | TAKEN),
    "S7 time goes back": (json.dumps(evented(("O", 0, 5), ("C", 0, 1))), REFUSED), "S7 100,000 open": (json.dumps(evented(*[("O", 0, i) for i in range(100_000)])), REFUSED | LIMIT | TAKEN),
    "S8 no profiles": (json.dumps(whole(profiles=[])), TAKEN), "S8 2,000 profiles": (json.dumps(whole(profiles=speedscope()["profiles"] * 2000)), LIMIT | TAKEN),
    "S8 the active one is not there": (json.dumps(whole(activeProfileIndex=99)), TAKEN), "S8 it ends before it begins": (json.dumps(speedscope(startValue=10, endValue=0)), TAKEN | REFUSED),
    "S9 a frame without a name": (json.dumps(whole(shared={"frames": [{}]})), REFUSED), "S9 a name that is a number": (json.dumps(whole(shared={"frames": [{"name": 5}]})), REFUSED),
    "S9 a name of a MiB": (json.dumps(whole(shared={"frames": [{"name": "x" * (1 << 20)}]})), TAKEN | LIMIT | REFUSED),
    "S9 a line of 2^40": (json.dumps(whole(shared={"frames": [{"name": "x", "line": 2**40}]})), TAKEN | REFUSED),
    "S10 a frame twice": (json.dumps(whole(shared={"frames": [{"name": "x"}] * 2})), TAKEN),
    "S11 half a surrogate": (json.dumps(whole(shared={"frames": [{"name": "\ud800"}]})), TAKEN | REFUSED),
    "S11 \\u0000": (json.dumps(whole(shared={"frames": [{"name": "a\0b"}]})), TAKEN | REFUSED),
    "S12 12 MB of zeros": ('{"shared":{"frames":[]},"x":[' + "0," * 6_000_000 + "0]}", REFUSED | LIMIT),
}


@pytest.mark.parametrize("name", SPEEDSCOPE)
def test_speedscope(server, name):
    body, allowed = SPEEDSCOPE[name]
    service = f"speedscope.{list(SPEEDSCOPE).index(name)}"
    check(server, server.ingest(body.encode("utf-8", "surrogatepass"), name=service, format="speedscope"), allowed, service)


# ---- depth ----

def preorder(depth, name=b"a"):
    node = bytes([len(name)]) + name + b"\0\1"
    return b"\0\0\1" + node * depth + bytes([len(name)]) + name + b"\1\0"


DEEP = "[" * 10_000_000
DEEP_OBJECTS = '{"a":' * 2_000_000
DEPTHS = {
    "Push": (PUSH, DEEP, "application/json"), "Push, objects": (PUSH, DEEP_OBJECTS, "application/json"),
    "OTLP": (OTLP, DEEP, "application/json"), "OTLP, objects": (OTLP, DEEP_OBJECTS, "application/json"),
    "OTLP, a value in a value": (OTLP, '{"resourceProfiles":[{"resource":{"attributes":[{"key":"a","value":' +
                                 '{"arrayValue":{"values":[' * 100_000, "application/json"),
    "a question": ("/querier.v1.QuerierService/Diff", DEEP_OBJECTS, "application/json"),
    "speedscope": ("/ingest?name=deep&format=speedscope", DEEP, "application/json"),
    "speedscope, objects": ("/ingest?name=deep&format=speedscope", DEEP_OBJECTS, "application/json"),
    "a kept file": ("/adhocprofiles.v1.AdHocProfileService/Upload", DEEP_OBJECTS, "application/json"),
    "a trie": ("/ingest?name=deep&format=trie", preorder(1_000_000), "binary/octet-stream"),
    "a tree": ("/ingest?name=deep&format=tree", preorder(1_000_000), "binary/octet-stream"),
}


@pytest.mark.parametrize("name", DEPTHS)
def test_ten_million_levels_are_not_descended(server, name):
    path, body, kind = DEPTHS[name]
    began = serving.cpu_seconds(server.process.pid)
    answer = server.request("POST", path, body if isinstance(body, bytes) else body.encode(), {"Content-Type": kind})
    assert answer.status in (400, 413, 422, 429), answer.body[:300]
    assert "deep" not in names_of_services(server)
    assert serving.cpu_seconds(server.process.pid) - began < 2


def test_depth_is_no_matter_of_the_stack(pyrometer, tmp_path):
    """The same with threads that have 256 KiB of it."""
    import resource
    limit = lambda: resource.setrlimit(resource.RLIMIT_STACK, (256 << 10, 256 << 10))
    small = Server(pyrometer, tmp_path / "small", preexec_fn=limit)
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda one: small.request("POST", one[0], one[1] if isinstance(one[1], bytes) else one[1].encode()[:1 << 20],
                                                    {"Content-Type": one[2]}), DEPTHS.values()))
        assert small.ingest(b"a;" * 20_000 + b"b 1\n", name="long").status == 200
        assert small.get("/api/v1/view", query=f'{CPU}{{service_name="long"}}', **ALL).status == 200
    finally:
        assert small.stop()[0] == 0


# ---- Push and OTLP, as messages ----

def series(*parts):
    return field(1, b"".join(parts))


def label(name, text):
    return field(1, field(1, name) + field(2, text))


SERVICE = label("service_name", "typed")
MESSAGES = {
    "a label that is a number": (PUSH, series(field(1, 5), field(2, field(1, GOOD))), {400}),
    "a label name that is a number": (PUSH, series(field(1, field(1, 5)), field(2, field(1, GOOD))), {400, 200}),
    "a profile that is a number": (PUSH, series(SERVICE, field(2, field(1, 5))), {400}),
    "a series that is a number": (PUSH, field(1, 5), {400}),
    "a label twice": (PUSH, series(SERVICE, label("a", "1"), label("a", "2"), field(2, field(1, GOOD))), {400, 200}),
    "a label name with a dash": (PUSH, series(SERVICE, label("a-b", "1"), field(2, field(1, GOOD))), {400, 200}),
    "a label name that is empty": (PUSH, series(SERVICE, label("", "1"), field(2, field(1, GOOD))), {400}),
    "a service that is empty": (PUSH, series(label("service_name", ""), field(2, field(1, GOOD))), {400, 200}),
    "a label that is no UTF-8": (PUSH, series(SERVICE, label("a", b"\xff\xfe"), field(2, field(1, GOOD))), {400, 200}),
    "an empty message": (PUSH, b"", {200, 400}),
    "an empty profile": (PUSH, series(SERVICE, field(2, field(1, b""))), {400}),
    "a message cut in a label": (PUSH, series(SERVICE, field(2, field(1, GOOD)))[:-len(GOOD) - 8], {400}),
    "an empty export": (OTLP, b"", {200}),
    "an export that is a number": (OTLP, field(1, 5), {400, 200}),
    "a dictionary that is a number": (OTLP, field(2, 5), {400, 200}),
    "values in values": (OTLP, field(1, field(1, field(1, field(1, "a") + field(2, b"\x2a\x7f" * 60_000)))), {400, 413, 200}),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_of_wrong_types(server, name):
    path, body, allowed = MESSAGES[name]
    kind = "application/x-protobuf" if path == OTLP else "application/proto"
    answer = server.request("POST", path, body, {"Content-Type": kind})
    assert answer.status in allowed, answer.body


JSON_MESSAGES = {
    "an array for an object": "[]", "a number for an object": "5", "null": "null", "series of text": '{"series":"x"}',
    "series of numbers": '{"series":[1,2]}', "labels of text": '{"series":[{"labels":"x"}]}', "a profile of numbers": '{"series":[{"samples":[{"rawProfile":5}]}]}',
    "a profile that is no base64": '{"series":[{"samples":[{"rawProfile":"<script>"}]}]}', "a key that is text twice": '{"series":[],"series":5}',
    "cut off": '{"series":[{"labels":[{"name":"a', "two documents": "{}{}", "UTF-16": "{}", "no UTF-8": b'{"series":[{"labels":[{"name":"\xff"}]}]}',
    "a lone surrogate": '{"series":[{"labels":[{"name":"a","value":"\\ud800"}]}]}', "a number of a MiB": '{"x":' + "9" * (1 << 20) + "}",
}


@pytest.mark.parametrize("path", [PUSH, OTLP, "/querier.v1.QuerierService/SelectSeries"])
@pytest.mark.parametrize("name", JSON_MESSAGES)
def test_json_of_wrong_types(server, name, path):
    body = JSON_MESSAGES[name]
    body = body.encode("utf-16") if name == "UTF-16" else body if isinstance(body, bytes) else body.encode()
    answer = server.request("POST", path, body, {"Content-Type": "application/json"})
    assert answer.status in (200, 400, 413), answer.body
    assert b"<script>" not in answer.body and answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("frame", [b"", b"\0", b"\0\0\0\0", b"\0\xff\xff\xff\xff", b"\1\0\0\0\0", b"\x80\0\0\0\0", b"\0\0\0\0\1", b"\0\0\0\0\0\0\0\0\0\0"])
@pytest.mark.parametrize("path", [PUSH, "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"])
def test_frames_that_lie(server, path, frame):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/grpc", "Grpc-Timeout: 1n", "Connection: close",
             f"Content-Length: {len(frame)}", "", ""]
    answer = server.raw("\r\n".join(lines).encode() + frame)
    assert answer.status == 200 and answer.headers["grpc-status"] == "3", answer.headers


def test_everybody_is_well_afterwards(server):
    assert server.ingest(b"main;work 5\n", name="well").status == 200
    assert total(server, "well") > 0
    assert serving.rss_bytes(server.process.pid) < 400 << 20
