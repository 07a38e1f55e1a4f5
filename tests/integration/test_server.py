# SPDX-License-Identifier: Apache-2.0
"""The life of a server: starting, refusing to start, stopping, being killed, running out of disk."""

import os
import pathlib
import random
import signal
import stat
import subprocess
import threading
import time

import pytest
from conftest import wait_until
from serving import CPU, Background, Server, pprof


@pytest.fixture
def start(pyrometer, tmp_path):
    running = []

    def start_one(*options, data=None, **more):
        server = Server(pyrometer, data or tmp_path / "data", *options, **more)
        running.append(server)
        return server
    yield start_one
    for server in running:
        server.stop(signal.SIGKILL)


def fails(pyrometer, *args, code=1):
    done = subprocess.run([pyrometer, "serve", *map(str, args)], capture_output=True, text=True, timeout=30)
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, "one clear line"
    return lines[0]


def test_it_says_where_it_serves_and_makes_its_directory_private(start, tmp_path):
    server = start(data=tmp_path / "a" / "b")
    assert server.get("/ready").body == b"ready\n"
    assert stat.S_IMODE(os.stat(tmp_path / "a" / "b").st_mode) == 0o700
    for root, _, files in os.walk(tmp_path / "a" / "b"):
        for name in files:
            assert stat.S_IMODE(os.stat(os.path.join(root, name)).st_mode) & 0o077 == 0, name


def test_a_port_in_use_is_one_clear_line(pyrometer, start, tmp_path):
    server = start()
    line = fails(pyrometer, "--listen", f"127.0.0.1:{server.port}", "--data", tmp_path / "other")
    assert "port is in use" in line and "--listen" in line


def test_a_second_server_on_one_directory_names_the_first(pyrometer, start):
    server = start()
    line = fails(pyrometer, "--listen", "127.0.0.1:0", "--data", server.data)
    assert str(server.process.pid) in line
    assert server.get("/ready").status == 200


@pytest.mark.parametrize("damage,text", [
    (lambda path: path.unlink(), "is missing or empty"),
    (lambda path: path.write_bytes(b""), "is missing or empty"),
    (lambda path: path.write_bytes(b"garbage " * 9216), "restore it from a backup"),
    (lambda path: path.write_bytes(path.read_bytes()[:5000] + b"X" + path.read_bytes()[5001:]), "checksum"),
], ids=["lost", "emptied", "garbage", "one-bit"])
def test_a_catalogue_that_is_damaged_is_refused_and_left_alone(pyrometer, start, damage, text):
    server = start()
    assert server.ingest("main;work 5", name="s").status == 200
    assert server.stop()[0] == 0
    catalogue = pathlib.Path(server.data) / "catalogue.db"
    damage(catalogue)
    before = catalogue.read_bytes() if catalogue.exists() else None
    line = fails(pyrometer, "--listen", "127.0.0.1:0", "--data", server.data, code=1)
    assert text in line and "restore it from a backup" in line
    assert (catalogue.read_bytes() if catalogue.exists() else None) == before


@pytest.mark.parametrize("args,code,text", [
    (["--listen", "nowhere"], 2, "HOST:PORT"),
    (["--listen", "127.0.0.1:99999"], 2, "HOST:PORT"),
    (["--listen", "192.0.2.1:0"], 1, "cannot listen"),
    (["--retention", "soon"], 2, "retention"),
    (["--retention", "1s"], 2, "retention"),
    (["--data", ""], 2, "empty"),
    (["--data", "/dev/null"], 1, "/dev/null"),
    (["--data", "/proc/nothing/here"], 1, "/proc/nothing"),
    (["extra"], 2, "extra"),
])
def test_bad_options_are_refused(pyrometer, tmp_path, args, code, text):
    if "--data" not in args:
        args = [*args, "--data", str(tmp_path / "data")]
    assert text in fails(pyrometer, *args, code=code)


