# SPDX-License-Identifier: Apache-2.0
"""Scraping /debug/pprof: a real Go program, targets that go and come back, hostile ones, and files that are wrong."""

import gzip
import http.server
import json
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest
from conftest import ROOT, wait_until
from serving import CPU, Server, pprof

SCRAPED = ROOT / ".clients" / "bin" / "scraped"


def config(tmp_path, text):
    path = tmp_path / "scrape.yaml"
    path.write_text(text)
    return path


def targets(server):
    return {(target["labels"]["instance"], target["profile"]): target for target in server.get("/api/v1/targets").json()["targets"]}


def view(server, kind, service):
    now = int(time.time())
    return server.get("/api/v1/view", query=f'{kind}{{service_name="{service}"}}', until=(now + 60) * 1000,
                      **{"from": (now - 3600) * 1000}).json()


def totals(view):
    return {view["strings"][view["frames"]["name"][frame]]: total
            for frame, total in zip(view["table"]["frame"], view["table"]["total"])}


@pytest.mark.skipif(not shutil.which("go"), reason="needs Go")
@pytest.mark.skipif(not SCRAPED.exists(), reason="needs scraped, which tools/clients .clients makes")
def test_a_go_program_is_scraped(pyrometer, tmp_path, spawn):
    program = spawn([SCRAPED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    address = json.loads(program.stdout.readline())["address"]
    server = Server(pyrometer, tmp_path / "data", "--scrape", config(tmp_path, f"""
scrape_configs:
  - job_name: shop
    scrape_interval: 2s
    static_configs:
      - targets: ["{address}"]
        labels: {{env: prod, region: eu}}
    profiling_config:
      pprof_config:
        process_cpu: {{seconds: 1}}
"""))
    try:
        wait_until(lambda: all(t["scrapes"] >= 4 for t in targets(server).values()), 60, "four scrapes of everything")
        seen = targets(server)
        assert {profile for _, profile in seen} == {"process_cpu", "memory", "goroutine", "mutex", "block"}
        for target in seen.values():
            assert target["health"] == "up" and not target["error"] and target["bytes"] > 100, target
            assert target["labels"] == {"env": "prod", "region": "eu", "instance": address, "service_name": "shop"}
        cpu = totals(view(server, CPU, "shop"))
        foo, bar = (cpu.get(f"example.invalid/clients/scene.{name}", 0) for name in ("Foo", "Bar"))
        assert foo > bar > 0, cpu
        # 64 pieces of 16 KiB a second, from the first to the last scrape: the counts before are the base.
        alloc = view(server, "memory:alloc_space:bytes:space:bytes", "shop")
        rate = totals(alloc)["main.allocate"] / (alloc["covered_ms"] / 1000)
        assert 0.3 * 2**20 < rate < 1.3 * 2**20, alloc["covered_ms"]
        inuse = totals(view(server, "memory:inuse_space:bytes:space:bytes", "shop"))
        assert 0 < inuse["main.allocate"] < 3 * 2**20
        for metric in ("mutex", "block"):
            delays = view(server, f"{metric}:delay:nanoseconds:contentions:count", "shop")
            assert 0 < delays["total"] < 3 * delays["covered_ms"] * 10**6, metric  # two that wait for each other
        assert totals(view(server, "goroutine:goroutine:count:goroutine:count", "shop"))
        assert server.metric("scrape_profiles") == server.metric("scrape_profiles_up") == 5
        assert server.metric("scrape_failures_total") == 0 and server.metric("scrapes_total") >= 20
    finally:
        code, err = server.stop()
    assert code == 0 and "scraping" not in err, err


class Target(http.server.ThreadingHTTPServer):
    """Answers by path, as `answers` says: (status, headers, body)."""

    daemon_threads = True

    def __init__(self, answers, port=0):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.server.seen.append((self.path, dict(self.headers)))
                answers[self.path.split("?")[0]](self)

            def log_message(self, *args):
                pass

        self.seen = []
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.server_port}"

    def end(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, *args):
        pass


def sends(body, status=200, length=True, **headers):
    def answer(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if length:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
    return answer


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"\x1f\x8b" + b"x" * 65536)
    except OSError:
        pass


def silent(handler):
    time.sleep(30)


def breaks_off(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.connection.shutdown(socket.SHUT_RDWR)


def own(name):
    return f"        {name}: {{path: /{name}}}\n"


STANDARD_OFF = "".join(f"        {name}: {{enabled: false}}\n" for name in ("process_cpu", "memory", "goroutine", "mutex", "block"))


def test_hostile_targets_lose_only_themselves(pyrometer, tmp_path):
    bomb = gzip.compress(b"\0" * (80 << 20))
    hostile = {
        "endless": (endless, "larger than"), "silent": (silent, "imed out"), "half": (breaks_off, "closed"),
        "bomb": (sends(bomb), "200 times"), "html": (sends(b"<script>alert(1)</script>"), "pprof"), "empty": (sends(b""), "empty"),
        "gone": (sends(b"", 404), "status 404"), "moved": (sends(b"", 302, Location="file:///etc/passwd"), "status 302"),
        "text": (sends(b"heap profile: 1: 2 [3: 4] @ heap/1048576\n"), ""),
    }
    good = pprof({("main", "work"): 10**9})
    target = Target({**{f"/{name}": answer for name, (answer, _) in hostile.items()}, "/good": sends(good)})
    server = Server(pyrometer, tmp_path / "data", "--scrape", config(tmp_path, f"""
global: {{scrape_interval: 2s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: hostile
    static_configs: [{{targets: ["{target.address}"]}}]
    profiling_config:
      pprof_config:
{STANDARD_OFF}{own("good")}{"".join(own(name) for name in hostile)}"""))
    try:
        wait_until(lambda: all(t["scrapes"] >= 2 for t in targets(server).values()), 60, "two scrapes of everything")
        for (_, name), seen in targets(server).items():
            if name == "good":
                assert seen["health"] == "up" and view(server, "good:cpu:nanoseconds:cpu:nanoseconds", "hostile")["total"]
                continue
            assert seen["health"] == "down" and hostile[name][1] in seen["error"], seen
            assert seen["failures"] == seen["scrapes"]
        with open(f"/proc/{server.process.pid}/status") as status:
            peak = int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])
        assert peak < 400 << 10, f"{peak} KiB"
    finally:
        code, err = server.stop()
        target.end()
    assert code == 0
    for name in hostile:
        assert err.count(f"scraping {name} of") == 1, err  # said once, however often it fails


