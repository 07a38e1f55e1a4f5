# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, and what is said then: one line, what to do, the exit code that belongs to it."""

import http.server
import os
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

import pythons
from conftest import TARGETS, wait_until
from profiles import child_of, is_free, sampling_reader, read_pprof, run, state

PYTHON = pythons.first()
needs_python = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def target(spawn):
    if not PYTHON:
        pytest.skip("needs a supported Python to profile")
    process = spawn([PYTHON, "-u", TARGETS / "load_deep.py"], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def says(done, code, *words):
    """One line of error, the exit code, and the words in it."""
    assert done.returncode == code, done.stderr
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(errors) == 1 and "Traceback" not in done.stderr, done.stderr
    for word in words:
        assert word in errors[0], errors[0]


@pytest.fixture
def unused_pid():
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


# ---- targets ----

@pytest.mark.parametrize("command", ["record", "dump"])
def test_no_such_process(pyrometer, unused_pid, tmp_path, command):
    argv = [pyrometer, command, "-p", unused_pid] + (["-o", tmp_path / "x.svg"] if command == "record" else [])
    says(run(argv), 4, str(unused_pid))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("command", ["record", "dump"])
def test_not_a_python_process(pyrometer, spawn, tmp_path, command):
    sleeper = spawn(["sleep", "1000"])
    argv = [pyrometer, command, "-p", sleeper.pid]
    argv += ["-f", "raw", "-o", tmp_path / "x", "-d", "1"] if command == "record" else []
    says(run(argv), 5, "sleep", "not a Python process")
    assert not os.listdir(tmp_path) and state(sleeper.pid) == "S"


def test_a_command_that_is_no_python(pyrometer, tmp_path):
    began = time.monotonic()
    done = run([pyrometer, "record", "-f", "raw", "-o", tmp_path / "x", "--", "sleep", "1000"])
    says(done, 5, "not a Python process")
    assert time.monotonic() - began < 30
    assert not os.listdir(tmp_path)


def test_a_command_that_cannot_be_run(pyrometer, tmp_path):
    says(run([pyrometer, "record", "-f", "raw", "-o", tmp_path / "x", "--", "/nonexistent/program"]), 1,
         "cannot run '/nonexistent/program'", "o such file")
    (tmp_path / "plain").write_text("no program")
    done = run([pyrometer, "record", "-f", "raw", "-o", tmp_path / "x", "--", tmp_path / "plain"])
    assert done.returncode in (1, 3) and "ermission denied" in done.stderr
    assert os.listdir(tmp_path) == ["plain"]


@needs_python
def test_a_zombie(pyrometer, tmp_path):
    child = subprocess.Popen([PYTHON, "-c", ""])
    wait_until(lambda: state(child.pid) == "Z", what="zombie")
    says(run([pyrometer, "dump", "-p", child.pid]), 4, "has ended")
    child.wait()


def test_a_kernel_thread(pyrometer):
    try:
        with open("/proc/2/comm", encoding="ascii") as file:
            if file.read() != "kthreadd\n":
                pytest.skip("needs a view of kernel threads")
    except OSError:
        pytest.skip("needs a view of kernel threads")
    says(run([pyrometer, "dump", "-p", "2"]), 5, "kernel")


@needs_root
@needs_python
def test_no_permission_names_the_right(pyrometer, target, tmp_path):
    def demote():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    copy = tmp_path / "pyrometer"
    copy.write_bytes(open(pyrometer, "rb").read())
    copy.chmod(0o755)
    path = tmp_path
    while path != path.parent:
        path.chmod(path.stat().st_mode | 0o011)
        path = path.parent
    for argv in (["dump", "-p", target.pid], ["record", "-p", target.pid, "-f", "raw", "-o", "/dev/null"]):
        done = run([copy, *argv], preexec_fn=demote)
        says(done, 3, str(target.pid), "CAP_SYS_PTRACE")


# ---- the command line ----

@pytest.mark.parametrize("argv", [
    [], ["-p", "1", "--", "true"], ["-p", "0"], ["-p", "abc"], ["-p", "+12"], ["-p", " 12"], ["-p", "2147483648"],
    ["-p", "18446744073709551617"], ["-p"], ["-r", "0", "-p", "1"], ["-r", "-5", "-p", "1"],
    ["-r", "1e9", "-p", "1"], ["-r", "NaN", "-p", "1"], ["-r", "inf", "-p", "1"], ["-r", "1_000", "-p", "1"],
    ["-d", "0", "-p", "1"], ["-d", "-1", "-p", "1"], ["-d", "1x", "-p", "1"], ["-d", "9e99", "-p", "1"],
    ["--nonsense"], ["-Z"], ["--push", "http://127.0.0.1:1", "-p", "1"], ["--spool", "/tmp/x", "-p", "1"],
    ["--push", "http://127.0.0.1:1", "--service", "s", "--label", "novalue", "-p", "1"],
    ["--n", "-p", "1"],
])
def test_a_senseless_command_line_is_refused(pyrometer, argv, tmp_path):
    done = run([pyrometer, "record", *argv], cwd=tmp_path)
    says(done, 2)
    assert done.stderr.count("\n") == 1 and not os.listdir(tmp_path)


def test_an_unknown_format_lists_those_that_are_known(pyrometer, target, tmp_path):
    done = run([pyrometer, "record", "-p", target.pid, "-f", "nonsense", "-o", tmp_path / "x"])
    says(done, 2, "nonsense", "flamegraph", "speedscope", "pprof", "raw", "pyro")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("argv, code", [([], 2), (["nonsense"], 2), (["--help"], 0), (["--version"], 0),
                                        (["record", "--help"], 0), (["r", "--help"], 0), (["d", "--help"], 0),
                                        ([""], 2), (["\x1b[31m"], 2)])
def test_the_overview(pyrometer, argv, code):
    done = run([pyrometer, *argv])
    assert done.returncode == code
    assert "\x1b" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr and (done.stdout if code == 0 else done.stderr)


# ---- the output ----

def test_an_output_that_cannot_be_written_is_known_before_sampling(pyrometer, target, tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    for name, word in (("nowhere", "to nothing"), ("missing/x.svg", "o such file"), ("folder", "is a folder"), ("pipe", "nobody reads"),
                       ("", "empty")):
        began = time.monotonic()
        done = run([pyrometer, "record", "-p", target.pid, "-d", "20", "-f", "raw", "-o", tmp_path / name if name else ""])
        says(done, 6, word)
        assert time.monotonic() - began < 10
    assert sorted(os.listdir(tmp_path)) == ["folder", "nowhere", "pipe"]


def test_an_old_file_stays_until_there_is_a_result(pyrometer, unused_pid, target, spawn, tmp_path):
    old = tmp_path / "x.raw"
    old.write_text("precious")
    old.chmod(0o640)
    assert run([pyrometer, "record", "-p", unused_pid, "-o", old]).returncode == 4
    assert old.read_text() == "precious"
    sleeper = spawn(["sleep", "1000"])
    assert run([pyrometer, "record", "-p", sleeper.pid, "-o", old]).returncode == 5
    assert old.read_text() == "precious"
    assert run([pyrometer, "record", "-p", target.pid, "-d", "0.3", "-o", old]).returncode == 0
    assert "<module>" in old.read_text() and old.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["x.raw"]


@needs_root
def test_root_does_not_follow_links_of_others(pyrometer, target, tmp_path):
    (tmp_path / "goal").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "goal")
    os.lchown(tmp_path / "link", 65534, 65534)
    done = run([pyrometer, "record", "-p", target.pid, "-d", "0.3", "-f", "raw", "-o", tmp_path / "link"])
    says(done, 6, "symbolic link")
    os.lchown(tmp_path / "link", 0, 0)
    done = run([pyrometer, "record", "-p", target.pid, "-d", "0.3", "-f", "raw", "-o", tmp_path / "link"])
    assert done.returncode == 0 and (tmp_path / "link").is_symlink()
    assert "<module>" in (tmp_path / "goal").read_text()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    where = tmp_path / "small"
    where.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", where], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    yield where
    subprocess.run(["umount", where], check=True)


def test_a_full_disk_keeps_the_capture_so_far(pyrometer, target, small_disk, tmp_path):
    (small_disk / "filler").write_bytes(bytes(32 << 10))  # leaves room for some blocks of a quarter of a second
    done = run([pyrometer, "record", "-p", target.pid, "-d", "20", "-r", "5000", "-o", small_disk / "x.pyro"])
    says(done, 6, "o space left", ".part")
    (part,) = small_disk.glob("x.pyro.*.part")
    again = run([pyrometer, "convert", part, "-f", "raw", "-o", "-"])
    assert again.returncode == 1 and "<module>" in again.stdout
    assert state(target.pid) in "RS"


def test_a_full_disk_puts_the_result_elsewhere(pyrometer, target, small_disk, tmp_path):
    (small_disk / "old.pb.gz").write_bytes(b"precious")
    (small_disk / "filler").write_bytes(bytes(60 << 10))
    (tmp_path / "elsewhere").mkdir()
    done = run([pyrometer, "record", "-p", target.pid, "-d", "0.5", "-f", "raw", "-t", "-o", small_disk / "old.pb.gz",
                "-r", "1000"], env={**os.environ, "TMPDIR": str(tmp_path / "elsewhere")})
    if done.returncode == 0:
        pytest.fail("the result was expected to be larger than the disk")
    says(done, 6, "o space left", "the result is in")
    assert (small_disk / "old.pb.gz").read_bytes() == b"precious"
    (rescued,) = (tmp_path / "elsewhere").iterdir()
    assert "<module>" in rescued.read_text()


def test_a_device_that_is_always_full(pyrometer, target):
    done = run([pyrometer, "record", "-p", target.pid, "-d", "0.3", "-f", "raw", "-o", "/dev/full"],
               env={**os.environ, "TMPDIR": "/nonexistent"})
    says(done, 6, "/dev/full", "o space left")


def test_a_capture_into_a_full_device_names_no_file_to_look_into(pyrometer, target):
    done = run([pyrometer, "record", "-p", target.pid, "-d", "5", "-f", "pyro", "-o", "/dev/full"])
    says(done, 6, "/dev/full", "o space left")
    assert "so far" not in done.stderr


def test_an_empty_result_is_explained(pyrometer, spawn, target):
    """Of a program that only waits, and of one that is stopped."""
    idle = spawn([PYTHON, "-c", "import time; print(flush=True); time.sleep(1000)"], stdout=subprocess.PIPE)
    assert idle.stdout.readline() == b"\n"
    target.send_signal(signal.SIGSTOP)
    wait_until(lambda: state(target.pid) == "T", what="the stop")
    for pid in (idle.pid, target.pid):
        done = run([pyrometer, "record", "-p", pid, "-d", "0.5", "-f", "raw", "-o", "-"])
        assert done.returncode == 0 and done.stdout == ""
        assert "the result is empty" in done.stderr and "--idle" in done.stderr
        done = run([pyrometer, "record", "-p", pid, "-d", "0.5", "-f", "raw", "-o", "-", "--idle"])
        assert done.returncode == 0 and "<module>" in done.stdout and "empty" not in done.stderr
    assert state(target.pid) == "T"


def test_a_file_size_limit_is_an_error_and_not_the_end(pyrometer, target, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))

    done = run([pyrometer, "record", "-p", target.pid, "-d", "0.3", "-f", "raw", "-o", tmp_path / "x"],
               preexec_fn=limit, env={**os.environ, "TMPDIR": "/nonexistent"})
    says(done, 6, "too large")
    assert not os.listdir(tmp_path)


