# SPDX-License-Identifier: Apache-2.0
"""Several tenants in one question: X-Scope-OrgID "one|two" is the sum of both, as with Pyroscope (and Grafana's plugin)."""

import json
import time

import pytest

import stacks
from serving import CPU, Server, field, pprof
from test_access import bearer, token

NOW = int(time.time()) // 60 * 60
START, END = (NOW - 600) * 1000, NOW * 1000
JSON = {"Content-Type": "application/json"}
SPAN = "00f067aa0ba902b7"
BOTH = {"X-Scope-OrgID": "one|two"}


def put(server, tenant, service, leaf, seconds, **headers):
    """The same labels in every tenant: only the leaf and the value tell them apart."""
    body = pprof([(("main", leaf), seconds * 10**9, {"span_id": SPAN})], time_ns=(NOW - 300) * 10**9)
    labels = {"__name__": "process_cpu", "service_name": service, "region": "eu"}
    return server.push([(labels, [(body, None)])], {"X-Scope-OrgID": tenant, **headers})


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("together") / "data", "--tenants")
    for tenant, leaf, seconds in (("one", "red", 1), ("two", "blue", 2), ("three", "green", 4)):
        assert put(server, tenant, "shop", leaf, seconds).status == 200
        assert put(server, tenant, f"of.{tenant}", leaf, seconds).status == 200
    yield server
    code, err = server.stop()
    assert code == 0, err


def ask(server, method, tenants="one|two", **body):
    question = {"start": START, "end": END, "profileTypeID": CPU, "labelSelector": '{service_name="shop"}', **body}
    return server.request("POST", f"/querier.v1.QuerierService/{method}", json.dumps(question).encode(),
                          {**JSON, "X-Scope-OrgID": tenants})


def stacks_of(server, tenants, **body):
    got = ask(server, "SelectMergeStacktraces", tenants, **body)
    assert got.status == 200, got.body
    return stacks.of_flame(got.json()["flamegraph"])


RED, BLUE, GREEN = {("main", "red"): 10**9}, {("main", "blue"): 2 * 10**9}, {("main", "green"): 4 * 10**9}


@pytest.mark.parametrize("tenants,expected", [
    ("one", RED), ("one|two", RED | BLUE), ("two|one", RED | BLUE), ("three|one|two", RED | BLUE | GREEN),
    ("one|one", RED), ("one|two|one", RED | BLUE), ("one|nobody", RED), ("nobody|noone", {}),
])
def test_a_flame_graph_is_the_sum_of_the_tenants(server, tenants, expected):
    for _ in range(2):  # the second time out of the cache
        assert stacks_of(server, tenants) == expected
    assert stacks_of(server, tenants, spanSelector=[SPAN]) == expected


def test_lists_are_those_of_all_tenants_each_once(server):
    names = ask(server, "LabelValues", name="service_name").json()["names"]
    assert names == ["of.one", "of.two", "shop"]
    series = ask(server, "Series", labelNames=["service_name"]).json()["labelsSet"]
    assert [row["labels"][0]["value"] for row in series] == names
    assert len(ask(server, "ProfileTypes").json()["profileTypes"]) == 1
    assert ask(server, "LabelNames").json()["names"].count("region") == 1


def test_timelines_add_up_and_groups_of_the_same_labels_are_one(server):
    for group_by in ([], ["service_name"], ["region"]):
        (line,) = ask(server, "SelectSeries", step=600, groupBy=group_by).json()["series"]
        assert sum(point["value"] for point in line["points"]) == 3 * 10**9
    left = {"profileTypeID": CPU, "labelSelector": "{}", "start": START, "end": END}
    got = ask(server, "Diff", left=left, right=left)
    assert int(got.json()["flamegraph"]["leftTicks"]) == 6 * 10**9


def test_every_other_question_takes_several(server):
    query = f'{CPU}{{service_name="shop"}}'
    times = f"from={START}&until={END}&query=" + query.replace("{", "%7B").replace("}", "%7D").replace('"', "%22")
    for path in ("view", "functions", "export", "timeline", "labels", "services"):
        got = server.request("GET", f"/api/v1/{path}?{times}&format=collapsed", headers=BOTH)
        assert got.status == 200, (path, got.body)
        if path in ("view", "functions", "export"):
            assert b"red" in got.body and b"blue" in got.body and b"green" not in got.body, path
    render = server.request("GET", f"/pyroscope/render?{times}", headers=BOTH).json()
    assert render["flamebearer"]["numTicks"] == 3 * 10**9


