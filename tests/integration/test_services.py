# SPDX-License-Identifier: Apache-2.0
"""The small services that Grafana's pages and profilecli ask: settings, single files, versions, features."""

import base64
import gzip
import json

import pytest

from serving import Server, pprof

ADHOC, SETTINGS = "adhocprofiles.v1.AdHocProfileService/", "settings.v1.SettingsService/"


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("services") / "data")
    yield server
    code, err = server.stop()
    assert code == 0, err


def ask(server, method, **body):
    return server.request("POST", "/" + method, json.dumps(body).encode(), {"Content-Type": "application/json"})


def answer(server, method, **body):
    got = ask(server, method, **body)
    assert got.status == 200, got.body
    return got.json()


def test_settings_are_kept_over_a_restart(server):
    assert answer(server, SETTINGS + "Get") == {}
    for name, value in (("maxNodes", "1024"), ("collapsed", "true"), ("zoo", "größer\n\0".replace("\0", ""))):
        got = answer(server, SETTINGS + "Set", setting={"name": name, "value": value})["setting"]
        assert (got["name"], got["value"]) == (name, value) and int(got["modifiedAt"]) > 1.7e12
    answer(server, SETTINGS + "Set", setting={"name": "maxNodes", "value": "2048"})
    server.stop()
    server.start()
    kept = answer(server, SETTINGS + "Get")["settings"]
    assert [(one["name"], one["value"]) for one in kept] == [("collapsed", "true"), ("maxNodes", "2048"),
                                                             ("zoo", "größer\n")]
    assert answer(server, SETTINGS + "Delete", name="zoo") == {}
    assert answer(server, SETTINGS + "Delete", name="zoo") == {}
    assert [one["name"] for one in answer(server, SETTINGS + "Get")["settings"]] == ["collapsed", "maxNodes"]


def test_a_newer_setting_stays(server):
    answer(server, SETTINGS + "Set", setting={"name": "age", "value": "new", "modifiedAt": 2000})
    got = ask(server, SETTINGS + "Set", setting={"name": "age", "value": "old", "modifiedAt": 1000})
    assert (got.status, got.json()["code"]) == (409, "already_exists")
    assert {"name": "age", "value": "new", "modifiedAt": "2000"} in answer(server, SETTINGS + "Get")["settings"]


@pytest.mark.parametrize("method,body,status", [
    ("Set", {}, 400), ("Set", {"setting": {}}, 400), ("Set", {"setting": {"name": "n" * 1025}}, 400), ("Delete", {}, 400),
    ("Set", {"setting": {"name": "big", "value": "x" * (1 << 20)}}, 429), ("Set", {"setting": 7}, 400),
])
def test_bad_settings_are_refused(server, method, body, status):
    assert ask(server, SETTINGS + method, **body).status == status


def boxes(flame):
    return {flame["flamebearer"]["names"][level[i + 3]]: level[i + 1]
            for level in flame["flamebearer"]["levels"] for i in range(0, len(level), 4)}


def upload(server, name, data, **more):
    return ask(server, ADHOC + "Upload", name=name, profile=base64.b64encode(data).decode(), **more)


COLLAPSED = b"main;work;foo 3\nmain;work;bar 1\n"


def test_a_file_is_uploaded_listed_and_looked_at_again(server):
    data = gzip.compress(pprof({("main", "foo"): (3, 30), ("main", "bar"): (1, 10)},
                               types=(("samples", "count"), ("cpu", "nanoseconds"))))
    got = upload(server, "my cpu.pprof", data, maxNodes=16)
    assert got.status == 200, got.body
    got = got.json()
    assert got["name"] == "my_cpu.pprof" and got["id"].endswith("-my_cpu.pprof")
    assert got["profileTypes"] == ["samples", "cpu"] and got["profileType"] == "samples"
    flame = json.loads(got["flamebearerProfile"])
    assert boxes(flame) == {"total": 4, "main": 4, "foo": 3, "bar": 1}
    assert flame["metadata"] == {"format": "single", "spyName": "", "sampleRate": 100, "units": "objects",
                                 "name": "samples"}
    listed = answer(server, ADHOC + "List")["profiles"]
    assert {key: listed[0][key] for key in ("id", "name", "uploadedAt")} == {
        key: got[key] for key in ("id", "name", "uploadedAt")}
    again = answer(server, ADHOC + "Get", id=got["id"], profileType="cpu")
    assert again["profileType"] == "cpu" and again["id"] == got["id"]
    assert boxes(json.loads(again["flamebearerProfile"])) == {"total": 40, "main": 40, "foo": 30, "bar": 10}


