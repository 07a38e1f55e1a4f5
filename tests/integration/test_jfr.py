# SPDX-License-Identifier: Apache-2.0
"""Recordings of Java's Flight Recorder and of async-profiler: what they become, by the account of an independent reader."""

import collections
import gzip
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time

import pytest
import serving
from serving import CPU, Server
from test_ingest import multipart

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import jfr_files  # noqa: E402
from jfr_files import Chunk, Recording, chunk, snapshot  # noqa: E402

GOLDEN = pathlib.Path(__file__).parent / "golden" / "jfr"
NOW = int(time.time())
FROM, UNTIL = NOW - 60, NOW - 50
WALL = "wall:wall:nanoseconds:wall:nanoseconds"
TLAB = "memory:alloc_in_new_tlab_{}:space:bytes"


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("jfr") / "data")
    yield server
    code, err = server.stop()
    assert code == 0, err


def span():
    return {"from": (NOW - 7200) * 1000, "until": (NOW + 3600) * 1000}


def send(server, name, recording, labels=None, headers=None, **params):
    """A form when there are labels, else the body."""
    if labels is not None:
        recording, headers = multipart([("jfr", recording), ("labels", labels)])
    return server.ingest(recording, headers, name=name, **{"format": "jfr", "from": FROM, "until": UNTIL, **params})


def types(server, service):
    services = server.get("/api/v1/services", **span()).json()["services"]
    return sorted({s["name"]: s["profile_types"] for s in services}.get(service, []))


def view(server, service, profile_type, **labels):
    matchers = ",".join(f'{k}="{v}"' for k, v in {"service_name": service, **labels}.items())
    answer = server.get("/api/v1/view", query=f"{profile_type}{{{matchers}}}", **span())
    assert answer.status == 200, answer.body
    return answer.json()


def functions(view):
    """{name: (self, total)}"""
    names, rows = view["frames"]["name"], view["table"]
    return {view["strings"][names[f]]: (s, t) for f, s, t in zip(rows["frame"], rows["self"], rows["total"])}


def label_values(server, service, name):
    return server.get(f"/api/v1/labels/{name}/values", query=f'{{service_name="{service}"}}', **span()).json()["values"]


# ---- kinds of events ----

STACK = ["App.main", "App.work"]
TICK = 10**7


@pytest.mark.parametrize("name,settings,event,expected", [
    ("cpu", "cpu", {"state": "STATE_RUNNABLE"}, {CPU: TICK}),
    ("default", "itimer", {"state": "STATE_DEFAULT"}, {CPU: TICK}),
    ("sleeping", "cpu", {"state": "STATE_SLEEPING"}, {}),
    ("wall", "wall", {"state": "STATE_RUNNABLE"}, {CPU: TICK, WALL: TICK}),
    ("wallsleep", "wall", {"state": "STATE_SLEEPING"}, {WALL: TICK}),
    ("clock", "wall", {"event": "profiler.WallClockSample", "samples": 7, "state": "STATE_SLEEPING"}, {WALL: 7 * TICK}),
    ("clockrun", "wall", {"event": "profiler.WallClockSample", "samples": 7, "state": "STATE_RUNNABLE"},
     {WALL: 7 * TICK, CPU: 7 * TICK}),
    ("clockcpu", "cpu", {"event": "profiler.WallClockSample", "samples": 7, "state": "STATE_RUNNABLE"}, {WALL: 7 * TICK}),
    ("tlab", "cpu", {"event": "jdk.ObjectAllocationInNewTLAB", "tlabSize": 4096, "allocationSize": 24},
     {TLAB.format("objects:count"): 1, TLAB.format("bytes:bytes"): 4096}),
    ("outside", "cpu", {"event": "jdk.ObjectAllocationOutsideTLAB", "allocationSize": 3000000000},
     {"memory:alloc_outside_tlab_objects:count:space:bytes": 1,
      "memory:alloc_outside_tlab_bytes:bytes:space:bytes": 3000000000}),
    ("sampled", "cpu", {"event": "jdk.ObjectAllocationSample", "weight": 512},
     {"memory:alloc_sample_objects:count:space:bytes": 1, "memory:alloc_sample_bytes:bytes:space:bytes": 512}),
    ("lock", "cpu", {"event": "jdk.JavaMonitorEnter", "duration": 5000},
     {"mutex:contentions:count:mutex:count": 1, "mutex:delay:nanoseconds:mutex:count": 5000}),
    ("park", "cpu", {"event": "jdk.ThreadPark", "duration": 6000},
     {"block:contentions:count:block:count": 1, "block:delay:nanoseconds:block:count": 6000}),
    ("live", "cpu", {"event": "profiler.LiveObject", "allocationSize": 64}, {"memory:live:count:objects:count": 1}),
    ("malloc", "cpu", {"event": "profiler.Malloc", "size": 777},
     {"memory:malloc_objects:count::": 1, "memory:malloc_bytes:bytes::": 777}),
    ("other", "cpu", {"event": "jdk.GCHeapSummary", "heapUsed": 5}, {}),
])
def test_events_become_the_profiles_that_pyroscope_makes_of_them(server, name, settings, event, expected):
    recording = chunk([{"stack": STACK, **event}], settings=[("jdk.ActiveSetting", "event", settings)])
    assert (send(server, f"kind-{name}", recording).status) == 200
    assert types(server, f"kind-{name}") == sorted(expected)
    for profile_type, value in expected.items():
        seen = view(server, f"kind-{name}", profile_type)
        assert functions(seen) == {"App.main": (0, value), "App.work": (value, value)}
        assert seen["wall_ms"] == 10_000, "from and until of the request"
    if expected:
        assert label_values(server, f"kind-{name}", "jfr_event") == [settings]


