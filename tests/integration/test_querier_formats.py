# SPDX-License-Identifier: Apache-2.0
"""What SelectMergeStacktraces, SelectMergeProfile and SelectSeries can narrow and in which formats they answer."""

import base64
import json
import re
import time

import pytest

import stacks
from serving import CPU, Server, pprof

NOW = int(time.time()) // 60 * 60
START, END = (NOW - 600) * 1000, NOW * 1000
STACKS = {("main", "work", "foo"): 700 * 10**6, ("main", "work", "bar"): 200 * 10**6,
          ("main", "idle"): 60 * 10**6, ("other_root", "work", "foo"): 40 * 10**6}
QUERIER = "/querier.v1.QuerierService/"


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("formats") / "data")
    for region, minutes in (("eu", 5), ("us", 3)):
        body = pprof(STACKS, time_ns=(NOW - 60 * minutes) * 10**9)
        labels = {"__name__": "process_cpu", "service_name": "shop", "region": region}
        assert server.push([(labels, [(body, None)])]).status == 200
    yield server
    code, err = server.stop()
    assert code == 0, err


def ask(server, method, **body):
    question = {"profileTypeID": CPU, "labelSelector": '{service_name="shop",region="eu"}', "start": START, "end": END}
    return server.request("POST", QUERIER + method, json.dumps({**question, **body}).encode(),
                          {"Content-Type": "application/json"})


def stacks_of(server, format, **body):
    """The same of any format that has whole stacks."""
    got = ask(server, "SelectMergeStacktraces", format=f"PROFILE_FORMAT_{format}", **body)
    assert got.status == 200, got.body
    if format == "PPROF":
        return stacks.of_pprof(got.json()["pprof"]["profile"])
    if format == "TREE":
        return stacks.of_tree(base64.b64decode(got.json().get("tree", "AAAA")))
    return stacks.of_flame(got.json()["flamegraph"])


WHOLE = ("FLAMEGRAPH", "TREE", "PPROF")


@pytest.mark.parametrize("format", WHOLE)
def test_every_format_has_the_same_stacks(server, format):
    assert stacks_of(server, format) == STACKS
    both = stacks_of(server, format, labelSelector='{service_name="shop"}')
    assert both == {stack: 2 * value for stack, value in STACKS.items()}


@pytest.mark.parametrize("format", WHOLE)
def test_a_call_site_is_where_stacks_begin(server, format):
    def at(*names):
        return stacks_of(server, format, stackTraceSelector={"callSite": [{"name": name} for name in names]})

    assert at("main", "work") == {stack: value for stack, value in STACKS.items() if stack[:2] == ("main", "work")}
    assert at("other_root") == {("other_root", "work", "foo"): 40 * 10**6}
    assert at("work") == {} and at("main", "work", "foo", "deeper") == {}
    assert at() == STACKS


@pytest.mark.parametrize("format", WHOLE)
def test_frames_are_filtered(server, format):
    def by(**filter):
        return stacks_of(server, format, stackTraceSelector={"frameFilter": filter})

    without = {("main", "foo"): 700 * 10**6, ("main", "bar"): 200 * 10**6, ("main", "idle"): 60 * 10**6,
               ("other_root", "foo"): 40 * 10**6}
    assert by(excludeFunctionNames=["work"]) == without
    assert by(excludeRegexes=["w.*k"]) == without
    assert by(includeRegexes=["main|foo"], includeFunctionNames=["bar"]) == {
        ("main", "foo"): 700 * 10**6, ("main", "bar"): 200 * 10**6, ("main",): 60 * 10**6, ("foo",): 40 * 10**6}
    bad = ask(server, "SelectMergeStacktraces", stackTraceSelector={"frameFilter": {"includeRegexes": ["("]}})
    assert bad.status == 400 and bad.json()["code"] == "invalid_argument"


@pytest.mark.parametrize("format", WHOLE)
def test_the_largest_nodes_stay_and_the_rest_is_other(server, format):
    got = stacks_of(server, format, maxNodes=4)
    assert sum(got.values()) == sum(STACKS.values())
    assert got[("main", "work", "foo")] == 700 * 10**6
    others = {stack: value for stack, value in got.items() if stack[-1] == "other"}
    assert others and all(value >= 40 * 10**6 for value in others.values())


def test_for_compilers_the_innermost_frames_are_enough(server):
    got = stacks_of(server, "PPROF", stackTraceSelector={"goPgo": {"keepLocations": 2, "aggregateCallees": True}})
    assert got == {("work", "foo"): 740 * 10**6, ("work", "bar"): 200 * 10**6, ("main", "idle"): 60 * 10**6}
    profile = ask(server, "SelectMergeProfile", stackTraceSelector={"goPgo": {"keepLocations": 1,
                                                                              "aggregateCallees": True}}).json()
    assert stacks.of_pprof(profile) == {("foo",): 740 * 10**6, ("bar",): 200 * 10**6, ("idle",): 60 * 10**6}
    assert all("line" not in line for one in profile["location"] for line in one["line"])


