# SPDX-License-Identifier: Apache-2.0
"""record: from a live process to a file, with the right ends and exit codes."""

import os
import pty
import signal
import subprocess
import time

import pytest

import pythons
from conftest import TARGETS, wait_until
from profiles import functions, is_free, read_pprof, read_raw, run, sampling_reader, state, summary

PYTHON = pythons.first()
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")


@pytest.fixture
def start(spawn):
    """A target that has said that it is ready."""
    def begin(program, *args, python=PYTHON):
        target = spawn([python, "-u", TARGETS / f"{program}.py", *args], stdout=subprocess.PIPE)
        assert target.stdout.readline() == b"ready\n"
        return target
    return begin


@pytest.mark.parametrize("python", pythons.params())
def test_every_stack_of_a_busy_thread_is_whole(pyrometer, start, python):
    target = start("load_deep", "50", python=python)
    done = run([pyrometer, "record", "-p", target.pid, "-d", "1", "-r", "500", "-f", "raw", "-o", "-"])
    assert done.returncode == 0, done.stderr
    stacks = read_raw(done.stdout)
    assert sum(count for _, count in stacks) == summary(done.stderr)["samples"] > 50
    for stack, _ in stacks:
        assert functions(stack)[0] == "<module>"
        assert functions(stack)[-1] in ("descend", "spin")
        assert len(stack) in (49, 50)
    assert target.poll() is None and state(target.pid) in "RS"


def test_formats_are_chosen_by_ending_and_by_name(pyrometer, start, tmp_path):
    target = start("load_deep")
    first = {"out.svg": b"<", "out.html": b"<", "out.pb.gz": b"\x1f\x8b", "out.speedscope.json": b"{",
             "out.pyro": b"PYRO"}
    for name, begin in first.items():
        done = run([pyrometer, "record", "-p", target.pid, "-d", "0.3", "-o", tmp_path / name])
        if "no web bundle" in done.stderr:
            assert name == "out.html" and done.returncode == 5 and not (tmp_path / name).exists()
            continue
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).read_bytes().startswith(begin), name
    done = run([pyrometer, "record", "-p", target.pid, "-d", "0.3", "-f", "raw", "-o", tmp_path / "odd.name"])
    assert b"<module>" in (tmp_path / "odd.name").read_bytes()
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


def test_without_an_output_the_file_name_is_said(pyrometer, start, tmp_path):
    target = start("load_deep")
    done = run([pyrometer, "record", "-p", target.pid, "-d", "0.3", "-f", "raw"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (name,) = os.listdir(tmp_path)
    assert f"wrote {name}" in done.stderr


def test_idle_threads_are_left_out_unless_asked_for(pyrometer, start):
    target = start("load_threads")
    argv = [pyrometer, "record", "-p", target.pid, "-d", "1", "-t", "-f", "raw", "-o", "-"]
    without = run(argv).stdout
    assert "busy" in without and "sleeper" not in without and "blocked" not in without
    done = run(argv + ["--idle"])
    counts = {stack[0].partition(": ")[2]: 0 for stack, _ in read_raw(done.stdout)}
    assert {"MainThread", "busy", "sleeper", "blocked", "reader", "poller"} <= set(counts)
    for stack, count in read_raw(done.stdout):
        counts[stack[0].partition(": ")[2]] += count
    # One entry per tick for those that wait, too.
    assert counts["sleeper"] >= 0.9 * summary(done.stderr)["ticks"]


def test_gil_keeps_only_what_held_it(pyrometer, start):
    target = start("load_threads")
    done = run([pyrometer, "record", "-p", target.pid, "-d", "1", "--gil", "--idle", "-f", "raw", "-o", "-"])
    assert done.returncode == 0
    assert {functions(stack)[-1] for stack, _ in read_raw(done.stdout)} == {"busy"}


def test_function_and_nolineno_merge_lines(pyrometer, start):
    target = start("load_deep", "5")
    argv = [pyrometer, "record", "-p", target.pid, "-d", "0.5", "-r", "300", "-f", "raw", "-o", "-"]
    by_function = read_raw(run(argv + ["-F"]).stdout)
    assert {stack[-1].rpartition(":")[2] for stack, _ in by_function} <= {"7)", "14)"}
    without = read_raw(run(argv + ["--nolineno"]).stdout)
    assert all(":" not in frame.rpartition("(")[2] for stack, _ in without for frame in stack)


def test_a_program_is_sampled_from_its_start_and_its_exit_code_passed_on(pyrometer):
    code = "import sys\nfor i in range(10**7): pass\nprint('out'); print('err', file=sys.stderr); sys.exit(7)"
    done = run([pyrometer, "record", "-r", "1000", "-f", "raw", "-o", "/dev/null", "--", PYTHON, "-c", code])
    assert done.returncode == 7
    assert done.stdout == "out\n" and "err\n" in done.stderr
    assert summary(done.stderr)["samples"] > 0


def test_a_program_is_seen_while_its_interpreter_starts(pyrometer):
    """Its site module is imported before its first line runs; on a crowded machine that may take a few tries."""
    for _ in range(8):
        done = run([pyrometer, "record", "-r", "3000", "-f", "raw", "-o", "-", "--", PYTHON, "-c", "pass"])
        assert done.returncode == 0, done.stderr
        if any(functions(stack)[0] != "<module>" for stack, _ in read_raw(done.stdout)):
            return
    pytest.fail("never saw the interpreter start")


def test_a_program_killed_by_a_signal_is_reported_as_a_shell_does(pyrometer):
    code = "import os, signal, time; time.sleep(0.3); os.kill(os.getpid(), signal.SIGTERM)"
    done = run([pyrometer, "record", "-f", "raw", "-o", "/dev/null", "--", PYTHON, "-c", code])
    assert done.returncode == 128 + signal.SIGTERM


def test_a_program_that_still_runs_after_the_duration_is_ended(pyrometer, tmp_path):
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid()))\nwhile True: pass"
    done = run([pyrometer, "record", "-d", "1", "-f", "raw", "-o", tmp_path / "raw", "--", PYTHON, "-c", code])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "raw").read_text()
    assert state(int(pid.read_text())) is None


