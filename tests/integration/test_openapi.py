# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.json describes the server: every route of ours, every answer, every limit of a parameter."""

import json
import re
import urllib.parse

import pytest
from conftest import ROOT
from serving import Server
from test_api_examples import NOW_MS, move_text, read_examples, seed

TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="demo"}'
DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
FOO = "5ExM_r-Vjww"


def resolved(item):
    while "$ref" in item:
        node = DOCUMENT
        for part in item["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        item = node
    return item


def operations():
    return [(path, method, operation) for path, item in DOCUMENT["paths"].items()
            for method, operation in item.items()]


def parameters(operation):
    return {each["name"]: each for each in map(resolved, operation["parameters"])}


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("openapi") / "data")
    seed(server)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def validate():
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema")

    def check(value, schema):
        jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)
    return check


def test_the_document_is_openapi_3_1():
    validator = pytest.importorskip("openapi_spec_validator", reason="needs openapi-spec-validator")
    validator.validate(DOCUMENT)


def test_it_has_the_routes_of_the_server_and_no_others():
    routes = re.findall(r'^\t\{"(/api/v1/[^"]*)"', (ROOT / "src" / "server" / "server.c").read_text(), re.M)
    paths = {re.sub(r"\{.*", "*", path) for path in DOCUMENT["paths"]}
    assert set(routes) == paths


def test_the_server_hands_it_out(server):
    answer = server.request("GET", "/api/v1/openapi.json")
    assert answer.status == 200 and answer.json() == DOCUMENT


def path_of(target):
    path = urllib.parse.urlsplit(target).path
    return next((each for each in DOCUMENT["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), path)), None)


EXAMPLES = [request for request, _, _ in read_examples()
            if request.startswith("GET /api/v1/") and "until=1763800000000" not in request]


@pytest.mark.parametrize("request_text", EXAMPLES, ids=[request.split("?")[0] for request in EXAMPLES])
def test_examples_use_what_it_declares_and_get_what_it_promises(server, validate, request_text):
    target = move_text(request_text).split(" ", 1)[1]
    operation = DOCUMENT["paths"][path_of(target)]["get"]
    pairs = dict(part.split("=", 1) for part in re.split(r"&(?=\w+=)", target.partition("?")[2]) if part)
    declared = parameters(operation)
    assert set(pairs) <= set(declared)
    assert {name for name, each in declared.items() if each["required"] and each["in"] == "query"} <= set(pairs)
    answer = server.request("GET", target.partition("?")[0] + "?" + urllib.parse.urlencode(pairs))
    assert answer.status == 200
    content = operation["responses"]["200"]["content"]
    assert answer.headers["Content-Type"].split(";")[0] in content
    if set(content) == {"application/json"}:
        validate(answer.json(), content["application/json"]["schema"])


GOOD = {"query": TYPE, "from": NOW_MS, "until": NOW_MS + 10_000, "from_b": NOW_MS + 60_000, "until_b": NOW_MS + 70_000,
        "by": "env", "function": FOO}


def wrong_values(schema):
    """Values just outside of what a parameter may be."""
    out = []
    if "minimum" in schema:
        out += [schema["minimum"] - 1, "x"]
    if "maximum" in schema:
        out.append(schema["maximum"] + 1)
    if "enum" in schema:
        out.append("no-such-choice")
    if "pattern" in schema:
        out.append("short")
    return out


def calls():
    """(path, parameter, its schema) of every parameter of every call that can be asked here."""
    return [(path, name, resolved(each)["schema"]) for path, method, operation in operations() if method == "get"
            for name, each in parameters(operation).items() if each["in"] == "query" and "{" not in path]


def required(path):
    return {name: GOOD[name] for name, each in parameters(DOCUMENT["paths"][path]["get"]).items()
            if each["required"] and name in GOOD}


@pytest.mark.parametrize("path", sorted({path for path, _, _ in calls()}))
def test_every_limit_it_states_is_one(server, validate, path):
    error = DOCUMENT["components"]["schemas"]["Error"]
    for _, name, schema in [call for call in calls() if call[0] == path]:
        for value in wrong_values(schema):
            answer = server.request("GET", path + "?" + urllib.parse.urlencode({**required(path), name: value}))
            assert answer.status == 400, (name, value)
            validate(answer.json(), error)
        if name in required(path):
            rest = {key: value for key, value in required(path).items() if key != name}
            assert server.request("GET", path + "?" + urllib.parse.urlencode(rest)).status == 400, name


@pytest.mark.parametrize("path", sorted({path for path, _, schema in calls() if "default" in schema}))
def test_every_default_it_states_is_one(server, path):
    plain = server.request("GET", path + "?" + urllib.parse.urlencode(required(path)))
    assert plain.status == 200
    for _, name, schema in [call for call in calls() if call[0] == path and "default" in call[2]]:
        answer = server.request("GET", path + "?" + urllib.parse.urlencode({**required(path), name: schema["default"]}))
        assert answer.body == plain.body, name