def test_listening_beyond_this_machine_is_warned_about(start):
    server = start("--listen", "0.0.0.0:0")
    _, err = server.stop()
    assert "can be reached from other machines" in err


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_stopping_is_orderly(start, how):
    server = start()
    idle = server.socket()
    idle.sendall(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert idle.recv(4096).startswith(b"HTTP/1.1 200")
    began = time.monotonic()
    code, err = server.stop(how)
    assert code == 0, err
    assert time.monotonic() - began < 8


def upload(server, name, ident, value):
    stacks = {("main", "work"): value}
    return server.push([({"__name__": "process_cpu", "service_name": name}, [(pprof(stacks), ident)])])


def total(server, name):
    """Sum of all values of a service."""
    now = int(time.time() * 1000)
    view = server.get("/api/v1/view", query=f'{CPU}{{service_name="{name}"}}', until=now + 3600_000,
                      **{"from": now - 7200_000})
    assert view.status == 200, view.body
    return view.json()["total"]


def test_stopping_under_load_loses_nothing_that_was_acknowledged(start):
    server = start()
    acked, lock, counter = [], threading.Lock(), iter(range(1, 10**6))

    def send():
        with lock:
            value = next(counter)
        answer = upload(server, "load", f"load-{value}", value * 1000)
        if answer.status == 200:
            acked.append(value * 1000)
        else:
            assert answer.status == 503, answer.body

    with Background(send) as a, Background(send) as b:
        time.sleep(1.0)
        code, err = server.stop()
    assert code == 0 and not a.errors and not b.errors, (err, a.errors, b.errors)
    assert len(acked) > 10
    server.start()
    assert total(server, "load") >= sum(acked)


def test_killed_under_load_keeps_every_acknowledged_profile_once(start):
    """Each value is a power of its own in the sum: what is there is told by what was sent."""
    server = start()
    rng = random.Random(1)
    acked, sent = {}, {}
    for round_ in range(6):
        lock, counter = threading.Lock(), iter(range(10**6))

        def send():
            with lock:
                ident = f"{round_}-{next(counter)}"
                value = rng.randrange(1, 1000) * 1000
                sent[ident] = value
            if upload(server, ident, ident, value).status == 200:
                acked[ident] = value

        with Background(send) as a, Background(send) as b:
            time.sleep(0.2 + rng.random() * 0.4)
            server.stop(signal.SIGKILL)
        assert not a.errors and not b.errors, (a.errors, b.errors)
        server.start()
    now = int(time.time() * 1000)
    services = server.get("/api/v1/services", until=now + 3600_000, **{"from": 0}).json()["services"]
    there = {service["name"] for service in services}
    assert set(acked) <= there <= set(sent)
    # A service that was acknowledged has its value, once; one that was not may, or may not.
    for ident in rng.sample(sorted(there), min(60, len(there))):
        assert total(server, ident) == sent[ident]
    assert len(acked) > 20


def test_an_upload_sent_again_counts_once(start):
    server = start()
    raw = pprof({("main",): 7000}, time_ns=time.time_ns() - 20 * 10**9)
    series = [({"__name__": "process_cpu", "service_name": "again"}, [(raw, "5c1f3a4e-0000-4000-8000-000000000001")])]
    for _ in range(3):
        assert server.push(series).status == 200
    server.stop(signal.SIGKILL)
    server.start()
    assert server.push(series).status == 200
    assert total(server, "again") == 7000
    assert server.metric("profiles_duplicate_total") == 1


def mount_tmpfs(path, size):
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True)
    if done.returncode:
        pytest.skip("needs the right to mount a tmpfs")


def test_a_full_disk_refuses_uploads_and_answers_queries(start, tmp_path):
    disk = tmp_path / "disk"
    mount_tmpfs(disk, "12m")
    try:
        server = start(data=disk / "data")
        assert upload(server, "first", "first", 5000).status == 200
        rng, full = random.Random(2), None
        for i in range(400):
            # Names that do not compress: the disk is full after a few megabytes.
            stacks = {tuple(f"f{rng.getrandbits(128):x}" for _ in range(20)): 1000 for _ in range(100)}
            raw = pprof(stacks)
            full = server.push([({"__name__": "process_cpu", "service_name": "big"}, [(raw, "")])])
            if full.status != 200:
                break
        assert full.status in (503, 507), full.body
        assert full.headers["Retry-After"]
        assert total(server, "first") == 5000
        assert server.get("/ready").status == 503
        assert server.metric('uploads_refused_total{reason="disk_full"}') >= 1
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        wait_until(lambda: upload(server, "later", "later", 3000).status == 200, 30, "takes uploads again")
        assert total(server, "later") == 3000
        assert server.stop()[0] == 0
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_ready_tells_stopping(start):
    """While requests finish, /ready says no: load balancers go elsewhere."""
    server = start()
    held = server.socket()
    held.sendall(b"POST /ingest?name=held HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\na")
    asking = server.socket()
    asking.sendall(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert asking.recv(4096).startswith(b"HTTP/1.1 200")
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    asking.sendall(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert asking.recv(4096).startswith(b"HTTP/1.1 503")
    held.sendall(b" 1\n")
    assert held.recv(4096).startswith(b"HTTP/1.1 200"), "what was under way is finished"
    assert server.process.wait(timeout=20) == 0


def test_metrics_are_prometheus_text_without_clients_words(start):
    server = start()
    for i in range(20):
        server.request("FOO%d" % i, "/")
        server.request("GET", f"/path-{i}")
        server.ingest(b"a 1\n", name=f"service-{i}")
    text = server.request("GET", "/metrics").body.decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    names = [line.rsplit(" ", 1)[0] for line in lines]
    assert len(names) == len(set(names)) < 100
    assert "service-" not in text and "path-" not in text and "FOO" not in text
    for line in lines:
        float(line.rsplit(" ", 1)[1])
    assert server.metric("uploads_total") == 20
