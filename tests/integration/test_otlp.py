# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's profiles: both layouts, three dresses, what a sample counts, what is rejected alone."""

import base64
import gzip
import json
import re
import shutil
import struct
import subprocess
import time

import pytest

from serving import CPU, Server, field, grpc_frame

NOW = int(time.time())
EVENTS = "events:events:count:cpu:nanoseconds"
HTTP, GRPC = "/v1development/profiles", "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
STRINGS = ["", "samples", "count", "cpu", "nanoseconds", "main", "work", "app.py", "thread.name", "worker", "thread.id",
           "service.name", "other", "off_cpu", "events", "from a table", "profile.frame.type", "kernel", "do_syscall_64", "shop"]
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "9a517183f26a089d"
INDEX = {text: i for i, text in enumerate(STRINGS)}


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("otlp") / "data", "--retention", "5000d")
    yield server
    code, err = server.stop()
    assert code == 0, err


def varints(*values):
    return b"".join(field(1, value)[1:] for value in values)


def fixed(number, value):
    return bytes([number << 3 | 1]) + struct.pack("<Q", value)


def attribute(key, **value):
    (kind, what), = value.items()
    number = {"text": 1, "truth": 2, "number": 3, "index": 8}[kind]
    return field(1, INDEX[key]) + field(2, field(number, what))


def dictionary():
    functions = [("", "", 0), ("main", "app.py", 3), ("work", "app.py", 7), ("do_syscall_64", "", 0)]
    locations = [b"", field(3, field(1, 1) + field(2, 5)), field(3, field(1, 2) + field(2, 9)),
                 field(3, field(1, 3)) + field(4, varints(5))]
    attributes = [b"", attribute("thread.name", text="worker"), attribute("thread.id", number=77),
                  attribute("service.name", index=INDEX["other"]), field(1, INDEX["cpu"]) + field(2, field(5, b"")),
                  attribute("profile.frame.type", text="kernel")]
    stacks = [b"", varints(2, 1), varints(3, 2, 1)]
    return b"".join([
        field(1, b""),
        *(field(2, location) for location in locations),
        *(field(3, field(1, INDEX[name]) + field(3, INDEX[file]) + field(4, line)) for name, file, line in functions),
        *(field(4, link) for link in (b"", field(1, bytes.fromhex(TRACE)) + field(2, bytes.fromhex(SPAN)),
                                      field(1, b"short") + field(2, bytes.fromhex(SPAN)), field(2, bytes(8)))),
        *(field(5, text.encode()) for text in STRINGS),
        *(field(6, one) for one in attributes),
        *(field(7, field(1, stack)) for stack in stacks),
    ])


def value_type(kind, unit):
    return field(1, INDEX[kind]) + field(2, INDEX[unit])


def sample(stack, values=(), attributes=(), times=(), link=0, is_old=False):
    numbers = (2, 3, 4) if is_old else (4, 2, 3)
    parts = {1: field(1, stack), 5: field(5, b"".join(struct.pack("<Q", t) for t in times)) if times else b"",
             numbers[0]: field(numbers[0], varints(*values)) if values else b"",
             numbers[1]: field(numbers[1], varints(*attributes)) if attributes else b"",
             numbers[2]: field(numbers[2], link) if link else b""}
    return b"".join(parts[number] for number in sorted(parts))


def profile(*samples, kind=("events", "count"), period=10_000_000, more=b""):
    return b"".join([field(1, value_type(*kind)), *(field(2, one) for one in samples),
                     fixed(3, (NOW - 60) * 10**9), field(4, 10 * 10**9),
                     field(5, value_type("cpu", "nanoseconds")), field(6, period), more])


def resource(**attributes):
    return field(1, b"".join(field(1, field(1, key.replace("_", ".").encode()) +
                                   field(2, field(3, value) if isinstance(value, int) else field(1, value.encode())))
                             for key, value in attributes.items()))


def request(*profiles, resource_bytes=None, **attributes):
    whole = (resource(**attributes) if resource_bytes is None else resource_bytes) + \
        field(2, b"".join(field(2, one) for one in profiles))
    return field(1, whole) + field(2, dictionary())


