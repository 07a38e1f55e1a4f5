# SPDX-License-Identifier: Apache-2.0
"""The command line as users of py-spy know it: their commands, flags, formats and file names, on every Python."""

import collections
import json
import os
import re
import signal
import subprocess

import pytest

import pythons
from conftest import TARGETS, wait_until
from profiles import functions, read_raw, run, sampling_reader, state, summary

PYTHON = pythons.first()
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")

# What scripts make of a frame of a speedscope file: they unpack its members.
Frame = collections.namedtuple("Frame", "file name line col")


def sampled(pyrometer, tmp_path, python, script, *options, seconds="1"):
    """{(name of the profile, stack outermost first): number of entries}, and the ticks there were."""
    out = tmp_path / "out.json"
    done = run([pyrometer, "record", "-o", out, "--format", "speedscope", "-d", seconds, *options, "--", python,
                TARGETS / script])
    assert done.returncode == 0, done.stderr
    whole = json.loads(out.read_text())
    frames = [Frame(**frame) for frame in whole["shared"]["frames"]]
    counts = collections.Counter()
    for profile in whole["profiles"]:
        assert len(profile["samples"]) == len(profile["weights"])
        for stack in profile["samples"]:
            counts[profile["name"], tuple(frames[index] for index in stack)] += 1
    return counts, summary(done.stderr)["ticks"]


@pytest.mark.parametrize("python", pythons.params([tag for tag in pythons.READABLE if not tag.endswith("t")]))
def test_a_busy_program_holds_the_gil_in_every_sample(pyrometer, tmp_path, python):
    counts, ticks = sampled(pyrometer, tmp_path, python, "dropin_busy.py", "--gil")
    assert sum(counts.values()) >= 0.9 * ticks
    assert sum(n for (_, stack), n in counts.items() if stack and stack[-1].name == "spin") >= 0.8 * ticks


@pytest.mark.parametrize("python", pythons.params())
def test_a_program_that_sleeps_is_seen_when_asked_for(pyrometer, tmp_path, python):
    counts, ticks = sampled(pyrometer, tmp_path, python, "dropin_sleep.py", "--idle")
    ((_, stack), n), = counts.most_common(1)
    assert n >= 0.5 * ticks  # the rest is the interpreter's start, on a machine that is busy
    assert [frame[:3] for frame in stack] == [(str(TARGETS / "dropin_sleep.py"), "<module>", 11),
                                              (str(TARGETS / "dropin_sleep.py"), "rest", 7)]
    counts, _ = sampled(pyrometer, tmp_path, python, "dropin_sleep.py", "--gil")
    assert not any(stack and stack[-1].name == "rest" for _, stack in counts)


@pytest.mark.parametrize("python", pythons.params())
def test_profiles_are_called_by_their_threads(pyrometer, tmp_path, python):
    counts, _ = sampled(pyrometer, tmp_path, python, "dropin_names.py", "--threads", "--idle")
    called = {re.search(r'^Thread \d+ "(.*)"$', name).group(1) for name, _ in counts}
    assert called == {f"sleeper number {number}" for number in range(8)} | {"MainThread"}


# ---- flags, on one Python ----