def test_a_profile_can_be_narrowed(server):
    whole = ask(server, "SelectMergeProfile")
    assert stacks.of_pprof(whole.json()) == STACKS
    assert stacks.of_pprof(ask(server, "SelectMergeProfile", maxNodes=4).json()) == stacks_of(server, "PPROF", maxNodes=4)
    at = ask(server, "SelectMergeProfile", stackTraceSelector={"callSite": [{"name": "other_root"}]})
    assert stacks.of_pprof(at.json()) == {("other_root", "work", "foo"): 40 * 10**6}


def dot_of(text):
    """({function: (own share, total share)}, {(caller, callee): is it dotted})."""
    names = {number: label.split("\\n")[0] for number, label in re.findall(r'^(N\d+) \[label="(.*?)" id=', text, re.M)}
    arrows = {(names[a], names[b]): "dotted" in rest for a, b, rest in re.findall(r"^(N\d+) -> (N\d+) \[(.*)\]$", text,
                                                                                re.M)}
    return names.values(), arrows


def test_dot_draws_functions_and_calls(server):
    text = ask(server, "SelectMergeStacktraces", format="PROFILE_FORMAT_DOT").json()["dot"]
    assert text.startswith('digraph "shop" {\nnode [style=filled') and text.endswith("}\n")
    names, arrows = dot_of(text)
    assert sorted(names) == ["bar", "foo", "idle", "main", "other_root", "work"]
    assert arrows == {("main", "work"): False, ("work", "foo"): False, ("work", "bar"): False, ("main", "idle"): False,
                      ("other_root", "work"): False}
    assert "740.00 ms (74.00 %)" in text and "1.00 s" in text
    few, arrows = dot_of(ask(server, "SelectMergeStacktraces", format=3, maxNodes=2).json()["dot"])
    assert sorted(few) == ["main", "work"] and arrows == {("main", "work"): False}
    nothing = ask(server, "SelectMergeStacktraces", format=3, labelSelector='{service_name="nosuch"}')
    assert (nothing.status, nothing.json()) == (200, {})


def test_dot_skips_what_is_too_small_with_a_dotted_arrow(server, pyrometer, tmp_path):
    body = pprof({("a", "thin", "b"): 100 * 10**6, ("a", "b"): 1, ('quo"te\\', "b"): 10**9}, time_ns=(NOW - 300) * 10**9)
    assert server.push([({"__name__": "process_cpu", "service_name": "dots"}, [(body, None)])]).status == 200
    text = ask(server, "SelectMergeStacktraces", format=3, labelSelector='{service_name="dots"}', maxNodes=3).json()["dot"]
    assert 'label="quo\\"te\\\\\\n' in text
    assert '-> N1 [label=" 100.00 ms"' in text


def test_series_of_some_stacks(server):
    def series(**body):
        got = ask(server, "SelectSeries", step=15, labelSelector='{service_name="shop"}', groupBy=["region"], **body)
        assert got.status == 200, got.body
        return {line["labels"][0]["value"]: sum(point["value"] for point in line["points"])
                for line in got.json().get("series", [])}

    assert series() == {"eu": 1e9, "us": 1e9}
    assert series(stackTraceSelector={"callSite": [{"name": "main"}, {"name": "work"}]}) == {"eu": 9e8, "us": 9e8}
    assert series(stackTraceSelector={"callSite": [{"name": "nosuch"}]}) == {}
    alone = ask(server, "SelectSeries", step=600, labelSelector='{region="us"}',
                stackTraceSelector={"callSite": [{"name": "other_root"}]}).json()["series"]
    assert [point["value"] for line in alone for point in line["points"]] == [4e7]


@pytest.mark.parametrize("body,status,code", [
    ({"maxNodes": -1}, 400, "invalid_argument"),
    ({"maxNodes": 1 << 21}, 400, "invalid_argument"),
    ({"format": 17}, 501, "unimplemented"),
    ({"format": "PROFILE_FORMAT_SANDWICH", "sandwichFunction": "work"}, 501, "unimplemented"),
    ({"format": "PROFILE_FORMAT_FUNCTIONS"}, 501, "unimplemented"),
    ({"format": "PROFILE_FORMAT_NONE"}, 400, "invalid_argument"),
    ({"spanSelector": ["9a517183f26a089d"], "traceIdSelector": ["5a4fe264a9c987fe5a4fe264a9c987fe"]}, 400,
     "invalid_argument"),
    ({"stackTraceSelector": {"callSite": [{"name": "x"}] * 1025}}, 429, "resource_exhausted"),
    ({"stackTraceSelector": {"callSite": 7}}, 400, "invalid_argument"),
])
def test_what_cannot_be_answered_is_said(server, body, status, code):
    got = ask(server, "SelectMergeStacktraces", **body)
    assert (got.status, got.json()["code"]) == (status, code), got.body
