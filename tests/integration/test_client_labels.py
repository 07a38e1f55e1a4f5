# SPDX-License-Identifier: Apache-2.0
"""
Labels and spans as real clients write them: pyroscope-go (TagWrapper, otel-profiling-go), pyroscope-io (tag_wrapper,
pyroscope-otel), Node (wrapWithLabels).  Each runs foo under one label and in spans of its own, bar under another; what the
server shows of a label, of a span and of a trace must be that function alone.
"""

import json
import os
import subprocess
import sys
import time

import pytest

import stacks
from serving import CPU, Server
from test_clients import BUILT, NODE_CPU, PROGRAMS, lacks_build, lacks_module

SECONDS = 4
CLIENTS = {  # the program, what it lacks here, its profile type, whether it knows spans
    "go": ([BUILT / "bin" / "labels"], lacks_build(BUILT / "bin" / "labels", "go"), CPU, True),
    "python": ([sys.executable, PROGRAMS / "labels_pyroscope_io.py"], lacks_module("pyroscope.otel"), CPU, True),
    "node": (["node", BUILT / "node" / "labels.js"], lacks_build(BUILT / "node" / "node_modules", "node"), NODE_CPU, False),
}


class Run:
    """All of them side by side, until they have sent everything and ended."""

    def __init__(self, pyrometer, data):
        self.server = Server(pyrometer, data)
        self.start = int(time.time()) * 1000 - 60_000
        running = {name: self.begin(name, argv) for name, (argv, lacks, *_) in CLIENTS.items() if not lacks}
        try:
            self.told = {name: self.end(process) for name, process in running.items()}
        finally:
            for process in running.values():
                process.kill()
                process.wait()

    def begin(self, name, argv):
        env = {**os.environ, "URL": self.server.url, "SERVICE": f"by-{name}", "SECONDS": str(SECONDS)}
        return subprocess.Popen([str(part) for part in argv], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @staticmethod
    def end(process):
        out, err = process.communicate(timeout=SECONDS + 60)
        assert process.returncode == 0, err
        return json.loads(out)

    def ask(self, method, **body):
        question = {"start": self.start, "end": int(time.time()) * 1000 + 60_000, **body}
        got = self.server.request("POST", f"/querier.v1.QuerierService/{method}", json.dumps(question),
                                  {"Content-Type": "application/json"})
        assert got.status == 200, got.body
        return got.json()

    def functions(self, name, more="", **body):
        """Values of foo and bar, however the client spells them."""
        answer = self.ask("SelectMergeStacktraces", profileTypeID=CLIENTS[name][2],
                          labelSelector=f'{{service_name="by-{name}"{more}}}', **body)
        found = {"foo": 0, "bar": 0}
        for stack, value in stacks.of_flame(answer.get("flamegraph", {"levels": []})).items():
            words = {word for frame in stack for word in frame.lower().replace(":", " ").replace(".", " ").split()}
            for function in found.keys() & words:
                found[function] += value
        return found


@pytest.fixture(scope="module")
def run(pyrometer, tmp_path_factory):
    run = Run(pyrometer, tmp_path_factory.mktemp("labels") / "data")
    yield run
    code, err = run.server.stop()
    assert code == 0, err


@pytest.fixture(params=CLIENTS)
def name(request):
    if CLIENTS[request.param][1]:
        pytest.skip(CLIENTS[request.param][1])
    return request.param


@pytest.fixture(params=[name for name, client in CLIENTS.items() if client[3]])
def spanned(request):
    if CLIENTS[request.param][1]:
        pytest.skip(CLIENTS[request.param][1])
    return request.param


def other(function):
    return "bar" if function == "foo" else "foo"


@pytest.mark.parametrize("function", ["foo", "bar"])
def test_a_label_shows_its_function_alone(run, name, function):
    found = run.functions(name, f',route="{function}"')
    assert found[function] > 0 and found[other(function)] <= 0.03 * found[function], found
    unlabelled = run.functions(name, ',route=""')
    assert unlabelled[function] <= 0.1 * found[function] + 50_000_000, (unlabelled, found)


def test_a_timeline_by_label_divides_the_whole(run, name):
    question = {"profileTypeID": CLIENTS[name][2], "labelSelector": f'{{service_name="by-{name}"}}', "step": 3600}
    (whole,) = run.ask("SelectSeries", **question)["series"]
    lines = run.ask("SelectSeries", groupBy=["route"], **question)["series"]
    sums = {line["labels"][0]["value"] if line.get("labels") else "": sum(point["value"] for point in line["points"])
            for line in lines}
    assert {"foo", "bar"} <= set(sums) and sums["foo"] > sums["bar"] > 0
    assert sum(sums.values()) == sum(point["value"] for point in whole["points"])


@pytest.mark.parametrize("function", ["foo", "bar"])
@pytest.mark.parametrize("selector,ids", [("spanSelector", "spans"), ("traceIdSelector", "traces")])
def test_spans_and_traces_are_the_work_done_in_them(run, spanned, function, selector, ids):
    mine = run.told[spanned][function][ids]
    labelled, found = (run.functions(spanned, f',route="{function}"', **body) for body in ({}, {selector: mine}))
    assert found[other(function)] <= 0.03 * found[function], found
    assert 0.9 * labelled[function] <= found[function] <= 1.1 * labelled[function], (found, labelled)
    one = [run.functions(spanned, **{selector: [ident]})[function] for ident in mine[:5]]
    assert sum(one) == run.functions(spanned, **{selector: mine[:5]})[function], "each span is its own"
    assert run.functions(spanned, **{selector: [mine[0][::-1]]}) == {"foo": 0, "bar": 0}


def test_exemplars_name_the_spans_of_the_program(run, spanned):
    answer = run.ask("SelectSeries", profileTypeID=CLIENTS[spanned][2], labelSelector=f'{{service_name="by-{spanned}"}}',
                     groupBy=["route"], step=3600, exemplarType="EXEMPLAR_TYPE_SPAN")
    for line in answer["series"]:
        if line.get("labels"):
            told = run.told[spanned][line["labels"][0]["value"]]
            exemplars = [one for point in line["points"] for one in point.get("exemplars", [])]
            assert exemplars and all(one["spanId"] in told["spans"] and one["traceId"] in told["traces"] for one in exemplars)


def test_ids_make_no_series(run, name):
    names = run.ask("LabelNames", matchers=[f'{{service_name="by-{name}"}}'])["names"]
    assert "route" in names and not {"span_id", "trace_id", "profile_id"} & set(names)
    assert run.server.metric("span_samples_spoilt_total") == 0
