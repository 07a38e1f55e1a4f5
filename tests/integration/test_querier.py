# SPDX-License-Identifier: Apache-2.0
"""querier.v1.QuerierService, as Grafana and profilecli ask it: in proto and JSON, by Connect and gRPC."""

import json
import struct
import time

import pytest

from serving import CPU, Server, field, pprof, push_request

NOW = int(time.time()) // 60 * 60
START, END = (NOW - 600) * 1000, NOW * 1000
STACKS = {("main", "work", "foo"): 750 * 10**6, ("main", "work", "bar"): 250 * 10**6}


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("querier") / "data")
    for service, region, times in (("shop", "eu", 2), ("shop", "us", 1), ("cron", "eu", 1)):
        body = pprof({stack: value * times for stack, value in STACKS.items()}, time_ns=(NOW - 300) * 10**9)
        labels = {"__name__": "process_cpu", "service_name": service, "region": region}
        answer = server.push([(labels, [(body, None)])])
        assert answer.status == 200, answer.body
    yield server
    code, err = server.stop()
    assert code == 0, err


def ask(server, method, body, **headers):
    return server.request("POST", f"/querier.v1.QuerierService/{method}", json.dumps(body).encode(),
                          {"Content-Type": "application/json", **headers})


def answer(server, method, **body):
    got = ask(server, method, {"start": START, "end": END, **body})
    assert got.status == 200, got.body
    return got.json()


def test_profile_types(server):
    (one,) = answer(server, "ProfileTypes")["profileTypes"]
    assert one == {"ID": CPU, "name": "process_cpu", "sampleType": "cpu", "sampleUnit": "nanoseconds",
                   "periodType": "cpu", "periodUnit": "nanoseconds"}
    assert ask(server, "ProfileTypes", {"start": 1000, "end": 4000}).json() == {}  # how Grafana asks whether we live
    assert ask(server, "ProfileTypes", {}).json()["profileTypes"] == [one]


def test_label_names_and_values(server):
    names = answer(server, "LabelNames")["names"]
    assert names == sorted(names) and {"region", "service_name", "__profile_type__", "__unit__"} <= set(names)
    assert answer(server, "LabelValues", name="service_name")["names"] == ["cron", "shop"]
    assert answer(server, "LabelValues", name="region", matchers=['{service_name=~"c.*"}'])["names"] == ["eu"]
    assert answer(server, "LabelValues", name="__profile_type__")["names"] == [CPU]
    assert answer(server, "LabelValues", name="nosuch") == {}
    assert answer(server, "LabelNames", matchers=["{}"])["names"] == names
    assert answer(server, "LabelNames", matchers=[""])["names"] == names


def test_series(server):
    whole = answer(server, "Series", matchers=[], labelNames=["service_name", "__profile_type__"])["labelsSet"]
    assert [[pair["value"] for pair in one["labels"]] for one in whole] == [[CPU, "cron"], [CPU, "shop"]]
    two = answer(server, "Series", matchers=['{region="us"}', '{service_name="cron"}'],
                 labelNames=["region"])["labelsSet"]
    assert [one["labels"][0]["value"] for one in two] == ["eu", "us"]


def test_flame_graph(server):
    got = answer(server, "SelectMergeStacktraces", profileTypeID=CPU, labelSelector='{service_name="shop"}',
                 maxNodes=64, format="PROFILE_FORMAT_FLAMEGRAPH")["flamegraph"]
    names, levels = got["names"], [[int(v) for v in level["values"]] for level in got["levels"]]
    assert got["total"] == "3000000000" and got["maxSelf"] == "2250000000" and names[0] == "total"
    boxes = {}
    for level in levels:
        x = 0
        for gap, total, own, name in zip(*[iter(level)] * 4):
            boxes[names[name]] = (x + gap, total, own)
            x += gap + total
    assert boxes == {"total": (0, 3 * 10**9, 0), "main": (0, 3 * 10**9, 0), "work": (0, 3 * 10**9, 0),
                     "bar": (0, 750 * 10**6, 750 * 10**6), "foo": (750 * 10**6, 2250 * 10**6, 2250 * 10**6)}


def test_what_is_cut_is_called_other(server):
    got = answer(server, "SelectMergeStacktraces", profile_typeID=CPU, label_selector="{}", max_nodes=3)["flamegraph"]
    assert "other" in got["names"] and got["total"] == "4000000000"


def test_nothing_found_is_an_empty_graph(server):
    got = answer(server, "SelectMergeStacktraces", profileTypeID=CPU, labelSelector='{service_name="nosuch"}')
    assert got == {"flamegraph": {"names": ["total"], "levels": [{"values": ["0", "0", "0", "0"]}]}}


