# SPDX-License-Identifier: Apache-2.0
"""record --push against a small server that goes away, refuses and comes back."""

import gzip
import http.server
import signal
import subprocess
import threading
import urllib.parse

import pytest

import pythons
from conftest import TARGETS, wait_until
from profiles import fields, read_pprof

PYTHON = pythons.first()
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")


class Server:
    """Takes pushes on one port; can be stopped and started again, and told what to answer."""

    def __init__(self, port):
        self.port = port
        self.pushes = []  # [(labels, id, pprof)]
        self.sources = {}
        self.tries = 0
        self.status, self.headers = 200, {}
        self.httpd = None

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            # One request per connection (HTTP/1.0): a stopped server must not go on answering on an open one.
            def answer(self, status, body=b""):
                self.send_response(status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.tries += 1
                if outer.status != 200:
                    return self.answer(outer.status, b'{"code":"invalid_argument","message":"not this one"}')
                assert self.path == "/push.v1.PusherService/Push"
                assert self.headers["Content-Type"] == "application/proto"
                assert self.headers["Content-Encoding"] == "gzip"
                outer.take(gzip.decompress(body))
                return self.answer(200)

            def do_PUT(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.sources[query["service"][0], query["file"][0]] = text
                self.answer(204)

            def log_message(self, *args):
                pass

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        if self.httpd:
            self.httpd.shutdown()
            self.httpd.server_close()
            self.httpd = None

    def take(self, request):
        for _, series in fields(request):
            labels, ident, raw = {}, None, None
            for number, value in fields(series):
                if number == 1:
                    pair = dict(fields(value))
                    labels[pair[1].decode()] = pair[2].decode()
                else:
                    sample = dict(fields(value))
                    raw, ident = sample[1], sample[2].decode()
            self.pushes.append((labels, ident, raw))


@pytest.fixture
def server(free_port):
    server = Server(free_port)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def target(spawn):
    process = spawn([PYTHON, "-u", TARGETS / "load_threads.py"], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def recorder(spawn, pyrometer, target, server, stderr, *options):
    return spawn([pyrometer, "record", "-p", target.pid, "-r", "100", "--push", f"http://127.0.0.1:{server.port}",
                  "--service", "demo", "--label", "env=test", *options], stderr=stderr)


def windows(server, metric, tmp_path):
    """[(start, end, profile)] of one metric, in order of time; every id was seen once."""
    ids = [ident for _, ident, _ in server.pushes]
    assert len(ids) == len(set(ids))
    out = []
    for labels, _, raw in server.pushes:
        if labels["__name__"] == metric:
            assert labels["service_name"] == "demo" and labels["env"] == "test"
            path = tmp_path / "one.pb"
            path.write_bytes(raw)
            start = dict(fields(raw))[9]
            profile = read_pprof(path)
            out.append((start, start + profile.duration_ns, profile))
    return sorted(out, key=lambda window: window[0])


def end(process):
    process.send_signal(signal.SIGINT)
    process.wait(30)


@pytest.fixture
def log(tmp_path):
    """Where the profiler's words go, to be read while it runs."""
    with open(tmp_path / "stderr", "w+", encoding="utf-8") as file:
        yield file


def words(log):
    with open(log.name, encoding="utf-8") as file:
        return file.read()


def test_windows_adjoin_and_hold_what_was_sampled(pyrometer, spawn, target, server, tmp_path, log):
    process = recorder(spawn, pyrometer, target, server, log)
    wait_until(lambda: len(server.pushes) >= 4, 40, "two windows")
    end(process)
    assert process.returncode == 0, words(log)
    for metric, kind in (("process_cpu", "cpu"), ("wall", "wall")):
        got = windows(server, metric, tmp_path)
        assert 1.9e9 < got[0][1] - got[0][0] < 2.1e9
        for before, after in zip(got, got[1:]):
            assert after[0] == before[1]
        for start, until, profile in got[:-1]:
            assert profile.types == [kind]
            assert all({"pid", "thread_id"} <= sample.labels.keys() for sample in profile.samples)
            seconds = sum(sample.values[kind] for sample in profile.samples) / 1e9
            # Several threads, of which at least one is always there.
            assert seconds > (0.05 if kind == "cpu" else 0.8 * (until - start) / 1e9)
    states = {sample.labels.get("state") for _, _, profile in windows(server, "wall", tmp_path)
              for sample in profile.samples}
    assert len(states) > 1 and None not in states


def test_each_process_of_a_tree_is_labelled_with_its_pid(pyrometer, spawn, server, tmp_path, log):
    parent = spawn([PYTHON, TARGETS / "load_tree.py", "pool-fork", "20"], stdout=subprocess.PIPE)
    children = {int(word) for word in parent.stdout.readline().split()[1:]}
    assert len(children) == 2
    recorder(spawn, pyrometer, parent, server, log, "-s", "-d", "3").wait(60)
    got = windows(server, "process_cpu", tmp_path)
    seconds = dict.fromkeys(children | {parent.pid}, 0)
    for _, _, profile in got:
        for sample in profile.samples:
            assert "load_tree.py" in sample.labels["process"]
            seconds[sample.labels["pid"]] += sample.values["cpu"] / 1e9
    assert all(seconds[child] > 0.1 for child in children), seconds


def test_nothing_is_lost_while_the_server_is_away(pyrometer, spawn, target, server, tmp_path, log):
    process = recorder(spawn, pyrometer, target, server, log)
    wait_until(lambda: len(server.pushes) >= 2, 30, "the first window")
    server.stop()
    wait_until(lambda: "cannot push for now" in words(log), 40, "a word about it")
    server.start()
    wait_until(lambda: len(server.pushes) >= 6, 90, "what waited")
    end(process)
    got = windows(server, "wall", tmp_path)
    for before, after in zip(got, got[1:]):
        assert after[0] == before[1]


def test_spool_survives_the_profiler(pyrometer, spawn, target, server, tmp_path, log):
    server.stop()
    options = ["--spool", tmp_path / "spool", "-d", "3"]
    recorder(spawn, pyrometer, target, server, log, *options).wait(60)
    assert "wait in the spool" in words(log)
    assert list((tmp_path / "spool").glob("*.spool"))
    server.start()
    recorder(spawn, pyrometer, target, server, log, *options).wait(60)
    # Two windows of each run, two series each.
    assert len(server.pushes) >= 8
    assert not list((tmp_path / "spool").glob("*.spool"))


def test_a_refused_profile_is_dropped_with_one_message(pyrometer, spawn, target, server, log):
    server.status = 422
    recorder(spawn, pyrometer, target, server, log, "-d", "3").wait(60)
    text = words(log)
    assert text.count("was refused and is dropped") == 1 and "422" in text and "not this one" in text
    assert server.tries == 2  # two windows, each tried once
    assert not server.pushes


def test_retry_after_is_kept(pyrometer, spawn, target, server, log):
    server.status, server.headers = 429, {"Retry-After": "300"}
    process = recorder(spawn, pyrometer, target, server, log)
    wait_until(lambda: server.tries == 1, 30, "the first try")
    server.status, server.headers = 200, {}
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(4)
    assert server.tries == 1
    end(process)
    assert server.pushes  # the last flush does not wait any more


def test_a_url_that_is_none_is_said_before_sampling(pyrometer, target):
    done = subprocess.run([pyrometer, "record", "-p", str(target.pid), "--push", "localhost:4040", "--service", "x"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "http://HOST:PORT" in done.stderr
