# SPDX-License-Identifier: Apache-2.0
"""The interpreter reader against live interpreters: what it says is what the program itself says."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import pythons
import truths
from conftest import ROOT, TARGETS, wait_until



@pytest.fixture(scope="session")
def driver():
    path = pathlib.Path(os.environ.get("PYTHON_DRIVER", ROOT / "build/tests/unit/python/python_driver"))
    if not path.exists():
        pytest.fail(f"{path} is not built: run ./dev build")
    # A child of ours, as all targets are: our own parent may well be somebody whom nobody may trace.
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as sibling:
        probe = subprocess.run([path, "dump", str(sibling.pid)], capture_output=True, text=True)
    if "ermi" in probe.stderr:
        pytest.skip("needs the right to trace processes")
    return str(path)


def truth_target(python, program):
    try:
        return truths.Target(python, program)
    except truths.Unfit as unfit:
        pytest.skip(str(unfit))


def start(spawn, python, program, **options):
    """A target and its first line."""
    target = spawn([python, "-u", TARGETS / (program + ".py")], stdout=subprocess.PIPE, text=True,
                   env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
                   encoding="utf-8", **options)
    return target, json.loads(target.stdout.readline())


def run_driver(driver, *args, seconds=60):
    done = subprocess.run([driver, *map(str, args)], capture_output=True, text=True, encoding="utf-8",
                          timeout=seconds)
    counts = dict(re.findall(r"^(\w+) (\d+)$", done.stderr, re.M))
    return done, {name: int(value) for name, value in counts.items()}


def parse_frame(text):
    name, file, line = re.fullmatch(r"(.*) \((.*):(\d+)\)", text).groups()
    return [name, file, int(line)]


def parse_dump(text):
    """{tid: {"name", "ident", "gil", "outcome", "frames"}}"""
    threads, frames = {}, None
    for line in text.splitlines():
        head = re.fullmatch(r"thread (\d+) ident (\d+) gil (\d) outcome (\d+) name (.*)", line)
        if head:
            tid, ident, gil, outcome, name = head.groups()
            frames = []
            threads[tid] = {"name": name, "ident": int(ident), "gil": int(gil), "outcome": int(outcome),
                            "frames": frames}
        elif frames is not None:
            frames.append(parse_frame(line))
    return threads


@pytest.mark.parametrize("python", pythons.params(builds="all"))
def test_stacks_and_names_are_those_that_the_program_says(driver, spawn, python):
    target, expected = start(spawn, python, "truth_stacks")
    done, _ = run_driver(driver, "dump", target.pid)
    assert done.returncode == 0, done.stderr
    threads = parse_dump(done.stdout)
    assert set(expected) <= set(threads)
    assert str(target.pid) in threads and threads[str(target.pid)]["name"] == "MainThread"
    for tid, thread in expected.items():
        found = threads[tid]
        assert found["outcome"] == 0
        assert (found["name"], found["ident"]) == (thread["name"], thread["ident"])
        assert found["frames"] == thread["frames"], thread["name"]


@pytest.mark.parametrize("program", ["callbacks", "exceptions", "generators"])
@pytest.mark.parametrize("python", pythons.params())
def test_no_impossible_stack_when_the_holder_is_paused(driver, python, program):
    with truth_target(python, program) as target:
        done, counts = run_driver(driver, "sample", target.pid, 4000, 0.6)
    assert done.returncode == 0, done.stderr
    verdict = target.truth.judge(truths.raw_stacks(done.stdout))
    assert not verdict.impossible
    assert not verdict.wrong_lines
    assert verdict.samples > 60, counts
    # What was not shown is counted, and is little.
    lost = counts["incomplete"] + counts["torn"] + counts["over_budget"]
    assert lost <= max(3, counts["ticks"] // 100), counts


@pytest.mark.parametrize("python", pythons.params())
def test_unpaused_reading_shows_only_what_is_equal_twice(driver, python):
    with truth_target(python, "sizes") as target:
        done, counts = run_driver(driver, "nopause", target.pid, 2000, 0.5)
    assert done.returncode == 0, done.stderr
    assert counts["ticks"] > 50
    assert counts["complete"] + counts["torn"] + counts["not_holder"] + counts["over_budget"] <= counts["ticks"]


@pytest.mark.parametrize("python", pythons.params())
def test_threads_that_come_and_go_are_followed(driver, spawn, python):
    target = spawn([python, "-c", """
