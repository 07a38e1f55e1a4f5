# SPDX-License-Identifier: Apache-2.0
"""What a sample says beyond its stack: values of variables, columns, garbage collection, threads of a core file."""

import json
import os
import re
import resource
import signal
import subprocess

import pytest

import natives
import pythons
from conftest import TARGETS
from profiles import read_raw, run
from unfit import Unfit, last_words

PYTHON = pythons.first()
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")

COMMON = {
    "first": "7", "second": "8", "third": "True", "rest": "()", "more": '{"fourth": 9}',
    "ints": "[-1234, 5678, 1267650600228229401496703205376, -1180591620717411303424, 0]",
    "letters": '("a", "b", "c")', "large": "123456789123456789", "real": "3.1415",
    "reals": "(0.1, 1e+16, 1e-07, -2.0, inf)", "imaginary": "(0.3+5j)", "mapping": '{"a": False}',
    "empty": '""', "quoted": '"a\\"b\\\\c\\n"', "raw": 'bytearray(b"ab\\x00\\xff")', "nothing": "set()",
    "some": "{7}", "frozen": 'frozenset({"x"})', "single": "(1,)", "kind": "<class __main__.Plain>",
    "number": "17", "shared": '"cell"',
}


@pytest.fixture
def start(spawn):
    def begin(program, *args, python=PYTHON, **options):
        target = spawn([python, "-u", TARGETS / f"{program}.py", *args], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, **options)
        if target.stdout.readline() != b"ready\n":
            try:
                raise last_words(target.stderr.read().decode(), program)
            except Unfit as unfit:
                pytest.skip(str(unfit))
        return target
    return begin


def locals_of(dumped, function):
    threads = json.loads(dumped)
    frames = [frame for thread in threads for frame in thread["frames"] if frame["name"] == function]
    assert len(frames) == 1, threads
    return {local["name"]: local for local in frames[0]["locals"]}


def dump(pyrometer, *args):
    done = run([pyrometer, "dump", *args])
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("python", pythons.params())
def test_every_kind_of_value_is_shown(pyrometer, start, python):
    target = start("values_locals", python=python)
    found = locals_of(dump(pyrometer, "-l", "--json", "-p", target.pid), "builtins")
    shown = {name: local["repr"] for name, local in found.items()}
    assert {name: shown.get(name) for name in COMMON} == COMMON
    assert "unset" not in shown
    assert [name for name in found if found[name]["arg"]] == ["first", "second", "third", "rest", "more"]
    assert shown["text"].endswith('"naïve 测试"')
    assert re.fullmatch(r'"x{126,127}…"', shown["long_text"])
    assert re.fullmatch(r"<__main__\.Plain at 0x[0-9a-f]+>", shown["plain"])
    assert shown["plain"] == f"<__main__.Plain at {found['plain']['addr']:#x}>"
    assert shown["failure"].endswith('ValueError("bad", 3)')
    assert shown["cyclic"].startswith("[1, [1, [1, [1, ") and shown["cyclic"].endswith("]]]]")
    assert re.search(r"3, (10|9|11), 2\)|3, 5, 7, 9\]", shown["numbers"])
    assert found["shared"]["shared"]
    longer = locals_of(dump(pyrometer, "-ll", "-j", "-p", target.pid), "builtins")
    assert len(longer["long_text"]["repr"]) > 1000
    assert '{"key": {"key": {"key": "value"}}}' in longer["nested"]["repr"]


def test_text_has_arguments_and_locals_under_their_frame(pyrometer, start):
    target = start("values_locals")
    text = dump(pyrometer, "--locals", "-p", target.pid)
    frame = text[text.index("    builtins (values_locals.py:"):]
    assert re.match(r"    builtins \(values_locals\.py:\d+\)\n"
                    r"        Arguments:\n            first: 7\n            second: 8\n", frame)
    assert "        Locals:\n            ints: [-1234, 5678, " in frame
    assert "Locals:" not in dump(pyrometer, "-p", target.pid)


def test_scalars_of_numpy_are_numbers(pyrometer, start):
    python = next((found for found in pythons.every() if natives.numpy_folder(found)), None)
    if not python:
        pytest.skip("needs numpy, and a Python of the version that runs the tests")
    target = start("values_locals", "numpy", python=python.path, env={**os.environ, **natives.numpy_folder(python)})
    found = locals_of(dump(pyrometer, "-l", "-j", "-p", target.pid), "scalars")
    shown = {name: local["repr"] for name, local in found.items() if name != "numpy"}
    assert shown == {"yes": "True", "small": "-3", "wide": "44", "unsigned": "46", "half": "0.3", "single": "0.5",
                     "double": "0.7", "extended": "0.5", "paired": "(0.5+5j)"}


