# SPDX-License-Identifier: Apache-2.0
"""
spyName of /ingest: what Pyroscope changes in a pprof for the sake of one client or another (pkg/og/convert/pprof/profile.go).

- dotnetspy: functions without ids are those of the locations; '-' in sample types is '_'.  As there.
- pyspy, rbspy, scripting: there a function becomes "file function", because the flame graph of the time showed no files.
  Here the file is a field of its own that every view, export and question has, and a function keeps its name.
"""

import json

import pytest

from serving import Server, field, pprof, varint
from test_ingest import FROM, UNTIL, labels, multipart, table, types, view

TIMES = {"from": FROM, "until": UNTIL, "format": "pprof"}


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("spies") / "data")
    yield server
    code, err = server.stop()
    assert code == 0, err


def dotnet(types_of_samples, names=("Main", "Work", "Foo"), value=100_000, with_ids=False):
    """main calls work calls foo: functions without ids, one for each location."""
    texts = ["", *names, *(text for pair in types_of_samples for text in pair)]
    out = b"".join(field(1, field(1, texts.index(kind)) + field(2, texts.index(unit))) for kind, unit in types_of_samples)
    out += field(2, field(1, varint(3) + varint(2) + varint(1)) + field(2, varint(value) * len(types_of_samples)))
    for ident in (1, 2, 3):
        out += field(4, field(1, ident) + field(4, field(1, ident) + field(2, 10 + ident)))
    for ident in (1, 2, 3):
        out += field(5, (field(1, ident) if with_ids else b"") + field(2, ident))
    return out + b"".join(field(6, text) for text in texts)


HEAP = (("inuse-space", "bytes"), ("alloc-samples", "count"))
HEAP_TYPES = ["memory:alloc_samples:count::", "memory:inuse_space:bytes::"]


@pytest.mark.parametrize("with_ids", [False, True])
def test_functions_of_dotnet_without_ids_have_their_names(server, with_ids):
    name = f"dotnet{with_ids}"
    assert server.ingest(dotnet((("cpu", "nanoseconds"),), with_ids=with_ids), name=name, spyName="dotnetspy", **TIMES).status == 200
    (kind,) = types(server, name)
    assert kind == "process_cpu:cpu:nanoseconds::"
    assert table(view(server, name, kind)) == {"Main": (0, 100_000), "Work": (0, 100_000), "Foo": (100_000, 100_000)}
    assert labels(server, name)["pyroscope_spy"] == ["dotnetspy"]


def test_sample_types_of_dotnet_are_spelt_as_those_of_others(server):
    assert server.ingest(dotnet(HEAP), name="heap", spyName="dotnetspy", **TIMES).status == 200
    assert types(server, "heap") == HEAP_TYPES
    body, headers = multipart([("profile", dotnet(HEAP)), ("sample_type_config", json.dumps(
        {"inuse-space": {"units": "bytes", "aggregation": "average"}}).encode())])
    assert server.ingest(body, headers, name="unsaid", **TIMES).status == 200
    assert types(server, "unsaid") == HEAP_TYPES, "known by its types"


def test_sample_types_of_others_stay(server):
    assert server.ingest(dotnet((("my-type", "count"),)), name="other", spyName="gospy", **TIMES).status == 200
    assert types(server, "other") == ["process_cpu:my-type:count::"]


def test_functions_without_ids_that_fit_no_location_are_refused(server):
    broken = dotnet((("cpu", "nanoseconds"),)) + field(5, field(2, 1))
    got = server.ingest(broken, name="broken", spyName="dotnetspy", **TIMES)
    assert got.status == 422 and "function" in got.json()["message"]


@pytest.mark.parametrize("spy", ["pyspy", "rbspy", "scripting"])
def test_functions_of_scripts_keep_their_names_beside_their_files(server, spy):
    assert server.ingest(pprof({("main", "work"): 4000}, time_ns=FROM * 10**9), name=spy, spyName=spy, **TIMES).status == 200
    seen = view(server, spy)
    assert table(seen) == {"main": (0, 4000), "work": (4000, 4000)}
    files = {seen["strings"][seen["frames"]["file"][frame]] for frame in seen["table"]["frame"]}
    assert files == {"/srv/app.py"}


def test_clients_of_cumulative_profiles_are_told_to_update(server):
    body, headers = multipart([("profile", pprof({("main",): 1})), ("prev_profile", pprof({("main",): 1}))])
    got = server.ingest(body, headers, name="old", **TIMES)
    assert got.status == 422 and "prev_profile" in got.json()["message"]
