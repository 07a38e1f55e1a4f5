# SPDX-License-Identifier: Apache-2.0
"""A disk without room, and a damaged one: questions are answered, what cannot be taken is said in each protocol's words."""

import os
import shutil
import sqlite3
import subprocess
import time

import pytest
from conftest import wait_until
from serving import CPU, Server, grpc_frame, pprof, push_request

S = 10**9
MS = 10**6
BEGIN = (int(time.time()) - 3600) // 60 * 60 * S


@pytest.fixture
def disk(tmp_path):
    """A file system of six megabytes."""
    path = tmp_path / "disk"
    path.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", path], capture_output=True).returncode:
        pytest.skip("needs root to mount a small tmpfs")
    yield path
    subprocess.run(["umount", "-l", path], check=False)


def raw(i):
    return pprof({("main", f"own{i}"): (i + 1) * MS}, time_ns=BEGIN + i * S)


def push(server, i):
    series = [({"__name__": "process_cpu", "service_name": "shop"}, [(raw(i), f"00000000-0000-4000-8000-{i:012x}")])]
    return server.request("POST", "/push.v1.PusherService/Push", push_request(series), {"Content-Type": "application/proto"})


def total(server):
    answer = server.get("/api/v1/export", query=CPU + '{service_name="shop"}', format="collapsed",
                        **{"from": BEGIN // MS, "until": BEGIN // MS + 7200_000})
    assert answer.status == 200, answer.body
    return sum(int(line.rsplit(" ", 1)[1]) for line in answer.body.decode().splitlines() if "own" in line)


def fill(disk):
    free = os.statvfs(disk)
    with open(disk / "ballast", "wb") as file:
        file.write(bytes(max(0, free.f_bavail * free.f_bsize - 200_000)))


def test_a_full_disk_answers_questions_refuses_profiles_and_takes_them_again(pyrometer, disk):
    server = Server(pyrometer, disk / "data")
    try:
        taken = 0
        for i in range(20):
            assert push(server, i).status == 200
            taken += (i + 1) * MS
        fill(disk)
        i, answer = 20, None
        while i < 3000:
            answer = push(server, i)
            if answer.status != 200:
                break
            taken += (i + 1) * MS
            i += 1
        # Connect's words, with a time to try again.
        assert answer.status in (503, 507) and int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["code"] in ("unavailable", "resource_exhausted") and "disk is full" in answer.json()["message"]
        check_protocols(server, i)
        assert total(server) == taken, "questions are answered"
        assert server.get("/ready").status == 503 and server.get("/healthz").status == 200
        assert server.get("/api/v1/status").json()["disk"] == "full"
        assert "disk is full" in server.get("/status").body.decode()
        assert server.metric("store_is_full") == 1
        (disk / "ballast").unlink()
        wait_until(lambda: push(server, i).status == 200, what="taking profiles again")
        # Answers of ranges that reach up to now are kept for a second (merged_cache.h).
        wait_until(lambda: total(server) == taken + (i + 1) * MS, what="the profile in the answer")
        assert server.get("/ready").status == 200 and server.get("/api/v1/status").json()["disk"] == "ok"
    finally:
        server.stop()


def check_protocols(server, i):
    """What each protocol says of a store that takes nothing for now."""
    series = [({"__name__": "process_cpu", "service_name": "shop"}, [(raw(i), f"00000000-0000-4000-8000-{i:012x}")])]
    grpc = server.request("POST", "/push.v1.PusherService/Push", grpc_frame(push_request(series)),
                          {"Content-Type": "application/grpc-web+proto"})
    assert grpc.status == 200 and b"grpc-status:14\r\n" in grpc.body.replace(b": ", b":").lower(), grpc.body
    plain = server.ingest(raw(i), name="shop", format="pprof")
    assert plain.status in (503, 507) and "Retry-After" in plain.headers


def test_what_is_damaged_is_named_with_its_time_and_how_to_repair_it(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path / "data")
    assert server.get("/api/v1/status").json()["damage"] == []
    for i in range(5):
        assert push(server, i).status == 200
    server.stop()
    path = next((tmp_path / "data").glob("blocks/*/10s/*.db"))
    damage(path)
    server = Server(pyrometer, tmp_path / "data")
    try:
        assert total(server) < 15 * MS
        status = server.get("/api/v1/status").json()
        assert status["damaged_blocks"] == 1 == server.metric("store_damaged_blocks")
        (found,) = status["damage"]
        assert found["file"] == str(path.relative_to(tmp_path / "data")) and found["level"] == "10s"
        assert 'service_name="shop"' in found["owner"] and "fsck" in status["repair"]
        assert found["from"] == (BEGIN + 2 * S) // MS and found["until"] == (BEGIN + 12 * S) // MS
        page = server.get("/status").body.decode()
        assert path.name in page and "service_name=&quot;shop&quot;" in page and "/targets" in page
    finally:
        server.stop()


def damage(path):
    """One bit of the block of the third profile, written as SQLite would, but not as the store does."""
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    with sqlite3.connect(copy) as db:
        (data,) = db.execute("SELECT data FROM block ORDER BY t_ns LIMIT 1 OFFSET 2").fetchone()
    copy.unlink()
    changed = bytearray(data)
    changed[len(changed) // 2] ^= 4
    code = ("import os, sqlite3, sys\n"
            "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "db.execute('UPDATE block SET data=? WHERE data=?', (bytes.fromhex(sys.argv[3]), bytes.fromhex(sys.argv[2])))\n"
            "os._exit(0)\n")
    subprocess.run(["python3", "-c", code, path, data.hex(), changed.hex()], check=True)
