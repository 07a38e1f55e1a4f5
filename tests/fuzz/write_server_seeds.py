#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""write_server_seeds.py CORPUS: the first corpus of fuzz_server, a request of each kind that the server takes.

Times are about that of the target's clock (2025-11-22), so that none is too old to be kept.
"""

import base64
import gzip
import json
import pathlib
import sys
import urllib.parse

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "integration"))
from serving import (DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, field, grpc_frame, h2_frame,  # noqa: E402
                     h2_headers, pprof, push_request)

NOW = 1763800000
CPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
STACKS = {("main", "work", "foo"): 750_000_000, ("main", "work", "bar"): 250_000_000}


def request(line, body=b"", **headers):
    body = body.encode() if isinstance(body, str) else body
    names = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    return line.encode() + b"\n" + names.encode() + b"\n" + body


def params(**values):
    return urllib.parse.urlencode({name.rstrip("_"): value for name, value in values.items()})


def ingest(form, body, **more):
    return request("POST /ingest?" + params(name="app.cpu{env=prod}", from_=NOW - 20, until=NOW - 10, format=form,
                                            sampleRate=100, spyName="gospy", **more), body)


def multipart(parts):
    body = b"".join(b"--XX\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n\r\n%s\r\n"
                    % (name.encode(), name.encode(), data) for name, data in parts.items()) + b"--XX--\r\n"
    return request("POST /ingest?" + params(name="shop", from_=NOW - 20, until=NOW - 10, format="pprof"), body,
                   Content_Type="multipart/form-data; boundary=XX")


def call(method, message, kind="application/json"):
    body = json.dumps(message) if kind == "application/json" else message
    return request(f"POST /{method}", body, Content_Type=kind)


def corpus(kind, name):
    return (TESTS / "fuzz" / "corpus" / kind / name).read_bytes()


def seeds():
    profile = pprof(STACKS, time_ns=(NOW - 30) * 10**9, labels={("main", "work", "foo"): {"span_id": "0011223344556677",
                                                                                          "thread": 7}})
    labels = {"__name__": "process_cpu", "service_name": "shop", "pod": "a"}
    push = push_request([(labels, [(gzip.compress(profile), "0d9f2b54-6f2c-4d3e-8a8c-000000000001")])])
    types = {"cpu": {"units": "samples", "display-name": "itimer_cpu", "aggregation": "sum", "cumulative": False,
                     "sampled": True}, "inuse_space": {"units": "bytes", "aggregation": "average"}}
    yield "ingest-groups", ingest("groups", "main;work;foo 75\nmain;work;bar 25\n")
    yield "ingest-lines", ingest("lines", "main;work;foo\nmain;work;foo\nmain;work;bar\n", units="samples")
    yield "ingest-trie", ingest("trie", corpus("preorder", "trie"))
    yield "ingest-tree", ingest("tree", corpus("preorder", "tree"))
    yield "ingest-speedscope", ingest("speedscope", corpus("speedscope", "sample-3"))
    yield "ingest-jfr", ingest("jfr", gzip.compress(corpus("jfr", "all"), mtime=0))
    yield "ingest-pprof", ingest("pprof", profile)
    yield "ingest-multipart", multipart({"profile": profile, "prev_profile": profile,
                                         "sample_type_config": json.dumps(types).encode()})
    yield "push-proto", call("push.v1.PusherService/Push", push, "application/proto")
    yield "push-json", call("push.v1.PusherService/Push", {"series": [{
        "labels": [{"name": name, "value": value} for name, value in labels.items()],
        "samples": [{"rawProfile": base64.b64encode(profile).decode(), "ID": "x"}]}]})
    yield "push-grpc-web", call("push.v1.PusherService/Push", grpc_frame(push), "application/grpc-web+proto")
    yield "push-grpc-web-text", call("push.v1.PusherService/Push", base64.b64encode(grpc_frame(push)),
                                     "application/grpc-web-text")
    yield "push-h2", b"r" + PREFACE + h2_frame(SETTINGS, 0, 0) + h2_frame(HEADERS, END_HEADERS, 1, h2_headers([
        (":method", "POST"), (":scheme", "http"), (":authority", "localhost"),
        (":path", "/push.v1.PusherService/Push"), ("content-type", "application/grpc"), ("te", "trailers")])) + \
        h2_frame(DATA, END_STREAM, 1, grpc_frame(push, True))
    yield "otlp-proto", call("v1development/profiles", corpus("otlp", "all"), "application/x-protobuf")
    yield "otlp-old", call("v1development/profiles", corpus("otlp", "old"), "application/x-protobuf")
    yield "otlp-json", request("POST /v1development/profiles", max(
        (path.read_bytes() for path in (TESTS / "fuzz" / "corpus" / "otlp_json").iterdir()), key=len),
        Content_Type="application/json")
    yield "otlp-grpc", call("opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
                            grpc_frame(corpus("otlp", "all")), "application/grpc-web+proto")
    yield "source", request("PUT /api/v1/source?" + params(service="shop", file="/srv/app.py"), "import time\n")
    yield "settings", call("settings.v1.SettingsService/Set", {"setting": {"name": "a", "value": "{}", "modifiedAt": 1}})
    asked = {"start": (NOW - 3600) * 1000, "end": NOW * 1000, "labelSelector": '{service_name=~"shop|app.*"}'}
    for method, more in (("SelectMergeStacktraces", {"maxNodes": 100, "format": "PROFILE_FORMAT_TREE"}),
                         ("SelectMergeProfile", {"stackTraceSelector": {"callSite": [{"name": "main"}]}}),
                         ("SelectMergeSpanProfile", {"spanSelector": ["0011223344556677"]}),
                         ("SelectSeries", {"groupBy": ["pod"], "step": 15.5, "limit": 3}),
                         ("SelectHeatmap", {"step": 60, "queryType": "HEATMAP_QUERY_TYPE_SPAN"})):
        yield f"query-{method}", call(f"querier.v1.QuerierService/{method}", {"profileTypeID": CPU, **asked, **more})
    yield "query-Diff", call("querier.v1.QuerierService/Diff", {"left": {"profileTypeID": CPU, **asked},
                                                                "right": {"profileTypeID": CPU, **asked}})
    yield "query-Series", call("querier.v1.QuerierService/Series", {
        "matchers": ['{pod!=""}'], "labelNames": ["pod"], "start": asked["start"], "end": asked["end"]})
    yield "query-proto", call("querier.v1.QuerierService/SelectMergeStacktraces", field(1, CPU) + field(2, "{}") + field(
        3, asked["start"]) + field(4, asked["end"]), "application/proto")
    yield "query-grpc-web", call("querier.v1.QuerierService/LabelNames", grpc_frame(field(1, '{pod="a"}')),
                                 "application/grpc-web+proto")
    yield "render", request("GET /pyroscope/render?" + params(query=CPU + '{pod="a"}', from_=f"{NOW - 3600}",
                                                              until="now-5m", format="json", maxNodes=64))
    yield "render-diff", request("GET /pyroscope/render-diff?" + params(
        leftQuery=CPU + "{}", leftFrom=NOW - 600, leftUntil=NOW - 300, rightQuery=CPU + "{}", rightFrom=NOW - 300,
        rightUntil=NOW))
    whole = {"query": CPU + '{service_name="shop"}', "from_": (NOW - 3600) * 1000, "until": NOW * 1000}
    for path in ("view", "functions", "lines", "breakdown", "timeline", "exemplars", "labels", "services", "changes", "diff"):
        yield f"api-{path}", request(f"GET /api/v1/{path}?" + params(**whole, search="fo+", by="pod", function="foo",
                                                                    step=7, root="main", group="line"))
    yield "api-export", request("GET /api/v1/export?" + params(**whole, format="speedscope"))
    yield "api-delete", request("POST /api/v1/delete?" + params(query='{pod="b"}', from_=0, until=1))
    yield "adhoc", call("adhocprofiles.v1.AdHocProfileService/Upload", {
        "name": "x.pprof", "profile": base64.b64encode(profile).decode(), "maxNodes": 10})
    yield "page", request("GET /?" + params(query="x"), Accept_Encoding="gzip, br", Cookie="a=b; pyrometer=x")


def main():
    into = pathlib.Path(sys.argv[1])
    into.mkdir(parents=True, exist_ok=True)
    for name, data in seeds():
        (into / name).write_bytes(data)


main()
