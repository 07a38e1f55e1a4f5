# SPDX-License-Identifier: Apache-2.0
"""The project's own tools: the arrow checker and the adding up of results."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*argv):
    return subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, timeout=60)


def test_every_arrow_of_the_tree_is_listed_and_every_listed_arrow_is_used():
    result = run(ROOT / "tools" / "arrows")
    assert result.returncode == 0, result.stdout


@pytest.fixture
def small_tree(tmp_path):
    """base <- middle <- top, all as listed."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "ARCHITECTURE.md").write_text(
        "<!-- arrows -->\n| level | folder | may include | libraries |\n|---|---|---|---|\n"
        "| 0 | base | | |\n| 1 | middle | base | zlib |\n| 2 | top | base, middle | |\n<!-- /arrows -->\n")
    for room, text in (("base", ""), ("middle", '#include "base/x.h"\n#include <zlib.h>\n'),
                       ("top", '#include "base/x.h"\n#include "middle/x.h"\n')):
        (tmp_path / "src" / room).mkdir(parents=True)
        (tmp_path / "src" / room / "x.c").write_text(text)
    return tmp_path


def test_a_tree_that_keeps_to_its_table_passes(small_tree):
    assert run(ROOT / "tools" / "arrows", small_tree).stdout == ""


@pytest.mark.parametrize("room, line, complaint", [
    ("base", '#include "middle/x.h"', "arrow base -> middle is not listed"),
    ("base", '#include "top/x.h"', "arrow base -> top is not listed"),
    ("top", "#include <zlib.h>", "zlib belongs to another folder"),
])
def test_a_stray_include_is_named(small_tree, room, line, complaint):
    (small_tree / "src" / room / "stray.c").write_text(line + "\n")
    result = run(ROOT / "tools" / "arrows", small_tree)
    assert result.returncode == 1
    assert f"src/{room}/stray.c: {complaint}" in result.stdout


def test_a_listed_arrow_that_nobody_uses_is_named(small_tree):
    (small_tree / "src" / "top" / "x.c").write_text('#include "middle/x.h"\n')
    assert "top -> base: listed, but nobody uses it" in run(ROOT / "tools" / "arrows", small_tree).stdout


def write_results(folder, unit="OK", suite='<testsuites><testsuite><testcase classname="a" name="b"/></testsuite></testsuites>'):
    for name in ("unit.json", "asan.json", "tsan.json"):
        (folder / name).write_text(json.dumps({"name": "x", "result": unit, "stdout": ""}) + "\n")
    (folder / "pytest.xml").write_text(suite)
    (folder / "pytest-alone.xml").write_text(suite)


def test_results_are_added_up_in_the_last_line(tmp_path):
    write_results(tmp_path)
    result = run(sys.executable, ROOT / "tools" / "test-report", tmp_path)
    assert result.stdout.splitlines()[-1] == "5 passed, 0 failed"
    assert result.returncode == 0


@pytest.mark.parametrize("name", ["pytest", "pytest-alone"])
@pytest.mark.parametrize("second,last", [("", "5 passed, 0 failed"), ("<failure/>", "4 passed, 1 failed")])
def test_what_was_run_again_counts_as_it_did_then(tmp_path, name, second, last):
    case = '<testsuites><testsuite><testcase classname="a" name="b">%s</testcase></testsuite></testsuites>'
    write_results(tmp_path)
    (tmp_path / f"{name}.xml").write_text(case % "<failure/>")
    (tmp_path / f"{name}-again.xml").write_text(case % second)
    result = run(sys.executable, ROOT / "tools" / "test-report", tmp_path)
    assert result.stdout.splitlines()[-1] == last
    assert ("disturbed: a.b" in result.stdout) == (not second)


def test_a_failure_a_skip_and_a_missing_log_are_told(tmp_path):
    write_results(tmp_path, unit="FAIL", suite='<testsuites><testsuite><testcase classname="a" name="b">'
                                               '<skipped message="needs go"/></testcase></testsuite></testsuites>')
    (tmp_path / "asan.json").unlink()
    result = run(sys.executable, ROOT / "tools" / "test-report", tmp_path)
    assert "skipped: a.b: needs go" in result.stdout
    assert result.stdout.splitlines()[-1] == "0 passed, 3 failed"
    assert result.returncode == 1
