# SPDX-License-Identifier: Apache-2.0
"""record -- COMMAND: the program has its streams, its signals and its exit code as without us."""

import os
import pty
import select
import signal
import subprocess
import time

import pytest

import pythons
from conftest import wait_until
from profiles import run, state

PYTHON = pythons.first()
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")

CLEANS_UP = """
import sys, time
print("running", flush=True)
try:
    while True: sum(range(1000))
except KeyboardInterrupt:
    time.sleep({pause})
    print("cleaned up", flush=True)
    sys.exit(5)
"""


def argv_of(pyrometer, out, code, *options):
    return [pyrometer, "record", *options, "-f", "raw", "-o", str(out), "--", PYTHON, "-c", code]


def test_standard_input_is_the_programs(pyrometer, tmp_path):
    code = "import sys\ntext = sys.stdin.read()\nfor i in range(10**6): pass\nsys.stdout.write(text.upper())"
    done = run(argv_of(pyrometer, tmp_path / "x", code), input="some text\n" * 10000)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "SOME TEXT\n" * 10000


@pytest.mark.parametrize("how, code", [("sys.exit(0)", 0), ("sys.exit(41)", 41), ("raise ValueError", 1),
                                       ("os.abort()", 134), ("os.kill(os.getpid(), 9)", 137),
                                       ("os.kill(os.getpid(), signal.SIGUSR1)", 138)])
def test_the_programs_end_is_ours(pyrometer, tmp_path, how, code):
    body = f"import os, resource, signal, sys\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n{how}"
    done = run(argv_of(pyrometer, tmp_path / "x", body))
    assert done.returncode == code, done.stderr


class Terminal:
    """A program with a terminal of its own, in its foreground."""

    def __init__(self, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(argv[0], argv)
        self.text = ""
        self.status = None

    def read(self):
        if select.select([self.fd], [], [], 0.02)[0]:
            try:
                self.text += os.read(self.fd, 4096).decode(errors="replace")
            except OSError:  # the other side has closed it
                return

    def has_said(self, text):
        self.read()
        return text in self.text

    def has_ended(self):
        self.read()
        pid, status = os.waitpid(self.pid, os.WNOHANG) if self.status is None else (0, 0)
        if pid:
            self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def terminal():
    made = []

    def start(argv):
        made.append(Terminal(argv))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_ctrl_c_lets_the_program_clean_up(pyrometer, terminal, tmp_path):
    out = tmp_path / "x"
    shell = terminal(argv_of(pyrometer, out, CLEANS_UP.format(pause=3)))
    wait_until(lambda: shell.has_said("running"), what="start")
    time.sleep(0.5)
    os.write(shell.fd, b"\x03")
    wait_until(shell.has_ended, 30, "the end")
    assert shell.status == 5
    assert "cleaned up" in shell.text and shell.text.count("Traceback") == 0
    assert "<module>" in out.read_text()


def test_ctrl_c_twice_ends_what_will_not_end(pyrometer, terminal, tmp_path):
    code = "import os, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('pid', os.getpid(), flush=True)\nwhile True: pass"
    shell = terminal(argv_of(pyrometer, tmp_path / "x", code))
    wait_until(lambda: shell.has_said("pid ") and "\n" in shell.text.partition("pid ")[2], what="start")
    pid = int(shell.text.partition("pid ")[2].split()[0])
    os.write(shell.fd, b"\x03")
    wait_until(lambda: shell.has_said("wrote"), 20, "the result")  # it is safe before anybody waits
    assert state(pid) in "RS"
    os.write(shell.fd, b"\x03")
    wait_until(shell.has_ended, 30, "the end")
    assert state(pid) is None


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_us_reaches_the_program(pyrometer, spawn, tmp_path, kind):
    """A supervisor knows our process only; nothing of a terminal here."""
    code = ("import signal, sys\ndef handler(number, frame): print('got', number, flush=True); sys.exit(9)\n"
            f"signal.signal({int(kind)}, handler)\nprint('running', flush=True)\nwhile True: sum(range(1000))")
    recorder = spawn(argv_of(pyrometer, tmp_path / "x", code), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                     text=True, start_new_session=True)
    assert recorder.stdout.readline() == "running\n"
    time.sleep(0.5)
    recorder.send_signal(kind)
    assert recorder.wait(timeout=30) == 9
    assert recorder.stdout.read() == f"got {int(kind)}\n"
    assert "<module>" in (tmp_path / "x").read_text()


def test_debug_output_is_asked_for_by_the_environment(pyrometer):
    done = run([pyrometer, "--help"])
    assert "PYROMETER_DEBUG=1" in done.stdout
    code = "import time; time.sleep(0.3)"
    argv = [pyrometer, "record", "-f", "raw", "-o", "/dev/null", "--", PYTHON, "-c", code]
    assert "debug:" not in run(argv).stderr
    assert "debug:" in run(argv, env={**os.environ, "PYROMETER_DEBUG": "1"}).stderr