def test_a_program_that_ends_at_once_leaves_a_valid_result(pyrometer, tmp_path):
    done = run([pyrometer, "record", "-o", tmp_path / "x.pyro", "--", PYTHON, "-S", "-c", "raise SystemExit(3)"])
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_in_order_with_the_result_so_far(pyrometer, spawn, start, tmp_path, kind):
    target = start("load_deep")
    out = tmp_path / "out.raw"
    recorder = spawn([pyrometer, "record", "-p", target.pid, "-f", "raw", "-o", out], stderr=subprocess.PIPE)
    wait_until(lambda: sampling_reader(recorder.pid, target.pid), what="sampling")
    time.sleep(0.5)
    for _ in range(3):  # impatient people press it more than once
        recorder.send_signal(kind)
    assert recorder.wait(timeout=20) == 0
    assert "<module>" in out.read_text()
    assert state(target.pid) in "RS"


def test_a_target_that_ends_leaves_the_result_so_far_and_code_4(pyrometer, spawn, start, tmp_path):
    target = start("load_deep")
    out = tmp_path / "out.raw"
    recorder = spawn([pyrometer, "record", "-p", target.pid, "-f", "raw", "-o", out],
                     stderr=subprocess.PIPE, text=True)
    wait_until(lambda: sampling_reader(recorder.pid, target.pid), what="sampling")
    time.sleep(0.5)
    target.kill()
    target.wait()
    assert recorder.wait(timeout=20) == 4
    assert "has ended; the result so far is kept" in recorder.stderr.read()
    assert "<module>" in out.read_text()


