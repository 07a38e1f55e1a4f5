# SPDX-License-Identifier: Apache-2.0
"""The whole way: a live Python process, the profiler, the server, the page."""

import shutil
import subprocess
import sys
import time

import pytest
from . import seed


@pytest.fixture
def profiled(start_server, binary, dist, tmp_path):
    """The demo service with a profiler attached that pushes to a server of its own; gives the server's address."""
    url = start_server()
    python = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
    demo = subprocess.Popen(
        [python, str(seed.APP), "--port", "0", "--share", "0.3"], stdout=subprocess.PIPE, text=True
    )
    assert "scene A: pid" in demo.stdout.readline()
    log = open(tmp_path / "record.log", "w+")
    record = subprocess.Popen(
        [
            binary,
            "record",
            "-p",
            str(demo.pid),
            "--push",
            url,
            "--service",
            "demo",
            "--label",
            "env=demo",
            "--source",
        ],
        stdout=log,
        stderr=log,
    )
    time.sleep(1)
    if record.poll() is not None:
        demo.kill()
        demo.wait()
        log.seek(0)
        text = log.read()
        if "ptrace" in text or "permi" in text.lower():
            pytest.skip(f"needs the right to trace another process: {text.strip()}")
        pytest.fail(text)
    yield url
    for process in (record, demo):
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    log.close()


def test_demo_is_on_the_page_soon_with_its_lines(page, profiled):
    page.open(profiled)
    page.until(lambda: "/s/demo" in page.raw.url, "the demo service", 40)
    page.until(lambda: {"work", "foo"} <= set(page.boxes()), "work and foo in the flame graph", 40)
    page.sees(".timeline-title", "CPU cores used")
    page.raw.locator(".live.is-on").click()
    page.until(lambda: "live=0" in page.raw.url, "a picture at rest")
    page.click_box("foo")
    page.sees(".lines h2", "foo")
    page.until(lambda: "def foo(steps):" in page.text(".code"), "the source that the profiler sent", 30)
    assert "% 65537" in page.raw.locator(".code-row.hot").inner_text()
    page.raw.locator(".chip.add").click()
    page.raw.locator(".chips input").fill("env=demo")
    page.raw.locator(".chips input").press("Enter")
    page.until(lambda: "q=" in page.raw.url, "the filter in the address")
    page.box("foo")
    page.shot("live")