def test_series_of_values(server):
    got = answer(server, "SelectSeries", profileTypeID=CPU, labelSelector="{}", step=60, groupBy=["service_name"])
    rows = {row["labels"][0]["value"]: row["points"] for row in got["series"]}
    assert sum(point["value"] for point in rows["shop"]) == 3e9
    assert sum(point["value"] for point in rows["cron"]) == 1e9
    assert all((int(point["timestamp"]) - START) % 60_000 == 0 for point in rows["shop"])
    best = answer(server, "SelectSeries", profileTypeID=CPU, labelSelector="{}", step=60, groupBy=["service_name"],
                  limit=1)
    assert [row["labels"][0]["value"] for row in best["series"]] == ["shop"]
    assert answer(server, "SelectSeries", profileTypeID=CPU, labelSelector='{a="b"}', step=15) == {}


def boxes_of(levels, names):
    """{name: (x before, total before, own before, x after, total after, own after)} of a double flame graph."""
    boxes = {}
    for level in levels:
        x = [0, 0]
        for one in zip(*[iter(map(int, level))] * 7):
            sides = []
            for side in range(2):
                gap, total, own = one[3 * side:3 * side + 3]
                sides += [x[side] + gap, total, own]
                x[side] += gap + total
            boxes[names[one[6]]] = tuple(sides)
    return boxes


BOTH = {"total": (0, 2 * 10**9, 0, 0, 10**9, 0), "main": (0, 2 * 10**9, 0, 0, 10**9, 0),
        "work": (0, 2 * 10**9, 0, 0, 10**9, 0),
        "bar": (0, 500 * 10**6, 500 * 10**6, 0, 250 * 10**6, 250 * 10**6),
        "foo": (500 * 10**6, 1500 * 10**6, 1500 * 10**6, 250 * 10**6, 750 * 10**6, 750 * 10**6)}


def test_two_selections_are_compared(server):
    left, right = ({"profileTypeID": CPU, "labelSelector": f'{{service_name="shop",region="{region}"}}',
                    "start": START, "end": END} for region in ("eu", "us"))
    got = ask(server, "Diff", {"left": left, "right": right})
    assert got.status == 200, got.body
    got = got.json()["flamegraph"]
    assert boxes_of([level["values"] for level in got["levels"]], got["names"]) == BOTH
    assert (got["total"], got["leftTicks"], got["rightTicks"]) == ("3000000000", "2000000000", "1000000000")
    bad = ask(server, "Diff", {"left": left})
    assert bad.status == 400 and "missing time range" in bad.json()["message"]


def render(server, path="/pyroscope/render", **params):
    return server.get(path, **params)


def test_render_gives_a_flamebearer_with_its_timeline(server):
    got = render(server, query=CPU + '{service_name="shop"}', **{"from": START, "until": END}, groupBy="region").json()
    assert got["version"] == 1 and got["flamebearer"]["numTicks"] == 3 * 10**9
    assert got["flamebearer"]["levels"][0] == [0, 3 * 10**9, 0, 0] and got["flamebearer"]["names"][0] == "total"
    assert got["metadata"] == {"format": "single", "spyName": "", "sampleRate": 10**9, "units": "samples", "name": "cpu"}
    assert sum(got["timeline"]["samples"]) == 3 * 10**9 and got["timeline"]["durationDelta"] == 15
    assert {name: sum(line["samples"]) for name, line in got["groups"].items()} == {"eu": 2 * 10**9, "us": 10**9}
    assert got["heatmap"] is None
    named = render(server, query=f'{{__name__="{CPU}"}}', **{"from": "now-1h"}, maxNodes=3).json()
    assert named["flamebearer"]["numTicks"] == 4 * 10**9 and named["groups"] is None


def test_render_diff_gives_both_sides(server):
    sides = {f"{side}{name}": value for side, region in (("left", "eu"), ("right", "us"))
             for name, value in (("Query", f'{CPU}{{service_name="shop",region="{region}"}}'),
                                 ("From", START), ("Until", END))}
    got = render(server, "/pyroscope/render-diff", **sides).json()
    assert boxes_of(got["flamebearer"]["levels"], got["flamebearer"]["names"]) == BOTH
    assert (got["leftTicks"], got["rightTicks"], got["metadata"]["format"]) == (2 * 10**9, 10**9, "double")


@pytest.mark.parametrize("params,text", [
    ({"from": "now-1h"}, '"query" is required'),
    ({"query": '{service_name="shop"}'}, '"query" must contain a profile-type selection'),
    ({"query": CPU + "{}", "from": "yesterday"}, "from"),
    ({"query": CPU + "{}", "from": "now", "until": "now-1h"}, "query start time is after end time"),
    ({"query": CPU + "{}", "maxNodes": "x"}, "maxNodes"),
])
def test_bad_renderings_are_refused_in_one_line(server, params, text):
    got = render(server, **params)
    assert got.status == 400 and got.json()["code"] == "invalid_argument" and text in got.json()["message"]


