# SPDX-License-Identifier: Apache-2.0
"""Where serve listens for OpenTelemetry: asked for, not wanted, taken, and by default (in a network of the test's own)."""

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest
from serving import Server


def test_asked_for_it_takes_everything(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path / "data", "--otlp", "127.0.0.1:0")
    try:
        server.port = int(server.process.stdout.readline().split("http://127.0.0.1:")[1].split()[0])
        answer = server.request("POST", "/v1development/profiles", b"", {"Content-Type": "application/x-protobuf"})
        assert answer.status in (200, 400), answer.body  # understood: it holds no dictionary
        assert server.get("/ready").status == 200
    finally:
        server.stop()


def test_asked_for_and_taken_fails_the_start(pyrometer, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(RuntimeError, match=f"cannot listen on 127.0.0.1:{taken.getsockname()[1]}: the port is in use"):
            Server(pyrometer, tmp_path / "data", "--otlp", f"127.0.0.1:{taken.getsockname()[1]}")


INSIDE = """
import json, socket, subprocess, sys, urllib.request
binary, data, *options = sys.argv[1:]
taken = socket.create_server(("127.0.0.1", 4318))
process = subprocess.Popen([binary, "serve", "--data", data, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
line = process.stdout.readline()
def reaches(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5).status == 200
    except OSError:
        return False
got = {"line": line, "main": reaches(4040), "grpc": reaches(4317)}
process.terminate()
got["err"] = process.communicate(timeout=30)[1]
print(json.dumps(got))
"""


def in_a_network_of_its_own(*argv):
    if os.geteuid() or not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("needs root, unshare and ip for a network of its own")
    command = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-c", INSIDE, *map(str, argv)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip("needs to be allowed to make a network namespace")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_by_default_both_ports_unless_one_is_taken(pyrometer, tmp_path):
    got = in_a_network_of_its_own(pyrometer, tmp_path / "data")
    assert got["main"] and got["grpc"], got
    assert "cannot listen on 127.0.0.1:4318: the port is in use" in got["err"] and "--otlp" in got["err"]


def test_none_listens_nowhere_else(pyrometer, tmp_path):
    got = in_a_network_of_its_own(pyrometer, tmp_path / "data", "--otlp", "none")
    assert got["main"] and not got["grpc"] and "4318" not in got["err"], got
