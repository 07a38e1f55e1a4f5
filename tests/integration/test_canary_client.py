# SPDX-License-Identifier: Apache-2.0
"""
The probes of profilecli's canary through Pyroscope's published client library for Go (tests/clients/canary), in Connect, gRPC
and gRPC-Web, proto and JSON: what each call answered is checked as the canary does, and is the same in every protocol.
"""

import base64
import json
import os
import re
import subprocess

import pytest

import stacks
from conftest import ROOT
from serving import Server

CANARY = ROOT / ".clients" / "bin" / "canary"
PROTOCOLS = ("connect", "connect-gzip", "connect-json", "grpc", "grpc-web")
SERVICE = "pyroscope-canary-exporter"
TYPE, OTLP_TYPE = "deadmans_switch:made_up:profilos:made_up:profilos", "otlp_test:otlp_test:count:otlp_test:samples"
WHOLE = {("func1",): 20, ("func2", "func1"): 10}
IN_SPAN = {("func1",): 20}


@pytest.fixture(scope="module")
def told(pyrometer, tmp_path_factory):
    """{call: {protocol: what the client was told}}"""
    if not CANARY.exists():
        pytest.skip("needs .clients/bin/canary, which tools/clients .clients makes with Go")
    server = Server(pyrometer, tmp_path_factory.mktemp("canary") / "data")
    try:
        run = subprocess.run([CANARY], env={**os.environ, "URL": server.url}, capture_output=True, text=True, timeout=120)
        assert run.returncode == 0, run.stderr
    finally:
        code, err = server.stop()
    assert code == 0, err
    calls = {}
    for line in map(json.loads, run.stdout.splitlines()):
        calls.setdefault(line["call"], {})[line["protocol"]] = line
    return calls


@pytest.fixture(params=PROTOCOLS)
def answer(told, request):
    """The answer to a call in one protocol."""
    def of(call):
        line = told[call][request.param]
        assert "answer" in line, line
        return line["answer"]
    return of


def flame(answer):
    return stacks.of_flame(answer["flamegraph"])


def test_every_protocol_made_every_call(told):
    assert len(told) >= 30
    for call, lines in told.items():
        assert set(lines) == set(PROTOCOLS), call


def test_uploads_are_taken(answer):
    for call in ("ingest push", "ingest otlp json", "ingest otlp proto", "ingest push again"):
        assert answer(call) == "taken"
    assert answer("ready").strip() == "ready"


def test_lists(answer):
    assert {TYPE, OTLP_TYPE} <= {one["ID"] for one in answer("ProfileTypes")["profileTypes"]}
    sets = [{pair["name"]: pair["value"] for pair in one["labels"]} for one in answer("Series")["labelsSet"]]
    assert {"service_name": SERVICE, "__profile_type__": TYPE} in sets
    assert {"__name__", "__period_type__", "__period_unit__", "__profile_type__", "__service_name__", "__type__", "__unit__",
            "service_name"} <= set(answer("LabelNames")["names"])
    assert answer("LabelValues")["names"] == [SERVICE]
    stats = answer("GetProfileStats")
    assert stats["dataIngested"] and int(stats["oldestProfileTime"]) > 0 and int(stats["newestProfileTime"]) > 0
    assert answer("AnalyzeQuery") is not None


def test_flame_graphs(answer):
    for call in ("SelectMergeStacktraces", "SelectMergeStacktraces PROFILE_FORMAT_FLAMEGRAPH",
                 "SelectMergeStacktraces of the exemplar"):
        assert flame(answer(call)) == WHOLE, call
        assert len(answer(call)["flamegraph"]["names"]) == len(answer(call)["flamegraph"]["levels"]) == 3
    for call in ("SelectMergeStacktraces by span", "SelectMergeStacktraces by trace", "SelectMergeSpanProfile"):
        assert flame(answer(call)) == IN_SPAN, call
        assert len(answer(call)["flamegraph"]["names"]) == len(answer(call)["flamegraph"]["levels"]) == 2
    assert stacks.of_tree(base64.b64decode(answer("SelectMergeStacktraces PROFILE_FORMAT_TREE")["tree"])) == WHOLE
    dot = answer("SelectMergeStacktraces PROFILE_FORMAT_DOT")["dot"]
    assert dot.startswith("digraph") and "func1" in dot and "func2" in dot
    diff = answer("Diff")["flamegraph"]
    assert (diff["leftTicks"], diff["rightTicks"], diff["total"]) == ("30", "30", "60") and len(diff["names"]) == 3


def test_pprofs_are_whole_for_googles_reader(answer):
    for call in ("stacks of SelectMergeProfile", "stacks of PPROF"):
        assert answer(call) == {">func1>func2": 10, ">func1": 20}, call
    assert answer("stacks of SelectMergeProfile otlp") == {">func2>func1": 20, ">func1": 40}, "both ways of ingestion"


def test_series_and_exemplars(answer):
    (series,) = answer("SelectSeries")["series"]
    assert series["labels"] == [{"name": "service_name", "value": SERVICE}]
    assert [point["value"] for point in series["points"]] == [30]
    for call, value, key in (("SelectSeries exemplars", "30", "profileId"), ("SelectSeries span exemplars", "20", "spanId")):
        (series,) = answer(call)["series"]
        (point,) = series["points"]
        (exemplar,) = point["exemplars"]
        assert exemplar["value"] == value and exemplar[key], call
    (series,) = answer("SelectHeatmap")["series"]
    assert sum(sum(slot["counts"]) for slot in series["slots"]) == 1


def test_render_and_render_diff(answer):
    for call in ("render", "render-diff"):
        bars = answer(call)["flamebearer"]
        assert len(bars["names"]) == len(bars["levels"]) == 3, call
    assert stacks.of_flame(answer("render")["flamebearer"]) == WHOLE


def test_mistakes_have_the_same_code_in_every_protocol(told):
    for call in ("wrong selector", "wrong type", "no range"):
        assert {line["code"] for line in told[call].values()} == {"invalid_argument"}, told[call]
        assert len({line["error"] for line in told[call].values()}) == 1, told[call]


VARYING = {"GetProfileStats": "grows with each protocol's uploads", "render": "counts time in seconds"}


def neutral(line):
    """Without what tells the runs of the protocols apart: the time, the host, ids made of the time."""
    text = json.dumps(line.get("answer"), sort_keys=True).replace(line["host"], "HOST")
    text = re.sub(r"7c9e6679-[0-9a-f-]{27}", "ID", text)
    text = re.sub(r'"(timeNanos)": "\d+"', r'"\1": "TIME"', text)
    return re.sub(r"\b\d{13}\b", lambda match: f"T{int(match[0]) - line['start']:+}", text)


def test_answers_are_the_same_in_every_protocol(told):
    for call, lines in told.items():
        if call not in VARYING:
            assert len(set(map(neutral, lines.values()))) == 1, (call, lines)