def test_a_target_that_becomes_another_python_is_followed(pyrometer, start, spawn, tmp_path):
    code = ("import os, sys, time\nprint('ready', flush=True)\nend = time.time() + 0.8\n"
            "def before():\n  while time.time() < end: pass\nbefore()\n"
            "os.execv(sys.executable, [sys.executable, '-c', "
            "'def after():\\n  while True: pass\\nafter()'])\n")
    target = spawn([PYTHON, "-c", code], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    done = run([pyrometer, "record", "-p", target.pid, "-d", "2.5", "-f", "raw", "-o", "-"])
    assert done.returncode == 0, done.stderr
    assert "before (" in done.stdout and "after (" in done.stdout


def test_a_killed_reader_is_started_again_and_that_is_said(pyrometer, spawn, start, tmp_path):
    target = start("load_deep")
    out = tmp_path / "out.pb.gz"
    recorder = spawn([pyrometer, "record", "-p", target.pid, "-d", "3", "-f", "pprof", "-o", out],
                     stderr=subprocess.PIPE, text=True)
    reader = wait_until(lambda: sampling_reader(recorder.pid, target.pid), what="sampling")
    time.sleep(0.7)
    os.kill(reader, signal.SIGKILL)
    assert recorder.wait(timeout=30) == 0
    said = recorder.stderr.read()
    assert "started again 1 times" in said
    assert summary(said)["samples"] > 100
    assert state(target.pid) in "RS"
    # One recording: the thread is one thread, and time goes on.
    profile = read_pprof(out)
    wall = sum(sample.values["wall"] for sample in profile.samples) / 1e9
    assert 1.5 < wall <= 3.3


def test_a_killed_front_takes_keeper_and_reader_along(pyrometer, spawn, start):
    target = start("load_deep")
    recorder = spawn([pyrometer, "record", "-p", target.pid, "-f", "raw", "-o", "/dev/null"],
                     stderr=subprocess.DEVNULL)
    reader = wait_until(lambda: sampling_reader(recorder.pid, target.pid), what="sampling")
    recorder.kill()
    recorder.wait()
    wait_until(lambda: state(reader) in (None, "Z"), what="the end of the reader")
    wait_until(lambda: is_free(target.pid), what="the target's freedom")


def test_a_stopped_target_stays_stopped_and_is_called_so(pyrometer, start, tmp_path):
    target = start("load_deep")
    os.kill(target.pid, signal.SIGSTOP)
    wait_until(lambda: state(target.pid) == "T", what="stop")
    done = run([pyrometer, "record", "-p", target.pid, "-d", "0.8", "-i", "-o", tmp_path / "x.pb.gz"])
    assert done.returncode == 0, done.stderr
    assert state(target.pid) in "Tt"
    states = {sample.labels.get("state") for sample in read_pprof(tmp_path / "x.pb.gz").samples}
    assert states <= {"stopped", None}
    os.kill(target.pid, signal.SIGCONT)
    wait_until(lambda: state(target.pid) in "RS", what="going on")


DEBUGGER = """
import ctypes, sys, time
if ctypes.CDLL(None).ptrace(0x4206, int(sys.argv[1]), None, None):  # PTRACE_SEIZE
    sys.exit("cannot trace it")
print("ready", flush=True)
time.sleep(1000)
"""


def test_a_target_that_another_keeps_is_sampled_without_pausing_and_that_is_said(pyrometer, start, spawn, tmp_path):
    target = start("load_deep")
    debugger = spawn([PYTHON, "-c", DEBUGGER, target.pid], stdout=subprocess.PIPE)
    assert debugger.stdout.readline() == b"ready\n"
    done = run([pyrometer, "record", "-p", target.pid, "-d", "1", "-f", "raw", "-o", tmp_path / "x.raw"])
    assert done.returncode == 0, done.stderr
    assert "another debugger or profiler" in done.stderr and "biased" in done.stderr
    assert summary(done.stderr)["paused"] == 0
    debugger.kill()
    debugger.wait()


def test_two_recordings_of_one_target_pause_it_in_turn(pyrometer, start, spawn, tmp_path):
    target = start("load_deep")
    first = spawn([pyrometer, "record", "-p", target.pid, "-r", "500", "-f", "raw", "-o", "/dev/null"],
                  stderr=subprocess.DEVNULL)
    wait_until(lambda: sampling_reader(first.pid, target.pid), what="the first")
    done = run([pyrometer, "record", "-p", target.pid, "-d", "2", "-r", "500", "-f", "raw", "-o", tmp_path / "x.raw"])
    assert done.returncode == 0, done.stderr
    assert "another debugger" not in done.stderr
    assert summary(done.stderr)["paused"] > 100
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=20) == 0


def test_nonblocking_never_traces_and_says_what_it_dropped(pyrometer, start):
    target = start("load_threads")
    done = run([pyrometer, "record", "-p", target.pid, "-d", "1", "--nonblocking", "-f", "raw", "-o", "-"])
    assert done.returncode == 0, done.stderr
    assert "could not be proven" in done.stderr
    assert summary(done.stderr)["paused"] == 0
    assert "busy (" in done.stdout


def test_progress_is_shown_on_a_terminal_only(pyrometer, start, tmp_path):
    target = start("load_deep")
    argv = [pyrometer, "record", "-p", target.pid, "-d", "1", "-f", "raw", "-o", tmp_path / "x"]
    assert "\r" not in run(argv).stderr
    master, slave = pty.openpty()
    with subprocess.Popen([str(arg) for arg in argv], stderr=slave, env={**os.environ, "TERM": "xterm"}) as recorder:
        os.close(slave)
        shown = b""
        while True:
            try:
                chunk = os.read(master, 4096)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        assert recorder.wait(timeout=20) == 0
    os.close(master)
    assert b"samples" in shown and b"Ctrl-C" in shown