def send(server, body, headers=None, path=HTTP):
    return server.request("POST", path, body, {"Content-Type": "application/x-protobuf", **(headers or {})})


def view(server, service, kind=EVENTS):
    answer = server.get("/api/v1/view", query=f'{kind}{{service_name="{service}"}}', threads="split",
                        **{"from": (NOW - 3600) * 1000, "until": (NOW + 60) * 1000})
    assert answer.status == 200, answer.body
    return answer.json()


def names(view):
    return {view["strings"][i] for i in view["frames"]["name"]}


@pytest.mark.parametrize("name,made,total", [
    ("values", sample(1, values=[30, 12]), 42),
    ("times", sample(1, times=[1, 2, 3]), 3),
    ("both", sample(1, values=[5, 6, 7], times=[1, 2, 3]), 18),
    ("old", sample(1, values=[42], attributes=[1, 2], link=1, is_old=True), 42),
    ("link", sample(1, values=[42], attributes=[1, 2], link=1), 42),
])
def test_what_a_sample_counts(server, name, made, total):
    answer = send(server, request(profile(made), service_name=f"shape-{name}"))
    assert (answer.status, answer.body) == (200, b"")
    seen = view(server, f"shape-{name}")
    assert seen["total"] == total and {"main", "work"} <= names(seen)


def test_samples_at_a_period_are_time(server):
    made = profile(sample(1, times=[1, 2, 3, 4]), kind=("samples", "count"), period=50_000_000)
    assert send(server, request(made, service_name="ticks")).status == 200
    assert view(server, "ticks", CPU)["total"] == 200_000_000


def test_processes_and_threads_are_markers_and_kernel_frames_of_the_kernel(server):
    made = profile(sample(2, values=[7], attributes=[1, 2]))
    assert send(server, request(made, service_name="marked", process_pid=4711,
                                process_executable_name="app")).status == 200
    seen = view(server, "marked")
    kinds = dict(zip((seen["strings"][i] for i in seen["frames"]["name"]), seen["frames"]["kind"]))
    assert kinds["process 4711: app"] == kinds["thread 77: worker"] == "marker"
    assert kinds["do_syscall_64"] == "kernel" and kinds["main"] == "python"


def test_a_sample_may_be_of_another_service(server):
    made = profile(sample(1, values=[1]), sample(1, values=[2], attributes=[3]))
    assert send(server, request(made, service_name="mixed")).status == 200
    assert view(server, "mixed")["total"] == 1 and view(server, "other")["total"] == 2


def test_names_of_the_string_table_are_understood_in_resources(server):
    attribute_by_index = field(1, field(2, field(8, INDEX["shop"])) + field(3, INDEX["service.name"]))
    assert send(server, request(profile(sample(1, values=[3])),
                                resource_bytes=field(1, attribute_by_index))).status == 200
    assert view(server, "shop")["total"] == 3


def test_without_a_service_the_program_names_it(server):
    assert send(server, request(profile(sample(1, values=[4])), process_executable_name="cron")).status == 200
    assert view(server, "unknown_service:cron")["total"] == 4


def test_off_cpu_time_has_its_own_type(server):
    made = profile(sample(1, values=[9000]), kind=("off_cpu", "nanoseconds"))
    assert send(server, request(made, service_name="sleeper")).status == 200
    assert view(server, "sleeper", "off_cpu:off_cpu:nanoseconds:cpu:nanoseconds")["total"] == 9000


def stacktraces(server, service, kind=EVENTS, **ids):
    """The total of what is picked."""
    body = {"profileTypeID": kind, "labelSelector": f'{{service_name="{service}"}}', "start": (NOW - 3600) * 1000,
            "end": (NOW + 60) * 1000, **ids}
    answer = server.request("POST", "/querier.v1.QuerierService/SelectMergeStacktraces", json.dumps(body).encode(),
                            {"Content-Type": "application/json"})
    assert answer.status == 200, answer.body
    return int(answer.json()["flamegraph"].get("total", 0))


def by_grpc(server, body):
    out = subprocess.run(["curl", "-sSi", "--http2-prior-knowledge", "-H", "Content-Type: application/grpc", "-H", "TE: trailers",
                          "--data-binary", "@-", server.url + GRPC], input=grpc_frame(body), capture_output=True, timeout=30,
                         check=True).stdout
    assert b"grpc-status: 0" in out, out


