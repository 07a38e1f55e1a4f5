# SPDX-License-Identifier: Apache-2.0
"""top: however the page ends, the terminal is as it was."""

import os
import random
import shutil
import signal
import subprocess
import time

import pytest

import pythons
from conftest import TARGETS, wait_until

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


# ---- ends ----------------------------------------------------------------------------------------

def test_ctrl_c_at_any_moment_restores_the_terminal(pyrometer, start, terminal):
    target = start("load_threads")
    dice = random.Random(3)
    left = 30
    while left > 0:
        batch = []
        for _ in range(min(left, 6)):
            batch.append((terminal([pyrometer, "top", "-p", target.pid, "--delay", "0.05"]), dice.uniform(0, 0.7)))
        begun = time.monotonic()
        for shown, after in sorted(batch, key=lambda each: each[1]):
            while time.monotonic() < begun + after:
                for other, _ in batch:
                    other.read(0.005)
            shown.press("ctrl-c")
        for shown, after in batch:
            code = shown.wait()
            # Before the first line of main() it is the signal that ends us; the terminal is untouched then.
            assert code in (0, -signal.SIGINT), (after, code, shown.text())
            shown.assert_restored()
        left -= len(batch)
    assert target.poll() is None


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT])
def test_a_signal_that_ends_us_restores_the_terminal(start, page, signo):
    shown = page(start("load_deep", "5"))
    os.kill(shown.process.pid, signo)
    code = shown.wait()
    assert code == (0 if signo in (signal.SIGTERM, signal.SIGHUP) else -signo)
    shown.assert_restored()


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGKILL])
def test_the_last_picture_stays_when_the_target_ends(start, page, signo):
    target = start("load_deep", "5")
    shown = page(target)
    shown.wait_for(r"descend")
    target.send_signal(signo)
    target.wait()
    shown.wait_for(rf"process {target.pid} has ended")
    assert "descend" in shown.text() and shown.is_alternate()
    shown.press("tab")
    shown.wait_for(r"\[Threads\]")
    shown.press("q")
    assert shown.wait() == 0
    shown.assert_restored()


def test_ctrl_z_stops_and_fg_brings_the_page_back(pyrometer, start, terminal):
    if not shutil.which("bash"):
        pytest.skip("needs bash, for its job control")
    target = start("load_deep", "5")
    script = f'{pyrometer} top -p {target.pid} --delay 0.1; echo "IT STANDS"; read -r _; fg; echo "IT IS OVER"'
    shown = terminal(["bash", "--norc", "-mc", script])
    shown.wait_for(HEAD)
    shown.press("ctrl-z")
    shown.wait_for("IT STANDS")
    assert not shown.is_alternate()
    shown.press("\n")
    wait_until(lambda: shown.read(0.02) and shown.is_alternate(), 20, "the page")
    shown.wait_for(HEAD)
    shown.press("q")
    shown.wait_for("IT IS OVER")
    shown.assert_restored()


# ---- a program of our own --------------------------------------------------------------------------

def test_a_command_prints_at_the_end_and_its_exit_code_is_passed_on(pyrometer, terminal):
    code = ("import sys, time; print('first words'); print('and errors', file=sys.stderr)\n"
            "end = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nsys.exit(7)")
    shown = terminal([pyrometer, "top", "--delay", "0.1", "--", PYTHON, "-c", code])
    shown.wait_for(HEAD)
    assert b"first words" not in shown.raw
    shown.wait_for("ended with exit code 7")
    shown.press("q")
    assert shown.wait() == 7
    shown.assert_restored()
    after = bytes(shown.raw)[shown.raw.rfind(b"\x1b[?1049l"):]
    assert b"first words" in after and b"and errors" in after


def test_leaving_the_page_ends_the_command(pyrometer, terminal, tmp_path):
    code = f"import os, time; open(r'{tmp_path}/pid', 'w').write(str(os.getpid()))\nwhile True: time.sleep(0.01)"
    shown = terminal([pyrometer, "top", "--", PYTHON, "-c", code])
    shown.wait_for(HEAD)
    pid = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), 20, "the program"))
    shown.press("q")
    assert shown.wait() == 0
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 10, "the end of the program")


def test_ctrl_c_reaches_the_command_which_ends_in_its_own_way(pyrometer, terminal):
    code = ("import sys, time\ntry:\n    while True: time.sleep(0.01)\n"
            "except KeyboardInterrupt:\n    print('cleaned up'); sys.exit(5)")
    shown = terminal([pyrometer, "top", "--", PYTHON, "-c", code])
    shown.wait_for(HEAD)
    shown.wait_for("<module>|nothing")
    shown.press("ctrl-c")
    assert shown.wait() == 5
    shown.assert_restored()
    assert b"cleaned up" in shown.raw


def test_a_process_that_cannot_be_read_is_a_line_not_a_page(pyrometer, spawn, terminal):
    sleeper = spawn(["sleep", "60"])
    shown = terminal([pyrometer, "top", "-p", sleeper.pid])
    assert shown.wait() == 5
    assert b"\x1b[?1049h" not in shown.raw and b"error" in shown.raw
