# SPDX-License-Identifier: Apache-2.0
"""Exemplars, span profiles and heatmaps: what Grafana, profilecli and its canary ask about single profiles and requests."""

import collections
import json
import random
import struct
import time
import uuid

import pytest

from profiles import fields, numbers
from serving import CPU, Server, field, pprof, push_request

NOW = int(time.time()) // 60 * 60
BASE = NOW - 1800  # of the random profiles
START, END = (BASE - 60) * 1000, (BASE + 600) * 1000
TRACES = ["0af7651916cd43dd8448eb211c80319c", "11112222333344445555666677778888"]
SPANS = [f"{0x9a517183f26a0000 + i:016x}" for i in range(12)]
DEADMAN = "deadmans_switch:made_up:profilos:made_up:profilos"
CANARY_SPAN = "00000bac2a5ab0c7"

Sent = collections.namedtuple("Sent", "region start_s ident samples")  # samples: [(stack, value, labels)]


def make_profiles():
    """Requests of three regions: the same spans in several profiles, each with samples of none, too."""
    rng = random.Random(7)
    out = []
    for i in range(30):
        samples = []
        for _ in range(20):
            stack = ("main", *(f"f{rng.randrange(4)}" for _ in range(rng.randrange(1, 4))))
            labels = {}
            if rng.random() < 0.8:
                span = rng.randrange(len(SPANS))
                labels = {"span_id": SPANS[span]}
                if span % 3:
                    labels["trace_id"] = TRACES[span % 3 - 1]
            samples.append((stack, rng.randrange(1, 10**6) * 1000, labels))  # whole microseconds, as profiles are kept
        out.append(Sent(rng.choice(["eu", "us", "asia"]), BASE + 10 * i, str(uuid.UUID(int=rng.getrandbits(128))), samples))
    return out


PROFILES = make_profiles()


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("spans") / "data")
    for sent in PROFILES:
        body = pprof(sent.samples, time_ns=sent.start_s * 10**9)
        labels = {"__name__": "process_cpu", "service_name": "shop", "region": sent.region}
        assert server.push([(labels, [(body, sent.ident)])]).status == 200
    yield server
    code, err = server.stop()
    assert code == 0, err


def ask(server, method, **body):
    whole = {"profileTypeID": CPU, "labelSelector": '{service_name="shop"}', "start": START, "end": END, **body}
    return server.request("POST", f"/querier.v1.QuerierService/{method}", json.dumps(whole).encode(),
                          {"Content-Type": "application/json"})


def answer(server, method, **body):
    got = ask(server, method, **body)
    assert got.status == 200, got.body
    return got.json()


def stacks_of(profile):
    """{stack: value} of a google.v1.Profile in JSON."""
    strings = profile["stringTable"]
    functions = {one["id"]: strings[int(one["name"])] for one in profile.get("function", [])}
    locations = {one["id"]: functions[one["line"][0]["functionId"]] for one in profile.get("location", [])}
    out = collections.Counter()
    for sample in profile.get("sample", []):
        out[tuple(locations[i] for i in reversed(sample["locationId"]))] += int(sample["value"][0])
    return out


def expected(keep):
    out = collections.Counter()
    for sent in PROFILES:
        for stack, value, labels in sent.samples:
            if keep(sent, labels):
                out[stack] += value
    return out


def merged(server, **ids):
    got = answer(server, "SelectMergeStacktraces", format="PROFILE_FORMAT_PPROF", **ids)
    return stacks_of(got["pprof"]["profile"])


# ---- picked by id ----

@pytest.mark.parametrize("span", [0, 1, 5, 11])
def test_a_span_profile_is_the_sum_of_its_samples(server, span):
    assert merged(server, spanSelector=[SPANS[span]]) == expected(lambda _, labels: labels.get("span_id") == SPANS[span])


def test_several_spans_add_up(server):
    two = SPANS[2:4]
    assert merged(server, spanSelector=two) == expected(lambda _, labels: labels.get("span_id") in two)


@pytest.mark.parametrize("trace", TRACES)
def test_a_trace_is_all_of_its_spans(server, trace):
    whole = expected(lambda _, labels: labels.get("trace_id") == trace)
    assert merged(server, traceIdSelector=[trace]) == whole
    got = answer(server, "SelectMergeProfile", traceIdSelector=[trace])
    assert stacks_of(got) == whole


def test_a_profile_is_picked_by_its_name(server):
    for sent in PROFILES[::7]:
        whole = expected(lambda one, _: one.ident == sent.ident)
        assert merged(server, profileIdSelector=[sent.ident]) == whole
        assert merged(server, profileIdSelector=[sent.ident.replace("-", "").upper()]) == whole
        assert stacks_of(answer(server, "SelectMergeProfile", profileIdSelector=[sent.ident])) == whole


