# SPDX-License-Identifier: Apache-2.0
"""
Targets that lie: each costs only itself, within its budget, and is told by its own words and counts.

The lies are made by tests/targets/forged_*.c.  One version each, in turn; all of them with PYROMETER_FORGED=all.
"""

import os
import pathlib
import resource
import signal
import struct
import subprocess
import time

import pytest

import pythons
from conftest import ROOT, wait_until
from profiles import is_free, read_raw, run, state, summary

BUILD = pathlib.Path(os.environ.get("PYROMETER_BUILD", ROOT / "build"))
FORGED = BUILD / "tests" / "targets" / "forged_python"
VERSIONS = ["3.8", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]
SLOWEST_S = 20  # for a look that takes one second on a machine of its own

CYCLE = "its frames lead back to themselves"
WILD = "a frame lies where nothing is, or is none"
CODE = "a frame's code, or what that names, is none"
LISTS = "the lists of threads are not whole"

UNREADABLE = {
    "cycle-of-one": CYCLE, "cycle-of-two": CYCLE, "cycle-of-a-thousand": CYCLE, "cycle-without-names": CYCLE,
    "frame-nowhere": WILD, "frame-in-the-kernel": WILD, "frame-at-the-last-byte": WILD, "frame-between-words": WILD,
    "frame-before-nowhere": WILD, "frame-without-code": WILD, "code-nowhere": CODE, "code-that-is-none": CODE,
    "instruction-elsewhere": CODE, "name-of-negative-length": CODE, "name-of-no-kind": CODE,
    "name-of-an-unknown-kind": CODE, "threads-in-a-cycle": LISTS, "thread-nowhere": LISTS,
    "thread-of-another-interpreter": LISTS, "interpreters-in-a-cycle": LISTS, "interpreter-nowhere": LISTS,
}
SHOWN = ["honest", "deep", "name-endless", "name-of-4-gb", "name-hostile", "table-endless", "table-of-negative-length",
         "table-cut-off", "first-line-negative", "threads-without-end", "interpreters-without-end", "title-hostile",
         "names-of-files-hostile", "mappings-without-end"]
REFUSED = {
    "version-of-the-future": "3.99", "offset-beyond-its-struct": "thread_state.current_frame",
    "offset-negative": "runtime_state.interpreters_head", "offset-between-words": "interpreter_frame.previous",
    "struct-of-no-size": "thread_state", "struct-without-end": "code_object",
}
CHANGING = ["page-that-vanishes", "frames-that-change", "process-that-stops-itself"]


def cases(lies, versions):
    """(version, lie) of every lie: on each version, or on one after the other."""
    if os.environ.get("PYROMETER_FORGED") == "all":
        return [(version, lie) for lie in lies for version in versions]
    return [(versions[i % len(versions)], lie) for i, lie in enumerate(lies)]


@pytest.fixture
def forged(spawn):
    def start(version, lie, program=FORGED):
        if not program.exists():
            pytest.fail(f"{program} is not built: run ./dev build")
        process = spawn([program, version, lie], stdout=subprocess.PIPE, text=True)
        said = process.stdout.readline()
        if said.startswith("cannot"):
            pytest.skip(f"needs a kernel that lets a process {lie}: {said}")
        assert said == "ready\n"
        return process
    return start


def bounded(argv):
    """Run it with little memory and time: nothing is allocated, read or walked because a target claims it."""
    began = time.monotonic()
    done = run(argv, timeout=120, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)))
    assert time.monotonic() - began < SLOWEST_S, done.stderr
    assert done.returncode >= 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    return done


def look(pyrometer, pid):
    return bounded([pyrometer, "dump", "-p", pid])


def record(pyrometer, pid, out, *options):
    return bounded([pyrometer, "record", "-p", pid, "-d", "0.5", "-r", "200", "-i", "-f", "raw", "-o", out, *options])


@pytest.mark.parametrize("version, lie", cases(UNREADABLE, VERSIONS))
def test_what_cannot_be_true_is_not_shown_but_counted_and_named(pyrometer, forged, tmp_path, version, lie):
    target = forged(version, lie)
    seen = look(pyrometer, target.pid)
    assert seen.returncode == 0, seen.stderr
    assert "could not be read" in seen.stdout and "forged.py" not in seen.stdout
    assert UNREADABLE[lie] in seen.stderr
    done = record(pyrometer, target.pid, tmp_path / "x")
    assert done.returncode == 1, done.stderr
    assert "samples could be read; nothing was written" in done.stderr
    counts = [int(line.split("warning: ")[1].split()[0]) for line in done.stderr.splitlines() if UNREADABLE[lie] in line]
    assert counts and counts[0] >= 5, done.stderr  # after ten in a row it is left alone for a while
    assert "started again" not in done.stderr
    assert not os.listdir(tmp_path) and is_free(target.pid)