def test_a_count_of_one_kind_does_not_leak_into_the_next(server):
    """Pyroscope's reader counts an allocation as often as the wall-clock sample before it stood for."""
    recording = chunk([{"event": "profiler.WallClockSample", "samples": 9, "stack": STACK},
                       {"event": "jdk.ObjectAllocationInNewTLAB", "tlabSize": 10, "stack": STACK}])
    assert send(server, "leak", recording).status == 200
    assert view(server, "leak", TLAB.format("objects:count"))["total"] == 1


def test_ticks_of_another_clock_become_nanoseconds(server):
    """Pyroscope takes ticks for nanoseconds; the JDK's clock ticks at the CPU's rate."""
    recording = chunk([{"event": "jdk.JavaMonitorEnter", "duration": 25_000, "stack": STACK}], ticks_hz=2_500_000_000)
    assert send(server, "ticks", recording).status == 200
    assert view(server, "ticks", "mutex:delay:nanoseconds:mutex:count")["total"] == 10_000


@pytest.mark.parametrize("name,params,settings,period", [
    ("request", {"sampleRate": 1000}, [("jdk.ExecutionSample", "interval", "5000000")], 10**6),
    ("interval", {}, [("jdk.ExecutionSample", "interval", "5000000")], 5 * 10**6),
    ("period", {"sampleRate": 0}, [("jdk.ExecutionSample", "period", "20 ms")], 20 * 10**6),
    ("default", {"sampleRate": "x"}, [("jdk.ExecutionSample", "period", "everyChunk")], 10**7),
    ("other", {}, [("jdk.ThreadPark", "interval", "1")], 10**7),
])
def test_a_sample_is_worth_its_period(server, name, params, settings, period):
    recording = chunk([{"stack": STACK}] * 3, settings=settings)
    assert send(server, f"period-{name}", recording, **params).status == 200
    assert view(server, f"period-{name}", CPU)["total"] == 3 * period


# ---- how it is written ----

@pytest.mark.parametrize("name,options", [
    ("numbers", {"first_id": 5000}), ("bigendian", {"compressed": False}), ("latin1", {"encoding": 5}),
    ("utf16", {"encoding": 4}), ("utf16plain", {"encoding": 4, "compressed": False}), ("minor", {"version": (2, 0)}),
])
def test_types_numbers_and_texts_in_every_form(server, name, options):
    stack = ["Größe.main", ("Größe.work", 7, "Native"), ("lib.so.copy", 0, "C++"), ("[kernel].read", 0, "Kernel")]
    assert send(server, f"form-{name}", chunk([{"stack": stack}] * 2, **options)).status == 200
    assert functions(view(server, f"form-{name}", CPU)) == {
        "Größe.main": (0, 2 * TICK), "Größe.work": (0, 2 * TICK), "lib.so.copy": (0, 2 * TICK),
        "[kernel].read": (2 * TICK, 2 * TICK)}


