# SPDX-License-Identifier: Apache-2.0
"""Progress lines, colours and wrapped lines: on a terminal only, never wider than it, nothing raw."""

import re
import subprocess

import pytest

import captures
import pythons
from conftest import TARGETS
from profiles import run

PYTHON = pythons.first()
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")
SGR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def threads(spawn):
    target = spawn([PYTHON, "-u", TARGETS / "load_threads.py"], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    return target


def progress_lines(raw):
    """What was drawn over one line, without colours."""
    text = SGR.sub("", raw.decode())
    return [part for part in re.findall(r"\r\x1b\[K([^\r\n\x1b]*)", text) if part]


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_the_line_of_record_never_wraps(pyrometer, terminal, threads, tmp_path, columns):
    shown = terminal([pyrometer, "record", "-p", threads.pid, "-d", "1.5", "-o", tmp_path / "out.pyro"], columns=columns)
    assert shown.wait() == 0
    lines = [line for line in progress_lines(bytes(shown.raw)) if "samples" in line]
    assert lines and all(len(line) < columns for line in lines)
    assert all(re.search(r"\d+ of 1.5 s  \d+ samples", line) for line in lines)
    assert any("█" in line or "░" in line for line in lines) == (columns >= 60)
    end = shown.raw.decode().rpartition("\x1b[K")[2]
    assert f"process {threads.pid}, " in end and "to look at it: pyrometer top " in end


def test_the_next_command_is_one_that_a_shell_takes(pyrometer, terminal, threads, tmp_path):
    odd = tmp_path / "it's a capture.pyro"
    shown = terminal([pyrometer, "record", "-p", threads.pid, "-d", "0.3", "-o", odd], columns=500)
    assert shown.wait() == 0
    command = re.search(r"to look at it: pyrometer top (.*), or", shown.raw.decode()).group(1)
    assert subprocess.run(["sh", "-c", f"printf %s {command}"], capture_output=True, text=True, check=True).stdout == str(odd)


def test_convert_shows_how_far_it_is_and_takes_it_away(pyrometer, terminal, tmp_path):
    made = captures.scene_a(60).bytes()
    (tmp_path / "in.pyro").write_bytes(made)
    quiet = run([pyrometer, "convert", tmp_path / "in.pyro", "-f", "raw", "-o", "-"])
    assert quiet.returncode == 0 and quiet.stderr == ""
    shown = terminal([pyrometer, "convert", tmp_path / "in.pyro", "-f", "raw", "-o", tmp_path / "out"], columns=40)
    assert shown.wait() == 0
    assert all(len(line) < 40 for line in progress_lines(bytes(shown.raw)))
    assert (tmp_path / "out").read_text() == quiet.stdout


def test_dump_has_colours_on_a_terminal_and_the_same_words_everywhere(pyrometer, terminal, threads):
    def words(text):
        return sorted(set(re.findall(r"\((idle[^)]*|active[^)]*)\): \"(\w+)\"", SGR.sub("", text))))
    argv = [pyrometer, "dump", "-p", threads.pid]
    plain = run(argv).stdout
    assert "\x1b" not in plain
    shown = terminal(argv)
    assert shown.wait() == 0
    coloured = shown.raw.decode()
    assert SGR.search(coloured) and len(words(coloured)) == len(words(plain)) == 6
    assert re.search(r"\x1b\[[0-9;]+midle, waiting for a lock\x1b\[0m\): \"blocked\"", coloured)
    for more, env in ((["--color", "never"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})):
        shown = terminal(argv + more, env=env)
        assert shown.wait() == 0
        assert b"\x1b" not in shown.raw
    assert SGR.search(run(argv + ["--color", "always"]).stdout)


def test_names_of_a_hostile_program_reach_no_terminal_raw(pyrometer, terminal, spawn, tmp_path):
    target = spawn([PYTHON, "-u", TARGETS / "load_hostile.py"], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    for argv in (["dump", "-p", target.pid], ["doctor", "-p", target.pid],
                 ["record", "-p", target.pid, "-d", "0.7", "-o", tmp_path / "x.pyro"]):
        shown = terminal([pyrometer, *argv])
        assert shown.wait() == 0
        assert shown.strange_bytes() == []
        assert b"\x1b]0;owned" not in shown.raw and b"\x1b[31mRED" not in shown.raw


@pytest.mark.parametrize("columns", [40, 80])
def test_doctor_breaks_its_lines_at_the_terminals_width(pyrometer, terminal, columns):
    shown = terminal([pyrometer, "doctor"], columns=columns)
    shown.wait()
    lines = SGR.sub("", shown.raw.decode()).split("\r\n")
    assert all(len(line) <= columns for line in lines if "->" not in line)
    assert f"of {columns} columns" in " ".join(" ".join(lines).split())