def test_every_format_is_read(server):
    speedscope = {"$schema": "https://www.speedscope.app/file-format-schema.json",
                  "shared": {"frames": [{"name": "main"}, {"name": "work"}]},
                  "profiles": [{"type": "sampled", "name": "x", "unit": "none", "startValue": 0, "endValue": 4,
                                "samples": [[0], [0, 1]], "weights": [1, 3]}]}
    for data in (COLLAPSED, json.dumps(speedscope).encode()):
        got = upload(server, "any", data)
        assert got.status == 200, got.body
        assert boxes(json.loads(got.json()["flamebearerProfile"]))["work"] in (3, 4)


def test_two_files_are_compared(server):
    left = upload(server, "left", COLLAPSED).json()["id"]
    right = upload(server, "right", b"main;work;foo 1\nmain;work;bar 1\n").json()["id"]
    got = answer(server, ADHOC + "Diff", leftId=left, rightId=right)
    flame = json.loads(got["flamebearerProfile"])
    assert got["profileTypes"] and flame["metadata"]["format"] == "double"
    assert (flame["leftTicks"], flame["rightTicks"]) == (4, 2)
    other = upload(server, "other", pprof({("a",): 1}, types=(("space", "bytes"),))).json()["id"]
    got = ask(server, ADHOC + "Diff", leftId=left, rightId=other)
    assert got.status == 400 and "common" in got.json()["message"]


@pytest.mark.parametrize("method,body,status", [
    ("Get", {"id": "../../../etc/passwd"}, 400), ("Get", {"id": ""}, 400), ("Get", {"id": "settings"}, 400),
    ("Get", {"id": "01M81DMR4HKYT3TAMK5RB0F8C4-none"}, 404), ("Upload", {"name": "x", "profile": "!!"}, 400),
    ("Upload", {"name": "x", "profile": ""}, 400), ("Upload", {"name": "x", "profile": "H4sIAAAA"}, 400),
    ("Upload", {"name": "x", "profile": base64.b64encode(COLLAPSED).decode(), "maxNodes": -5}, 400),
    ("Diff", {"leftId": "x", "rightId": "y"}, 400),
    ("Upload", {"name": "x", "profile": base64.b64encode(pprof({("a",): 2**63 - 1, ("b",): 2**63 - 1})).decode()}, 429),
])
def test_bad_files_and_ids_are_refused(server, method, body, status):
    got = ask(server, ADHOC + method, **body)
    assert got.status == status, got.body
    assert got.json()["message"]


def test_the_oldest_files_make_room(server):
    first = upload(server, "first", COLLAPSED).json()["id"]
    for i in range(100):
        assert upload(server, f"n{i}", COLLAPSED).status == 200
    listed = answer(server, ADHOC + "List")["profiles"]
    assert len(listed) == 100 and first not in {one["id"] for one in listed}
    assert listed[0]["name"] == "n99"


def test_what_clients_probe_is_there(server):
    assert answer(server, "version.v1.Version/Version") == {"QuerierAPI": "1"}
    flags = {flag["name"]: flag.get("enabled", False)
             for flag in answer(server, "capabilities.v1.FeatureFlagsService/GetFeatureFlags")["featureFlags"]}
    assert flags == {"pyroscopeRuler": False, "pyroscopeRulerFunctions": False, "utf8LabelNames": True,
                     "v2StorageLayer": True}
    build = server.get("/api/v1/status/buildinfo").json()
    assert build["status"] == "success" and build["data"]["version"]
    assert b"max-samples: 200000" in server.get("/api/v1/status/config").body
    for method, status in (("settings.v1.RecordingRulesService/ListRecordingRules", 404),
                           ("querier.v1.QuerierService/NoSuchMethod", 404), ("vcs.v1.VCSService/GithubApp", 501)):
        got = ask(server, method)
        assert (got.status, got.json()["code"]) == (status, "unimplemented")
