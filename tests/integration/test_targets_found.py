# SPDX-License-Identifier: Apache-2.0
"""The interpreter is found wherever it is: in a program of others, frozen, stripped, deleted, after an exec."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

import pythons
from conftest import wait_until
from hosts import build_host, dump, layout_of, with_frame
from profiles import functions, read_raw, run, summary

SLEEP = ("import sys, time\ndef here():\n    sys.stdout.write('ready\\n'); sys.stdout.flush(); time.sleep(1000)\n"
         "here()\n")


def shared(tag):
    """A build of this version whose code is in a library of glibc's, or a skip."""
    found = next((python for python in pythons.of(tag) if python.is_shared and python.libc == "glibc"), None)
    if not found:
        pytest.skip(f"needs CPython {tag} with a shared library")
    return found.path


def begin(spawn, argv, **options):
    target = spawn(argv, stdout=subprocess.PIPE, **options)
    first = target.stdout.readline().decode().strip()
    assert first, f"{argv} said nothing"
    return target, first


# ---- in a program of others ----

@pytest.mark.parametrize("python", pythons.params())
def test_a_host_program_shows_all_its_interpreters(pyrometer, spawn, tmp_path, python):
    host, env = build_host(python, tmp_path)
    version = subprocess.run([python, "-c", "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"],
                             capture_output=True, text=True, check=True).stdout
    n_own = 2 if tuple(map(int, version.split("."))) >= (3, 12) else 0
    target, tid = begin(spawn, [host, "-t", "-s", 2, "-o", n_own, "-e", "-n", 3, tmp_path / "main.py"], env=env)

    def all_there():
        threads = dump(pyrometer, target.pid)
        return threads if len(with_frame(threads, "in_sub")) == 2 + n_own else None

    threads = wait_until(all_there, what="the threads of all interpreters")
    (main,) = with_frame(threads, "in_main")
    assert main["os_thread_id"] == int(tid) != target.pid
    assert main["names"] == ["in_main", "<module>"]
    assert {thread["thread_name"] for thread in with_frame(threads, "in_sub")} == {"sub"}
    # The main thread, the one with an empty Python stack, and three that Python knows nothing of.
    assert len(with_frame(threads, "[no Python]")) == 5
    assert len(threads) == 6 + 2 + n_own


@pytest.mark.parametrize("python", pythons.params(["2.7", "3.8", "3.13"]))
def test_150_native_threads_take_nothing_from_the_others(pyrometer, spawn, tmp_path, python):
    host, env = build_host(python, tmp_path)
    target, tid = begin(spawn, [host, "-n", 150, tmp_path / "main.py"], env=env)
    threads = dump(pyrometer, target.pid)
    assert len(with_frame(threads, "[no Python]")) == 150
    assert [thread["os_thread_id"] for thread in with_frame(threads, "in_main")] == [int(tid)]
    done = run([pyrometer, "record", "-p", target.pid, "-d", 1, "-i", "-t", "-f", "raw", "-o", "-"])
    assert done.returncode == 0, done.stderr
    stacks = read_raw(done.stdout)
    assert sum("in_main" in functions(stack) for stack, _ in stacks) > 0
    assert len({stack[0] for stack, _ in stacks}) == 151
    assert summary(done.stderr)["dropped"] <= 0.02 * summary(done.stderr)["samples"]


WSGI = """
import threading, time
def background():
    while True:
        time.sleep(0.01)
def slow():
    end = time.time() + 60
    while time.time() < end:
        sum(range(1000))
def application(environ, start_response):
    start_response("200 OK", [])
    slow()
    return [b""]
"""


def test_uwsgi_shows_its_workers(pyrometer, spawn, tmp_path):
    uwsgi = shutil.which("uwsgi", path=os.path.dirname(sys.executable) + ":" + os.environ.get("PATH", ""))
    if not uwsgi:
        pytest.skip("needs uWSGI: pip install -r tests/requirements-targets.txt")
    (tmp_path / "app.py").write_text(WSGI)
    log = tmp_path / "log"
    with open(log, "wb") as out:
        master = spawn([uwsgi, "--http-socket", "127.0.0.1:0", "--wsgi-file", tmp_path / "app.py", "--enable-threads",
                        "--threads", "2", "--master", "--processes", "1", "--die-on-term"], stdout=out, stderr=out)
    port = wait_until(lambda: re.search(r"127\.0\.0\.1:(\d+)", log.read_text(errors="replace")), what="its port")
    children = pathlib.Path(f"/proc/{master.pid}/task/{master.pid}/children")
    worker = int(wait_until(lambda: children.read_text().split(), what="a worker")[0])
    wait_until(lambda: "spawned" in log.read_text(errors="replace"), what="its application")
    client = spawn([sys.executable, "-c", f"import urllib.request as u; u.urlopen('http://127.0.0.1:{port[1]}/')"],
                   stderr=subprocess.DEVNULL)

    def serves():
        return with_frame(dump(pyrometer, worker), "slow")

    try:
        (busy,) = wait_until(serves, seconds=20, what="the request in a worker")
        assert busy["names"] == ["slow", "application"] and busy["active"]
        # The other thread waits in accept(), with a thread state and no frame.
        assert len(with_frame(dump(pyrometer, worker), "[no Python]")) == 1
        done = run([pyrometer, "record", "-p", worker, "-d", 1, "-f", "raw", "-o", "-"])
        assert "application (" in done.stdout and summary(done.stderr)["dropped"] <= 2
    finally:
        client.kill()
        os.kill(worker, 9)
        master.kill()