@pytest.mark.parametrize("way", ["http", "grpc", "old"])
def test_links_say_which_span_samples_belong_to(server, way):
    if way == "grpc" and not shutil.which("curl"):
        pytest.skip("needs curl")
    is_old = way == "old"
    before = server.metric("span_samples_spoilt_total")
    samples = [sample(1, values=[value], attributes=[1], link=link, is_old=is_old)
               for value, link in ((5, 1), (70, 0), (600, 1), (8000, 2), (90000, 3))]
    body = request(profile(*samples), service_name=f"linked-{way}")
    if way == "grpc":
        by_grpc(server, body)
    else:
        assert send(server, body).body == b""
    assert stacktraces(server, f"linked-{way}") == 98675
    assert stacktraces(server, f"linked-{way}", spanSelector=[SPAN]) == 8605  # one has no whole trace, but its span
    assert stacktraces(server, f"linked-{way}", traceIdSelector=[TRACE]) == 605
    assert server.metric("span_samples_spoilt_total") == before + 1


@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_links_of_json_are_hexadecimal_or_as_proto3_has_them(server, encoding):
    def written(digits):
        return digits if encoding == "hex" else base64.b64encode(bytes.fromhex(digits)).decode()

    body = as_json(f"json-linked-{encoding}")
    body["dictionary"]["linkTable"] = [{}, {"traceId": written(TRACE), "spanId": written(SPAN)}]
    (made,) = body["resourceProfiles"][0]["scopeProfiles"][0]["profiles"]
    made["samples"] += [{"stackIndex": 1, "values": ["7"], "linkIndex": 1}]
    answer = send(server, json.dumps(body).encode(), {"Content-Type": "application/json"})
    assert answer.status == 200, answer.body
    assert stacktraces(server, f"json-linked-{encoding}", "events:events:count::", spanSelector=[SPAN]) == 7


def test_a_profile_counts_once(server):
    body = request(profile(sample(1, values=[5]), more=field(7, bytes(range(16)))), service_name="once")
    assert send(server, body).status == send(server, body).status == 200
    assert view(server, "once")["total"] == 5


def test_broken_profiles_are_rejected_alone(server):
    body = request(profile(sample(1, values=[5])), profile(sample(99, values=[5])), profile(sample(1, values=[2**64 - 1])),
                   service_name="partly")
    answer = send(server, body)
    assert answer.status == 200 and b"names stack 99 of 3" in answer.body
    assert answer.body.startswith(b"\x0a") and b"\x08\x02" in answer.body[:4]
    assert view(server, "partly")["total"] == 5
    metrics = server.get("/metrics").body.decode()
    assert re.search(r'reason="malformed[^"]*"\} 2\b', metrics), metrics


def as_json(body_service):
    return {"resourceProfiles": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": body_service}},
                                    {"key": "host.cpus", "value": {"intValue": "8"}},
                                    {"key": "tags", "value": {"arrayValue": {"values": [{"stringValue": "x"}]}}}]},
        "scopeProfiles": [{"profiles": [{
            "sampleType": {"typeStrindex": 1, "unitStrindex": 2}, "timeUnixNano": str((NOW - 60) * 10**9),
            "durationNano": "10000000000", "profileId": body_service.encode().hex().ljust(32, "0")[:32],
            "samples": [{"stackIndex": 1, "values": ["40", 2], "attributeIndices": []}],
            "unknownMember": {"deep": [1, {"x": []}]}}]}]}],
        "dictionary": {"stringTable": ["", "events", "count", "main"], "functionTable": [{}, {"nameStrindex": 3}],
                       "locationTable": [{}, {"lines": [{"functionIndex": 1, "line": "7"}]}],
                       "stackTable": [{}, {"locationIndices": [1]}]}}


@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_json_is_taken(server, encoding):
    body = json.dumps(as_json(f"json-{encoding}")).encode()
    headers = {"Content-Type": "application/json"}
    if encoding:
        body, headers["Content-Encoding"] = gzip.compress(body), encoding
    answer = send(server, body, headers)
    assert (answer.status, answer.json()) == (200, {})
    assert view(server, f"json-{encoding}", "events:events:count::")["total"] == 42