def test_profile_and_span_have_to_agree(server):
    sent = PROFILES[3]
    span = next(labels["span_id"] for _, _, labels in sent.samples if labels)
    assert merged(server, profileIdSelector=[sent.ident], spanSelector=[span]) == expected(
        lambda one, labels: one.ident == sent.ident and labels.get("span_id") == span)


def test_labels_and_ranges_bound_what_is_picked(server):
    got = merged(server, spanSelector=[SPANS[1]], labelSelector='{region="eu"}')
    assert got == expected(lambda sent, labels: sent.region == "eu" and labels.get("span_id") == SPANS[1])
    # A profile that overlaps the range counts whole: where in it the span was nobody knows.
    got = merged(server, spanSelector=[SPANS[1]], start=(BASE + 5) * 1000, end=(BASE + 15) * 1000)
    assert got == expected(lambda sent, labels: sent.start_s <= BASE + 10 and labels.get("span_id") == SPANS[1])


def test_the_former_way_to_ask_for_a_span_profile(server):
    got = answer(server, "SelectMergeSpanProfile", spanSelector=[SPANS[4]])["flamegraph"]
    whole = expected(lambda _, labels: labels.get("span_id") == SPANS[4])
    assert int(got["total"]) == sum(whole.values())
    assert set(got["names"]) == {"total", *(name for stack in whole for name in stack)}
    # Shape of the recorded answer for a span that is not there.
    assert answer(server, "SelectMergeSpanProfile", spanSelector=["9a517183f26a089d"]) == {
        "flamegraph": {"names": ["total"], "levels": [{"values": ["0", "0", "0", "0"]}]}}


def test_what_is_no_id_is_refused_and_not_in_the_cache_of_another(server):
    for bad in ({"spanSelector": ["9a517183f26a089"]}, {"spanSelector": [""]}, {"traceIdSelector": [SPANS[0]]},
                {"spanSelector": ["9a517183f26a089g"]}):
        got = ask(server, "SelectMergeStacktraces", **bad)
        assert got.status == 400 and got.json()["code"] == "invalid_argument", bad
    assert merged(server, profileIdSelector=["nosuch"]) == {}
    assert merged(server) == expected(lambda *_: True)


# ---- exemplars ----

def totals(keep=lambda *_: True):
    """{(time, profile, span, trace): value}"""
    out = collections.Counter()
    for sent in PROFILES:
        for _, value, labels in sent.samples:
            if keep(sent, labels):
                out[sent.start_s, sent.ident, labels.get("span_id"), labels.get("trace_id", "")] += value
    return out


def test_points_have_their_greatest_profile(server):
    got = answer(server, "SelectSeries", step=60, exemplarType="EXEMPLAR_TYPE_INDIVIDUAL", groupBy=["region"])
    seen = 0
    for series in got["series"]:
        (region,) = [pair["value"] for pair in series["labels"]]
        for point in series["points"]:
            until = int(point["timestamp"]) // 1000
            inside = [sent for sent in PROFILES if sent.region == region and until - 60 <= sent.start_s < until]
            if not inside:  # the end of one that began before
                assert "exemplars" not in point
                continue
            (one,) = point["exemplars"]
            best = max(inside, key=lambda sent: sum(value for _, value, _ in sent.samples))
            assert one["profileId"] == best.ident and "spanId" not in one
            assert int(one["value"]) == sum(value for _, value, _ in best.samples)
            assert int(one["timestamp"]) == best.start_s * 1000
            assert one["labels"] == [{"name": "service_name", "value": "shop"}]
            seen += 1
    assert seen >= 10


def test_points_have_their_greatest_span(server):
    got = answer(server, "SelectSeries", step=60, exemplarType="EXEMPLAR_TYPE_SPAN")
    spans = totals(lambda _, labels: labels)
    for point in got["series"][0]["points"]:
        until = int(point["timestamp"]) // 1000
        inside = {key: value for key, value in spans.items() if until - 60 <= key[0] < until}
        if inside:
            (one,) = point["exemplars"]
            best = max(inside, key=inside.get)
            assert (one["spanId"], one.get("traceId", ""), int(one["value"])) == (best[2], best[3], inside[best])
    assert "exemplars" not in answer(server, "SelectSeries", step=60)["series"][0]["points"][0]


