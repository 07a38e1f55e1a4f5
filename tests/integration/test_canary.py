# SPDX-License-Identifier: Apache-2.0
"""
What profilecli's canary asks of a server, request by request and check by check (grafana/pyroscope 3fe6a457,
cmd/profilecli/canary_exporter_probes.go): profiles without a duration, pushed now, found in the five seconds from now.
"""

import json
import struct
import time
import uuid

import pytest

import recorded
import stacks
from serving import Server, field, varint

SERVICE, HOST = "pyroscope-canary-exporter", "canary-host"
TYPE, OTLP_TYPE = "deadmans_switch:made_up:profilos:made_up:profilos", "otlp_test:otlp_test:count:otlp_test:samples"
SELECTOR = f'{{service_name="{SERVICE}", job="canary-exporter", instance="{HOST}"}}'
SPAN = "00000bac2a5ab0c7"


def canary_pprof(now_ns):
    """func1 called by func2: 10, with the span's id; func1 alone: 20.  The leaf comes first."""
    texts = ["", "made_up", "profilos", "func1", "func2", "profile_id", SPAN]
    kind = field(1, 1) + field(2, 2)
    out = field(1, kind)
    out += field(2, field(1, varint(1) + varint(2)) + field(2, varint(10)))
    out += field(2, field(1, varint(1)) + field(2, varint(20)) + field(3, field(1, 5) + field(2, 6)))
    out += field(3, field(1, 1) + field(7, 1))
    for ident in (1, 2):
        out += field(4, field(1, ident) + field(2, 1) + field(4, field(1, ident)))
        out += field(5, field(1, ident) + field(2, 2 + ident) + field(3, 2 + ident))
    out += b"".join(field(6, text) for text in texts)
    return out + field(9, now_ns) + field(11, kind) + field(12, 1)


def label(name, value):
    return field(1, field(1, name) + field(2, value))


def ingest_push(server, now_ns):
    labels = [("__name__", "deadmans_switch"), ("service_name", SERVICE), ("job", "canary-exporter"), ("instance", HOST)]
    series = b"".join(label(*pair) for pair in labels)
    series += field(2, field(1, canary_pprof(now_ns)) + field(2, str(uuid.uuid4())))
    got = server.request("POST", "/push.v1.PusherService/Push", field(1, series), {"Content-Type": "application/proto"})
    assert got.status == 200, got.body


STRINGS = ["", "otlp_test", "samples", "count", "func1", "func2", "ingestion_method"]


def otlp_json(now_ns, method):
    """As protojson writes it: numbers of 64 bits are texts, defaults are left out."""
    attributes = {"service.name": SERVICE, "job": "canary-exporter", "instance": HOST, "ingestion_method": method}
    return {
        "resourceProfiles": [{
            "resource": {"attributes": [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()]},
            "scopeProfiles": [{"scope": {"name": SERVICE}, "profiles": [{
                "sampleType": {"typeStrindex": 1, "unitStrindex": 3},
                "samples": [{"stackIndex": 1, "values": ["10"]}, {"stackIndex": 2, "values": ["20"]}],
                "timeUnixNano": str(now_ns), "periodType": {"typeStrindex": 1, "unitStrindex": 2}, "period": "1"}]}]}],
        "dictionary": {
            "mappingTable": [{}], "locationTable": [{"lines": [{"functionIndex": 1}]}, {"lines": [{"functionIndex": 2}]}],
            "functionTable": [{}, {"nameStrindex": 4}, {"nameStrindex": 5}], "stringTable": [*STRINGS, method],
            "stackTable": [{}, {"locationIndices": [1, 0]}, {"locationIndices": [0]}]}}


def otlp_proto(now_ns, method):
    attributes = {"service.name": SERVICE, "job": "canary-exporter", "instance": HOST, "ingestion_method": method}
    resource = b"".join(field(1, field(1, k) + field(2, field(1, v))) for k, v in attributes.items())
    profile = field(1, field(1, 1) + field(2, 3))
    profile += field(2, field(1, 1) + field(4, varint(10))) + field(2, field(1, 2) + field(4, varint(20)))
    profile += varint(3 << 3 | 1) + struct.pack("<Q", now_ns) + field(5, field(1, 1) + field(2, 2)) + field(6, 1)
    scope = field(1, field(1, SERVICE)) + field(2, profile)
    dictionary = field(1, b"")
    dictionary += b"".join(field(2, field(3, field(1, one))) for one in (1, 2))
    dictionary += field(3, b"") + field(3, field(1, 4)) + field(3, field(1, 5))
    dictionary += b"".join(field(5, text) for text in [*STRINGS, method])
    dictionary += field(7, b"") + field(7, field(1, varint(1) + varint(0))) + field(7, field(1, varint(0)))
    return field(1, field(1, resource) + field(2, scope)) + field(2, dictionary)


@pytest.fixture(scope="module")
def canary(pyrometer, tmp_path_factory):
    """(server, its now in milliseconds), with the three uploads in it."""
    server = Server(pyrometer, tmp_path_factory.mktemp("canary") / "data")
    now_ns = time.time_ns()
    ingest_push(server, now_ns)
    for body, kind in ((json.dumps(otlp_json(now_ns, "otlp_http_json")).encode(), "application/json"),
                       (otlp_proto(now_ns, "otlp_http_protobuf"), "application/x-protobuf")):
        got = server.request("POST", "/v1development/profiles", body, {"Content-Type": kind})
        assert got.status == 200, got.body
    yield server, now_ns // 10**6
    code, err = server.stop()
    assert code == 0, err