# ---- frozen ----

SPEC = """
a = Analysis(["app.py"])
pyz = PYZ(a.pure)
onefile = EXE(pyz, a.scripts, a.binaries, a.datas, name="onefile", strip=True)
onedir = EXE(pyz, a.scripts, name="onedir", exclude_binaries=True, strip=True)
COLLECT(onedir, a.binaries, a.datas, name="folder", strip=True)
"""


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """A program frozen by PyInstaller, as one file and as a folder."""
    if subprocess.run([sys.executable, "-c", "import PyInstaller"], capture_output=True, check=False).returncode:
        pytest.skip("needs PyInstaller: pip install -r tests/requirements-targets.txt")
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "app.py").write_text(SLEEP)
    (folder / "app.spec").write_text(SPEC)
    done = subprocess.run([sys.executable, "-m", "PyInstaller", "--log-level", "ERROR", "app.spec"], cwd=folder,
                          capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"needs a Python that PyInstaller can freeze: {done.stderr[-300:]}")
    return folder / "dist"


@pytest.mark.parametrize("name", ["onefile", "folder/onedir"])
def test_a_frozen_program_is_read(pyrometer, spawn, frozen, name):
    target, _ = begin(spawn, [frozen / name])
    children = pathlib.Path(f"/proc/{target.pid}/task/{target.pid}/children").read_text().split()
    pid = int(children[0]) if name == "onefile" else target.pid  # its first process only unpacks
    threads = dump(pyrometer, pid)
    assert threads[0]["stack"] == ["here (app.py:3)", "<module> (app.py:4)"]
    if name == "onefile":
        os.kill(pid, 9)


# ---- stripped and deleted ----

def copy_of(python, folder):
    """The interpreter and its library copied, and the environment that makes the copy use them."""
    where = layout_of(python)
    program = folder / "snake"
    shutil.copy(os.path.realpath(python), program)
    library = next(pathlib.Path(where.libdir).glob(where.library + ".*"))
    shutil.copy(library, folder / library.name)
    env = {**os.environ, "LD_LIBRARY_PATH": str(folder), "PYTHONHOME": where.prefix}
    return program, folder / library.name, env


HIDDEN = ["_PyRuntime", "_PyThreadState_Current", "PyInterpreterState_Head", "PyEval_ThreadsInitialized"]
BUSY = ("import sys\ndef busy():\n    sys.stdout.write('ready\\n'); sys.stdout.flush()\n"
        "    while True: sum(range(1000))\nbusy()\n")


@pytest.mark.parametrize("hides_symbols", [False, True], ids=["exported", "nothing"])
@pytest.mark.parametrize("tag", ["2.7", "3.6", "3.7", "3.9"])
def test_a_stripped_library_is_found(pyrometer, spawn, tmp_path, tag, hides_symbols):
    program, library, env = copy_of(shared(tag), tmp_path)
    if not shutil.which("strip"):
        pytest.skip("needs strip")
    subprocess.run(["strip", "--strip-all", library], check=True)
    data = bytearray(library.read_bytes())
    data[0x28:0x30] = bytes(8)  # e_shoff: no sections
    data[0x3c:0x40] = bytes(4)
    library.write_bytes(data)
    target, _ = begin(spawn, [program, "-S", "-c", BUSY], env={**env, "LD_BIND_NOW": "1"})
    with open(library, "r+b") as file:  # the loader is done with the names
        for name in HIDDEN if hides_symbols else ():
            at = data.find(b"\0" + name.encode() + b"\0")
            if at >= 0:
                file.seek(at + 1)
                file.write(b"x" * len(name))
    (thread,) = dump(pyrometer, target.pid)
    assert thread["names"] == ["busy", "<module>"]
    assert thread["owns_gil"] or thread["state"] != "running-gil"


@pytest.mark.parametrize("python", pythons.params(["2.7", "3.6", "3.8", "3.12", "3.13"]))
def test_a_deleted_interpreter_is_read(pyrometer, spawn, tmp_path, python):
    """As after an upgrade: another file has the old one's name."""
    program, library, env = copy_of(python if "libpython" in layout_of(python).library else shared("3.12"), tmp_path)
    target, _ = begin(spawn, [program, "-S", "-c", SLEEP], env=env)
    for file in (program, library):
        file.unlink()
        file.write_bytes(b"something newer")
    assert dump(pyrometer, target.pid)[0]["names"] == ["here", "<module>"]