def test_chunks_add_up_whatever_their_numbers(server):
    chunks = [chunk([{"stack": STACK}] * 2, first_id=10), chunk([{"stack": ["App.main", "App.rest"]}], first_id=900),
              chunk([]), chunk([{"stack": STACK}], compressed=False)]
    assert send(server, "chunks", b"".join(chunks)).status == 200
    assert functions(view(server, "chunks", CPU)) == {
        "App.main": (0, 4 * TICK), "App.work": (3 * TICK, 3 * TICK), "App.rest": (TICK, TICK)}


def test_what_the_recording_says_of_its_time_counts_when_the_request_says_nothing(server):
    recordings = [chunk([{"stack": STACK}], start_ns=(NOW - 100 + 5 * i) * 10**9, duration_ns=5 * 10**9) for i in range(4)]
    assert send(server, "times", b"".join(recordings), **{"from": "", "until": ""}).status == 200
    assert view(server, "times", CPU)["wall_ms"] == 20_000


def test_stacks_that_are_cut_off_or_missing_are_kept(server):
    cut = chunk([{"stack": STACK}], truncated=True)
    lost = chunk([{"stackTrace": 99}, {}])
    assert send(server, "cut", cut + lost).status == 200
    assert functions(view(server, "cut", CPU)) == {"App.main": (0, TICK), "App.work": (TICK, TICK),
                                                   "[unknown]": (2 * TICK, 2 * TICK)}
    seen = server.get("/api/v1/view", query=f'{CPU}{{service_name="cut"}}', threads="split", **span()).json()
    assert "[deeper]" in [seen["strings"][i] for i in seen["frames"]["name"]]


@pytest.mark.parametrize("written,read", [
    ("jdk/internal/reflect/GeneratedMethodAccessor31.invoke", "jdk/internal/reflect/GeneratedMethodAccessor_.invoke"),
    ("org/Service$$Lambda$669.0x0000000800fd7318.run", "org/Service$$Lambda_.run"),
    ("Fib$$Lambda/0x00007ffa600c4da0.run", "Fib$$Lambda_.run"),
    ("a/B$$EnhancerBySpringCGLIB$$1a2b3c.call", "a/B$$EnhancerBySpringCGLIB$$_.call"),
    ("org/Lambda$Factory.run", "org/Lambda$Factory.run"), ("App.lambda$main$0", "App.lambda$main$0"),
])
def test_numbers_of_generated_classes_are_left_out(server, written, read):
    service = "generated-" + re.sub(r"\W", "-", written)
    assert send(server, service, chunk([{"stack": [written]}])).status == 200
    assert list(functions(view(server, service, CPU))) == [read]


# ---- the agent's labels ----

def test_contexts_split_the_recording_into_series(server):
    labels = snapshot({1: {10: 11}, 2: {10: 12, 13: 14}, 3: {10: 11}},
                      {10: "endpoint", 11: "/a", 12: "/b", 13: "tier", 14: "gold", 20: "GET /x"})
    recording = chunk([{"stack": STACK, "contextId": c} for c in (0, 1, 1, 2, 3, 77)] +
                      [{"stack": STACK, "contextId": 2, "event": "jdk.JavaMonitorEnter", "duration": 5}] +
                      [{"stack": STACK, "spanName": 20}])
    for body in (labels, gzip.compress(labels)):
        service = f"contexts-{len(body)}"
        assert send(server, service, gzip.compress(recording), body).status == 200
        assert label_values(server, service, "endpoint") == ["/a", "/b"]
        assert label_values(server, service, "tier") == ["gold"]
        assert label_values(server, service, "span_name") == ["GET /x"]
        assert view(server, service, CPU, endpoint="/a")["total"] == 3 * TICK, "contexts 1 and 3 say the same"
        assert view(server, service, CPU, endpoint="/b", tier="gold")["total"] == TICK
        assert view(server, service, CPU)["total"] == 7 * TICK
        assert view(server, service, "mutex:contentions:count:mutex:count", endpoint="/b")["total"] == 1


def test_labels_that_are_ours_are_not_overwritten(server):
    labels = snapshot({1: {1: 2, 3: 4, 5: 6}}, {1: "service_name", 2: "evil", 3: "__name__", 4: "evil", 5: "ok", 6: "yes"})
    assert send(server, "own", chunk([{"stack": STACK, "contextId": 1}]), labels).status == 200
    assert view(server, "own", CPU, ok="yes")["total"] == TICK and types(server, "evil") == []


