# SPDX-License-Identifier: Apache-2.0
"""Deleting by selector over HTTP, and rules of what is kept, as the command line takes them."""

import subprocess
import time

import pytest

from serving import CPU, Server, pprof


@pytest.fixture
def server(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path / "data", "--keep", "10s=1d", "--keep", "all=10GiB", "--keep", "team/1m=forever")
    yield server
    server.stop()


def wait_until(what, seconds=30):
    end = time.monotonic() + seconds
    while not (result := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return result


def total(server, service, begin, end):
    answer = server.get("/pyroscope/render", query=f'{CPU}{{service_name="{service}"}}', format="json",
                        **{"from": begin, "until": end})
    return answer.json()["flamebearer"]["numTicks"]


def test_what_is_deleted_is_gone_and_nothing_else(server):
    now = int(time.time()) - 600
    for service in ("old", "good"):
        labels = {"__name__": "process_cpu", "service_name": service}
        series = [(labels, [(pprof({("main", f"work{i}"): 10**9}, time_ns=(now + 10 * i) * 10**9), f"{service}{i}")])
                  for i in range(12)]
        assert server.push(series).status == 200
    begin, end = (now - 60) * 1000, (now + 300) * 1000
    assert total(server, "old", begin, end) == total(server, "good", begin, end) == 12 * 10**9
    refused = server.request("POST", f"/api/v1/delete?query=%7B%7D&from={begin}&until={end}")
    assert refused.status == 400 and b"say what" in refused.body
    answer = server.request("POST", f'/api/v1/delete?query={{service_name="old"}}&from={begin}&until={end}')
    assert answer.status == 200, answer.body
    number = answer.json()["job"]

    def job():
        (one,) = [j for j in server.get("/api/v1/jobs").json()["jobs"] if j["id"] == number]
        return one if one["state"] == "done" else None

    done = wait_until(job)
    assert done["profiles"] == 12 and done["files_done"] == done["files"] and done["query"] == '{service_name="old"}'
    # Another range: the last answer may be kept for a moment.
    assert total(server, "old", begin - 1000, end) == 0
    assert total(server, "good", begin - 1000, end) == 12 * 10**9


@pytest.mark.parametrize("rule,word", [
    ("7d", "LEVEL=WHAT"), ("5s=7d", "level"), ("10s=soon", "soon"), ("10s=0", "forever"), ("a/b/c=1d", "level"),
])
def test_a_rule_that_makes_no_sense_is_refused(pyrometer, tmp_path, rule, word):
    done = subprocess.run([pyrometer, "serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--keep", rule],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 or done.returncode == 1
    assert word in done.stderr