WAITING = """
import sys, threading
if hasattr(sys, "setcheckinterval"):  # Python 2 lets the lock go every 100 instructions: hardly anybody gets to sleep
    sys.setcheckinterval(1000000)
def busy():
    while True:
        for i in range(10000):
            pass
for i in range(3):
    thread = threading.Thread(target=busy)
    thread.daemon = True
    thread.start()
sys.stdout.write("ready\\n")
sys.stdout.flush()
busy()
"""


@pytest.mark.parametrize("is_stripped", [False, True], ids=["symbols", "stripped"])
@pytest.mark.parametrize("tag", ["2.7", "3.6", "3.7", "3.12"])
def test_who_waits_for_the_gil_is_told(pyrometer, spawn, tmp_path, tag, is_stripped):
    """Before 3.7 the lock is no part of anything: its place is read out of machine code where the names are gone."""
    program, library, env = copy_of(shared(tag), tmp_path)
    if is_stripped and subprocess.run(["strip", "--strip-all", library], check=False).returncode:
        pytest.skip("needs strip")
    target, _ = begin(spawn, [program, "-c", WAITING], env=env)

    def some_wait():
        states = [thread["state"] for thread in dump(pyrometer, target.pid)]
        assert "waiting-lock" not in states  # nobody has a lock here
        return "waiting-gil" in states

    wait_until(some_wait, seconds=20, what="a thread that waits for the GIL")


def demote():
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


@pytest.fixture
def public_folder():
    """pytest's own folders are for their owner only."""
    with tempfile.TemporaryDirectory(prefix="pyrometer-") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


@pytest.mark.parametrize("tag", ["2.7", "3.6", "3.9", "3.12"])
def test_a_deleted_interpreter_is_read_without_rights(pyrometer, spawn, public_folder, tag):
    """No way leads to its files for a user like any other; what is mapped of them is in memory."""
    program, library, env = copy_of(shared(tag), public_folder)
    copy = public_folder / "pyrometer"
    shutil.copy(pyrometer, copy)
    for path in (program, library, copy):
        path.chmod(0o755)
    # The standard library may lie where that user cannot go.
    code = SLEEP.replace("time.sleep(1000)", "[None for _ in iter(int, 1)]").replace(", time", "")
    home = public_folder / "lib" / f"python{tag}"
    shutil.copytree(pathlib.Path(layout_of(shared(tag)).prefix) / "lib" / f"python{tag}", home,
                    ignore=shutil.ignore_patterns("test", "site-packages", "idlelib", "config-*", "__pycache__"))
    target, _ = begin(spawn, [program, "-S", "-c", code], env={**env, "PYTHONHOME": str(public_folder)},
                      preexec_fn=demote)
    for file in (program, library):
        file.unlink()
    done = run([copy, "dump", "-p", target.pid], preexec_fn=demote)
    if done.returncode == 3:
        pytest.skip("needs the right to trace processes of one's own")
    assert "<module>" in done.stdout, done.stderr


# ---- exec ----

def test_an_exec_into_another_version_goes_on(pyrometer, spawn):
    first, second = shared("3.8"), shared("3.12")
    code = ("import os, sys, time\ndef before():\n    end = time.time() + 1.5\n    while time.time() < end: pass\n"
            "sys.stdout.write('ready\\n'); sys.stdout.flush()\nbefore()\n"
            "os.execv(sys.argv[1], [sys.argv[1], '-c', 'def after():\\n    while True: pass\\nafter()'])\n")
    target, _ = begin(spawn, [first, "-c", code, second])
    done = run([pyrometer, "record", "-p", target.pid, "-d", 4, "-f", "raw", "-o", "-"])
    assert done.returncode == 0, done.stderr
    names = {name for stack, _ in read_raw(done.stdout) for name in functions(stack)}
    assert {"before", "after"} <= names


def test_an_exec_into_another_program_ends_with_a_word(pyrometer, spawn):
    python = pythons.first()
    code = ("import os, sys, time\ndef before():\n    end = time.time() + 1\n    while time.time() < end: pass\n"
            "sys.stdout.write('ready\\n'); sys.stdout.flush()\nbefore()\nos.execv('/bin/sleep', ['sleep', '100'])\n")
    target, _ = begin(spawn, [python, "-c", code])
    done = run([pyrometer, "record", "-p", target.pid, "-d", 20, "-f", "raw", "-o", "-"])
    assert "became another program" in done.stderr and "not a Python process" in done.stderr
    assert any("before" in functions(stack) for stack, _ in read_raw(done.stdout))
    assert target.poll() is None


# ---- names ----

@pytest.mark.parametrize("name", ["nodot", ".hidden", "dot.", "a b"])
def test_a_script_may_be_called_anything(pyrometer, spawn, tmp_path, name):
    (tmp_path / name).write_text(SLEEP)
    target, _ = begin(spawn, [pythons.first(), name], cwd=tmp_path)
    assert dump(pyrometer, target.pid)[0]["stack"] == [f"here ({name}:3)", f"<module> ({name}:4)"]
