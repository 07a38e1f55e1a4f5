# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/API.md are true: each request gives exactly the answer that stands below it."""

import base64
import json
import re
import time
import urllib.parse

import pytest
from conftest import ROOT
from serving import Server, pprof

# The examples' time 0; the store takes no profiles of the past, so it is moved to half an hour ago.
EXAMPLE_MS = 1763800000000
NOW_MS = (int(time.time()) - 1800) // 60 * 60_000
SOURCE = "import time\n\n\ndef work():\n    foo()\n    bar()\n"


def read_examples():
    """[(request line, body, answer text)] in the order of the page."""
    text = (ROOT / "docs" / "API.md").read_text()
    blocks = re.findall(r"```http\n(.*?)```\n```(\w*)\n(.*?)```", text, re.S)
    assert len(blocks) >= 12
    return [(request.strip(), kind, answer) for request, kind, answer in blocks]


def moved(value):
    """A value of an example, with its times moved to now."""
    if isinstance(value, dict):
        return {key: moved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [moved(item) for item in value]
    if isinstance(value, int) and EXAMPLE_MS <= value < EXAMPLE_MS + 3_600_000:
        return value - EXAMPLE_MS + NOW_MS
    return value


def move_text(text):
    return re.sub(r"17638\d{8}", lambda match: str(int(match[0]) - EXAMPLE_MS + NOW_MS), text)


WORK, BAR = ("work", 32, 30), ("bar", 23, 21)
BEFORE = {(WORK, ("foo", 13, 12)): 12_700_000_000, (WORK, ("foo", 14, 12)): 55_550_000_000,
          (WORK, BAR): 22_750_000_000}
AFTER = {(WORK, ("foo", 14, 12)): 7_280_000_000, (WORK, BAR): 22_750_000_000}


def seed(server):
    def put(metric, stacks, kind, env, second, ident):
        raw = pprof(stacks, types=((kind, "nanoseconds"),), time_ns=(NOW_MS + second * 1000) * 10**6)
        labels = {"__name__": metric, "service_name": "demo", "env": env}
        assert server.push([(labels, [(raw, ident)])]).status == 200

    put("process_cpu", BEFORE, "cpu", "prod", 0, "before")
    put("process_cpu", AFTER, "cpu", "prod", 60, "after")
    put("wall", {(WORK,): 10_000_000_000}, "wall", "staging", 0, "wall")
    path = "/api/v1/source?service=demo&file=/srv/app.py"
    assert server.request("PUT", path, SOURCE.encode()).status == 204


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("examples") / "data")
    seed(server)
    yield server
    server.stop()


def ask(server, request):
    """Send what stands in an http block; returns the answer."""
    head, _, body = move_text(request).partition("\n\n")
    line, *headers = head.split("\n")
    method, target = line.split(" ", 1)
    path, _, query = target.partition("?")
    headers = dict(header.split(": ", 1) for header in headers)
    if query:
        pairs = [tuple(part.split("=", 1)) for part in re.split(r"&(?=\w+=)", query)]
        path += "?" + urllib.parse.urlencode(pairs)
    if "BASE64" in body:
        raw = pprof({("main",): 1000}, time_ns=NOW_MS * 10**6)
        body = body.replace("BASE64", base64.b64encode(raw).decode())
    return server.request(method, path, body.encode() or None, headers)


def answer_of(server, request, kind):
    answer = ask(server, request)
    if kind != "json":
        return f"{answer.status} {answer.body.decode()}".strip()
    value = answer.json()
    if value.get("source"):
        value["source"]["sent"] = moved(EXAMPLE_MS)  # when the test sent it
    return value


@pytest.mark.parametrize("request_text,kind,expected", read_examples(),
                         ids=[request.split("?")[0].split("\n")[0] for request, _, _ in read_examples()])
def test_example_is_true(server, request_text, kind, expected):
    got = answer_of(server, request_text, kind)
    if kind == "json":
        assert got == moved(json.loads(expected))
    else:
        assert got == expected.strip()


def test_every_route_is_documented():
    """The table of routes and the page name the same paths."""
    routes = re.findall(r'^\t\{"(/[^"]*)"', (ROOT / "src" / "server" / "server.c").read_text(), re.M)
    text = (ROOT / "docs" / "API.md").read_text()
    assert len(routes) > 12
    for route in routes:
        if route not in ("/", "/*"):
            assert route.rstrip("*") in text, route