def test_a_closed_pipe_is_a_quiet_end(pyrometer, target):
    done = run(["sh", "-c", f"{pyrometer} record -p {target.pid} -d 0.5 -f raw -o - 2>/dev/null | true"])
    assert done.returncode == 0 and done.stderr == ""
    assert state(target.pid) in "RS"


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_standard_descriptors_do_no_harm(pyrometer, target, tmp_path, closed):
    out = tmp_path / "x.pb.gz"
    done = run(["sh", "-c", f"exec {pyrometer} record -p {target.pid} -d 0.4 -o {out} {closed}"])
    assert done.returncode == 0
    assert read_pprof(out).samples


# ---- ends that nobody wishes for ----

def test_a_program_that_loses_its_reader_for_good_is_told_so(pyrometer, target, spawn, tmp_path):
    """Killed again and again, the readers are given up, with what was sampled so far."""
    recorder = spawn([pyrometer, "record", "-p", target.pid, "-f", "raw", "-o", tmp_path / "x"],
                     stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 40
    while recorder.poll() is None and time.monotonic() < deadline:
        reader = sampling_reader(recorder.pid, target.pid)
        if reader:
            os.kill(reader, signal.SIGKILL)
        time.sleep(0.05)
    assert recorder.poll() == 1
    assert "killed by signal 9" in recorder.stderr.read()
    assert is_free(target.pid)


@pytest.fixture
def recording(pyrometer, target, spawn, tmp_path):
    """A recording in full swing: its process, its keeper, its reader."""
    front = spawn([pyrometer, "record", "-p", target.pid, "-f", "raw", "-o", tmp_path / "x"],
                  stderr=subprocess.PIPE, text=True)
    reader = wait_until(lambda: sampling_reader(front.pid, target.pid), 30, "sampling")
    keeper = child_of(front.pid)
    time.sleep(0.3)
    yield front, keeper, reader
    if front.poll() is None:
        front.kill()
    wait_until(lambda: not any(state(pid) not in ("Z", None) for pid in (keeper, reader)), 30, "the end of all")


def test_a_killed_keeper_is_told_and_the_result_kept(recording, target, tmp_path):
    front, keeper, _ = recording
    os.kill(keeper, signal.SIGKILL)
    _, errors = front.communicate(timeout=60)
    assert front.returncode == 1, errors
    assert "killed the process that watches the reader; the result so far is kept" in errors
    assert "<module>" in (tmp_path / "x").read_text()
    wait_until(lambda: is_free(target.pid), what="the target being free")


def test_a_stopped_keeper_cannot_hold_up_the_end(recording, target, tmp_path):
    """Nobody passes on then that the recording shall end."""
    front, keeper, _ = recording
    os.kill(keeper, signal.SIGSTOP)
    wait_until(lambda: state(keeper) == "T", what="the stop")
    front.send_signal(signal.SIGINT)
    _, errors = front.communicate(timeout=60)
    assert front.returncode == 1, errors
    assert "the reader did not end when asked to" in errors
    assert "<module>" in (tmp_path / "x").read_text()
    wait_until(lambda: is_free(target.pid), what="the target being free")


@needs_python
def test_a_target_that_becomes_another_program_is_waited_for_and_told(pyrometer, spawn, tmp_path):
    """It may be a Python again in a moment: the reader waits some seconds, and is not taken for stuck meanwhile."""
    code = "import os, sys, time\nend = time.time() + 3\nwhile time.time() < end: pass\nos.execvp('sleep', ['sleep', '1000'])"
    process = spawn([PYTHON, "-c", code])
    wait_until(lambda: run([pyrometer, "dump", "-p", process.pid]).returncode == 0, what="a Python")
    done = run([pyrometer, "record", "-p", process.pid, "-f", "raw", "-o", tmp_path / "x"])
    says(done, 5, "it became another program", "sleep", "not a Python process", "the result so far is kept")
    assert "<module>" in (tmp_path / "x").read_text() and state(process.pid) == "S"
    assert is_free(process.pid)


# ---- servers that are none ----

@pytest.mark.parametrize("url", ["http://", "http://:4040", "http://[::1", "http:///x", "http://u@", "http://a b",
                                 "ftp://host", "host:4040", "", "http://host/?x"])
def test_an_address_to_push_to_that_is_none_is_refused(pyrometer, target, url):
    done = run([pyrometer, "record", "-p", target.pid, "-d", "5", "--push", url, "--service", "s"])
    says(done, 2, "http://HOST:PORT")


def push_briefly(pyrometer, target, url, seconds="1"):
    return run([pyrometer, "record", "-p", target.pid, "-d", seconds, "--push", url, "--service", "s"])


def test_what_could_not_be_pushed_is_told_by_the_exit_code(pyrometer, target, free_port):
    done = push_briefly(pyrometer, target, f"http://127.0.0.1:{free_port}")
    assert done.returncode == 1, done.stderr
    assert "could not be pushed and are lost" in done.stderr and "Couldn't connect" in done.stderr


def test_what_waits_in_a_spool_is_not_lost(pyrometer, target, free_port, tmp_path):
    done = run([pyrometer, "record", "-p", target.pid, "-d", "1", "--push", f"http://127.0.0.1:{free_port}",
                "--service", "s", "--spool", tmp_path / "spool"])
    assert done.returncode == 0, done.stderr
    assert "in the spool" in done.stderr and "lost" not in done.stderr


def test_another_server_than_ours_is_recognised(pyrometer, target):
    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_error(404, "\x1b[31mno")

        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        done = push_briefly(pyrometer, target, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()
    assert done.returncode == 1, done.stderr
    assert "answered 404 (it takes no profiles: is its address right?)" in done.stderr and "\x1b" not in done.stderr


def test_a_server_that_never_answers_does_not_hold_up_the_end(pyrometer, target):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = push_briefly(pyrometer, target, f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert done.returncode == 1, done.stderr
    assert "it had not answered when waiting was given up" in done.stderr
    assert is_free(target.pid)