@pytest.mark.parametrize("version, lie", cases(SHOWN, VERSIONS))
def test_what_is_strange_but_true_is_shown_within_limits(pyrometer, forged, tmp_path, version, lie):
    target = forged(version, lie)
    seen = look(pyrometer, target.pid)
    assert seen.returncode == 0, seen.stderr
    assert "middle (forged.py:20)" in seen.stdout and "forged.py" in seen.stdout
    done = record(pyrometer, target.pid, tmp_path / "x")
    assert done.returncode == 0, done.stderr
    stacks = read_raw((tmp_path / "x").read_text())
    assert stacks and all(len(stack) <= 4200 for stack, _ in stacks)
    if not lie.endswith("without-end"):
        assert summary(done.stderr)["dropped"] <= 0.2 * summary(done.stderr)["samples"], done.stderr
    if lie.startswith(("threads", "interpreters")):
        assert "more threads than are sampled" in done.stderr
    assert is_free(target.pid)


@pytest.mark.parametrize("version, lie", cases(REFUSED, ["3.13"]))
def test_a_runtime_that_cannot_be_is_refused_with_the_field_that_says_so(pyrometer, forged, tmp_path, version, lie):
    target = forged(version, lie)
    for done in (look(pyrometer, target.pid), record(pyrometer, target.pid, tmp_path / "x")):
        assert done.returncode == (5 if lie == "version-of-the-future" else 1), done.stderr
        assert REFUSED[lie] in done.stderr and done.stderr.count("\n") == 1
    assert not os.listdir(tmp_path) and is_free(target.pid)


@pytest.mark.parametrize("version, lie", cases(CHANGING, VERSIONS))
@pytest.mark.parametrize("options", [[], ["--nonblocking"]], ids=["pausing", "nonblocking"])
def test_what_changes_while_it_is_read_is_shown_whole_or_not_at_all(pyrometer, forged, tmp_path, version, lie, options):
    target = forged(version, lie)
    done = record(pyrometer, target.pid, tmp_path / "x", *options)
    assert done.returncode in (0, 1), done.stderr
    if done.returncode == 0:
        for stack, _ in read_raw((tmp_path / "x").read_text()):
            names = [frame.split(" ")[0] for frame in stack if "forged.py" in frame]
            assert names in ([], ["outer", "middle", "inner"]), stack
    assert "started again" not in done.stderr
    os.kill(target.pid, signal.SIGCONT)
    wait_until(lambda: state(target.pid) in "RT", what="going on")


def test_a_process_that_ends_in_the_middle_is_told(pyrometer, forged, tmp_path):
    target = forged("3.12", "process-that-ends")
    done = bounded([pyrometer, "record", "-p", target.pid, "-r", "1000", "-f", "raw", "-o", tmp_path / "x"])
    assert done.returncode == 4 and "has ended; the result so far is kept" in done.stderr
    assert target.wait(timeout=10) == 0


def test_a_process_that_becomes_itself_again_and_again_is_followed(pyrometer, forged, tmp_path):
    """Between any two reads another program of the same addresses may stand there."""
    target = forged("3.12", "process-that-execs")
    done = bounded([pyrometer, "record", "-p", target.pid, "-d", "1.5", "-r", "1000", "-i", "-f", "raw", "-o", tmp_path / "x"])
    assert done.returncode == 0, done.stderr
    stacks = read_raw((tmp_path / "x").read_text())
    assert {";".join(frame.split(" ")[0] for frame in stack) for stack, _ in stacks} <= {"outer;middle;inner", "[no"}
    assert target.poll() is None


def test_memory_that_is_never_provided_holds_up_nobody(pyrometer, forged, tmp_path):
    """The read does not return: the keeper ends the reader, and the target goes on."""
    target = forged("3.12", "page-that-never-comes")
    for done in (look(pyrometer, target.pid), record(pyrometer, target.pid, tmp_path / "x")):
        assert done.returncode == 1, done.stderr
        assert "did not come to an end" in done.stderr
        wait_until(lambda: is_free(target.pid), what="the target being free")


# ---- files that lie -------------------------------------------------------------------------------