def test_a_pprof_of_everything(server):
    got = answer(server, "SelectMergeProfile", profileTypeID=CPU, labelSelector='{service_name="shop"}')
    texts = got["stringTable"]
    assert {"main", "work", "foo", "bar"} <= set(texts)
    assert sum(int(value) for one in got["sample"] for value in one["value"]) == 3 * 10**9
    assert [texts[int(t["type"])] for t in got["sampleType"]] == ["cpu"]


def test_stats(server):
    got = answer(server, "GetProfileStats")
    assert got["dataIngested"] is True and int(got["oldestProfileTime"]) <= int(got["newestProfileTime"])
    assert answer(server, "AnalyzeQuery", query=CPU + "{}") == {}


def request_message(selector):
    return field(1, CPU) + field(2, selector) + field(3, START) + field(4, END) + field(5, 64)


def test_proto_and_grpc_say_the_same(server):
    message = request_message('{service_name="shop"}')
    path = "/querier.v1.QuerierService/SelectMergeStacktraces"
    plain = server.request("POST", path, message, {"Content-Type": "application/proto"})
    assert plain.status == 200 and b"foo" in plain.body
    frame = b"\0" + struct.pack(">I", len(message)) + message
    framed = server.request("POST", path, frame, {"Content-Type": "application/grpc", "TE": "trailers"})
    assert framed.status == 200 and framed.body == b"\0" + struct.pack(">I", len(plain.body)) + plain.body


@pytest.mark.parametrize("method,body,status,text", [
    ("LabelValues", {"start": START, "end": END}, 400, "name is required"),
    ("SelectSeries", {"profileTypeID": CPU, "labelSelector": "{}", "start": START, "end": END, "step": 0}, 400,
     "step must be >= 1ms"),
    ("SelectMergeStacktraces", {"profileTypeID": "bad", "labelSelector": "{}", "start": START, "end": END}, 400,
     "profile-type selection must be of the form"),
    ("SelectMergeStacktraces", {"profileTypeID": CPU, "labelSelector": "{a=}", "start": START, "end": END}, 400, ""),
    ("SelectMergeStacktraces", {"profileTypeID": CPU, "labelSelector": "{}", "start": END, "end": START}, 400,
     "query start time is after end time"),
    ("SelectMergeStacktraces", {"unknownField": 1}, 400, "missing time range in the query"),
    ("SelectMergeStacktraces", {"start": "x"}, 400, "start has to be an integer"),
    ("SelectMergeStacktraces", {"format": "PROFILE_FORMAT_NONE"}, 400, "names"),
    ("SelectSeries", {"profileTypeID": CPU, "labelSelector": "{}", "start": 1, "end": END, "step": 0.001}, 400, "steps"),
])
def test_bad_questions_are_answered_in_one_line(server, method, body, status, text):
    got = ask(server, method, body)
    assert got.status == status, got.body
    assert got.json()["code"] == "invalid_argument" and text in got.json()["message"]


def test_broken_json_is_an_invalid_argument(server):
    got = server.request("POST", "/querier.v1.QuerierService/Series", b"{broken", {"Content-Type": "application/json"})
    assert got.status == 400 and got.json()["code"] == "invalid_argument"


DERIVED = {"__type__": "cpu", "__unit__": "nanoseconds", "__period_type__": "cpu", "__period_unit__": "nanoseconds",
           "__name__": "process_cpu", "__profile_type__": CPU, "__service_name__": "cron"}


@pytest.mark.parametrize("name,value", DERIVED.items())
def test_labels_of_the_profile_type_select_and_group(server, name, value):
    def services(matcher):
        found = answer(server, "Series", matchers=[f"{{{matcher}}}"], labelNames=["service_name"]).get("labelsSet", [])
        return [one["labels"][0]["value"] for one in found]

    both = ["cron"] if name == "__service_name__" else ["cron", "shop"]
    rest = [service for service in ("cron", "shop") if service not in both]
    assert services(f'{name}="{value}"') == both and services(f'{name}!="{value}"') == rest
    assert services(f'{name}=~"no|{value[:2]}.*"') == both and services(f'{name}!~"{value[:2]}.*"') == rest
    assert services(f'{name}="{value[:-1]}."') == [], "a text is no expression"
    flame = answer(server, "SelectMergeStacktraces", profileTypeID=CPU, labelSelector=f'{{{name}="{value}"}}')
    assert flame["flamegraph"]["total"] == str(10**9 if name == "__service_name__" else 4 * 10**9)
    lines = answer(server, "SelectSeries", profileTypeID=CPU, labelSelector='{service_name="cron"}', step=600,
                   groupBy=["region", name])["series"]
    assert [one["labels"] for one in lines] == [[{"name": name, "value": value}, {"name": "region", "value": "eu"}]]