def heatmap_of(values, start_s, step):
    """{right edge: [counts of twenty rows]} and the rows' lower edges, from {(time, …): value}."""
    low, high = min(values.values()), max(values.values())
    edges = [low + int(i * (high - low) / 20) for i in range(20)]
    out = collections.defaultdict(lambda: [0] * 20)
    for key, value in values.items():
        at = start_s + max(0, -(-(key[0] - start_s) // step) * step)
        out[at][max(i for i in range(20) if value >= edges[i])] += 1
    return edges, dict(out)


@pytest.mark.parametrize("step", [15, 60, 3600])
def test_a_heatmap_of_spans_counts_them_by_time_and_value(server, step):
    got = answer(server, "SelectHeatmap", step=step, queryType="HEATMAP_QUERY_TYPE_SPAN")
    spans = totals(lambda _, labels: labels)
    edges, counts = heatmap_of(spans, START // 1000, step)
    (series,) = got["series"]
    assert {int(slot["timestamp"]) // 1000: slot["counts"] for slot in series["slots"]} == counts
    assert all(slot["yMin"] == edges and "exemplars" not in slot for slot in series["slots"])
    times = [int(slot["timestamp"]) for slot in series["slots"]]
    assert times == sorted(times)


def test_a_heatmap_has_the_greatest_of_each_cell(server):
    got = answer(server, "SelectHeatmap", step=60, queryType="HEATMAP_QUERY_TYPE_SPAN", exemplarType="EXEMPLAR_TYPE_SPAN",
                 groupBy=["region"])
    spans = totals(lambda _, labels: labels)
    assert [one["labels"][0]["value"] for one in got["series"]] == sorted({sent.region for sent in PROFILES})
    for series in got["series"]:
        for slot in series["slots"]:
            assert len(slot["exemplars"]) == sum(count > 0 for count in slot["counts"])
            for one in slot["exemplars"]:
                assert int(one["value"]) in spans.values() and one["spanId"] in SPANS
    best = answer(server, "SelectHeatmap", step=60, queryType="HEATMAP_QUERY_TYPE_INDIVIDUAL", groupBy=["region"], limit=1)
    most = collections.Counter(sent.region for sent in PROFILES).most_common(1)[0][1]
    assert sum(sum(slot["counts"]) for slot in best["series"][0]["slots"]) == most and len(best["series"]) == 1


def test_heatmaps_that_make_no_sense_are_refused(server):
    spans = {"queryType": "HEATMAP_QUERY_TYPE_SPAN", "step": 15}
    for bad in ({"step": 15}, {**spans, "step": 0}, {**spans, "step": 0.0001}, {**spans, "limit": -1},
                {**spans, "exemplarType": "EXEMPLAR_TYPE_INDIVIDUAL"}, {**spans, "exemplarType": 9},
                {**spans, "start": END, "end": START}, {**spans, "start": END}, {**spans, "step": 0.001}):
        got = ask(server, "SelectHeatmap", **bad)
        assert got.status == 400 and got.json()["code"] == "invalid_argument", (bad, got.body)


# ---- as clients do it ----

def test_requests_recorded_from_profilecli(server):
    """Its proto: SelectHeatmap with exemplars of spans, SelectSeries with those of profiles; unary, gzip accepted."""
    headers = {"Content-Type": "application/proto", "Connect-Protocol-Version": "1", "User-Agent": "pyroscope/2.2.1",
               "Accept": "*/*;allow-utf8-labelnames=true", "Accept-Encoding": "identity"}
    head = field(1, CPU) + field(2, '{service_name="shop"}') + field(3, START) + field(4, END)

    def double(number, value):
        return bytes([number << 3 | 1]) + struct.pack("<d", value)

    got = server.request("POST", "/querier.v1.QuerierService/SelectHeatmap",
                         head + double(5, 6.6) + field(7, 2) + field(8, 3) + field(9, 100), headers)
    assert got.status == 200 and got.headers["Content-Type"] == "application/proto"
    seen = set()
    for _, series in fields_of(got.body):
        for number, slot in fields_of(series):
            if number == 2:
                parts = collections.defaultdict(list)
                for key, value in fields_of(slot):
                    parts[key].append(value)
                assert len(parts[2][0]) == 8 * 20 and len(numbers(parts[3][0])) == 20
                seen |= {dict(fields_of(one))[3].decode() for one in parts[4]}
    assert seen == set(SPANS)
    got = server.request("POST", "/querier.v1.QuerierService/SelectSeries", head + double(6, 6.6) + field(10, 2), headers)
    assert got.status == 200
    idents = {value.decode() for _, series in fields_of(got.body) for number, point in fields_of(series) if number == 2
              for key, exemplar in fields_of(point) if key == 4
              for what, value in fields_of(exemplar) if what == 2}
    assert idents and idents <= {sent.ident for sent in PROFILES}


def fields_of(message):
    """As profiles.fields(), with doubles."""
    at = 0
    while at < len(message):
        if message[at] & 7 == 1:
            yield message[at] >> 3, struct.unpack("<d", message[at + 1:at + 9])[0]
            at += 9
            continue
        rest = fields(message[at:])
        number, value = next(rest)
        yield number, value
        at += len(field(number, value))


def canary_profile(now_ns):
    """As profilecli's canary makes it: own type, no duration, the span of one sample under its former name."""
    strings = ["", "made_up", "profilos", "func1", "func2", "profile_id", CANARY_SPAN]
    out = field(1, field(1, 1) + field(2, 2))
    out += field(2, field(1, b"\2\1") + field(2, b"\12"))
    out += field(2, field(1, b"\1") + field(2, b"\24") + field(3, field(1, 5) + field(2, 6)))
    for i in (1, 2):
        out += field(4, field(1, i) + field(4, field(1, i))) + field(5, field(1, i) + field(2, i + 2))
    out += b"".join(field(6, text) for text in strings)
    return out + field(9, now_ns) + field(11, field(1, 1) + field(2, 2)) + field(12, 1)


def test_probes_of_the_canary(server):
    now = time.time_ns() // 10**6 * 10**6
    labels = {"__name__": "deadmans_switch", "service_name": "pyroscope-canary-exporter", "job": "canary-exporter",
              "instance": "here"}
    ident = str(uuid.uuid4())
    assert server.request("POST", "/push.v1.PusherService/Push", push_request([(labels, [(canary_profile(now), ident)])]),
                          {"Content-Type": "application/proto"}).status == 200
    ranged = {"profileTypeID": DEADMAN, "start": now // 10**6, "end": now // 10**6 + 5000,
              "labelSelector": '{service_name="pyroscope-canary-exporter", job="canary-exporter", instance="here"}'}
    graph = answer(server, "SelectMergeSpanProfile", spanSelector=[CANARY_SPAN], **ranged)["flamegraph"]
    assert len(graph["names"]) == 2 and len(graph["levels"]) == 2 and graph["total"] == "20"
    got = answer(server, "SelectSeries", step=5, exemplarType="EXEMPLAR_TYPE_INDIVIDUAL", **ranged)
    (series,) = got["series"]
    (point,) = series["points"]
    (exemplar,) = point["exemplars"]
    assert exemplar["value"] == "30" and exemplar["profileId"] == ident
    graph = answer(server, "SelectMergeStacktraces", profileIdSelector=[exemplar["profileId"]], **ranged)["flamegraph"]
    assert len(graph["names"]) == 3 and len(graph["levels"]) == 3 and graph["total"] == "30"


def test_profiles_without_a_name_get_one_that_stays(server):
    body = pprof({("main",): 10**9}, time_ns=BASE * 10**9)
    assert server.push([({"__name__": "process_cpu", "service_name": "unnamed"}, [(body, None)])]).status == 200
    asked = {"step": 60, "exemplarType": "EXEMPLAR_TYPE_INDIVIDUAL", "labelSelector": '{service_name="unnamed"}'}
    (first,) = answer(server, "SelectSeries", **asked)["series"][0]["points"][0]["exemplars"]
    (again,) = answer(server, "SelectSeries", **asked)["series"][0]["points"][0]["exemplars"]
    assert first == again and str(uuid.UUID(first["profileId"])) == first["profileId"]
    got = answer(server, "SelectMergeStacktraces", profileIdSelector=[first["profileId"]], labelSelector="{}")
    assert got["flamegraph"]["total"] == str(10**9)


def test_hostile_ids_cost_only_themselves(server):
    before = server.metric("span_samples_spoilt_total")
    samples = [(("main",), 10_000, {"span_id": text}) for text in
               ("", "x" * 5000, "0" * 16, "<script>", "9a517183f26a089", "\u00e9" * 8)]
    samples += [(("main",), 10_000, {"span_id": 7}), (("main",), 10_000, {"span_id": SPANS[0], "trace_id": "nope"})]
    body = pprof(samples, time_ns=BASE * 10**9)
    assert server.push([({"__name__": "process_cpu", "service_name": "hostile"}, [(body, "../" + "x" * 40)])]).status == 200
    assert server.metric("span_samples_spoilt_total") == before + len(samples)
    whole = answer(server, "SelectMergeStacktraces", labelSelector='{service_name="hostile"}')["flamegraph"]
    assert whole["total"] == "80000"
    one = answer(server, "SelectMergeStacktraces", labelSelector='{service_name="hostile"}', spanSelector=[SPANS[0]])
    assert one["flamegraph"]["total"] == "10000"


def test_spans_outlive_the_server(server, pyrometer):
    before = merged(server, spanSelector=[SPANS[6]])
    code, err = server.stop()
    assert code == 0, err
    server.start()
    assert before and merged(server, spanSelector=[SPANS[6]]) == before