def ask(canary, method, *fields):
    """In proto, as the canary does; the answer's fields: {number: [values]}."""
    got = canary[0].request("POST", f"/querier.v1.QuerierService/{method}", b"".join(fields), {
        "Content-Type": "application/proto", "Connect-Protocol-Version": "1", "Accept-Encoding": "gzip"})
    assert got.status == 200, got.body
    assert got.headers.get("Content-Encoding") in (None, "gzip")
    return message(recorded.plain(got))


def message(data):
    out = {}
    for number, value, _ in recorded.fields(data):
        out.setdefault(number, []).append(value)
    return out


def texts(answer, number=1):
    return [one.decode() for one in answer.get(number, [])]


def times(canary, start, end):
    return field(start, canary[1]) + field(end, canary[1] + 5000)


def selection(canary, kind=TYPE, start=3, end=4):
    return field(1, kind) + field(2, SELECTOR) + times(canary, start, end)


def test_ready(canary):
    assert canary[0].get("/ready").status == 200


def leaf_first(pprof):
    """{"func1>func2": 10} of a pprof, as the canary joins it."""
    names = texts(pprof, 6)
    functions = {message(one)[1][0]: names[message(one)[2][0]] for one in pprof[5]}
    locations = {message(one)[1][0]: functions[message(message(one)[4][0])[1][0]] for one in pprof[4]}
    found = {}
    for sample in map(message, pprof[2]):
        stack = ">".join(locations[one] for one in numbers(sample[1][0]))
        found[stack] = found.get(stack, 0) + numbers(sample[2][0])[0]
    return found


def numbers(packed):
    at, out = 0, []
    while at < len(packed):
        value, at = recorded.number_at(packed, at)
        out.append(value)
    return out


def test_select_merge_profile(canary):
    assert leaf_first(ask(canary, "SelectMergeProfile", selection(canary))) == {"func1>func2": 10, "func1": 20}


def test_select_merge_otlp_profile(canary):
    got = leaf_first(ask(canary, "SelectMergeProfile", selection(canary, OTLP_TYPE)))
    assert got == {"func2>func1": 20, "func1": 40}, "both ways of ingestion"


def test_profile_types(canary):
    types = [message(one)[1][0].decode() for one in ask(canary, "ProfileTypes", times(canary, 1, 2))[1]]
    assert TYPE in types and OTLP_TYPE in types


def test_series(canary):
    got = ask(canary, "Series", field(2, "service_name"), field(2, "__profile_type__"), times(canary, 3, 4))
    sets = [{message(pair)[1][0].decode(): message(pair)[2][0].decode() for pair in message(one)[1]} for one in got[2]]
    assert {"service_name": SERVICE, "__profile_type__": TYPE} in sets
    assert all(one["service_name"] for one in sets)


def test_label_names(canary):
    names = texts(ask(canary, "LabelNames", field(1, f'{{service_name="{SERVICE}"}}'), times(canary, 2, 3)))
    assert {"__name__", "__period_type__", "__period_unit__", "__profile_type__", "__service_name__", "__type__",
            "__unit__", "service_name"} <= set(names)


def test_label_values(canary):
    got = ask(canary, "LabelValues", field(1, "service_name"), field(2, f'{{service_name="{SERVICE}"}}'),
              times(canary, 3, 4))
    assert texts(got) == [SERVICE]


def double(number, value):
    return varint(number << 3 | 1) + struct.pack("<d", value)


def test_select_series(canary):
    got = ask(canary, "SelectSeries", selection(canary), field(5, "service_name"), double(6, 1000))
    (series,) = map(message, got[1])
    (pair,) = map(message, series[1])
    assert texts(pair, 1) + texts(pair, 2) == ["service_name", SERVICE] and len(series[2]) == 1


def flame_of(answer):
    flame = message(answer[1][0])
    return texts(flame), [numbers(message(level).get(1, [b""])[0]) for level in flame[2]]


def test_select_merge_stacktraces(canary):
    names, levels = flame_of(ask(canary, "SelectMergeStacktraces", selection(canary)))
    assert len(names) == 3 and len(levels) == 3
    assert sorted(names) == ["func1", "func2", "total"]


def test_select_merge_span_profile(canary):
    names, levels = flame_of(ask(canary, "SelectMergeSpanProfile", selection(canary, start=4, end=5), field(3, SPAN)))
    assert names == ["total", "func1"] and len(levels) == 2


def test_exemplars(canary):
    got = ask(canary, "SelectSeries", selection(canary), double(6, 5), field(10, 2))
    (series,) = map(message, got[1])
    (point,) = map(message, series[2])
    (exemplar,) = map(message, point[4])
    assert exemplar[4] == [30]
    names, levels = flame_of(ask(canary, "SelectMergeStacktraces", selection(canary), field(8, exemplar[2][0])))
    assert len(names) == 3 and len(levels) == 3


def test_get_profile_stats(canary):
    got = ask(canary, "GetProfileStats")
    assert got[1] == [1] and got[2][0] > 0 and got[3][0] > 0


def test_render(canary):
    got = canary[0].get("/pyroscope/render", query=TYPE + SELECTOR, **{"from": canary[1], "until": canary[1] + 5000})
    flame = got.json()["flamebearer"]
    assert len(flame["names"]) == 3 and len(flame["levels"]) == 3
    assert stacks.of_flame(flame) == {("func2", "func1"): 10, ("func1",): 20}


def test_render_diff(canary):
    sides = {f"{side}{name}": value for side in ("left", "right") for name, value in (
        ("Query", TYPE + SELECTOR), ("From", canary[1]), ("Until", canary[1] + 5000))}
    got = canary[0].get("/pyroscope/render-diff", **sides)
    assert got.status == 200, got.body
    flame = got.json()["flamebearer"]
    assert len(flame["names"]) == 3 and len(flame["levels"]) == 3
