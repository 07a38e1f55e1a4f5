# SPDX-License-Identifier: Apache-2.0
"""top: the page on a pty, of live processes.  test_top_ends.py ends it; test_top_capture.py has captures and JSON."""

import random
import re
import subprocess
import time

import pytest

import pythons
from conftest import ROOT, TARGETS

PYTHON = pythons.first()
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")
HEAD = r"^PID \d+ "


@pytest.fixture
def start(spawn):
    """A target that has said that it is ready."""
    def begin(program, *args):
        target = spawn([PYTHON, "-u", TARGETS / f"{program}.py", *args], stdout=subprocess.PIPE)
        assert target.stdout.readline() == b"ready\n"
        return target
    return begin


def column_of(text, pattern):
    return [match.group(1) for match in re.finditer(pattern, text, re.M)]


# ---- what a person comes for -------------------------------------------------------------------

def test_a_person_finds_the_hot_line_of_scene_a(spawn, page):
    """Keys: Enter.  The page opens with functions, the hottest is chosen, and Enter shows its lines."""
    app = ROOT / "examples" / "scene_a" / "app.py"
    lines = app.read_text().splitlines()
    hot = 1 + lines.index(next(line for line in lines if "x = (x * 75" in line))  # foo's, the first of two
    target = spawn([PYTHON, "-u", app, "--port", "0", "--share", "0.6"], stdout=subprocess.PIPE)
    target.stdout.readline()
    began = time.monotonic()
    shown = page(target)
    shown.wait_for(lambda text: re.search(r"^\s+\S+\s+\S+\s+\d\.\d+s.* foo +\S+app\.py:\d+", text, re.M))
    shown.press("enter")
    shown.wait_for(r"^foo own [\d.]+%")

    def hottest(text):
        rows = re.findall(r"^ +([\d.]+)% +[\d.]+% \S* +(\d+) ", text, re.M)
        return rows and max(rows, key=lambda row: float(row[0]))[1]
    assert hottest(shown.wait_for(lambda text: hottest(text) and text)) == str(hot)
    assert time.monotonic() - began < 30
    assert "x = (x * 75 + 74)" in shown.text()


def test_a_person_finds_the_stuck_threads_of_scene_b(start, page):
    """Keys: Tab.  A line says how many wait, for what, and where."""
    source = (TARGETS / "load_rlock.py").read_text().splitlines()
    line = 1 + next(at for at, text in enumerate(source) if "LINE:" in text)
    target = start("load_rlock")
    began = time.monotonic()
    shown = page(target)
    shown.press("tab")
    shown.wait_for(rf"7 of 9 threads wait for a lock: view \(\S*load_rlock\.py:{line}\)")
    assert time.monotonic() - began < 30
    rows = re.findall(rf"^L waitress-\d .*view \(\S*load_rlock\.py:{line}\)", shown.text(), re.M)
    assert len(rows) == 7


# ---- keys ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("rows, columns", [(12, 60), (24, 80), (50, 200)])
def test_every_tab_is_drawn_at_every_size(start, page, rows, columns):
    shown = page(start("load_threads"), rows=rows, columns=columns)
    marks = {"Functions": r"Function", "Threads": r"MainThread", "Tree": r"Own|nothing",
             "Flame": r"all", "Source": r"%Own|Enter on a function|no function|nothing"}
    for number, (name, mark) in enumerate(marks.items()):
        if number:
            shown.press("tab")
        shown.wait_for(lambda text, name=name: f"[{name}]" in text)
        shown.wait_for(mark)
        assert all(len(line) <= columns for line in shown.text().splitlines())
    shown.press("q")
    assert shown.wait() == 0
    shown.assert_restored()
    assert shown.strange_bytes() == []


def test_pause_freezes_the_picture_and_not_the_sampling(start, page):
    shown = page(start("load_deep", "5"))

    def total():
        return column_of(shown.text(), r" ([\d.]+m?s) +descend ")
    shown.wait_for(r" \d\.\d+s +descend ")
    shown.press(" ")
    shown.settle(0.3, 1)
    before = total()
    time.sleep(0.6)
    shown.read(0.1)
    assert total() == before and "PAUSED" in shown.text()
    shown.press(" ")
    shown.wait_for(lambda text: total() != before)


def test_a_filter_narrows_the_rows_as_it_is_typed(start, page):
    shown = page(start("load_threads"))
    shown.press("tab")
    shown.wait_for("sleeper")
    shown.press("/", "s", "l", "e", "e", "p")
    shown.wait_for(lambda text: "sleeper" in text and "poller" not in text)
    shown.press("esc", "esc")
    shown.wait_for("poller")


def test_help_shows_the_keys_and_goes_away(start, page):
    shown = page(start("load_deep", "5"))
    shown.press("?")
    shown.wait_for("%Own .*since the last refresh")
    shown.press("?")
    shown.wait_for(lambda text: "since the last refresh" not in text)


def test_processes_below_are_shown_too(pyrometer, start, page):
    shown = page(start("load_tree", "busy", "2"), "-s", columns=120)
    shown.press("tab")
    shown.wait_for(r"MainThread")
    pids = shown.wait_for(lambda text: len(set(re.findall(r"\b\d{2,7}\b(?= +(?:[\d.]+%|-))", text))) > 1)
    assert pids


# ---- sizes ---------------------------------------------------------------------------------------

def test_a_storm_of_resizes_leaves_a_page_of_the_last_size(start, page):
    shown = page(start("load_threads"))
    dice = random.Random(7)
    for _ in range(80):
        shown.resize(dice.randint(1, 60), dice.randint(1, 220))
        if dice.random() < 0.3:
            shown.press("tab")
        shown.read(0.01)
    shown.resize(24, 80)
    shown.screen.reset()
    shown.resize(24, 80)
    shown.wait_for(HEAD)
    assert shown.process.poll() is None
    shown.press("q")
    assert shown.wait() == 0
    shown.assert_restored()


# ---- hostile names -----------------------------------------------------------------------------------

def test_no_byte_of_a_hostile_name_reaches_the_terminal(spawn, page):
    target = spawn([PYTHON, "-u", TARGETS / "load_hostile.py"], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    shown = page(target, columns=100)
    for keys in (["tab"], ["enter"], ["esc", "tab"], ["tab"], ["tab"], ["?"], ["?", "q"]):
        shown.press(*keys)
        shown.settle(0.15, 0.5)
    assert shown.wait() == 0
    assert shown.strange_bytes() == []
    assert b"\x1b]0;owned" not in shown.raw and b"\x1b[31mRED" not in shown.raw
    shown.assert_restored()