# ---- how it is sent ----

@pytest.mark.parametrize("name,pack,params", [
    ("raw", bytes, {}), ("zipped", gzip.compress, {}), ("sniffed", bytes, {"format": ""}),
    ("sniffedzip", gzip.compress, {"format": ""}),
])
def test_a_recording_as_the_body(server, name, pack, params):
    assert send(server, f"sent-{name}", pack(chunk([{"stack": STACK}])), **params).status == 200
    assert view(server, f"sent-{name}", CPU)["total"] == TICK


@pytest.mark.parametrize("name,params", [("named", {}), ("unnamed", {"format": ""})])
def test_a_recording_as_a_form_without_labels(server, name, params):
    for pack in (bytes, gzip.compress):
        body, headers = multipart([("jfr", pack(chunk([{"stack": STACK}])))])
        assert send(server, f"form-{name}", body, headers=headers, **params).status == 200
    assert view(server, f"form-{name}", CPU)["total"] == 2 * TICK


# ---- an agent's recordings ----

def golden(name):
    """(recording, labels or None) of a recorded request."""
    body = (GOLDEN / name).read_bytes()
    boundary = body.split(b"\r\n", 1)[0]
    parts = {}
    for part in body.split(boundary)[1:-1]:
        head, content = part[2:].split(b"\r\n\r\n", 1)
        parts[re.search(rb'name="(\w+)"', head)[1].decode()] = gzip.decompress(content[:-2])
    return body, boundary[2:].decode(), parts["jfr"], parts.get("labels")


def merged(name):
    name = re.sub(r".*libasyncProfiler-.*\.so(?=\.)", "libasyncProfiler-_.so", name)
    return re.sub(r"(.+\$\$Lambda)[$./+0-9a-fx]+(?=\.)", r"\1_", name)


def accounts(recording):
    """{profile type: (sum, {function: (self, total)})}, by the independent reader."""
    rows = collections.defaultdict(lambda: collections.defaultdict(int))
    for name, event, constants in recording.events:
        if "stackTrace" not in event:
            continue
        stack = tuple(merged(f) for f in recording.stack(event, constants))
        if name == "jdk.ExecutionSample" and constants[event["state"]]["name"] != "STATE_SLEEPING":
            rows[CPU][stack] += TICK
        elif name == "jdk.ObjectAllocationInNewTLAB":
            rows[TLAB.format("objects:count")][stack] += 1
            rows[TLAB.format("bytes:bytes")][stack] += event["tlabSize"]
        elif name == "jdk.JavaMonitorEnter":
            rows["mutex:contentions:count:mutex:count"][stack] += 1
            rows["mutex:delay:nanoseconds:mutex:count"][stack] += event["duration"] * 10**9 // recording.ticks_hz
    out = {}
    for profile_type, stacks in rows.items():
        table = collections.defaultdict(lambda: [0, 0])
        for stack, value in stacks.items():
            table[stack[-1]][0] += value
            for function in set(stack):
                table[function][1] += value
        out[profile_type] = sum(stacks.values()), {k: tuple(v) for k, v in table.items()}
    return out


@pytest.mark.parametrize("name", ["agent.form", "agent-labels.form"])
def test_an_agents_recording_is_what_an_independent_reader_says(server, name):
    body, boundary, recording, _ = golden(name)
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    service = "golden-" + name.partition(".")[0]
    assert send(server, service, body, headers=headers, sampleRate=100, spyName="javaspy").status == 200
    wanted = accounts(Recording(recording))
    assert types(server, service) == sorted(wanted) and len(wanted) >= 3
    for profile_type, (total, table) in wanted.items():
        seen = view(server, service, profile_type)
        # Times are kept in whole microseconds.
        slack = 1000 * len(table) if profile_type.startswith("mutex:delay") else 0
        assert abs(seen["total"] - total) <= slack
        got = functions(seen)
        assert got.keys() == table.keys()
        assert all(abs(got[f][i] - table[f][i]) <= slack for f in table for i in (0, 1))