@pytest.fixture
def busy(spawn):
    target = spawn([PYTHON, TARGETS / "dropin_busy.py"], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    return target


def record_raw(pyrometer, pid, *options):
    done = run([pyrometer, "record", "-p", pid, "-d", "0.5", "-f", "raw", "-o", "-", *options])
    assert done.returncode == 0, done.stderr
    return read_raw(done.stdout)


def test_any_beginning_of_a_command_will_do(pyrometer, busy):
    done = run([pyrometer, "r", "-p", busy.pid, "-d", "1", "-r", "20", "-f", "raw", "-o", "-"])
    assert done.returncode == 0 and "spin" in done.stdout, done.stderr
    done = run([pyrometer, "d", "-p", busy.pid])
    assert done.returncode == 0 and "spin" in done.stdout, done.stderr


def test_a_pid_may_be_hexadecimal(pyrometer, busy):
    assert record_raw(pyrometer, hex(busy.pid))
    assert run([pyrometer, "dump", "--pid", hex(busy.pid)]).returncode == 0
    assert run([pyrometer, "dump", "--pid", "0xfg"]).returncode == 2


def test_the_duration_is_real_time(pyrometer, busy, tmp_path):
    """Not a number of ticks: what is late must not make it longer."""
    done = run([pyrometer, "record", "-p", busy.pid, "-d", "1", "-r", "1000", "-o", tmp_path / "x.pyro"])
    assert done.returncode == 0, done.stderr
    assert 0.9 <= summary(done.stderr)["seconds"] <= 1.5


def test_an_unlimited_duration_ends_with_ctrl_c(pyrometer, busy, spawn, tmp_path):
    out = tmp_path / "x.txt"
    recorder = spawn([pyrometer, "record", "-p", busy.pid, "-d", "unlimited", "-f", "raw", "-o", out],
                     stderr=subprocess.PIPE)
    wait_until(lambda: sampling_reader(recorder.pid, busy.pid), what="sampling")
    recorder.send_signal(signal.SIGINT)
    assert recorder.wait(timeout=20) == 0
    assert busy.poll() is None


@pytest.mark.parametrize("name, ending, begin", [("flamegraph", ".svg", "<"), ("raw", ".txt", "<module>"),
                                                 ("speedscope", ".json", "{"), ("chrometrace", ".json", "[")])
def test_files_without_a_name_are_called_by_pid_or_program(pyrometer, busy, tmp_path, name, ending, begin):
    argv = [pyrometer, "record", "-d", "0.3", "-r", "100", "--format", name.upper()]
    assert run(argv + ["-p", busy.pid], cwd=tmp_path).returncode == 0
    assert run(argv + ["--", PYTHON, TARGETS / "dropin_busy.py"], cwd=tmp_path).returncode == 0
    by_pid, by_name = sorted(os.listdir(tmp_path), key=lambda file: not file.startswith(f"{busy.pid}-"))
    assert re.fullmatch(rf"{busy.pid}-\d{{4}}-\d\d-\d\dT[\d-]+\S*" + re.escape(ending), by_pid)
    assert by_name.startswith(os.path.basename(PYTHON) + "-2") and by_name.endswith(ending)
    assert (tmp_path / by_pid).read_text().lstrip().startswith(begin)


def test_function_and_nolineno_say_how_lines_are_shown(pyrometer, busy):
    assert {stack[-1] for stack, _ in record_raw(pyrometer, busy.pid, "-F")} == {"spin (dropin_busy.py:6)"}
    assert {stack[-1] for stack, _ in record_raw(pyrometer, busy.pid, "--nolineno")} == {"spin (dropin_busy.py)"}
    assert {stack[-1] for stack, _ in record_raw(pyrometer, busy.pid)} <= {"spin (dropin_busy.py:7)",
                                                                         "spin (dropin_busy.py:8)"}
    done = run([pyrometer, "record", "-p", busy.pid, "-F", "--nolineno"])
    assert done.returncode == 2 and "--function or --nolineno" in done.stderr


def test_file_names_begin_at_the_package(pyrometer, spawn, tmp_path):
    package = tmp_path / "outer" / "shop" / "inner"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package.parent / "__init__.py").write_text("")
    (package / "views.py").write_text("def view():\n    while True: pass\n")
    (tmp_path / "outer" / "main.py").write_text("from shop.inner import views\nviews.view()\n")
    target = spawn([PYTHON, tmp_path / "outer" / "main.py"])
    stack = wait_until(lambda: [each for each, _ in record_raw(pyrometer, target.pid) if functions(each)[-1] == "view"],
                       what="the view")[0]
    assert stack[0] == "<module> (main.py:2)" and stack[-1] == "view (shop/inner/views.py:2)"
    stacks = [each for each, _ in record_raw(pyrometer, target.pid, "--full-filenames")]
    assert all(each[-1] == f"view ({package}/views.py:2)" for each in stacks)


def test_threads_are_a_frame_of_their_own(pyrometer, busy):
    (marker,) = {stack[0] for stack, _ in record_raw(pyrometer, busy.pid, "-t")}
    assert marker.startswith(f"thread {busy.pid}: ")


def test_flags_that_pyspy_hides_are_taken(pyrometer, tmp_path):
    """--capture keeps what the program prints, and shows it when it failed."""
    argv = [pyrometer, "record", "--hideprogress", "--capture", "-f", "raw", "-o", tmp_path / "x", "--", PYTHON, "-c"]
    done = run(argv + ["import sys; print('said', sys.stdin.read()); sys.exit(3)"])
    assert done.returncode == 3 and done.stdout == "" and "said" in done.stderr
    done = run(argv + ["print('said')"])
    assert done.returncode == 0 and "said" not in done.stdout + done.stderr
    assert "--capture" not in run([pyrometer, "record", "--help"]).stdout
    done = run([pyrometer, "record", "-n", *argv[2:], "import time; time.sleep(0.5)"])
    assert done.returncode == 0 and "native stacks" in done.stderr


@pytest.mark.parametrize("argv, code, says", [
    ([], 2, "usage"), (["nonsense"], 2, "unknown command"), (["record"], 2, "--pid"), (["dump"], 2, "--pid"),
    (["record", "-p", "12x"], 2, "'12x'"), (["record", "-p", "1", "-f", "pdf"], 2, "unknown format"),
    (["record", "-p", "1", "--", "true"], 2, "not both"), (["record", "--frobnicate"], 2, "--frobnicate"),
    (["record", "-p", "4194303"], 4, "4194303"), (["dump", "-p", "4194303"], 4, "4194303"),
    (["record", "-o", "/nowhere/x", "--", "true"], 6, "/nowhere/x"), (["record", "--", "/no/such/program"], 1, "no/such"),
])
def test_what_cannot_be_done_is_said_and_coded(pyrometer, tmp_path, argv, code, says):
    done = run([pyrometer, *argv], cwd=tmp_path)
    assert done.returncode == code and says in done.stderr
    assert not os.listdir(tmp_path)
