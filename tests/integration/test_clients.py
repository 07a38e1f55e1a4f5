# SPDX-License-Identifier: Apache-2.0
"""
Real clients of Pyroscope and OpenTelemetry, each in a service of scene A (foo three quarters, bar one quarter), all pushing
to one server at the same time for a minute; then what the server shows of each.
"""

import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from serving import CPU, Server

SECONDS = float(os.environ.get("CLIENT_SECONDS", "60"))
PROGRAMS = ROOT / "tests" / "clients"
BUILT = ROOT / ".clients"  # filled by tools/clients
PERIOD_NS = 10_000_000  # all of them sample 100 times a second
NODE_CPU, WALL = "wall:cpu:nanoseconds:wall:nanoseconds", "wall:wall:nanoseconds:wall:nanoseconds"


def lacks_module(name):
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        found = None
    return None if found else f"needs {name} for this Python (tests/requirements-targets.txt)"


def lacks_build(path, tool):
    if not shutil.which(tool):
        return f"needs {tool}"
    return None if path.exists() else f"needs {path.name}, which tools/clients .clients makes"


class Client:
    """A client: its program, what it lacks here (None: nothing), its profile type, how long its names are said."""

    def __init__(self, argv, lacks, kind=CPU, is_cpu=True, labels=(), **env):
        self.argv, self.lacks, self.kind, self.is_cpu, self.labels, self.env = argv, lacks, kind, is_cpu, dict(labels), env


def script(name):
    return [sys.executable, PROGRAMS / name]


OTLP = "opentelemetry.sdk.extension.profiling"
SDK = BUILT / "bin" / "sdk"
JAVA = BUILT / "java"
CLIENTS = {
    # Looks at threads that could run, whether or not they have a CPU.
    "python": Client(script("pyroscope_io.py"), lacks_module("pyroscope"), is_cpu=False,
                     labels={"process.runtime.name": "cpython"}),
    "go": Client([SDK], lacks_build(SDK, "go"), labels={"process.runtime.name": "go", "pyroscope_spy": "gospy"}),
    "node": Client(["node", BUILT / "node" / "service.js"], lacks_build(BUILT / "node" / "node_modules", "node"), NODE_CPU,
                   labels={"process.runtime.name": "nodejs", "pyroscope_spy": "nodespy"}),
    "java": Client(["java", "-cp", f"{JAVA}:{JAVA / 'agent.jar'}", "Scene"], lacks_build(JAVA / "Scene.class", "java"),
                   labels={"process.runtime.name": "OpenJDK Runtime Environment", "pyroscope_spy": "javaspy",
                           "jfr_event": "itimer"}),
    "otlp-grpc": Client(script("opentelemetry_otlp.py"), lacks_module(OTLP), WALL, False,
                        labels={"telemetry.sdk.language": "python"}, PROTOCOL="grpc"),
    "otlp-http": Client(script("opentelemetry_otlp.py"), lacks_module(OTLP), WALL, False,
                        labels={"telemetry.sdk.language": "python"}, PROTOCOL="http"),
}


class Run:
    """All clients that there are, side by side, until they have sent everything and ended."""

    def __init__(self, pyrometer, data):
        self.server = Server(pyrometer, data, "--otlp", "127.0.0.1:0")
        self.otlp = self.server.process.stdout.readline().split()[2]
        self.began = time.time()
        running = {name: self.begin(name, client) for name, client in CLIENTS.items() if not client.lacks}
        try:
            self.ends = {name: self.end(process) for name, process in running.items()}
        finally:
            for process in running.values():
                process.kill()
                process.wait()
        self.seconds = time.time() - self.began

    def begin(self, name, client):
        url = self.otlp if name.startswith("otlp") else self.server.url
        env = {**os.environ, "URL": url, "SERVICE": f"scene-{name}", "SECONDS": str(SECONDS), **client.env}
        return subprocess.Popen([str(part) for part in client.argv], env=env, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    @staticmethod
    def end(process):
        out, err = process.communicate(timeout=SECONDS + 60)
        assert process.returncode == 0, err
        return json.loads(out)["cpu_seconds"]

    def get(self, path, **params):
        answer = self.server.get(path, **{"from": int(self.began - 60) * 1000, "until": int(time.time() + 60) * 1000}, **params)
        assert answer.status == 200, answer.body
        return answer.json()


@pytest.fixture(scope="module")
def run(pyrometer, tmp_path_factory):
    run = Run(pyrometer, tmp_path_factory.mktemp("clients") / "data")
    yield run
    code, err = run.server.stop()
    assert code == 0, err


@pytest.fixture(params=CLIENTS)
def name(request):
    if CLIENTS[request.param].lacks:
        pytest.skip(CLIENTS[request.param].lacks)
    return request.param


def scene(run, name):
    """Values in ns of work, foo and bar, however a client spells them: 'foo', 'scene.Foo', './service.js:foo:15'."""
    view = run.get("/api/v1/view", query=f'{CLIENTS[name].kind}{{service_name="scene-{name}"}}')
    table, strings, found = view["table"], view["strings"], {}
    for frame, total in zip(table["frame"], table["total"]):
        words = strings[view["frames"]["name"][frame]].lower().replace(":", " ").replace(".", " ").split()
        for function in ("work", "foo", "bar"):
            if function in words:
                found[function] = found.get(function, 0) + total
    return found


def test_flame_graph_shows_the_scene(run, name):
    found = scene(run, name)
    samples = (found["foo"] + found["bar"]) / PERIOD_NS
    assert samples >= 60, found
    share = found["foo"] / (found["foo"] + found["bar"])
    allowed = 0.02 + 4.5 * math.sqrt(0.75 * 0.25 / samples)
    assert abs(share - 0.75) < allowed, (found, allowed)
    assert abs(found["work"] - found["foo"] - found["bar"]) <= 0.03 * found["work"], found


def test_every_second_counts_once(run, name):
    work = scene(run, name)["work"] / 1e9
    if CLIENTS[name].is_cpu:
        assert 0.8 < work / run.ends[name] < 1.1, (work, run.ends[name])
    view = run.get("/api/v1/view", query=f'{CLIENTS[name].kind}{{service_name="scene-{name}"}}')
    assert view["series"] == 1
    covered = view["covered_ms"] / 1000
    assert 0.85 * SECONDS < covered < run.seconds + 1, (covered, run.seconds)


def test_labels_are_the_clients(run, name):
    query = f'{{service_name="scene-{name}"}}'
    expected = {"service_name": f"scene-{name}", "region": "eu", "client": name, **CLIENTS[name].labels}
    known = run.get("/api/v1/labels", query=query)["names"]
    assert expected.keys() <= set(known)
    for label, value in expected.items():
        assert run.get(f"/api/v1/labels/{label}/values", query=query)["values"] == [value]


def test_nothing_was_refused_or_sent_twice(run):
    for line in run.server.get("/metrics").body.decode().splitlines():
        if line.startswith(("pyrometer_uploads_refused_total", "pyrometer_profiles_duplicate_total",
                            "pyrometer_http_requests_total{code=\"4", "pyrometer_http_requests_total{code=\"5")):
            assert line.endswith(" 0"), line