import threading
def short(): sum(range(2000))
import os; os.write(1, b"ready\\n")
while True:
    threads = [threading.Thread(target=short) for _ in range(8)]
    for t in threads: t.start()
    for t in threads: t.join()
"""], stdout=subprocess.PIPE, text=True)
    target.stdout.readline()
    done, counts = run_driver(driver, "sample", target.pid, 1000, 1.0)
    assert done.returncode == 0, done.stderr
    assert counts["complete"] > 20, counts
    assert target.poll() is None


@pytest.mark.parametrize("python", pythons.params([tag for tag in pythons.READABLE if tag not in ("2.7", "3.6", "3.7")]))
def test_all_interpreters_of_a_process_are_seen(driver, spawn, python):
    code = """
import threading
try:
    import _xxsubinterpreters as sub
except ImportError:
    import _interpreters as sub
print("ready", flush=True)
def run():
    sub.run_string(sub.create(), "import time\\ndef inside():\\n    time.sleep(1000)\\ninside()")
threading.Thread(target=run, daemon=True).start()
threading.Event().wait()
"""
    target = spawn([python, "-c", code], stdout=subprocess.PIPE, text=True)
    target.stdout.readline()

    def sees_it():
        done, _ = run_driver(driver, "dump", target.pid)
        return re.search(r"^inside \(<(string|script)>:3\)$", done.stdout, re.M) and "\nrun (<string>:" in done.stdout

    wait_until(sees_it, what="the frame of the second interpreter")


def own_interpreter():
    """One that can be copied and started elsewhere: its library lies beside it in its own prefix."""
    return next((python.path for python in pythons.every()
                 if python.tag in pythons.READABLE and python.is_shared and python.libc == "glibc"), None)


def test_a_renamed_library_and_program_are_found(driver, spawn, tmp_path):
    python = own_interpreter()
    if not python:
        pytest.skip("needs a Python with a shared library")
    real = pathlib.Path(os.path.realpath(python))
    libraries = sorted((real.parent.parent / "lib").glob("libpython3.*.so.1.0"))
    if not libraries:
        pytest.skip("needs a Python with a shared library")
    program = tmp_path / "snake"
    shutil.copy(real, program)
    # Same name for the loader, another for whoever looks at the maps.
    shutil.copy(libraries[0], tmp_path / "renamed.bin")
    (tmp_path / libraries[0].name).symlink_to("renamed.bin")
    env = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "PYTHONHOME": str(real.parent.parent)}
    target = spawn([program, "-c", "import time; print(1, flush=True); time.sleep(1000)"], env=env,
                   stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"1\n"
    with open(f"/proc/{target.pid}/maps", encoding="utf-8") as maps:
        assert str(tmp_path / "renamed.bin") in maps.read()
    done, _ = run_driver(driver, "dump", target.pid)
    assert "<module>" in done.stdout, done.stderr


def test_a_venv_is_a_python_like_any_other(driver, spawn, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    target, expected = start(spawn, tmp_path / "venv/bin/python", "truth_stacks")
    done, _ = run_driver(driver, "dump", target.pid)
    assert set(expected) <= set(parse_dump(done.stdout))


def test_a_process_without_python_is_refused_with_what_was_looked_for(driver, spawn):
    target = spawn(["sleep", "1000"])
    done, _ = run_driver(driver, "dump", target.pid)
    assert done.returncode == 1
    assert "looked for _PyRuntime" in done.stderr


def without_sections(program, to, hides_symbol):
    """A copy as sstrip leaves it; with hides_symbol nothing names _PyRuntime any more."""
    data = bytearray(pathlib.Path(program).read_bytes())
    data[0x28:0x30] = bytes(8)  # e_shoff
    data[0x3c:0x40] = bytes(4)  # e_shnum, e_shstrndx
    if hides_symbol:
        assert b"\0_PyRuntime\0" in data
        data = data.replace(b"\0_PyRuntime\0", b"\0_PyHiddenX\0")
    to.write_bytes(data)
    to.chmod(0o755)


@pytest.mark.parametrize("hides_symbol", [False, True], ids=["symbols", "nothing"])
def test_a_static_python_without_sections_is_found(driver, spawn, tmp_path, hides_symbol):
    system = os.path.realpath("/usr/bin/python3")
    if not os.path.exists(system) or subprocess.run(["/usr/bin/python3", "-c", "import sys; sys.exit(sys.version_info >= (3, 13))"]).returncode:
        pytest.skip("needs a static /usr/bin/python3 older than 3.13")
    if "libpython" in subprocess.run(["ldd", system], capture_output=True, text=True).stdout:
        pytest.skip("needs a static /usr/bin/python3")
    without_sections(system, tmp_path / "python3", hides_symbol)
    target = spawn([tmp_path / "python3", "-S", "-c", "import time; print(1, flush=True); time.sleep(1000)"],
                   stdout=subprocess.PIPE, env={**os.environ, "PYTHONHOME": "/usr"})
    assert target.stdout.readline() == b"1\n"
    done, _ = run_driver(driver, "dump", target.pid)
    assert "<module> (<string>:1)" in done.stdout, done.stderr


FAKE = """
#include <unistd.h>
__attribute__((section(".PyRuntime"), visibility("default"))) unsigned long _PyRuntime[1000] = {%s};
__attribute__((visibility("default"))) unsigned long Py_Version = %s;
int main(void) { return pause(); }
"""


@pytest.mark.parametrize("words, version, code, says", [
    ("1, 2, 3, 4, 8, 16, 24", "0x030b02f0", -4101, "holds no interpreter"),
    ("0", "0x030b02f0", -4102, "still starting"),
    ("0x7970677562656478, 0x030d00f0, 0, 1, 2, 1ul << 60", "0", -4097, "_Py_DebugOffsets: "),
    ("0x7970677562656478, 0x03630000", "0", -4099, "Python 3.99"),
    ("1", "0x036300f0", -4099, "Python 3.99.0"),
    ("0x7970677562656478, 0x031000f0", "0", -4099, "Python 3.16"),
    ("1", "0x031000f0", -4099, "Python 3.16.0 is not supported (known: 2.7"),
    ("1", "0x020600f0", -4099, "Python 2.6.0"),
])
def test_a_program_that_poses_as_python_is_refused(driver, spawn, tmp_path, words, version, code, says):
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler")
    (tmp_path / "fake.c").write_text(FAKE % (words, version))
    subprocess.run(["cc", "-rdynamic", tmp_path / "fake.c", "-o", tmp_path / "python3"], check=True)
    target = spawn([tmp_path / "python3"])
    wait_until(lambda: os.readlink(f"/proc/{target.pid}/exe") == str(tmp_path / "python3"), what="exec")
    done, _ = run_driver(driver, "dump", target.pid)
    assert done.returncode == 1
    assert f"error {code} " in done.stderr and says in done.stderr, done.stderr


def include_dirs():
    for python in pythons.every():
        # musl's interpreter state is 16 bytes longer than the rows say, and is read without what depends on its length.
        if python.tag not in pythons.READABLE or python.libc != "glibc":
            continue
        where = subprocess.run([python.path, "-c", "import sysconfig; print(sysconfig.get_path('include'))"],
                               capture_output=True, text=True).stdout.strip()
        has_headers = pathlib.Path(where, "patchlevel.h").exists()
        yield pytest.param(where, id=python.id,
                           marks=[] if has_headers else pytest.mark.skip(reason=f"needs headers of {python.path}"))


@pytest.mark.parametrize("include", list(include_dirs()))
def test_committed_layouts_are_what_the_headers_say(include):
    done = subprocess.run([ROOT / "tools/layouts", "--check", ROOT / "src/python/gen/layouts.h", include],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
