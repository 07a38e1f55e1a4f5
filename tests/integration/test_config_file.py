# SPDX-License-Identifier: Apache-2.0
"""serve --config: every option can stand in the file, those of the command line win, mistakes name their line."""

import re
import signal
import subprocess

import pytest
from conftest import wait_until
from serving import Server

# One good value of every option, other than its default, as YAML.
VALUES = {
    "listen": "[127.0.0.1:0]", "otlp": "none", "scrape": "{dir}/scrape.yaml", "data": "{dir}/other", "retention": "30d",
    "keep": "[1m=40d, all=50GiB]", "span-retention": "1d", "host": "[profiles.example]", "tls-cert": "{dir}/cert.pem",
    "tls-key": "{dir}/key.pem", "tenants": "true", "base-path": "/pyrometer", "max-body": "8MiB", "max-inflated": "32MiB",
    "max-ratio": "100", "max-samples": "1000", "max-depth": "512", "max-profiles": "10", "max-labels": "20",
    "max-label-name": "512", "max-label-value": "1KiB", "max-series": "77", "max-spans": "100", "max-counters": "1MiB",
    "accept-future": "5m", "max-connections": "64", "max-streams": "10", "max-headers": "8KiB", "max-uri": "4KiB",
    "max-waiting": "16", "max-in-flight": "64MiB", "header-timeout": "5s", "request-timeout": "30s",
    "idle-timeout": "20s", "query-timeout": "10s", "max-queries": "1", "max-login-failures": "5",
}


def options(pyrometer):
    text = subprocess.run([pyrometer, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^\s+(?:-\w, )?--([a-z-]+)", text, re.M)) - {"help", "config"}


def refuse(pyrometer, tmp_path, text):
    path = tmp_path / "pyrometer.yaml"
    path.write_text(text)
    done = subprocess.run([pyrometer, "serve", "--config", path, "--data", tmp_path / "data", "stray"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    return done.stderr


def test_every_option_can_be_given(pyrometer, tmp_path):
    """Each line alone is taken: what is refused is the stray word behind it."""
    known = options(pyrometer)
    assert known == set(VALUES), "an option came or went: name a value of it here"
    for name, value in VALUES.items():
        said = refuse(pyrometer, tmp_path, f"{name}: {value.format(dir=tmp_path)}\n")
        assert "stray" in said and "yaml" not in said, (name, said)
    said = refuse(pyrometer, tmp_path, "".join(f"{n}: {v.format(dir=tmp_path)}\n" for n, v in VALUES.items()))
    assert "stray" in said and "yaml" not in said, said


@pytest.mark.parametrize("text,words", [
    ("max-series: 5\nmax-serie: 6\n", ["line 2", "max-serie"]),
    ("config: other.yaml\n", ["line 1", "config"]),
    ("retention: soon\n", ["line 1", "retention"]),
    ("max-series: 0\n", ["line 1", "max-series"]),
    ("data: [a, b]\n", ["line 1", "data takes one value"]),
    ("tenants: 3\n", ["line 1", "true or false"]),
    ("listen:\n", ["line 1", "listen has no value"]),
    ("limits:\n  max-series: 5\n", ["line", "limits"]),
    ("- listen\n", ["NAME: VALUE"]),
    ("listen: [a\n", ["line"]),
    ("max-labels: &a 3\n", ["line 1"]),
])
def test_a_mistake_is_named_with_its_line(pyrometer, tmp_path, text, words):
    said = refuse(pyrometer, tmp_path, text)
    assert said.count("\n") == 1 and all(word in said for word in ["pyrometer.yaml", *words]), said


def test_a_file_that_is_missing_is_named(pyrometer, tmp_path):
    done = subprocess.run([pyrometer, "serve", "--config", tmp_path / "none.yaml"], capture_output=True, text=True)
    assert done.returncode == 2 and "none.yaml" in done.stderr


def in_force(server):
    answer = server.request("GET", "/api/v1/limits", headers={"X-Scope-OrgID": "shop"})
    return {row["option"]: row["value"] for row in answer.json()["limits"]}


def test_the_file_is_in_force_and_the_command_line_wins(pyrometer, tmp_path):
    path = tmp_path / "pyrometer.yaml"
    path.write_text("max-series: 77\nmax-labels: 12\nlisten: ['127.0.0.1:1']\ntenants: true\n")
    server = Server(pyrometer, tmp_path / "data", "--config", str(path), "--max-labels", "13")
    try:
        limits = in_force(server)
        assert limits["max-series"] == "77" and limits["max-labels"] == "13" and limits["max-body"] == "16MiB"
        assert server.get("/api/v1/services").status == 401, "tenants are on"
    finally:
        server.stop()


SCRAPE = "scrape_configs:\n  - job_name: shop\n    scrape_interval: 1s\n    static_configs:\n      - targets: [{}]\n"


def test_what_is_scraped_is_read_again_at_sighup(pyrometer, tmp_path):
    path = tmp_path / "scrape.yaml"
    path.write_text(SCRAPE.format('"127.0.0.1:1"'))
    server = Server(pyrometer, tmp_path / "data", "--scrape", str(path))

    def instances():
        return {t["labels"]["instance"] for t in server.get("/api/v1/targets").json()["targets"]}

    try:
        assert instances() == {"127.0.0.1:1"}
        wait_until(lambda: any(t["health"] == "down" for t in server.get("/api/v1/targets").json()["targets"]))
        page = server.get("/targets").body.decode()
        assert "127.0.0.1:1/debug/pprof" in page and "down" in page and "shop" in page
        failures = server.metric("scrape_failures_total")
        path.write_text(SCRAPE.format('"127.0.0.1:1", "127.0.0.1:2"'))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: instances() == {"127.0.0.1:1", "127.0.0.1:2"})
        kept = [t for t in server.get("/api/v1/targets").json()["targets"] if t["labels"]["instance"] == "127.0.0.1:1"]
        assert any(t["health"] == "down" and t["failures"] for t in kept), "what is known of a target stays"
        assert server.metric("scrape_failures_total") >= failures
        path.write_text("scrape_configs: 3\n")
        server.process.send_signal(signal.SIGHUP)
        path.write_text(SCRAPE.format('"127.0.0.1:3"'))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: instances() == {"127.0.0.1:3"})
        assert server.process.poll() is None
    finally:
        server.stop()