def test_hostile_names_cannot_move_the_cursor(pyrometer, start):
    target = start("load_names")
    done = run([pyrometer, "record", "-p", target.pid, "-d", "1", "-i", "-t", "-f", "raw", "-o", "-"])
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr and "\x07" not in done.stdout
    assert "naïve_名前" in done.stdout


def test_the_program_of_a_sudo_call_runs_as_the_caller(pyrometer, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    out = tmp_path / "out.raw"
    python = "/usr/bin/python3"
    if not os.access(python, os.X_OK):
        pytest.skip("needs /usr/bin/python3")
    env = {**os.environ, "SUDO_UID": "65534", "SUDO_GID": "65534"}
    code = "import os, time; print(os.getuid(), os.getgid(), os.getgroups(), flush=True)\nwhile True: pass"
    done = run([pyrometer, "record", "-d", "1", "-f", "raw", "-o", out, "--", python, "-c", code], env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("65534 65534 ") and "[0" not in done.stdout
    assert out.stat().st_uid == 65534 and "<module>" in out.read_text()


def test_a_thread_that_waits_is_never_paused(pyrometer, spawn):
    """A sleeper that would see EINTR if it were interrupted; Python hides it, so the C call is made by ctypes."""
    code = """
import ctypes, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
seen = 0
def poller():
    global seen
    for _ in range(60):
        if libc.poll(None, 0, 20) < 0: seen += 1
    print("seen", seen, flush=True)
print("ready", flush=True)
thread = threading.Thread(target=poller)
thread.start()
while thread.is_alive(): sum(range(100))
"""
    target = spawn([PYTHON, "-c", code], stdout=subprocess.PIPE, text=True)
    assert target.stdout.readline() == "ready\n"
    done = run([pyrometer, "record", "-p", target.pid, "-d", "1", "-r", "1000", "-f", "raw", "-o", "-"])
    assert done.returncode in (0, 4), done.stderr
    assert target.stdout.readline() == "seen 0\n"


def test_push_sends_profiles_and_the_source_of_what_was_sampled(pyrometer, start, collector, tmp_path):
    target = start("load_deep")
    url, got = collector
    done = run([pyrometer, "record", "-p", target.pid, "-d", "2.6", "--push", url, "--service", "demo", "--source",
                "-o", tmp_path / "too.raw"])
    assert done.returncode == 0, done.stderr
    pushes = [each for each in got if each[0] == "POST"]
    assert len(pushes) >= 2 and all(each[1] == "/push.v1.PusherService/Push" for each in pushes)
    sources = {each[2]["file"][0]: each[3] for each in got if each[0] == "PUT"}
    program = TARGETS / "load_deep.py"
    assert sources == {str(program): program.read_bytes()}
    assert "<module>" in (tmp_path / "too.raw").read_text()


def test_source_sends_no_other_file_than_python_text(pyrometer, spawn, collector, tmp_path):
    """Code objects can name any file; what is no regular .py file stays where it is."""
    secret = tmp_path / "secret.txt"
    secret.write_text("password")
    (tmp_path / "pipe.py").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "binary.py").write_bytes(b"a\0b")
    (tmp_path / "good.py").write_text("good = 1\n")
    code = f"""
import time
body = "def f():\\n  end = time.time() + 0.2\\n  while time.time() < end: pass\\n"
files = [{str(secret)!r}, {str(tmp_path / 'pipe.py')!r}, {str(tmp_path / 'binary.py')!r},
         {str(tmp_path / 'good.py')!r}, "/proc/self/environ", "/dev/zero.py", "/nonexistent.py"]
print("ready", flush=True)
while True:
    for file in files:
        scope = {{"time": time}}
        exec(compile(body, file, "exec"), scope)
        scope["f"]()
"""
    target = spawn([PYTHON, "-c", code], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    url, got = collector
    done = run([pyrometer, "record", "-p", target.pid, "-d", "4", "--push", url, "--service", "demo", "--source"])
    assert done.returncode == 0, done.stderr
    sources = {each[2]["file"][0]: each[3] for each in got if each[0] == "PUT"}
    assert sources == {str(tmp_path / "good.py"): b"good = 1\n"}