def test_an_agents_labels_are_those_of_its_snapshot(server):
    _, _, recording, labels = golden("agent-labels.form")
    assert send(server, "snapshot", recording, labels, sampleRate=100).status == 200
    names = server.get("/api/v1/labels", query='{service_name="snapshot"}', **span()).json()["names"]
    by_label = [n for n in names if n not in ("service_name", "jfr_event", "pyroscope_spy")]
    assert by_label, "the agent labelled something"
    for name in by_label:
        values = label_values(server, "snapshot", name)
        assert all(v.encode() in labels for v in values) and name.encode() in labels


def test_the_jdk_counts_the_same_events(tmp_path):
    if not shutil.which("jfr"):
        pytest.skip("needs the JDK's jfr")
    for name in ("agent.form", "agent-labels.form"):
        path = tmp_path / "x.jfr"
        path.write_bytes(golden(name)[2])
        own = collections.Counter(event for event, _, _ in Recording(path.read_bytes()).events)
        text = subprocess.run(["jfr", "summary", path], capture_output=True, text=True, check=True).stdout
        theirs = {m[1]: int(m[2]) for m in re.finditer(r"^ (\S+)\s+(\d+)\s+\d+$", text, re.M) if int(m[2])}
        assert {k: v for k, v in theirs.items() if k not in ("jdk.Metadata", "jdk.CheckPoint")} == own


def test_the_jdk_reads_what_our_writer_forges(tmp_path):
    """Else the forged recordings of this file would prove little."""
    if not shutil.which("jfr"):
        pytest.skip("needs the JDK's jfr")
    path = tmp_path / "x.jfr"
    path.write_bytes(chunk([{"stack": STACK, "state": "STATE_RUNNABLE"}] * 3))
    text = subprocess.run(["jfr", "summary", path], capture_output=True, text=True).stdout
    shown = subprocess.run(["jfr", "print", path], capture_output=True, text=True).stdout
    assert shown.count("jdk.ExecutionSample {") == shown.count("App.work()") == 3, shown
    assert re.search(r"jdk.ExecutionSample\s+3\s", text), text


# ---- hostile ----

def built(events=1, **options):
    made = Chunk(**options)
    for _ in range(events):
        made.add(stack=STACK)
    return made


def with_pool(name, items, events=({"stack": STACK},), **classes):
    """A recording whose constants of that class are others."""
    made = Chunk(classes=classes)
    for event in events:
        made.add(**event)
    return made.bytes(pools={**made.all_pools(), name: items})


def nested_types(depth, width):
    """Classes that hold each other in place: nothing to read, width ** depth steps."""
    classes = {f"N{i}": [(f"f{j}", f"N{i + 1}", "") for j in range(width)] for i in range(depth)}
    classes[f"N{depth}"] = []
    return {**classes, "Bomb": [("x", "N0", "")]}


def bomb(depth, width):
    made = Chunk(classes=nested_types(depth, width))
    made.add(stack=STACK)
    return made.bytes(pools={**made.all_pools(), "Bomb": [(1, b"")] * 1000})


GOOD = built().bytes()
LONG = b"\xff" * 9


