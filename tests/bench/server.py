# SPDX-License-Identifier: Apache-2.0
"""The server under load: what it takes, how soon it says so, what that costs in memory and on disk, how fast it answers.

	server.py [--quick] [--gb N] [--days N] [PART...]	parts: ingest sdk acknowledge memory disk first query (default: all)

Each figure stands beside its bar; the last lines say which bars were missed.  --quick: less of everything, a minute
in all.  --gb: how large a store `first` makes (10, quick 1).  --days: of a
month that `query` asks for (30, quick 1; writing a day takes half a minute).  The baseline is Pyroscope 2.2.1 on two cores under the same load (20 series, 15 minutes, gzipped pprofs of
48 KB with 300 samples of 3,000 locations through Push): 98-111 profiles a CPU second, 0.6-0.8 s to acknowledge,
490 MB, 137 bytes a sample, and 182 ms for the flame graph of all twenty series.
"""

import gc
import gzip
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from serving import CPU, Server, cpu_seconds, field, push_request  # noqa: E402

BINARY = os.environ.get("PYROMETER_BIN", ROOT / "build" / "src" / "cmd" / "pyrometer")
TOOLS = pathlib.Path(os.environ.get("BENCH_TOOLS", ROOT / "build" / "tests" / "bench"))
SDK = pathlib.Path(__file__).parent / "sdk"
STEP = 10
BASELINE = {"per CPU second": 105, "acknowledge": 700, "memory": 490, "disk": 137, "query": 182}


class Table:
    def __init__(self):
        self.missed = []

    def row(self, what, value, unit, bar=None, at_least=False, note=""):
        verdict = ""
        if bar is not None:
            good = value >= bar if at_least else value <= bar
            verdict = f"{'>=' if at_least else '<='} {bar:g}  {'PASS' if good else 'miss'}"
            if not good:
                self.missed.append(what)
        print(f"  {what:52} {value:10.4g} {unit:14} {verdict:22} {note}", flush=True)