def test_a_target_that_comes_back_is_said_once(pyrometer, tmp_path):
    (tmp_path / "token").write_text("secret-token\n")
    answers = {"/in/debug/pprof/goroutine": sends(pprof({("main",): 3}, (("goroutine", "count"),)))}
    target = Target(answers)
    port = target.server_port
    server = Server(pyrometer, tmp_path / "data", "--scrape", config(tmp_path, f"""
scrape_configs:
  - job_name: shop
    scrape_interval: 1s
    authorization: {{credentials_file: {tmp_path}/token}}
    static_configs: [{{targets: ["{target.address}"], labels: {{service_name: front}}}}]
    profiling_config:
      path_prefix: /in
      pprof_config:
{STANDARD_OFF.replace("goroutine: {enabled: false}", "goroutine: {enabled: true}")}"""))

    def state():
        return next(iter(targets(server).values()))

    try:
        wait_until(lambda: state()["health"] == "up", 30, "the first scrape")
        assert target.seen[0][0] == "/in/debug/pprof/goroutine"
        assert target.seen[0][1]["Authorization"] == "Bearer secret-token"
        assert view(server, "goroutine:goroutine:count:cpu:nanoseconds", "front")["total"] == 3
        target.end()
        wait_until(lambda: state()["failures"] >= 2, 30, "two failures")
        assert state()["health"] == "down"
        target = Target(answers, port)
        wait_until(lambda: state()["health"] == "up", 30, "its return")
        assert "secret" not in json.dumps(state())
    finally:
        code, err = server.stop()
        target.end()
    assert code == 0
    assert err.count("fails:") == 1 and err.count("works again") == 1, err


def test_a_job_scrapes_for_its_tenant(pyrometer, tmp_path):
    target = Target({"/debug/pprof/goroutine": sends(pprof({("main",): 3}, (("goroutine", "count"),)))})
    only = STANDARD_OFF.replace("goroutine: {enabled: false}", "goroutine: {enabled: true}")
    server = Server(pyrometer, tmp_path / "data", "--tenants", "--scrape", config(tmp_path, f"""
scrape_configs:
  - job_name: shop
    scrape_interval: 1s
    tenant: team-a
    static_configs: [{{targets: ["{target.address}"]}}]
    profiling_config:
      pprof_config:
{only}"""))

    def services(tenant):
        now = int(time.time())
        answer = server.request("GET", f"/api/v1/services?from={(now - 3600) * 1000}&until={(now + 60) * 1000}",
                                headers={"X-Scope-OrgID": tenant})
        return [service["name"] for service in answer.json()["services"]]

    try:
        wait_until(lambda: services("team-a") == ["shop"], 30, "its first scrape")
        assert services("team-b") == []
    finally:
        server.stop()
        target.end()


def test_the_example_of_the_docs_is_taken(pyrometer, tmp_path):
    (tmp_path / "token").write_text("x\n")
    text = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "SCRAPING.md").read_text(), re.S)[1]
    server = Server(pyrometer, tmp_path / "data", "--scrape",
                    config(tmp_path, text.replace("/etc/shop.token", str(tmp_path / "token")).replace("10.0.0.", "127.0.0.")))
    try:
        seen = targets(server)
        assert len(seen) == 2 * 5 and ("127.0.0.6:6060", "fgprof") in seen  # without block, with fgprof
        assert seen["127.0.0.5:6060", "fgprof"]["url"] == "https://127.0.0.5:6060/internal/debug/fgprof?seconds=10"
        assert seen["127.0.0.5:6060", "memory"]["interval"] == 30000
    finally:
        server.stop()


@pytest.mark.parametrize("text,why", [
    ("", "names no target"),
    ("scrape_configs: [{job_name: a}]", "names no target"),
    ("scrape_configs:\n  - job_nam: a\n", "line 2: 'scrape_configs[].job_nam' is not known"),
    ("scrape_configs:\n  - job_name: a\n    scrape_interval: soon\n", "line 3: scrape_configs[].scrape_interval"),
    ("scrape_configs:\n  - job_name: a\n    static_configs: [{targets: ['http://x:1']}]\n", "line 3: 'http://x:1' is not HOST:PORT"),
    ("scrape_configs:\n  - static_configs: [{targets: ['x:1']}]\n", "has no job_name"),
    ("scrape_configs: [{job_name: a, static_configs: [{targets: ['x:1']}], profiling_config: {pprof_config: {own: {}}}}]",
     "the profile own has no path"),
    ("scrape_configs: [{job_name: a, authorization: {credentials_file: /nowhere}}]", "cannot read /nowhere"),
    ("scrape_configs: &a []\n", "anchors"),
    ("scrape_configs: [", "not valid YAML"),
])
def test_wrong_files_are_named_with_their_line(pyrometer, tmp_path, text, why):
    with pytest.raises(RuntimeError) as error:
        Server(pyrometer, tmp_path / "data", "--scrape", config(tmp_path, text))
    assert "scrape.yaml: " in str(error.value) and why in str(error.value)