@pytest.mark.alone
@pytest.mark.parametrize("python", pythons.params())
def test_collections_of_garbage_have_their_share(pyrometer, start, python, tmp_path):
    version = subprocess.run([python, "-c", "import sys; print('%d %d' % sys.version_info[:2])"],
                             capture_output=True, text=True).stdout.split()
    target = start("values_collector", "2", python=python)
    run([pyrometer, "record", "-p", target.pid, "-r", "200", "-f", "raw", "-o", tmp_path / "gc.raw"])
    computed, collected = map(float, target.stdout.readline().split())
    stacks = read_raw((tmp_path / "gc.raw").read_text())
    total = sum(n for _, n in stacks)
    # At the very end an interpreter collects without a frame of Python's.
    marked = sum(n for stack, n in stacks if stack[-1] == "[GC]" and len(stack) > 1)
    if list(map(int, version)) < [3, 7]:
        assert marked == 0
        return
    wrong = sum(n for stack, n in stacks if stack[-1] == "[GC]" and len(stack) > 1 and "collect (" not in stack[-2])
    assert wrong <= total * 0.01
    assert abs(marked / total - collected / (computed + collected)) < 0.12, stacks


def test_the_collector_can_be_left_out(pyrometer, start, tmp_path):
    target = start("values_collector", "60")
    run([pyrometer, "record", "-p", target.pid, "-d", "1", "--no-gc", "-f", "raw", "-o", tmp_path / "gc.raw"])
    stacks = read_raw((tmp_path / "gc.raw").read_text())
    assert stacks and not any("[GC]" in stack for stack, _ in stacks)


def test_time_divides_by_the_values_of_a_function(pyrometer, start, tmp_path):
    target = start("values_calls")
    done = run([pyrometer, "record", "-p", target.pid, "-d", "3", "-r", "200", "--locals-on", "serve",
                "-o", tmp_path / "x.pyro"])
    assert done.returncode == 0, done.stderr
    run([pyrometer, "convert", tmp_path / "x.pyro", "-f", "raw", "-o", tmp_path / "x.raw"])
    by_path = {"/fast": 0, "/slow": 0}
    for stack, n in read_raw((tmp_path / "x.raw").read_text()):
        markers = [i for i, frame in enumerate(stack) if frame.startswith("[path=")]
        serving = [i for i, frame in enumerate(stack) if frame.startswith("serve ")]
        assert [i + 1 for i in serving] == markers
        for i in markers:
            path = re.match(r'\[path="(/\w+)", seconds=0\.0[13][,\]]', stack[i]).group(1)
            by_path[path] += n
    assert abs(by_path["/slow"] / sum(by_path.values()) - 0.75) < 0.1, by_path


def test_columns_tell_calls_of_one_line_apart(pyrometer, start, tmp_path):
    python = pythons.first([tag for tag in pythons.READABLE if tag not in
                            ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10")])
    if not python:
        pytest.skip("needs CPython 3.11 or newer")
    target = start("values_calls", python=python)
    done = run([pyrometer, "record", "-p", target.pid, "-d", "2", "--columns", "-o", tmp_path / "x.pyro"])
    assert done.returncode == 0, done.stderr
    for form in ("speedscope", "raw"):
        run([pyrometer, "convert", tmp_path / "x.pyro", "-f", form, "-o", tmp_path / form])
    frames = json.loads((tmp_path / "speedscope").read_text())["shared"]["frames"]
    line = (TARGETS / "values_calls.py").read_text().splitlines()[-1]
    wanted = {line.index("serve(") + 1, line.rindex("serve(") + 1}
    assert wanted <= {frame["col"] for frame in frames if frame["name"] == "<module>"}
    modules = {stack[0] for stack, _ in read_raw((tmp_path / "raw").read_text())}
    assert len(modules) <= 2, "a line stays one frame where columns are not shown"


@pytest.mark.parametrize("python", pythons.params())
def test_a_core_file_is_read_like_a_process(pyrometer, start, python, tmp_path):
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as f:
        if f.read().strip() not in ("core", "core.%p"):
            pytest.skip("needs a kernel that writes core files into the working directory")
    target = start("values_locals", python=python, cwd=tmp_path, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
    target.send_signal(signal.SIGABRT)
    target.wait()
    cores = [name for name in os.listdir(tmp_path) if name.startswith("core")]
    if not cores:
        pytest.skip("needs a place where core files may be written")
    core = tmp_path / cores[0]
    found = locals_of(dump(pyrometer, "-l", "-j", "-c", core), "builtins")
    assert {name: found[name]["repr"] for name in COMMON} == COMMON
    text = dump(pyrometer, "--core", core)
    assert text.startswith(f"Process {target.pid}: ")
    assert re.search(rf"^Thread {target.pid} \(stopped", text, re.M)
    core.unlink()


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"text\n" * 1000, None])
def test_what_is_no_core_file_is_refused(pyrometer, content, tmp_path):
    path = tmp_path / "core"
    if content is not None:
        path.write_bytes(content)
    done = run([pyrometer, "dump", "-c", path])
    assert done.returncode != 0 and done.stderr.count("\n") == 1
    assert str(path) in done.stderr