def test_grpc_is_taken(server):
    message = request(profile(sample(1, values=[6])), service_name="grpc")
    frame = b"\0" + struct.pack(">I", len(message)) + message
    answer = server.request("POST", GRPC, frame, {"Content-Type": "application/grpc", "TE": "trailers"})
    assert answer.status == 200 and answer.body == b"\0\0\0\0\0"
    assert view(server, "grpc")["total"] == 6


@pytest.mark.parametrize("body,headers,status,text", [
    (b"\xff", {}, 400, "malformed"),
    (field(2, field(5, b"not empty")), {}, 400, "empty string"),
    (field(2, field(5, b"") + field(2, field(1, 9))), {}, 400, "mapping 10 of 1"),
    (field(1, field(2, field(2, field(3, b"\x01\x02")))), {}, 415, "1.8"),
    (b"x", {"Content-Type": "text/plain"}, 415, "application/x-protobuf"),
    (b"x", {"Content-Encoding": "br"}, 415, "Content-Encoding"),
    (b"{", {"Content-Type": "application/json"}, 400, "JSON"),
    (b'{"resourceProfiles":3}', {"Content-Type": "application/json"}, 400, "resourceProfiles has to be an object"),
    (b'{"dictionary":{"stringTable":[7]}}', {"Content-Type": "application/json"}, 400, "has to be a text"),
    (b'{"dictionary":{"stringTable":[["x"]]}}', {"Content-Type": "application/json"}, 400, "array"),
    (b'{"a":' * 100 + b"1" + b"}" * 100, {"Content-Type": "application/json"}, 413, "deep"),
])
def test_bad_requests_are_refused_in_one_line(server, body, headers, status, text):
    answer = send(server, body, headers)
    assert answer.status == status, answer.body
    if headers.get("Content-Type") == "application/json":
        assert text in answer.json()["message"]
    else:
        assert text.encode() in answer.body


def test_every_cut_of_a_request_is_survived(server):
    body = request(profile(sample(2, values=[7], attributes=[1, 2, 3])), service_name="cut")
    for cut in range(1, len(body), 7):
        assert send(server, body[:cut]).status in (200, 400)


COLLECTORS = ["otelcol-http-proto", "otelcol-http-json", "otelcol-grpc", "ebpf-profiler"]


@pytest.mark.parametrize("client", COLLECTORS)
def test_recorded_collectors_are_understood(pyrometer, tmp_path, shared, client):
    """What a collector and an eBPF profiler sent; the three dresses of one collector say the same."""
    server = Server(pyrometer, tmp_path / "data", "--retention", "5000d")
    try:
        requests = sorted((shared / "corpus" / "clients" / client).glob("*.req.txt"))
        for path in requests:
            line, *head = path.read_text().splitlines()
            headers = dict(h.split(": ", 1) for h in head if ": " in h)
            for name in ("Host", "Content-Length", "Accept-Encoding"):
                headers.pop(name, None)
            body = path.with_name(path.name.replace(".req.txt", ".req.body.bin")).read_bytes()
            answer = server.request("POST", line.split(" ")[1], body, headers)
            assert answer.status == 200 and not answer.body.strip(b"\0{}\n"), answer.body
        assert len(requests) >= 2
        span = {"from": 0, "until": 4 * 10**12}
        services = server.get("/api/v1/services", **span).json()["services"]
        totals = {}
        for service in services:
            query = f'{CPU}{{service_name="{service["name"]}"}}'
            seen = server.get("/api/v1/view", query=query, **span).json()
            totals[service["name"]] = seen["total"]
            assert seen["total"] % 50_000_000 == 0 and seen["total"]  # samples at 20 Hz
        assert "unknown_service:java" in totals or "unknown_service:python3" in totals or len(totals) > 2, totals
    finally:
        server.stop()


def test_links_that_are_not_there_reject_their_profile(server):
    answer = send(server, request(profile(sample(1, values=[5], link=9)), service_name="astray"))
    assert answer.status == 200 and b"names link 9 of 4" in answer.body
