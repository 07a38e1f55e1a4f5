# SPDX-License-Identifier: Apache-2.0
"""The single-file report, opened from disk without any network."""

import base64
import hashlib
import html
import json
import shutil
import subprocess
import sys

import pytest
from . import seed
from .fake_server import CPU, view_of
from .test_states import HOSTILE


def document(dist, data, noscript=""):
    """A report as src/format/html_bundle.h describes it."""
    script = (dist / "standalone.js").read_text().strip()
    style = (dist / "standalone.css").read_text().strip()
    source = lambda text: "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
    policy = f"default-src 'none'; script-src {source(script)}; style-src {source(style)}; base-uri 'none'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>{html.escape(data["title"])}</title><style>{style}</style></head>'
        f'<body><noscript>{noscript}</noscript><script id="pyrometer-data" type="application/json">'
        + json.dumps(data).replace("<", "\\u003c")
        + f"</script><script>{script}</script></body></html>"
    )


@pytest.fixture
def report(dist, tmp_path):
    def write(stacks, title="scene A", wall_ms=10_000):
        data = {
            "title": title,
            "subtitle": "10 s at 100 Hz",
            "profile_type": CPU,
            "view": view_of([stacks], [wall_ms]),
        }
        path = tmp_path / "report.html"
        path.write_text(document(dist, data))
        return path.as_uri()

    return write


def scene():
    return seed.stacks_between(0, seed.HUMP, seed.HUMP + 10_000)


def test_report_shows_graph_table_and_tooltip_from_disk(page, report):
    page.open(report(scene()))
    page.sees(".report-head h1", "scene A")
    page.until(lambda: page.rows().get("foo", [""])[0] == "75.0 %", "foo at 75 %")
    assert page.rows()["bar"][0] == "25.0 %"
    box = page.settled("bar")
    page.raw.mouse.move(box["x"] + 20, box["y"] + 8)
    page.sees(".tooltip", "0.20 cores")
    page.shot("report")
    assert all(url.startswith("file:") for url in page.requests)


def test_report_zooms_and_searches_and_keeps_that_in_its_address(page, report):
    page.open(report(scene()))
    page.click_box("work")
    page.until(lambda: "#z=" in page.raw.url, "the zoom in the address")
    page.raw.keyboard.press("/")
    page.raw.keyboard.type("/^bar$/")
    page.sees(".search-result", "25.0 % matched")
    page.raw.keyboard.press("Enter")
    assert list(page.rows()) == ["bar"]
    page.raw.reload()
    page.sees(".search-result", "25.0 % matched")
    page.sees(".crumbs b", "work")
    page.raw.go_back()
    page.until(
        lambda: page.raw.locator(".crumbs").count() == 0
        or page.raw.locator(".search input").input_value() == "",
        "one step back",
    )


def test_report_with_hostile_names_runs_none_of_them(page, report):
    stacks = {
        tuple((name, f"/srv/{name}.py", 1) for name in HOSTILE[: i + 1]): 10**9 for i in range(len(HOSTILE))
    }
    page.open(report(stacks, title=HOSTILE[1]))
    page.box(HOSTILE[0])
    page.raw.wait_for_timeout(200)
    assert page.raw.evaluate("window.__owned") is None


def test_policy_stops_what_is_not_the_viewer(new_page, report, tmp_path):
    path = tmp_path / "changed.html"
    report(scene())
    text = (tmp_path / "report.html").read_text()
    path.write_text(text.replace("<noscript>", "<script>window.__owned=1</script><noscript>", 1))
    page = new_page(may_fail=True).open(path.as_uri())
    page.box("work")
    assert page.raw.evaluate("window.__owned") is None
    assert any("Content Security Policy" in error for error in page.errors)


def test_report_that_was_cut_short_says_so(new_page, report, tmp_path):
    report(scene())
    text = (tmp_path / "report.html").read_text()
    path = tmp_path / "cut.html"
    path.write_text(text.replace('"flame":', '"other":'))
    page = new_page(may_fail=True).open(path.as_uri())
    page.sees("#report", "This report cannot be shown")


def test_stack_of_ten_thousand_frames_is_drawn_and_walked(page, report):
    deep = tuple((f"f{i % 7}", "/srv/deep.py", 1) for i in range(3000))
    page.open(report({deep: 10**9}))
    page.box("f0")
    page.raw.keyboard.press("f")
    for _ in range(40):
        page.raw.keyboard.press("ArrowDown")
    page.until(lambda: page.raw.locator(".flame").evaluate("e => e.scrollTop") > 0, "scrolled along")


def test_recorded_report_names_the_hot_function(page, binary, dist, tmp_path):
    python = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
    path = tmp_path / "out.html"
    done = subprocess.run(
        [
            binary,
            "record",
            "-d",
            "3",
            "-r",
            "100",
            "-o",
            str(path),
            "--",
            python,
            str(seed.APP),
            "--share",
            "0.9",
            "--port",
            "0",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    page.open(path.as_uri())
    rows = page.until(lambda: len(page.rows()) > 2 and page.rows(), "the table")
    assert list(rows)[0] == "foo", rows
    page.box("foo")
    assert all(url.startswith("file:") for url in page.requests)
    page.shot("report-recorded")
