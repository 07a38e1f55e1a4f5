# SPDX-License-Identifier: Apache-2.0
"""
Which requests are good and which are refused with what, by a table of Pyroscope's own integration tests
(pkg/test/integration/http_status_codes_test.go, 3fe6a457), on an empty server as there.
"""

import json
import time

import pytest

from serving import CPU, Server

NOW = int(time.time() * 1000)
HOUR = 3600_000
GOOD_RANGE = {"start": NOW - HOUR, "end": NOW}
TURNED = {"start": NOW, "end": NOW - HOUR}
SELECTION = {"profileTypeID": CPU, "labelSelector": "{}"}
RAW = [("invalid_json", b'{"invalid json"', 400), ("empty_body", b"", 400)]

METADATA = [
    ("valid", GOOD_RANGE, 200), ("start_after_end", TURNED, 400), ("matchers", {**GOOD_RANGE, "matchers": ['{a="b"}']}, 200),
    ("two_matchers", {**GOOD_RANGE, "matchers": ['{a="b"}', '{c="d"}']}, 200),
    ("bad_matchers", {**GOOD_RANGE, "matchers": ["!bad_syntax!"]}, 400), ("no_range", {}, 200), *RAW,
]
SELECTIONS = [
    ("valid", {**SELECTION, **GOOD_RANGE}, 200), ("max_nodes", {**SELECTION, **GOOD_RANGE, "maxNodes": 1024}, 200),
    ("selector", {**SELECTION, **GOOD_RANGE, "labelSelector": '{service_name="test"}'}, 200),
    ("no_type", {"labelSelector": "{}", **GOOD_RANGE}, 400),
    ("empty_type", {**SELECTION, **GOOD_RANGE, "profileTypeID": ""}, 400),
    ("bad_type", {**SELECTION, **GOOD_RANGE, "profileTypeID": "invalid_format"}, 400),
    ("no_selector", {"profileTypeID": CPU, **GOOD_RANGE}, 400),
    ("bad_selector", {**SELECTION, **GOOD_RANGE, "labelSelector": "!bad_syntax!"}, 400),
    ("start_after_end", {**SELECTION, **TURNED}, 400), ("no_range", SELECTION, 400), *RAW,
]


def named(rows):
    return [(name, {**body, "name": "service_name"} if isinstance(body, dict) else body, status)
            for name, body, status in rows]


def stepped(rows):
    return [(name, {**body, "step": 15.0} if isinstance(body, dict) else body, status) for name, body, status in rows]


METHODS = {
    "ProfileTypes": [("valid", GOOD_RANGE, 200), ("zero", {"start": 0, "end": 0}, 200), ("turned", TURNED, 400),
                     ("day", {"start": NOW - 24 * HOUR, "end": NOW}, 200), ("negative", {"start": -1, "end": NOW}, 200),
                     ("both_negative", {"start": -2, "end": -1}, 200), ("text", {"start": "now-1h", "end": 0}, 400),
                     ("text_end", {"start": 0, "end": "now"}, 400), *RAW],
    "LabelNames": METADATA,
    "LabelValues": [*named(METADATA), ("empty_name", {**GOOD_RANGE, "name": ""}, 400), ("no_name", GOOD_RANGE, 400)],
    "Series": [*METADATA, ("label_names", {**GOOD_RANGE, "labelNames": ["service_name", "namespace"]}, 200)],
    "SelectMergeStacktraces": [*SELECTIONS, ("tree", {**SELECTION, **GOOD_RANGE, "format": 2}, 200)],
    "SelectMergeProfile": SELECTIONS,
    "SelectSeries": [*stepped(SELECTIONS), ("no_step", {**SELECTION, **GOOD_RANGE}, 400),
                     ("group_by", {**SELECTION, **GOOD_RANGE, "step": 15, "groupBy": ["service_name"]}, 200),
                     ("limit", {**SELECTION, **GOOD_RANGE, "step": 15, "limit": 10}, 200)],
    "Diff": [("valid", {"left": {**SELECTION, **GOOD_RANGE}, "right": {**SELECTION, **GOOD_RANGE}}, 200),
             ("no_right", {"left": {**SELECTION, **GOOD_RANGE}}, 400), ("nothing", {}, 400), *RAW],
}
CASES = [(method, *row) for method, rows in METHODS.items() for row in rows]