def test_exemplars_are_those_of_all_tenants(server):
    """A step shows its largest: whose it is depends on who is asked."""
    for tenants, largest in (("one", 1), ("one|two", 2), ("one|three|two", 4)):
        (series,) = ask(server, "SelectSeries", tenants, step=600, exemplarType="EXEMPLAR_TYPE_SPAN").json()["series"]
        values = [int(one["value"]) for point in series["points"] for one in point.get("exemplars", [])]
        assert max(values) == largest * 10**9


def test_lines_show_the_source_of_whoever_has_it(server):
    for tenant, text in (("two", b"def blue(): pass\n"), ("three", b"not to be seen\n")):
        got = server.request("PUT", "/api/v1/source?service=shop&file=/srv/app.py", text, {"X-Scope-OrgID": tenant})
        assert got.status == 204
    query = f"{CPU}%7Bservice_name=%22shop%22%7D"
    times = f"from={START}&until={END}&query={query}"
    rows = server.request("GET", f"/api/v1/functions?{times}", headers=BOTH).json()["functions"]
    key = next(row["key"] for row in rows if row["name"] == "blue")
    got = server.request("GET", f"/api/v1/lines?{times}&function={key}", headers=BOTH)
    assert got.status == 200 and b"def blue" in got.body and b"seen" not in got.body, got.body


@pytest.mark.parametrize("method,path,body", [
    ("POST", "/push.v1.PusherService/Push", b""),
    ("POST", "/ingest?name=shop", b"main;red 1\n"),
    ("POST", "/v1development/profiles", b""),
    ("PUT", "/api/v1/source?service=shop&file=/a.py", b"x"),
    ("POST", f"/api/v1/delete?from=0&until=1&query={CPU}%7B%7D", b""),
    ("POST", "/adhocprofiles.v1.AdHocProfileService/List", b"{}"),
    ("POST", "/settings.v1.SettingsService/Get", b"{}"),
])
def test_what_puts_or_keeps_wants_one_tenant(server, method, path, body):
    got = server.request(method, path, body, {**JSON, **BOTH})
    assert got.status == 401 and got.json()["code"] == "unauthenticated" and "multiple org IDs" in got.json()["message"]


def test_a_tenant_twice_is_one(server):
    assert put(server, "four|four", "shop", "white", 1).status == 200
    assert stacks_of(server, "four") == {("main", "white"): 10**9}


@pytest.mark.parametrize("tenants", ["|", "one|", "|one", "one||two", "one|..", "one|*", "|".join(map(str, range(17)))])
def test_what_is_no_list_of_tenants_is_refused(server, tenants):
    got = ask(server, "LabelNames", tenants)
    assert got.status == 400 and "X-Scope-OrgID" in got.json()["message"]
    assert ask(server, "LabelNames", "|".join(map(str, range(16)))).status == 200


def test_a_token_of_one_tenant_does_not_open_another(pyrometer, tmp_path):
    own = token(pyrometer, tmp_path, "--scope", "ingest,query", "--tenant", "one")
    every = token(pyrometer, tmp_path, "--scope", "ingest,query", "--tenant", "*")
    server = Server(pyrometer, tmp_path, "--tenants")
    try:
        for tenant, leaf in (("one", "red"), ("two", "blue")):
            assert put(server, tenant, "shop", leaf, 1, **bearer(every)).status == 200
        path = "/api/v1/services?from=0&until=4102444800000"
        for tenants, secret, status in (("one|two", own, 403), ("two", own, 403), ("one|one", own, 200), ("one|two", every, 200)):
            got = server.request("GET", path, headers={"X-Scope-OrgID": tenants, **bearer(secret)})
            assert got.status == status, (tenants, got.body)
    finally:
        server.stop()


def test_proto_as_grafanas_plugin_sends_it(server):
    got = server.request("POST", "/querier.v1.QuerierService/LabelValues", field(1, "service_name") + field(3, START) + field(4, END),
                         {"Content-Type": "application/proto", **BOTH})
    assert got.status == 200 and got.body == field(1, "of.one") + field(1, "of.two") + field(1, "shop")