def tool(name, *arguments):
    """Run a program of the bench; returns what it prints, as numbers."""
    out = subprocess.run([TOOLS / name, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {key: float(value) for key, value in (line.split() for line in out.splitlines())}


def bodies(path, series, profiles, first_s, *more):
    return tool("server_bodies", path, series, profiles, int(first_s) * 10**9, STEP, *more)


def load(server, path, connections=32, rate=0, rounds=1):
    result = tool("server_load", server.host, server.port, path, connections, rate, rounds)
    assert not result["refused"] and not result["failed"], result
    return result


def wait_until_idle(server, quiet=7):
    """Roll-ups follow seconds after the last profile: until the server has used no CPU for a while."""
    last, since = cpu_seconds(server.process.pid), time.monotonic()
    while time.monotonic() < since + quiet:
        time.sleep(0.25)
        now = cpu_seconds(server.process.pid)
        if now > last + 0.02:
            last, since = now, time.monotonic()


def cost(server, path):
    """CPU seconds of the server for the requests of a file, sent once, until it is idle again."""
    before = cpu_seconds(server.process.pid)
    result = load(server, path)
    wait_until_idle(server)
    return cpu_seconds(server.process.pid) - before, result


def high_water_mb(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def disk_bytes(*paths):
    return sum(file.stat().st_blocks * 512 for path in paths for file in pathlib.Path(path).rglob("*") if file.is_file())


class Hosted(Server):
    """The same server in a program that turns its clock."""

    def __init__(self, data, ahead):
        self.ahead = ahead
        super().__init__(str(BINARY), data)

    def start(self, seconds=20):
        self.process = subprocess.Popen([TOOLS / "server_host", self.data, str(self.ahead)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        match = re.search(r"http://([0-9.]+):(\d+)", self.process.stdout.readline())
        self.host, self.port = match[1], int(match[2])
        self.url = f"http://{self.host}:{self.port}"


# ---- what it takes ----

def ingest(table, directory, quick):
    minutes = 3 if quick else 15
    first = int(time.time()) // 60 * 60 - minutes * 60 - 120
    made = bodies(directory / "base", 20, minutes * 6, first)
    print(f"Push: 20 series, {minutes} minutes, pprofs of {made['samples']:.0f} samples and {made['locations']:.0f}"
          f" locations, {made['gz_bytes'] / 1000:.0f} KB gzipped, {made['raw_bytes'] / 1000:.0f} KB inflated:")
    server = Server(str(BINARY), directory / "base-data")
    try:
        used, result = cost(server, directory / "base")
        rate = made["profiles"] / used
        table.row("profiles a CPU second, until idle again", rate, "/CPU s", 1000, True,
                  f"{rate / BASELINE['per CPU second']:.1f} x the baseline")
        each = used / made["profiles"] * 1e6
        table.row("CPU a profile, times bare inflate of its bytes", each / made["inflate_us"], "x", note=
                  f"{each:.0f} us against {made['inflate_us']:.0f} us")
        table.row("acknowledged, closed loop, p50", result["p50_ms"], "ms")
        table.row("memory, high water", high_water_mb(server), "MB", 256, note=f"baseline {BASELINE['memory']} MB")
        flame(table, server, first, minutes)
    finally:
        server.stop()
    samples = made["profiles"] * made["samples"]
    table.row("on disk after closing, catalogue included", disk_bytes(directory / "base-data") / samples, "B/sample",
              note=f"baseline {BASELINE['disk']} B; values of jittered nanoseconds, a short time of dictionaries")
    return rate


def flame(table, server, first, minutes):
    """Twenty series, odd edges, nothing from the cache."""
    took = []
    for i in range(30):
        began = time.monotonic()
        answer = server.get("/pyroscope/render", query=f'{CPU}{{service_name="shop"}}', format="json",
                            **{"from": (first - 1) * 1000 + i, "until": (first + minutes * 60) * 1000 - 7 * i})
        took.append((time.monotonic() - began) * 1000)
        assert answer.status == 200 and answer.json()["flamebearer"]["numTicks"] > 0
    took.sort()
    table.row("flame graph of all twenty series, p50", took[15], "ms", 10, note=f"worst {took[-1]:.1f}; baseline {BASELINE['query']} ms")


# ---- bodies of SDKs ----

def at_time(packed, start):
    """The pprof with another time: of a field that is there twice the last counts."""
    raw = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
    return gzip.compress(raw + field(9, start * 10**9) + field(10, STEP * 10**9), 6)


def python_request(start, number):
    raw = (SDK / "python.push").read_bytes()
    at = raw.index(b"\x0a\x9f\x0a")  # of sample 1: its raw profile, 1,311 bytes
    labels = {"__name__": "process_cpu", "service_name": "pyapp", "version": "1.0", "region": "eu",
              "otel.scope.name": "com.grafana.pyroscope/python", "process.runtime.name": "cpython"}
    body = gzip.compress(push_request([(labels, [(at_time(raw[at + 3:at + 3 + 1311], start), f"py-{number}")])]), 6)
    return "/push.v1.PusherService/Push", {"Content-Type": "application/proto", "Content-Encoding": "gzip"}, body


def ingest_path(start, **more):
    return "/ingest?" + urllib.parse.urlencode({"from": start, "until": start + STEP, **more})


def go_request(start, _number):
    raw = (SDK / "go.multipart").read_bytes()
    boundary = raw[2:raw.index(b"\r\n")]
    at = raw.index(b"\x1f\x8b")
    end = raw.index(b"\r\n--" + boundary, at)
    body = raw[:at] + at_time(raw[at:end], start) + raw[end:]
    path = ingest_path(start, name="goapp{region=eu,version=1.0}", spyName="gospy", sampleRate=100)
    return path, {"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"}, body


def node_request(start, _number):
    body = at_time((SDK / "nodejs.pprof.gz").read_bytes(), start)
    return (ingest_path(start, name="nodeapp{region=eu,version=1.0}", spyName="nodespy", format="pprof"),
            {"Content-Type": "application/octet-stream"}, body)


def java_request(start, _number):
    """A recording of 14 KB (37 KB inflated) with 728 samples of three kinds: JFR is measured apart."""
    body = (ROOT / "tests" / "integration" / "golden" / "jfr" / "agent.form").read_bytes()
    boundary = body[2:body.index(b"\r\n")].decode()
    path = ingest_path(start, name="javaapp{region=eu,version=1.0}", spyName="javaspy", sampleRate=100, format="jfr")
    return path, {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


def write_requests(path, make, n):
    first = int(time.time()) // 60 * 60 - n * STEP - 120
    with open(path, "wb") as out:
        for i in range(n):
            target, headers, body = make(first + i * STEP, i)
            head = f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
            head += "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
            out.write(struct.pack("<I", len(head) + len(body)) + head.encode() + body)


def sdk(table, directory, quick):
    n = 1000 if quick else 5000
    print(f"Bodies as SDKs sent them, {n} of each, times and ids apart:")
    for name, make, bar in (("Python", python_request, 5000), ("Go", go_request, 5000), ("Node", node_request, 5000),
                            ("Java", java_request, None)):
        write_requests(directory / name, make, n)
        server = Server(str(BINARY), directory / f"{name}-data")
        try:
            used, _ = cost(server, directory / name)
            table.row(f"{name}: profiles a CPU second, until idle again", n / used, "/CPU s", bar, True)
        finally:
            server.stop()


# ---- how soon ----

def acknowledge(table, directory, quick, rate):
    """Open loop at 70 % of what it takes with both cores, its clock going through an hour and a midnight."""
    rate = 0.7 * (rate or 500) * (os.cpu_count() or 1) / 2  # the load generator runs beside it
    before, after = (15, 30) if quick else (30, 60)
    now = time.time()
    midnight = (now // 86400 + 1) * 86400
    series = 100 if quick else 200
    bodies(directory / "before", series, 6, midnight - 60, "bare")
    bodies(directory / "after", series, 6, midnight, "bare")
    server = Hosted(directory / "midnight", int(midnight - before - time.time()))
    print(f"Acknowledged, open loop, {rate:.0f} profiles/s of {series} series, through an hour and a midnight:")
    try:
        parts = [load(server, directory / part, 64, rate, max(1, round(seconds * rate / (series * 6))))
                 for part, seconds in (("before", before), ("after", after))]
        for name, bar in (("p50_ms", None), ("p99_ms", 250), ("p100_ms", None)):
            table.row(f"acknowledged, {name[:-3]}", max(part[name] for part in parts), "ms", bar,
                      note=f"baseline {BASELINE['acknowledge']} ms" if bar else "")
    finally:
        server.stop()


# ---- memory ----

def memory(table, directory, quick):
    n = 300 if quick else 1000
    now = int(time.time()) // 60 * 60
    bodies(directory / "many", n, 2 if quick else 6, now - 180)
    print(f"Memory, {n} series ingesting, queries running:")
    server = Server(str(BINARY), directory / "many-data")
    stop = threading.Event()

    def ask():
        rng = random.Random(1)
        while not stop.is_set():
            server.get("/pyroscope/render", query=f'{CPU}{{service_name="shop",side="{rng.choice(["odd", "even"])}"}}',
                       format="json", **{"from": (now - 180) * 1000 + rng.randrange(10**4), "until": now * 1000})

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        load(server, directory / "many")
    finally:
        stop.set()  # while somebody asks it is never idle
        asking.join()
    wait_until_idle(server, 3)
    table.row("memory, high water", high_water_mb(server), "MB", 256)
    server.stop()


# ---- disk ----

LEVELS = ("10s", "1m", "10m", "1h", "1d")


def level_bytes(directory, level):
    return disk_bytes(*pathlib.Path(directory).glob(f"blocks/*/{level}"))


def disk(table, directory, quick):
    """A day of 10 s profiles by the store's bulk writer, summed up at all levels; see store_fill.c for the shapes."""
    for title, shape, series, bar in (("20 series, 300 of 500 stacks a profile", "bench", 20, 1.5),
                                      ("20 series, 300 samples of 3,000 stacks by Zipf's law, as `ingest` sends", "push", 20, None),
                                      ("one series, 1,000 samples of 20,000 stacks by Zipf's law", "zipf", 1, 1.9)):
        seconds = 4 * 3600 if quick and series > 1 else 86400  # a dictionary and a sum of a day want their day
        data = directory / f"disk-{shape}"
        made = tool("store_fill", data, shape, series, STEP, seconds)
        fine, whole, catalogue = level_bytes(data, "10s"), disk_bytes(data), disk_bytes(data) - disk_bytes(data / "blocks")
        print(f"Disk, {title}, {seconds // 3600} h of 10 s profiles with jittered nanoseconds:")
        table.row("bytes a sample, finest level and catalogue", (fine + catalogue) / made["samples"], "B/sample", 4,
                  note=f"baseline {BASELINE['disk']} B")
        table.row("and for each stack of a profile, which holds its samples", (fine + catalogue) / made["nodes"], "B/stack",
                  4 if shape == "bench" else None)
        table.row("all levels and the catalogue, times the 10 s level", whole / fine, "x", bar,
                  note=", ".join(f"{level} {level_bytes(data, level) / fine:.3f}" for level in LEVELS[1:])
                  + f", catalogue {catalogue / fine:.3f}")
        table.row("written in bulk, roll-ups with it", made["profiles"] / made["cpu_s"], "/CPU s",
                  note=f"{whole / 1e6 / made['cpu_s']:.0f} MB a CPU second, {made['rss_mb']:.0f} MB of memory")


# ---- the first question ----

def forget_pages(directory):
    """Out of the kernel's cache, as after a boot."""
    os.sync()
    for path in pathlib.Path(directory).rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def first(table, directory, quick):
    """From exec to the first flame graph, on a store that is large and not in memory."""
    gigabytes = float(option("--gb", 1 if quick else 10))
    data = directory / "large"
    made = tool("store_fill", data, "zipf", 20, STEP, 30 * 86400, gigabytes)
    until = int(made["last_s"])
    print(f"First flame graph on {disk_bytes(data) / 1e9:.1f} GB, 20 series of 20,000 stacks over"
          f" {(until - made['first_s']) / 86400:.1f} days, written in {made['cpu_s']:.0f} CPU seconds:")
    for title, hours in (("an hour", 1), ("a day", 24), ("all of it", (until - int(made["first_s"])) // 3600)):
        forget_pages(data)
        began = time.monotonic()
        server = Server(str(BINARY), data, "--keep", "all=forever")
        try:
            ready = time.monotonic()
            answer = server.get("/pyroscope/render", query=f'{CPU}{{service_name="shop"}}', format="json",
                                **{"from": (until - hours * 3600) * 1000 + 1234, "until": until * 1000 - 4321})
            took = time.monotonic() - began
            assert answer.status == 200 and answer.json()["flamebearer"]["numTicks"] > 0
            table.row(f"exec to flame graph of {title}, files not in memory", took, "s", 1,
                      note=f"{(ready - began) * 1000:.0f} ms until it listens, {high_water_mb(server):.0f} MB")
        finally:
            server.stop()


# ---- questions ----

# Of the service's series, all or those with odd or even hosts: the same ones asked for in many ways.
SELECTORS = {
    "all": [("all", ""), ("all", ',host=~"h[0-9]+"'), ("all", ',side=~"odd|even"'), ("all", ',side!=""')],
    "half": [("odd", ',side="odd"'), ("even", ',side="even"'), ("even", ',side!="odd"'), ("odd", ',host=~"h[0-9]*[13579]"'),
             ("even", ',host!~".*[13579]"')],
}


def select(rng, which):
    """A side, and a selector of its series."""
    side, matchers = rng.choice(SELECTORS[which])
    return side, '{service_name="shop"' + matchers + "}"


class History:
    """A store that store_fill filled with 100 series of a service, and what a brute force knows of it."""

    def __init__(self, data, shape, series, step, seconds):
        self.data, self.shape = data, (shape, series, step)
        self.seconds, self.asked = seconds, []
        self.first = int(tool("store_fill", data, *self.shape, seconds)["first_s"])

    def draw(self, rng, hours):
        """A range of about so many hours that fits no window, in ms."""
        begin = self.first * 1000 + rng.randrange(max(1, (self.seconds - hours * 3600) * 1000))
        return begin, min(begin + hours * 3600 * 1000 - rng.randrange(1000), (self.first + self.seconds) * 1000)

    def remember(self, question, answer):
        self.asked.append((question, answer))

    def unlike(self):
        """How many of the remembered answers are not what all profiles, made again and divided, come to."""
        lines = "".join(" ".join(map(str, question)) + "\n" for question, _ in self.asked)
        out = subprocess.run([TOOLS / "store_sums", *map(str, (*self.shape, self.first, self.seconds))], check=True, text=True,
                             input=lines, stdout=subprocess.PIPE).stdout.splitlines()
        wrong = 0
        for ((*_, steps), answer), line in zip(self.asked, out, strict=True):
            if steps:
                wrong += [int(word) for word in line.split()] != answer
            else:
                wrong += {name: int(value) for name, value in (word.split("=") for word in line.split())} != answer
        return wrong


def self_values(answer):
    flame = answer.json()["flamebearer"]
    sums = {}
    for level in flame["levels"]:
        for at in range(0, len(level), 4):
            if level[at + 2]:
                name = flame["names"][level[at + 3]]
                sums[name] = sums.get(name, 0) + level[at + 2]
    return sums


def timed(server, path, **params):
    began = time.monotonic()
    answer = server.get(path, **params)
    took = (time.monotonic() - began) * 1000
    assert answer.status == 200, answer.body
    return took, answer


def ask_flame(server, history, rng, hours, which, is_checked):
    begin, end = history.draw(rng, hours)
    side, selector = select(rng, which)
    took, _ = timed(server, "/api/v1/view", query=CPU + selector, **{"from": begin, "until": end})
    if is_checked:
        whole = server.get("/pyroscope/render", query=CPU + selector, format="json", maxNodes=10**6,
                           **{"from": begin, "until": end})
        history.remember((side, begin * 10**6, (end - begin) * 10**6, 0), self_values(whole))
    return took


def ask_lines(server, history, rng, hours, which, is_checked):
    """By a label, in the steps that a panel of a thousand points asks for: they fit no window either."""
    begin, end = history.draw(rng, hours)
    step = hours * 3600 * 1000 // 1000
    body = {"profileTypeID": CPU, "labelSelector": select(rng, which)[1], "start": begin, "end": end, "groupBy": ["side"],
            "step": step / 1000}
    began = time.monotonic()
    answer = server.request("POST", "/querier.v1.QuerierService/SelectSeries", json.dumps(body),
                            {"Content-Type": "application/json"})
    took = (time.monotonic() - began) * 1000
    assert answer.status == 200, answer.body
    steps = (end - begin) // step  # the last one is short
    for line in answer.json()["series"] if is_checked else []:
        points = {int(point["timestamp"]): int(point["value"]) for point in line["points"]}
        history.remember((line["labels"][0]["value"], begin * 10**6, step * 10**6, steps),
                         [points.get(begin + (i + 1) * step, 0) for i in range(steps)])
    return took


# Questions of each kind that do not count: what the first ones of a server cost, with nothing in memory, is `first`.
WARM_UP = 5


def ask_all(table, server, history, rng, n, questions):
    for title, ask, hours, which, bar in questions:
        for _ in range(WARM_UP):
            ask(server, history, rng, hours, which, False)
        took = sorted(ask(server, history, rng, hours, which, True) for _ in range(n))
        table.row(f"{title}, p99", took[int(n * 0.99)], "ms", bar, note=f"p50 {took[n // 2]:.1f}, {n} ranges")


def ask_history(table, directory, history, n, questions):
    rng = random.Random(7)
    bodies(directory / "beside", 20, 30, int(time.time()) // 60 * 60 - 300)
    server = Server(str(BINARY), history.data, "--keep", "all=forever")
    noise = subprocess.Popen([TOOLS / "server_load", server.host, str(server.port), directory / "beside", "2", "50", "1000"],
                             stdout=subprocess.DEVNULL)
    try:
        ask_all(table, server, history, rng, n, questions)
    finally:
        noise.kill()
        noise.wait()
        server.stop()
    table.row(f"of {len(history.asked)} answers, unlike a brute force", history.unlike(), "", 0)


def query(table, directory, quick):
    series, hours, n = (20, 3, 40) if quick else (100, 25, 200)
    day = min(hours - 1, 24)
    history = History(directory / "day", "push", series, 10, hours * 3600)
    print(f"{series} series, {hours} h of 10 s profiles of 300 samples, while 50 profiles/s come in; ranges fit no window:")
    ask_history(table, directory, history, n, [
        ("1 h, whole service", ask_flame, 1, "all", 20), ("1 h, half of it by a label", ask_flame, 1, "half", None),
        (f"{day} h, whole service", ask_flame, day, "all", 50), (f"{day} h, half of it by a label", ask_flame, day, "half", 150),
        (f"{day} h, timeline by a label", ask_lines, day, "all", 50)])
    days = int(option("--days", 1 if quick else 30))
    history = History(directory / "month", "tail", series, 600 if quick else 60, days * 86400)
    print(f"{series} series, {days} d of profiles with a Zipf tail of 20,000 stacks, the same:")
    ask_history(table, directory, history, n, [
        ("24 h, half of it by a label", ask_flame, 24, "half", 150), (f"{days} d, whole service", ask_flame, days * 24, "all", 150),
        (f"{days} d, half of it by a label", ask_flame, days * 24, "half", 400)])


def option(name, default):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


def main():
    gc.disable()  # its pauses are not the server's
    quick = "--quick" in sys.argv
    parts = (ingest, sdk, acknowledge, memory, disk, first, query)
    wanted = [part.__name__ for part in parts if part.__name__ in sys.argv[1:]]
    table, rate = Table(), None
    with tempfile.TemporaryDirectory(prefix="bench-server-") as name:
        directory = pathlib.Path(name)
        for part in parts:
            if wanted and part.__name__ not in wanted:
                continue
            if part is ingest:
                rate = ingest(table, directory, quick)
            elif part is acknowledge:
                acknowledge(table, directory, quick, rate)
            else:
                part(table, directory, quick)
    print("every bar is met" if not table.missed else "missed: " + "; ".join(table.missed))


main()
