# SPDX-License-Identifier: Apache-2.0
"""Code that other tools made: Cython's modules, debug information that dwz has packed, the JIT code of V8."""

import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import natives
import pythons
from conftest import TARGETS, wait_until
from profiles import run

MADE = TARGETS / "made"
PYTHON = next((python for tag in ["3.11", *pythons.READABLE] for python in pythons.of(tag) if python.libc == "glibc"), None)


def needs(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"needs {program}")


def call(*argv, **options):
    return subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, timeout=60, check=True, **options).stdout


def line_of(path, text):
    lines = path.read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if text in line)


def recorded(pyrometer, target):
    """{(name, place): samples}"""
    found = collections.Counter()

    def some():
        done = run([pyrometer, "record", "-n", "-p", target.pid, "-d", "0.5", "-r", "200", "-f", "raw", "-o", "-"])
        for stack, count in natives.raw_stacks(done.stdout).items() if done.returncode == 0 else ():
            for frame in set(stack):
                found[frame] += count
        return sum(found.values()) > 100
    wait_until(some, what="samples")
    return found


# ---- Cython -------------------------------------------------------------------------------------


def build_cython(folder, *options):
    if PYTHON is None:
        pytest.skip("needs a supported Python to profile")
    if subprocess.run([sys.executable, "-m", "cython", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("needs Cython")
    include = call(PYTHON.path, "-c", "import sysconfig; print(sysconfig.get_paths()['include'])").strip()
    if not (pathlib.Path(include) / "Python.h").exists():
        pytest.skip(f"needs the headers of {PYTHON.id}")
    shutil.copy(MADE / "baked.pyx", folder)
    call(sys.executable, "-m", "cython", *options, "baked.pyx", cwd=folder)
    call("cc", "-g", "-O1", "-w", "-fPIC", "-shared", "-I", include, "-I", pathlib.Path(include).parent, "baked.c", "-o", "baked.so",
         cwd=folder)
    return folder


def oven(spawn, folder):
    target = spawn([PYTHON.path, "-c", "import baked, sys; sys.stdout.write('r'); sys.stdout.flush(); baked.Oven().roast(10000)"],
                   stdout=subprocess.PIPE, cwd=folder)
    assert target.stdout.read(1) == b"r"
    return target


def test_lines_of_cython_are_those_of_its_source(pyrometer, spawn, tmp_path):
    found = recorded(pyrometer, oven(spawn, build_cython(tmp_path, "--line-directives")))
    source = MADE / "baked.pyx"
    for name, text in (("baked.heat", "heat works"), ("baked.bake", "bake calls"), ("baked.Oven.roast", "roast calls")):
        line = line_of(source, text)
        assert found[name, f"baked.pyx:{line}"] > 0, [frame for frame in found if "baked" in frame[0]]
    assert not any(place.startswith("baked.c:") for name, place in found if name.startswith("baked."))


# ---- dwz ----------------------------------------------------------------------------------------


@pytest.fixture
def packed(tmp_path):
    """Two libraries with debug information of several units, which have much in common."""
    needs("dwz", "cc")
    paths = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        paths.append(folder / f"lib{name}.so")
        for part in ("omit", "keep"):
            call("cc", "-g", "-O2", "-fPIC", "-w", f"-DPART_{part}", "-c", natives.TARGETS / "metal.c", "-o", folder / f"{part}.o")
        call("objcopy", "--prefix-symbols=other_", folder / "keep.o")
        call("ld", "-r", folder / "omit.o", "-o", folder / "all.o")
        call("cc", "-shared", "-pthread", "-Wl,--build-id", folder / "all.o", "-o", paths[-1])
    return paths


def addr2line(path, addresses):
    """[[(function, line), ...]] per address, innermost first"""
    text = call("addr2line", "-a", "-i", "-f", "-e", path, *(f"{address:#x}" for address in addresses))
    answers = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("0x"):
            answers.append([])
            continue
        number = re.match(r"(\d+)", next(lines).rpartition(":")[2])
        answers[-1].append((line, int(number.group(1)) if number else 0))
    return answers


def ours(pyrometer, arguments, addresses):
    tool = pathlib.Path(pyrometer).parents[2] / "tests" / "tools" / "symbol_tool"
    if not tool.exists():
        pytest.skip("needs tests/tools/symbol_tool beside the binary")
    text = call(tool, *arguments, input="\n".join(f"{address:x}" for address in addresses))
    *answers, facts = map(json.loads, text.splitlines())
    return answers, facts


def code_of(path):
    found = []
    for line in call("nm", "-S", "--defined-only", path).splitlines():
        words = line.split()
        if len(words) == 4 and words[2] in "tT" and words[3].startswith("metal"):
            start, size = int(words[0], 16), int(words[1], 16)
            found.extend(range(start, start + size, 3))
    return found


def lines_of(pyrometer, path):
    addresses = code_of(path)
    assert len(addresses) > 300
    answers, facts = ours(pyrometer, [path.parent, path, "-"], addresses)
    assert facts["has_dwarf"]
    return addresses, answers


def judged_lines(pyrometer, path):
    """As binutils reads them, as long as nothing is packed: then it has no lines itself."""
    addresses, answers = lines_of(pyrometer, path)
    theirs = addr2line(path, addresses)
    differ = [(hex(address), mine, other) for address, mine, other in zip(addresses, answers, theirs)
              if [(name, line) for name, _, line in mine] != other]
    # binutils takes another of two lines of the same address here and there.
    assert len(differ) <= 0.01 * len(addresses), differ[:5]
    return addresses, answers


def test_what_dwz_has_packed_has_the_same_names_and_lines(pyrometer, packed):
    before = judged_lines(pyrometer, packed[0])
    call("dwz", packed[0])
    assert lines_of(pyrometer, packed[0]) == before


@pytest.mark.parametrize("way", ["absolute", "relative"])
def test_debug_information_that_files_share_is_found(pyrometer, packed, way):
    before = judged_lines(pyrometer, packed[0])
    common = packed[0].parents[1] / "common.debug"
    relative = ["-r"] if way == "relative" else []
    call("dwz", "-l", "none", "-L", "none", *relative, "-m", common, *packed)
    assert ".gnu_debugaltlink" in call("readelf", "-SW", packed[0])
    assert lines_of(pyrometer, packed[0]) == before


# ---- code made at run time ----------------------------------------------------------------------


def perf_of_node(folder, *options):
    """Addresses of code that V8 made, by how often perf saw them."""
    needs("node", "perf")
    shutil.copy(MADE / "burn.js", folder)
    done = subprocess.run(["perf", "record", "-q", "-N", "-k", "mono", "-e", "task-clock", "-F", "500", "-o", "perf.data",
                           "node", *options, "burn.js"], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode or not (folder / "perf.data").exists():
        pytest.skip(f"needs the right to use perf: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")
    return folder


def samples(folder, data="perf.data"):
    """[(address, name)]"""
    text = call("perf", "script", "-i", data, "-F", "ip,sym,dso", cwd=folder)
    return [(int(found.group(1), 16), found.group(2))
            for found in re.finditer(r"^\s*([0-9a-f]+) (.*) \(.*\)$", text, re.M)]


def judge_burning(answers):
    source = MADE / "burn.js"
    inner, line = [answer[0] for answer in answers if "burnInner" in answer[0][0]], line_of(source, "works here")
    assert inner
    assert all(name.endswith(f"burn.js:{line_of(source, 'function burnInner')}:19") for name, _, _ in inner)
    return inner, line


def test_a_jitdump_of_node_gives_names_and_lines(pyrometer, tmp_path):
    folder = perf_of_node(tmp_path, "--perf-prof")
    dump = next(folder.glob("jit-*.dump"))
    unnamed = [address for address, name in samples(folder) if name == "[unknown]"]
    assert len(unnamed) > 30
    answers, _ = ours(pyrometer, ["jitdump", dump, ""], unnamed)
    named = [answer[0] for answer in answers if answer[0][0].startswith("JS:")]
    assert len(named) >= 0.95 * len(unnamed)
    inner, line = judge_burning(answers)
    right = [where for _, where, at in inner if where.endswith("burn.js") and at == line]
    assert len(right) >= 0.9 * len(inner), collections.Counter(at for _, _, at in inner)


def test_a_perf_map_of_node_gives_the_names_that_perf_reads(pyrometer, tmp_path):
    folder = perf_of_node(tmp_path, "--perf-basic-prof")
    pid = int(call("perf", "script", "-i", "perf.data", "-F", "pid", cwd=folder).split()[0])
    path = pathlib.Path(f"/tmp/perf-{pid}.map")
    try:
        seen = samples(folder)
        theirs = [(address, name) for address, name in seen if name.startswith(("JS:", "LazyCompile:"))]
        assert len(theirs) > 30
        answers, _ = ours(pyrometer, ["perf-map", path, ""], [address for address, _ in theirs])
        assert [answer[0][0] for answer in answers] == [name for _, name in theirs]
        judge_burning(answers)
        # And with the map gone, so that perf knows nothing: the text and the map together.
        shutil.move(path, folder / "saved.map")
        (folder / "perf.txt").write_text(call("perf", "script", "-i", "perf.data", cwd=folder))
        done = run([pyrometer, "convert", folder / "perf.txt", "--perf-map", folder / "saved.map", "-f", "raw", "-o", "-"])
        assert done.returncode == 0, done.stderr
        counts = [(line, int(line.rpartition(" ")[2])) for line in done.stdout.splitlines()]
        share = sum(count for line, count in counts if "burn" in line) / sum(count for _, count in counts)
        assert share >= 0.95 * sum("burn" in name for _, name in seen) / len(seen)
    finally:
        path.unlink(missing_ok=True)
