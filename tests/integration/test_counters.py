# SPDX-License-Identifier: Apache-2.0
"""Cumulative profiles become differences: what counts, from when to when, and what counts nothing."""

import json
import time
import uuid

import pytest
from serving import Server, pprof

S = 10**9
NOW = int(time.time()) - 600
ALLOC = "memory:alloc_space:bytes:cpu:nanoseconds"
INUSE = "memory:inuse_space:bytes:cpu:nanoseconds"
HEAP = (("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes"))


@pytest.fixture
def server(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path / "data")
    yield server
    code, err = server.stop()
    assert code == 0, err


def heap(second, alloc, duration_ns=0, inuse=7):
    """What a Go program's heap profile says: bytes that foo and bar allocated since it started."""
    stacks = {("main", name): (bytes // 10, bytes, inuse, 100 * inuse) for name, bytes in alloc.items()}
    return pprof(stacks, HEAP, time_ns=(NOW + second) * S, duration_ns=duration_ns)


def push(server, profile, metric="memory", ident=None, **labels):
    answer = server.push([({"__name__": metric, "service_name": "svc", **labels}, [(profile, ident)])])
    assert answer.status == 200, answer.body


def totals(server, kind, first=-3600, last=3600):
    """{name: self} in a range of seconds."""
    view = server.get("/api/v1/view", query=f'{kind}{{service_name="svc"}}', until=(NOW + last) * 1000,
                      **{"from": (NOW + first) * 1000}).json()
    return {view["strings"][view["frames"]["name"][frame]]: own
            for frame, own in zip(view["table"]["frame"], view["table"]["self"]) if own}


def test_differences_lie_between_two_profiles(server):
    push(server, heap(0, {"foo": 1000, "bar": 500}))
    push(server, heap(15, {"foo": 1600, "bar": 500}))
    push(server, heap(30, {"foo": 1600, "bar": 800, "new": 40}))
    assert totals(server, ALLOC) == {"foo": 600, "bar": 300, "new": 40}
    assert totals(server, ALLOC, 0, 15) == {"foo": 600}
    assert totals(server, ALLOC, 15, 30) == {"bar": 300, "new": 40}
    assert totals(server, INUSE) == pytest.approx({"foo": 700, "bar": 700, "new": 700 / 3}, abs=1)  # levels stay


def test_restarts_and_late_ones_never_count_backwards(server):
    push(server, heap(0, {"foo": 1000}))
    push(server, heap(30, {"foo": 1500}))
    push(server, heap(15, {"foo": 1200}))  # late: counted already
    push(server, heap(30, {"foo": 1500}))  # again
    push(server, heap(45, {"foo": 10}))  # a new process
    push(server, heap(60, {"foo": 35}))
    assert totals(server, ALLOC) == {"foo": 525}
    for what, n in {"difference": 2, "base": 1, "restart": 1, "late": 2}.items():
        assert server.metric(f'delta_profiles_total{{as="{what}"}}') == n


def test_restart_of_the_server_loses_an_interval_and_counts_nothing_twice(server):
    push(server, heap(0, {"foo": 1000}), ident=str(uuid.uuid4()))
    last = str(uuid.uuid4())
    push(server, heap(15, {"foo": 1100}), ident=last)
    server.stop()
    server.start()
    push(server, heap(15, {"foo": 1100}), ident=last)  # a client that had no answer
    push(server, heap(30, {"foo": 1250}))
    assert totals(server, ALLOC) == {"foo": 250}


def test_who_says_that_it_is_a_difference_is_believed(server):
    for second in (0, 15):
        push(server, heap(second, {"said": 100}), __delta__="false")
        push(server, heap(second, {"long": 100}, duration_ns=15 * S), region="eu")
    push(server, pprof({("work",): (3, 3000)}, (("samples", "count"), ("cpu", "nanoseconds")), time_ns=NOW * S,
                       duration_ns=0), "process_cpu")
    assert totals(server, ALLOC) == {"said": 200, "long": 200}
    assert totals(server, "process_cpu:cpu:nanoseconds:cpu:nanoseconds") == {"work": 3000}


@pytest.mark.parametrize("metric", ["mutex", "block"])
def test_locks_are_counters(server, metric):
    types = (("contentions", "count"), ("delay", "nanoseconds"))
    for second, count in ((0, 5), (15, 9)):
        push(server, pprof({("Lock",): (count, count * 1000)}, types, time_ns=(NOW + second) * S, duration_ns=0), metric)
    assert totals(server, f"{metric}:contentions:count:cpu:nanoseconds") == {"Lock": 4}
    assert totals(server, f"{metric}:delay:nanoseconds:cpu:nanoseconds") == {"Lock": 4000}


def test_sample_type_config_says_what_is_cumulative(server):
    config = json.dumps({"alloc_space": {"units": "bytes", "cumulative": True}, "alloc_objects": {"cumulative": False}})
    for second, count in ((0, 500), (15, 800)):
        body = b"".join(b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % part for part in (
            (b"profile", heap(second, {"foo": count})), (b"sample_type_config", config.encode()))) + b"--b--\r\n"
        answer = server.ingest(body, {"Content-Type": "multipart/form-data; boundary=b"}, name="svc")
        assert answer.status == 200, answer.body
    assert totals(server, ALLOC) == {"foo": 300}
    assert totals(server, "memory:alloc_objects:count:cpu:nanoseconds") == {"foo": 130}


def test_a_refused_profile_is_no_base(server):
    push(server, heap(0, {"foo": 1000}))
    series = [({"__name__": "memory", "service_name": "svc"}, [(heap(10**6, {"foo": 5000}), None)])]
    assert server.push(series).status == 400  # a clock that is wrong
    push(server, heap(15, {"foo": 1400}))
    assert totals(server, ALLOC) == {"foo": 400}


def replay(server, folder):
    for path in sorted(folder.glob("*.req.txt")):
        line, *head = path.read_text().splitlines()
        headers = dict(h.split(": ", 1) for h in head if ": " in h)
        body = path.with_name(path.name.replace(".req.txt", ".req.body.bin")).read_bytes()
        if line.split(" ")[0] == "POST" and ("Push" in line or "/ingest" in line):
            kept = {k: v for k, v in headers.items() if k.lower() in ("content-type", "content-encoding")}
            assert server.request("POST", line.split(" ")[1], body, kept).status == 200


@pytest.mark.parametrize("client,kind,service,expected", [
    # Differences without __delta__: what three of them say, added up.
    ("pyroscope-python-mem", "memory:alloc_space:bytes:space:bytes", "pyapp", 3635695399 + 3831492893 + 1534014885),
    ("pyroscope-python-mem", "memory:inuse_space:bytes:space:bytes", "pyapp", (4385283 + 3105338 + 4165216) // 3),
    # Go's own heap profile, uploaded once: counts since the program began are a base, levels are levels.
    ("profilecli", "memory:alloc_space:bytes:space:bytes", "uploaded", 0),
    ("profilecli", "memory:inuse_space:bytes:space:bytes", "uploaded", 10181321),
])
def test_recorded_memory_profiles_count_as_meant(pyrometer, tmp_path, shared, client, kind, service, expected):
    server = Server(pyrometer, tmp_path / "data", "--retention", "5000d")
    try:
        replay(server, shared / "corpus" / "clients" / client)
        seen = server.get("/api/v1/view", query=f'{kind}{{service_name="{service}"}}', until=4 * 10**12, **{"from": 0})
        assert seen.status == 200 and seen.json()["total"] == pytest.approx(expected, abs=2)
    finally:
        server.stop()
