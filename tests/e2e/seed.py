# SPDX-License-Identifier: Apache-2.0
"""Half an hour of scene A as exact numbers, and how to send it: pprof bodies to POST /ingest, source to /api/v1/source.

Every 10 s of the history is one profile. In calm times the service uses 0.2 cores; between HUMP and FIXED it uses
0.8; from FIXED on, under the same load as in the hump, foo() takes 8,000 steps in place of 75,000.
"""

import pathlib
import urllib.parse
import urllib.request

STEP_MS = 10_000
LENGTH_MS = 30 * 60_000
HUMP = 10 * 60_000
FIXED = 20 * 60_000
SAMPLE_NS = 10_000_000

APP = pathlib.Path(__file__).resolve().parents[2] / "examples" / "scene_a" / "app.py"
FILE = "/srv/demo/app.py"
SOURCE = APP.read_text()


def line_of(text):
    return next(i for i, line in enumerate(SOURCE.split("\n"), 1) if text in line)


WORK = ("work", FILE, line_of("def work("))
FOO = ("foo", FILE, line_of("def foo("))
BAR = ("bar", FILE, line_of("def bar("))
SERVE = ("Service.serve", FILE, line_of("def serve("))
WORK_LINE = line_of("return foo(")
SERVE_LINE = line_of("work(FOO_STEPS_FIXED if")


def steps_at(offset_ms):
    """CPU nanoseconds of (foo, bar) in the 10 s that begin there."""
    cores = 0.2 if offset_ms < HUMP else 0.8
    foo = 0.75 * (8 / 75 if offset_ms >= FIXED else 1)
    return round(cores * foo * STEP_MS * 1e6), round(cores * 0.25 * STEP_MS * 1e6)


def stacks_between(begin_ms, from_ms, until_ms):
    """What a view of that range holds; parts of a step count in proportion."""
    out = {(SERVE, WORK, FOO): 0, (SERVE, WORK, BAR): 0}
    for offset in range(0, LENGTH_MS, STEP_MS):
        at = begin_ms + offset
        part = (min(at + STEP_MS, until_ms) - max(at, from_ms)) / STEP_MS
        if part > 0:
            foo, bar = steps_at(offset)
            out[(SERVE, WORK, FOO)] += round(foo * part)
            out[(SERVE, WORK, BAR)] += round(bar * part)
    return {stack: value for stack, value in out.items() if value}


# ---- pprof, just as much of it as is needed ----


def varint(n):
    out = bytearray()
    while True:
        out.append(n & 0x7F | (0x80 if n > 0x7F else 0))
        n >>= 7
        if not n:
            return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def pprof(samples, time_ns, duration_ns):
    """samples: [(stack of ((name, file, first line), line), outermost first; CPU nanoseconds)]."""
    strings, functions, locations = ["", "cpu", "nanoseconds"], {}, {}
    text = lambda s: strings.index(s) if s in strings else strings.append(s) or len(strings) - 1
    out = field(1, field(1, 1) + field(2, 2))
    for stack, value in samples:
        ids = []
        for function, line in reversed(stack):
            functions.setdefault(function, len(functions) + 1)
            ids.append(locations.setdefault((function, line), len(locations) + 1))
        out += field(2, field(1, b"".join(map(varint, ids))) + field(2, varint(value)))
    for (function, line), number in locations.items():
        out += field(4, field(1, number) + field(4, field(1, functions[function]) + field(2, line)))
    for (name, file, first), number in functions.items():
        out += field(
            5,
            field(1, number)
            + field(2, text(name))
            + field(3, text(name))
            + field(4, text(file))
            + field(5, first),
        )
    for string in strings:
        out += field(6, string.encode())
    return (
        out
        + field(9, time_ns)
        + field(10, duration_ns)
        + field(11, field(1, 1) + field(2, 2))
        + field(12, SAMPLE_NS)
    )


def step_samples(offset_ms):
    """foo's cost: nine tenths on its loop's body, one tenth on its head."""
    foo, bar = steps_at(offset_ms)
    base = [(SERVE, SERVE_LINE), (WORK, WORK_LINE)]
    lines = []
    for function, value in ((FOO, foo), (BAR, bar)):
        head = value // 10
        lines += [
            (base + [(function, function[2] + 2)], head),
            (base + [(function, function[2] + 3)], value - head),
        ]
    return lines


def send(url, method, body):
    request = urllib.request.Request(url, data=body, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status in (200, 204), answer.status


def ingest(server, service, samples, from_ms, until_ms):
    query = urllib.parse.urlencode(
        {"name": service, "from": from_ms // 1000, "until": until_ms // 1000, "format": "pprof"}
    )
    send(
        f"{server}/ingest?{query}",
        "POST",
        pprof(samples, from_ms * 1_000_000, (until_ms - from_ms) * 1_000_000),
    )


def send_scene(server, begin_ms, service="demo"):
    for offset in range(0, LENGTH_MS, STEP_MS):
        ingest(server, service, step_samples(offset), begin_ms + offset, begin_ms + offset + STEP_MS)
    query = urllib.parse.urlencode({"service": service, "file": FILE})
    send(f"{server}/api/v1/source?{query}", "PUT", SOURCE.encode())
