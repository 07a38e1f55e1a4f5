# SPDX-License-Identifier: Apache-2.0
"""What names and spans of profiles cost: the same load without either, with names, and with a span on each sample.

	spans.py [--minutes N]	of data, 20 series, a profile of 300 samples in 15 s each (default 10)

The baseline is the load without; it has to stay as it is: no file, row or read more.
"""

import argparse
import gzip
import json
import os
import pathlib
import random
import sqlite3
import sys
import tempfile
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from serving import CPU, Server, cpu_seconds, pprof, push_request  # noqa: E402

BINARY = os.environ.get("PYROMETER_BIN", ROOT / "build" / "src" / "cmd" / "pyrometer")
SERIES, SAMPLES, SPANS = 20, 300, 50
HEADERS = {"Content-Type": "application/proto"}


def bodies(rng, profiles, first_s, has_names, has_spans):
    names = [f"module_{i % 20}.function_{i}" for i in range(400)]
    stacks = [[tuple(names[min(int(rng.paretovariate(0.6)) + level, 399)] for level in range(25)) for _ in range(SAMPLES)]
              for _ in range(SERIES)]
    for i in range(profiles):
        spans = [f"{rng.getrandbits(64) | 1:016x}" for _ in range(SPANS)]
        traces = [f"{rng.getrandbits(128) | 1:032x}" for _ in range(SPANS)]
        samples = []
        for stack in stacks[i % SERIES]:
            at = rng.randrange(SPANS)
            labels = {"span_id": spans[at], "trace_id": traces[at]} if has_spans else {}
            samples.append((stack, rng.randrange(1, 20) * 10**7, labels))
        raw = gzip.compress(pprof(samples, time_ns=(first_s + i // SERIES * 15) * 10**9, duration_ns=15 * 10**9), 1)
        yield push_request([({"__name__": "process_cpu", "service_name": "shop", "host": f"h{i % SERIES}"},
                             [(raw, str(uuid.UUID(int=rng.getrandbits(128))) if has_names else None)])])


def io_of(pid):
    with open(f"/proc/{pid}/io", encoding="ascii") as file:
        return {line.split(":")[0]: int(line.split()[1]) for line in file}


def rows_of(data):
    """{level: rows of blocks} and bytes by level."""
    rows, size = {}, {}
    for path in pathlib.Path(data, "blocks").rglob("*.db"):
        level = path.parent.name
        with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as db:
            rows[level] = rows.get(level, 0) + db.execute("SELECT count(*) FROM block").fetchone()[0]
            # Pages of a young file are mostly empty: what rows hold says more.
            size[level] = size.get(level, 0) + db.execute("SELECT sum(length(head) + length(data) + 40) FROM block").fetchone()[0]
    return rows, size


def ask(server, method, **body):
    began = time.perf_counter()
    answer = server.request("POST", f"/querier.v1.QuerierService/{method}", json.dumps(body).encode(),
                            {"Content-Type": "application/json"})
    assert answer.status == 200, answer.body
    return answer.json(), (time.perf_counter() - began) * 1000


def load(name, minutes, has_names, has_spans):
    rng = random.Random(3)
    profiles = minutes * 4 * SERIES
    first_s = int(time.time()) - minutes * 60 - 60
    with tempfile.TemporaryDirectory() as directory:
        server = Server(BINARY, directory)
        messages = list(bodies(rng, profiles, first_s, has_names, has_spans))
        before = cpu_seconds(server.process.pid)
        for message in messages:
            answer = server.request("POST", "/push.v1.PusherService/Push", message, HEADERS)
            assert answer.status == 200, answer.body
        used = cpu_seconds(server.process.pid)
        while True:  # until it is idle again, roll-ups included
            time.sleep(2)
            now = cpu_seconds(server.process.pid)
            if now - used < 0.03:
                break
            used = now
        io = io_of(server.process.pid)
        figures = {"cpu_us": (used - before) / profiles * 1e6, "written": io["wchar"] / profiles}
        if has_spans:
            question(server, first_s, minutes)
        server.stop()
        rows, size = rows_of(directory)
    figures.update(rows=rows, fine=size["10s"] / profiles / SAMPLES, spans=size.get("spans", 0) / profiles / SAMPLES)
    print(f"{name:14} {figures['cpu_us']:8.0f} us CPU a profile  {figures['written'] / 1024:7.1f} KiB written  "
          f"10s {figures['fine']:.2f} bytes a sample, spans {figures['spans']:.2f}  rows {rows}")
    return figures


def question(server, first_s, minutes):
    asked = {"profileTypeID": CPU, "labelSelector": '{service_name="shop"}', "start": first_s * 1000,
             "end": (first_s + minutes * 60 + 60) * 1000}
    heat, heat_ms = ask(server, "SelectHeatmap", step=15, queryType="HEATMAP_QUERY_TYPE_SPAN",
                        exemplarType="EXEMPLAR_TYPE_SPAN", **asked)
    counted = sum(sum(slot["counts"]) for slot in heat["series"][0]["slots"])
    span = heat["series"][0]["slots"][0]["exemplars"][0]["spanId"]
    _, span_ms = ask(server, "SelectMergeSpanProfile", spanSelector=[span], **asked)
    _, series_ms = ask(server, "SelectSeries", step=15, exemplarType="EXEMPLAR_TYPE_INDIVIDUAL", **asked)
    print(f"  {SERIES} series, {minutes} min: heatmap of {counted} spans {heat_ms:.0f} ms, one span's profile {span_ms:.0f} ms, "
          f"timeline with exemplars {series_ms:.0f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10)
    minutes = parser.parse_args().minutes
    plain = load("without", minutes, False, False)
    named = load("named", minutes, True, False)
    spans = load("with spans", minutes, True, True)
    print(f"CPU, against without: named {named['cpu_us'] / plain['cpu_us']:.2f}, with spans {spans['cpu_us'] / plain['cpu_us']:.2f}; "
          f"10s level: named +{named['fine'] - plain['fine']:.3f} bytes a sample")
    return 0 if "spans" not in plain["rows"] and plain["rows"]["10s"] == named["rows"]["10s"] else 1


if __name__ == "__main__":
    sys.exit(main())
