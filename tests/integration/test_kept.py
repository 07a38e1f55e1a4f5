# SPDX-License-Identifier: Apache-2.0
"""What clients keep beside the store (single files, settings, tokens) is checked, backed up and restored with it."""

import base64
import subprocess

import pytest
from serving import Server, pprof

JSON = {"Content-Type": "application/json"}
ADHOC = "/adhocprofiles.v1.AdHocProfileService/"
SETTINGS = "/settings.v1.SettingsService/"


def call(server, path, message):
    import json
    answer = server.request("POST", path, json.dumps(message).encode(), JSON)
    assert answer.status == 200, answer.body
    return answer.json()


def keep(server):
    """Puts a file and a setting; returns what the server says of both."""
    raw = base64.b64encode(pprof({("main", "work"): 10**9})).decode()
    call(server, ADHOC + "Upload", {"name": "one.pprof", "profile": raw})
    call(server, SETTINGS + "Set", {"setting": {"name": "theme", "value": "dark", "modifiedAt": "1763800000000"}})
    return told(server)


def told(server):
    listed = call(server, ADHOC + "List", {})
    (one,) = listed["profiles"]
    return listed, call(server, ADHOC + "Get", {"id": one["id"]}), call(server, SETTINGS + "Get", {})


def run(pyrometer, *args, code=0):
    done = subprocess.run([pyrometer, *map(str, args)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture
def data(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path / "data")
    try:
        keep(server)
    finally:
        server.stop()
    return tmp_path / "data"


def kept_files(data):
    return sorted(path for path in (data / "kept").rglob("*") if path.is_file())


def test_what_is_kept_comes_back_from_a_backup(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path / "data")
    try:
        before = keep(server)
        run(pyrometer, "backup", tmp_path / "data", tmp_path / "out")  # while it runs
    finally:
        server.stop()
    run(pyrometer, "restore", tmp_path / "out", tmp_path / "copy")
    names = [path.relative_to(tmp_path / "data") for path in kept_files(tmp_path / "data")]
    assert len(names) == 2
    assert [path.relative_to(tmp_path / "copy") for path in kept_files(tmp_path / "copy")] == names
    server = Server(pyrometer, tmp_path / "copy")
    try:
        assert told(server) == before
    finally:
        server.stop()


def test_tokens_are_in_a_backup(pyrometer, data, tmp_path):
    run(pyrometer, "token", "create", "--scope", "query", "--data", data)
    run(pyrometer, "backup", data, tmp_path / "out")
    run(pyrometer, "restore", tmp_path / "out", tmp_path / "copy")
    assert (tmp_path / "copy" / "tokens").read_bytes() == (data / "tokens").read_bytes()
    assert (tmp_path / "copy" / "tokens").stat().st_mode & 0o077 == 0
    server = Server(pyrometer, tmp_path / "copy")
    try:
        assert server.get("/api/v1/services").status == 401
    finally:
        server.stop()


@pytest.mark.parametrize("which", [0, 1])
def test_a_damaged_file_is_found_refused_and_set_aside(pyrometer, data, which):
    assert "all is well" in run(pyrometer, "fsck", data)
    path = kept_files(data)[which]
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 4
    path.write_bytes(raw)
    said = run(pyrometer, "fsck", data, code=1)
    assert f"{path.relative_to(data)}: it is damaged" in said
    server = Server(pyrometer, data)
    try:
        with pytest.raises(AssertionError, match="damaged"):
            told(server)
    finally:
        server.stop()
    assert "1 problems, repaired" in run(pyrometer, "fsck", "--repair", data)
    assert [p.read_bytes() for p in (data / "aside").iterdir()] == [bytes(raw)] and not path.exists()
    assert "all is well" in run(pyrometer, "fsck", data)


def test_files_of_versions_before_are_read_as_they_are(pyrometer, data):
    for path in kept_files(data):
        path.write_bytes(path.read_bytes()[:-16])
    assert "all is well" in run(pyrometer, "fsck", data)
    server = Server(pyrometer, data)
    try:
        listed, one, settings = told(server)
        assert listed["profiles"] and one["name"] == "one.pprof" and settings["settings"][0]["value"] == "dark"
    finally:
        server.stop()


def test_a_damaged_file_in_a_backup_is_named(pyrometer, data, tmp_path):
    run(pyrometer, "backup", data, tmp_path / "out")
    path = kept_files(tmp_path / "out")[0]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert path.name in run(pyrometer, "restore", tmp_path / "out", tmp_path / "copy", code=1)