QUERY = f'{CPU}{{service_name="pyroscope"}}'
FINE = {"query": QUERY, "from": "now-15m", "until": "now"}
RENDERS = [
    ("valid", FINE, 200), ("dot", {**FINE, "format": "dot"}, 200), ("dot_nodes", {**FINE, "format": "dot", "maxNodes": 50}, 200),
    ("group_by", {**FINE, "groupBy": "service_name"}, 200), ("sum", {**FINE, "aggregation": "sum"}, 200),
    ("avg", {**FINE, "aggregation": "avg"}, 200), ("odd_aggregation", {**FINE, "aggregation": "invalid"}, 200),
    ("nodes", {**FINE, "max-nodes": 1024}, 200), ("no_nodes", {**FINE, "maxNodes": 0}, 200),
    ("zero_range", {**FINE, "from": 0, "until": 0}, 400), ("zero_from", {**FINE, "from": 0}, 400),
    ("zero_until", {**FINE, "until": 0}, 400), ("no_query", {"from": "now-15m"}, 400),
    ("bad_query", {**FINE, "query": "bad_query"}, 400), ("no_type", {**FINE, "query": '{service_name="test"}'}, 400),
    ("bad_type", {**FINE, "query": 'invalid_format{service_name="test"}'}, 400), ("empty_query", {**FINE, "query": ""}, 400),
    ("short_type", {**FINE, "query": 'a:b{service_name="test"}'}, 400),
    ("dot_zero_range", {**FINE, "from": 0, "until": 0, "format": "dot"}, 400),
]
BOTH = {"leftQuery": QUERY, "leftFrom": "now-30m", "leftUntil": "now-15m", "rightQuery": QUERY, "rightFrom": "now-15m",
        "rightUntil": "now"}
DIFFS = [
    ("valid", BOTH, 200), ("same_range", {**BOTH, "leftFrom": "now-15m", "leftUntil": "now"}, 200),
    ("no_left", {k: v for k, v in BOTH.items() if k != "leftQuery"}, 400),
    ("no_right", {k: v for k, v in BOTH.items() if k != "rightQuery"}, 400), ("bad_left", {**BOTH, "leftQuery": "bad"}, 400),
    ("bad_right", {**BOTH, "rightQuery": "bad"}, 400), ("empty", {**BOTH, "leftQuery": ""}, 400),
    ("no_type", {**BOTH, "rightQuery": '{service_name="test"}'}, 400),
    ("types", {**BOTH, "rightQuery": 'memory:alloc_objects:count:space:bytes{service_name="pyroscope"}'}, 400),
    *[(f"zero_{name}", {**BOTH, name: 0}, 400) for name in ("leftFrom", "leftUntil", "rightFrom", "rightUntil")],
]


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("codes") / "data")
    yield server
    code, err = server.stop()
    assert code == 0, err


@pytest.mark.parametrize("method,name,body,status", CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
def test_a_call_has_its_status(server, method, name, body, status):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    got = server.request("POST", f"/querier.v1.QuerierService/{method}", body, {"Content-Type": "application/json"})
    assert got.status == status, got.body
    if status == 400:
        assert got.json()["code"] == "invalid_argument" and got.json()["message"]


@pytest.mark.parametrize("path,name,params,status", [
    *[("/pyroscope/render", *case) for case in RENDERS], *[("/pyroscope/render-diff", *case) for case in DIFFS],
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_rendering_has_its_status(server, path, name, params, status):
    got = server.get(path, **params)
    assert got.status == status, got.body


@pytest.mark.parametrize("path", ["/pyroscope/render", "/pyroscope/render-diff", "/pyroscope/label-values"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_renderings_are_got(server, path, method):
    assert server.request(method, path + "?query=x").status in (405, 501)
    if method == "POST":
        assert server.request(method, path + "?query=x").status == 405