@pytest.mark.parametrize("name,body,status", [
    ("empty", b"", 422), ("magic", b"FLRX" + GOOD[4:], 422), ("garbage", b"garbage", 422), ("short", GOOD[:60], 422),
    ("java8", built(version=(0, 9)).bytes(), 422), ("java10", built(version=(1, 0)).bytes(), 422),
    ("future", built(version=(3, 0)).bytes(), 422), ("size0", built().bytes(size=0), 422),
    ("size1", built().bytes(size=1), 422), ("size67", built().bytes(size=67), 422), ("sizebig", built().bytes(size=1 << 40), 422),
    ("sizeneg", built().bytes(size=(1 << 64) - 1), 422), ("cut", GOOD[:-1], 422), ("tail", GOOD + b"x", 422),
    ("meta0", built().bytes(metadata_at=0), 422), ("metaend", built().bytes(metadata_at=len(GOOD)), 422),
    ("metawild", built().bytes(metadata_at=1 << 63), 422), ("metawrong", built().bytes(metadata_at=68), 422),
    ("clock", built(ticks_hz=0).bytes(), 422), ("year", built(start_ns=(1 << 64) - 1, duration_ns=(1 << 64) - 1).bytes(), 200),
    ("event0", GOOD[:68] + b"\0" + GOOD[69:], 422), ("event1", GOOD[:68] + b"\1" + GOOD[69:], 422),
    ("eventbig", GOOD[:68] + b"\x7f" + GOOD[69:], 422), ("leb", GOOD[:68] + LONG + GOOD[77:], 422),
    ("plainflag", built().bytes(features=0), 422), ("recording", built().bytes(state=1), 200),
    ("nopools", built().bytes(pools={}), 200), ("nometadata", built().bytes(metadata=b""), 422),
    ("countbig", with_pool("jdk.types.StackTrace", [(1, b"\0" + jfr_files.leb128((1 << 31) - 1))]), 422),
    ("symbols", with_pool("jdk.types.Symbol", [(1, b"\x02\x01"), (2, b"\x02\x02")]), 200),
    ("textkind", with_pool("jdk.types.Symbol", [(1, b"\x09abc")]), 422),
    ("textlong", with_pool("jdk.types.Symbol", [(1, b"\x03" + jfr_files.leb128(1 << 30))]), 422),
    ("strings", with_pool("java.lang.String", [(1, b"\x02\x01")]), 200),
    ("nostrings", built(encoding=0).bytes(), 200),
    ("cycle", built(classes={"A": [("b", "B", "")], "B": [("a", "A", "")]}).bytes(), 200),
    ("unknown", chunk([{"event": "Mine"}], classes={"Mine": [("startTime", "long", ""), ("x", "java.lang.String", "")]}), 200),
    ("self", with_pool("Me", [(1, b"")], Me=[("me", "Me", "")]), 422),
    ("steps", bomb(6, 60), 413),
    ("many", chunk([{"stack": STACK}] * 200_001), 413),
    ("chunks", chunk([]) * 4097, 413),
    ("zip", gzip.compress(GOOD + b"\0" * (100 << 20), 9), 413),
    ("zipzip", gzip.compress(gzip.compress(GOOD)), 422),
    ("zipcut", gzip.compress(GOOD)[:-6], 422),
])
def test_hostile_recordings_lose_only_themselves(server, name, body, status):
    before = serving.rss_bytes(server.process.pid)
    started = time.monotonic()
    answer = send(server, f"hostile-{name}", body)
    assert answer.status == status, answer.body
    if status != 200:
        error = answer.json()
        assert set(error) == {"code", "message"} and "\n" not in error["message"] and len(error["message"]) > 10
        assert types(server, f"hostile-{name}") == []
    assert time.monotonic() - started < 30
    assert serving.rss_bytes(server.process.pid) - before < 250 << 20


@pytest.mark.parametrize("parts,status,text", [
    ([("labels", b"x")], 422, "jfr"), ([("profile", b"x")], 422, "jfr"), ([("jfr", GOOD), ("labels", b"\xff\xff")], 422, "LabelsSnapshot"),
    ([("jfr", GOOD), ("labels", snapshot({1: {1: 2}}, {})[:-1])], 422, "LabelsSnapshot"),
    ([("jfr", GOOD), ("labels", gzip.compress(b"\0" * (100 << 20)))], 413, ""), ([("jfr", GOOD), ("other", b"x")], 200, ""),
    ([("jfr", GOOD), ("labels", b"")], 200, ""),
])
def test_hostile_forms(server, parts, status, text):
    body, headers = multipart(parts)
    answer = send(server, "hostile-form", body, headers=headers)
    assert answer.status == status, answer.body
    assert text in answer.body.decode()


def test_too_many_series_of_one_recording_are_refused_by_name(server):
    labels = snapshot({i: {1: i} for i in range(2, 1500)}, {1: "n", **{i: f"v{i}" for i in range(2, 1500)}})
    answer = send(server, "series", chunk([{"stack": STACK, "contextId": i} for i in range(2, 1500)]), labels)
    assert answer.status == 413 and "1000 series" in answer.json()["message"]


def test_recordings_with_bytes_changed_never_hurt(server):
    """The fuzzer does this without a server, and more of it."""
    _, _, recording, labels = golden("agent-labels.form")
    chance = random.Random(7)
    for _ in range(60):
        damaged = bytearray(recording)
        for _ in range(chance.randrange(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.choice((0, 0x7f, 0x80, 0xff, chance.randrange(256)))
        assert send(server, "damaged", bytes(damaged), labels).status in (200, 413, 422)
    assert server.get("/ready").status == 200