SECTION_TABLE_AT, SECTION_COUNT_AT, SECTION_NAMES_AT = 40, 60, 62  # of the file's header
NAME, KIND, ADDRESS, OFFSET, SIZE, LINK, ENTRY = (0, "I"), (4, "I"), (16, "Q"), (24, "Q"), (32, "Q"), (40, "I"), (56, "Q")


class Elf:
    """A copy of the program whose section headers can be changed: neither the kernel nor the loader look at them."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.table, = struct.unpack_from("<Q", data, SECTION_TABLE_AT)
        self.count, names = struct.unpack_from("<HH", data, SECTION_COUNT_AT)
        self.names = self.get(names, OFFSET)

    def get(self, section, field):
        return struct.unpack_from("<" + field[1], self.data, self.table + 64 * section + field[0])[0]

    def set(self, section, field, value):
        struct.pack_into("<" + field[1], self.data, self.table + 64 * section + field[0], value)

    def find(self, name):
        for section in range(self.count):
            at = self.names + self.get(section, NAME)
            if self.data[at:self.data.index(0, at)] == name:
                return section
        raise KeyError(name)


def header(at, code, value):
    return lambda elf: struct.pack_into(code, elf.data, at, value)


def section(name, field, value):
    return lambda elf: elf.set(elf.find(name), field, value)


FILES = {
    "table-behind-the-end": header(SECTION_TABLE_AT, "<Q", 1 << 40), "table-wraps": header(SECTION_TABLE_AT, "<Q", 2**64 - 1),
    "no-table": header(SECTION_TABLE_AT, "<Q", 0), "most-sections": header(SECTION_COUNT_AT, "<H", 0xffff),
    "count-elsewhere": header(SECTION_COUNT_AT, "<H", 0), "no-names": header(SECTION_NAMES_AT, "<H", 0xfff0),
    "runtime-nowhere": section(b".PyRuntime", ADDRESS, 0x7000000000), "runtime-wraps": section(b".PyRuntime", ADDRESS, 2**64 - 8),
    "runtime-in-code": section(b".PyRuntime", ADDRESS, 0x1000), "runtime-odd": section(b".PyRuntime", ADDRESS, 0x4001),
    "name-behind-the-end": section(b".PyRuntime", NAME, 2**32 - 1), "symbols-of-no-size": section(b".symtab", ENTRY, 0),
    "symbols-without-end": section(b".symtab", SIZE, 2**60), "symbols-elsewhere": section(b".symtab", OFFSET, 2**63),
    "symbols-of-themselves": section(b".symtab", LINK, 0xfffe), "strings-without-end": section(b".strtab", SIZE, 2**62),
    "strings-that-are-none": section(b".strtab", KIND, 1),
}


@pytest.mark.parametrize("lie", FILES)
@pytest.mark.parametrize("name", ["forged_python", "python3.12"])
def test_a_file_that_lies_about_its_sections(pyrometer, forged, tmp_path, lie, name):
    """What is left tells the truth, or it is called no Python; both in time."""
    elf = Elf(FORGED.read_bytes())
    FILES[lie](elf)
    program = tmp_path / name
    program.write_bytes(elf.data)
    program.chmod(0o755)
    target = forged("3.12", "honest", program)
    done = look(pyrometer, target.pid)
    assert done.returncode in (0, 5), done.stderr
    if done.returncode == 0:
        assert "middle (forged.py:20)" in done.stdout
    else:
        assert str(target.pid) in done.stderr and done.stderr.count("\n") == 1
    assert is_free(target.pid)


MAPPER = """
import mmap, os, sys, time
kept = []
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        kept.append(mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ))
for path in sys.argv[1:]:
    if path.endswith("cut.so"):
        os.truncate(path, 0)
print("ready", flush=True)
time.sleep(1000)
"""


def test_files_that_are_mapped_under_pythons_name(pyrometer, spawn, tmp_path):
    python = pythons.first()
    if not python:
        pytest.skip("needs a supported Python to profile")
    data = FORGED.read_bytes()
    files = {"libpython3.1.so": b"\x7fELF" + bytes(5000), "libpython3.2.so": data[:4096], "libpython3.3.so": b"x" * 5000,
             "libpython3.4-cut.so": data, "libpython3.5 (deleted)": data, "libpython3.6.so": data}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    os.truncate(tmp_path / "libpython3.6.so", 1 << 42)  # 4 TiB that are not there
    target = spawn([python, "-c", MAPPER, *[tmp_path / name for name in files]], stdout=subprocess.PIPE)
    assert target.stdout.readline() == b"ready\n"
    done = look(pyrometer, target.pid)
    assert done.returncode == 0, done.stderr
    assert "<module>" in done.stdout
