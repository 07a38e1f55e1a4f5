# SPDX-License-Identifier: Apache-2.0
"""top: captures with their range, tables where there is no terminal, lines of JSON."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

import captures
import pythons
from conftest import ROOT, TARGETS
from profiles import run

PYTHON = pythons.first()
GOLDEN = pathlib.Path(__file__).parent / "golden"
needs_python = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")


@pytest.fixture
def scene(tmp_path):
    """A capture made by hand, as a file."""
    def write(made, name="scene.pyro"):
        path = tmp_path / name
        path.write_bytes(made if isinstance(made, bytes) else made.bytes())
        return path
    return write


@pytest.fixture
def threads(spawn):
    target = spawn([PYTHON, "-u", TARGETS / "load_threads.py"], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    return target


# ---- the page of a capture ---------------------------------------------------------------------

TABS = ["functions", "threads", "tree", "flame", "source"]


def compare(path, shown):
    """With a file of the golden folder; PYROMETER_GOLDEN=write makes it anew."""
    if os.environ.get("PYROMETER_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown + "\n", encoding="utf-8")
    assert shown + "\n" == path.read_text(encoding="utf-8"), f"differs from {path.name}"


@pytest.mark.parametrize("rows, columns", [(12, 60), (24, 80), (50, 200)])
def test_every_tab_of_a_capture_is_as_it_was(pyrometer, scene, terminal, rows, columns):
    shown = terminal([pyrometer, "top", scene(captures.scene_a())], rows=rows, columns=columns)
    for number, tab in enumerate(TABS):
        if number == 4:
            shown.press("\x1bOP")  # F1: Enter on the hottest function opens its source
            shown.wait_for(r"\[Functions\]")
            shown.press("enter")
        elif number:
            shown.press("tab")
        shown.wait_for(rf"(?i)\[{tab}\]")
        shown.settle()
        compare(GOLDEN / f"top_{tab}_{columns}x{rows}.txt", shown.text())
    shown.press("q")
    assert shown.wait() == 0
    shown.assert_restored()


def test_stuck_threads_of_a_capture_are_counted(pyrometer, scene, terminal):
    shown = terminal([pyrometer, "top", scene(captures.scene_b())])
    shown.wait_for("scene.pyro")
    shown.press("tab")
    shown.wait_for(r"7 of 9 threads wait for a lock: acquire \(.*local\.py:100\)")


def shares(text):
    """{function: total seconds} of the functions page."""
    found = {}
    for match in re.finditer(r"([\d.]+)(ms|s) +[\u2588-\u258f]* *([\w<>]+) +\S+\.py:\d+", text):
        found[match.group(3)] = float(match.group(1)) / (1000 if match.group(2) == "ms" else 1)
    return found


def two_halves():
    """Five seconds of early(), then five of late()."""
    made = captures.Capture()
    made.process()
    made.thread(1, "MainThread")
    stacks = [made.stack(("main", "/srv/app.py", 3), (name, "/srv/app.py", line)) for name, line in (("early", 7), ("late", 9))]
    for tick in range(1, 1001):
        made.sample(10 * tick, 1, stacks[tick > 500], captures.RUNNING_GIL)
    made.end(10000)
    return made


def test_the_range_of_a_capture_is_moved_by_keys(pyrometer, scene, terminal):
    shown = terminal([pyrometer, "top", scene(two_halves())], columns=100)
    shown.wait_for(r"early")
    assert shares(shown.text()) == {"early": 5, "late": 5, "main": 10}
    for _ in range(60):  # make it small
        shown.press("{")
        shown.settle(0.05, 0.3)
        if min(shares(shown.text()).get(name, 0) for name in ("early", "late")) == 0:
            break
    first = shares(shown.text())
    assert first["main"] < 10 and ("early" in first) != ("late" in first)
    here, there = ("early", "late") if "early" in first else ("late", "early")
    for _ in range(60):  # and move it to the other end
        shown.press("]" if here == "early" else "[")
        shown.settle(0.05, 0.3)
        if here not in shares(shown.text()):
            break
    last = shares(shown.text())
    assert there in last and here not in last
    assert last["main"] == pytest.approx(first["main"], abs=1.01)


def test_a_capture_is_played(pyrometer, scene, terminal):
    shown = terminal([pyrometer, "top", "--delay", "0.05", scene(two_halves())], columns=100)
    shown.wait_for("early")
    for _ in range(60):
        shown.press("{")
        shown.settle(0.05, 0.3)
        if "late" not in shares(shown.text()) or "early" not in shares(shown.text()):
            break
    if "early" not in shares(shown.text()):
        for _ in range(40):
            shown.press("[")
    shown.wait_for("early")
    shown.press(" ")
    shown.wait_for("late")


def test_a_damaged_capture_shows_what_is_good_of_it(pyrometer, scene, terminal):
    made = captures.scene_a(2)
    tail = captures.Capture()
    shown = terminal([pyrometer, "top", scene(made.bytes() + tail.bytes()[:30])])
    shown.wait_for(r"foo")
    shown.press("q")
    assert shown.wait() == 1
    assert b"its first" in shown.raw


def test_what_is_no_capture_is_said_in_a_line(pyrometer, scene, terminal, tmp_path):
    for path, why in ((scene(b"no capture at all" * 9, "bad.pyro"), "not a capture"),
                      (scene(captures.Capture().bytes(), "empty.pyro"), "no samples"),
                      (tmp_path / "nowhere.pyro", "No such file")):
        done = run([pyrometer, "top", path])
        assert done.returncode == 1 and why in done.stderr, done.stderr
        shown = terminal([pyrometer, "top", path])
        assert shown.wait() == 1
        assert b"\x1b[?1049h" not in shown.raw


def test_source_of_a_capture_is_read_here_where_it_does_not_hold_it(pyrometer, scene, terminal, tmp_path):
    file = tmp_path / "near.py"
    file.write_text("def near():\n    return 'THE VERY LINE'\n")
    made = captures.Capture()
    made.process()
    made.thread(1, "MainThread")
    node = made.stack(("near", str(file), 2, 1))
    for tick in range(1, 101):
        made.sample(10 * tick, 1, node, captures.RUNNING_GIL)
    made.end(1000)
    shown = terminal([pyrometer, "top", scene(made)])
    shown.wait_for("near")
    shown.press("enter")
    shown.wait_for("THE VERY LINE")


@needs_python
def test_a_capture_holds_source_when_it_is_asked_to(pyrometer, spawn, terminal, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("print('ready', flush=True)\ndef spin():\n    while True: sum(range(999))  # GONE\nspin()\n")
    target = spawn([PYTHON, program], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    done = run([pyrometer, "record", "-p", target.pid, "-d", "1", "--source", "-o", tmp_path / "out.pyro"])
    assert done.returncode == 0, done.stderr
    program.unlink()
    shown = terminal([pyrometer, "top", tmp_path / "out.pyro"])
    shown.wait_for("spin")
    shown.press("enter")
    shown.wait_for("# GONE")
    refused = run([pyrometer, "record", "-p", target.pid, "-d", "1", "--source", "-o", tmp_path / "out.svg"])
    assert refused.returncode == 2 and ".pyro" in refused.stderr


def test_no_byte_of_a_hostile_capture_reaches_the_terminal(pyrometer, scene, terminal):
    nasty = "\x1b]0;owned\x07\x1b[31mRED\x1b[2J\r\n\x08\x7f\x9b5A‮​⁦ العربية 日本語 e\u0301"
    made = captures.Capture(command=nasty)
    made.process(command=nasty, runtime=nasty)
    made.thread(1, nasty)
    node = made.stack((nasty, f"/{nasty}.py", 3, 1), (b"\xff\xfe\x1b[1m", nasty, 2))
    made.source(nasty, f"def f():\n    {nasty}\n".replace("\x00", ""))
    for tick in range(1, 101):
        made.sample(10 * tick, 1, node, captures.RUNNING_GIL)
    made.end(1000)
    path = scene(made, "n\x1b[31mame.pyro")
    shown = terminal([pyrometer, "top", path])
    shown.wait_for("RED")
    for keys in (["enter"], ["esc", "tab"], ["enter"], ["esc", "tab"], ["tab"], ["tab"], ["?"], ["?"]):
        shown.press(*keys)
        shown.settle(0.1, 0.4)
    shown.press("q")
    assert shown.wait() == 0
    assert shown.strange_bytes() == []
    assert b"\x1b]0;owned" not in shown.raw and b"\x1b[31mRED" not in shown.raw
    table = run([pyrometer, "top", path])
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200b]", table.stdout)


# ---- without a terminal --------------------------------------------------------------------------

def test_a_capture_without_a_terminal_is_one_table(pyrometer, scene):
    done = run([pyrometer, "top", scene(captures.scene_a())])
    assert done.returncode == 0 and done.stderr == ""
    compare(GOLDEN / "top_table.txt", re.sub(r"^\S*scene.pyro", "scene.pyro", done.stdout.rstrip("\n")))
    colours = run([pyrometer, "top", scene(captures.scene_a()), "--color", "always"])
    assert "\x1b[" in colours.stdout and re.sub(r"\x1b\[[0-9;]*m", "", colours.stdout) == done.stdout


def test_pyrometer_reader_has_top_too(pyrometer, scene):
    reader = pathlib.Path(pyrometer).with_name("pyrometer-reader")
    if not reader.exists():
        pytest.skip("needs pyrometer-reader, which is built where its static libraries are")
    path = scene(captures.scene_b())
    assert run([reader, "top", path]).stdout == run([pyrometer, "top", path]).stdout


def test_a_dumb_terminal_gets_the_table(pyrometer, scene, terminal):
    shown = terminal([pyrometer, "top", scene(captures.scene_b())], env={"TERM": "dumb"}, columns=120)
    assert shown.wait() == 0
    assert b"\x1b" not in shown.raw and b"waits for a lock" in shown.raw


@needs_python
def test_a_process_without_a_terminal_is_one_table(pyrometer, threads):
    began = time.monotonic()
    done = run([pyrometer, "top", "-p", threads.pid])
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 20
    assert re.search(r"^ *[\d.]+% +[\d.]+% +[\d.]+s +[\d.]+s +busy \(\S*load_threads.py:\d+\)$", done.stdout, re.M)
    assert re.search(r"^ +1 +waits for a lock +blocked", done.stdout, re.M)
    assert "\x1b" not in done.stdout + done.stderr
    idle = run([pyrometer, "top", "-p", threads.pid, "--idle", "-d", "0.5"])
    assert "sleeping (" in idle.stdout and idle.returncode == 0


@needs_python
def test_json_is_an_object_a_line(pyrometer, threads):
    done = run([pyrometer, "top", "-p", threads.pid, "--json", "--delay", "0.2", "-d", "1.5"])
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) >= 3
    assert [line["ended"] is None for line in lines] == [True] * (len(lines) - 1) + [False]
    assert all(b["elapsed_s"] >= a["elapsed_s"] and b["samples"] >= a["samples"] for a, b in zip(lines, lines[1:]))
    last = lines[-2]
    assert last["pid"] == threads.pid and last["runtime"].startswith("CPython ")
    assert last["functions"][0]["function"] == "busy" and last["functions"][0]["own_s"] > 0
    states = {thread["name"]: thread["state"] for thread in last["threads"]}
    assert states["blocked"] == "waiting-lock" and states["busy"].startswith("running")
    assert last["counted_s"] == pytest.approx(sum(each["own_s"] for each in last["functions"]))


def shape(value):
    """Keys and kinds of a JSON value, of a list those of its items."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return shape(value[0])
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def test_docs_show_what_is_printed(pyrometer, scene):
    page = (ROOT / "docs" / "TERMINAL.md").read_text()
    path = scene(captures.scene_b())
    said = json.loads(re.search(r"```json\n(.*?)```", page, re.S).group(1))
    line = json.loads(run([pyrometer, "top", path, "--json"]).stdout)
    assert shape(said) == shape(line)
    line["time"], line["functions"] = said["time"], line["functions"][:1]
    line["threads"] = [thread for thread in line["threads"] if thread["name"] == "waitress-1"]
    assert line == said
    table = re.search(r"```\n/srv/out.pyro: (.*?)```", page, re.S).group(1)
    assert run([pyrometer, "top", path]).stdout.partition(": ")[2] == table


@needs_python
@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_json_ends_in_order_when_it_is_told_to(pyrometer, threads, spawn, signo):
    stream = spawn([pyrometer, "top", "-p", threads.pid, "--json", "--delay", "0.1"], stdout=subprocess.PIPE,
                   stderr=subprocess.PIPE)
    json.loads(stream.stdout.readline())
    stream.send_signal(signo)
    rest, _ = stream.communicate(timeout=20)
    assert stream.returncode == 0
    assert all(json.loads(line) for line in rest.splitlines())


@needs_python
def test_a_reader_of_json_that_had_enough_ends_it(pyrometer, threads, spawn):
    stream = spawn([pyrometer, "top", "-p", threads.pid, "--json", "--delay", "0.1"], stdout=subprocess.PIPE,
                   stderr=subprocess.DEVNULL)
    stream.stdout.readline()
    stream.stdout.close()
    assert stream.wait(20) == 0


@needs_python
def test_a_command_without_a_terminal_prints_as_without_us(pyrometer):
    code = "import sys, time; print('to stdout'); time.sleep(0.3); sys.exit(4)"
    done = run([pyrometer, "top", "-d", "20", "--json", "--", PYTHON, "-c", code])
    assert done.returncode == 4
    assert "to stdout" in done.stdout
    assert '"ended":"ended with exit code 4' in done.stdout


def test_what_makes_no_sense_is_said(pyrometer):
    for argv in ([], ["-p", "1", "--", "true"], ["-p", str(os.getpid()), "-r", "100000"]):
        done = run([pyrometer, "top", *argv])
        assert done.returncode == 2 and "error" in done.stderr
    assert run([pyrometer, "top", "-p", "999999999"]).returncode == 4
