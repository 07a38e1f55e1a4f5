# SPDX-License-Identifier: Apache-2.0
"""Names of addresses, judged by binutils' addr2line, and who has libraries that read debug information."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from conftest import TARGETS, wait_until

SOURCES = TARGETS / "symbols"


def needs(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"needs {program}")


def run(*argv, **options):
    return subprocess.run([str(arg) for arg in argv], check=True, capture_output=True, text=True, timeout=60, **options)


@pytest.fixture(scope="session")
def tool(pyrometer):
    path = pathlib.Path(pyrometer).parents[2] / "tests" / "tools" / "symbol_tool"
    if not path.exists():
        pytest.skip("needs tests/tools/symbol_tool beside the binary")
    return path


def build(folder, language, *flags):
    """A shared library with debug information; the compiler's absence is a reported skip."""
    out = folder / f"lib{language}.so"
    if language == "rust":
        needs("rustc")
        run("rustc", "--crate-type", "cdylib", "-g", "-C", "opt-level=2", "-C", "link-arg=-Wl,--build-id", *flags,
            "-o", out, SOURCES / "lib.rs")
    else:
        compiler, source = {"c": ("gcc", "plain.c"), "c++": ("g++", "shapes.cc")}[language]
        needs(compiler)
        run(compiler, "-shared", "-fPIC", "-g", "-O2", "-Wl,--build-id", *flags, "-o", out, SOURCES / source)
    return out


def build_id(path):
    needs("readelf")
    return re.search(r"Build ID: ([0-9a-f]+)", run("readelf", "-n", path).stdout).group(1)


def own_functions(path, pattern):
    """[(address, size)] of functions whose names fit."""
    needs("nm")
    found = []
    for line in run("nm", "-S", "--defined-only", path).stdout.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[2] in "tTwW" and re.search(pattern, fields[3]):
            found.append((int(fields[0], 16), int(fields[1], 16)))
    assert found
    return found


def addresses_in(functions, most=300):
    every = [at for start, size in functions for at in range(start, start + size)]
    return every[::max(1, len(every) // most)]


def ask(tool, path, addresses, build="-", debug_dirs="/nonexistent"):
    """[[(function, file, line), ...] innermost first], and the facts."""
    text = "".join(f"{address:x}\n" for address in addresses)
    lines = run(tool, debug_dirs, path, build, input=text).stdout.splitlines()
    assert len(lines) == len(addresses) + 1
    return [[tuple(frame) for frame in json.loads(line)] for line in lines[:-1]], json.loads(lines[-1])


def addr2line(path, addresses):
    """The same from binutils; names as they are linked."""
    needs("addr2line")
    text = "".join(f"{address:x}\n" for address in addresses)
    answers = []
    lines = iter(run("addr2line", "-a", "-f", "-i", "-e", path, input=text).stdout.splitlines())
    for line in lines:
        if line.startswith("0x"):
            answers.append([])
            continue
        place = re.sub(r" \(discriminator \d+\)$", "", next(lines))
        file, _, number = place.rpartition(":")
        answers[-1].append((line, file, int(number) if number.isdigit() else 0))
    return answers


def same_place(ours, theirs):
    """Lines are equal, and files of the same name."""
    return [(pathlib.PurePath(file).name, line) for _, file, line in ours] == \
           [(pathlib.PurePath(file).name, line) for _, file, line in theirs]


@pytest.mark.parametrize("language, pattern, names", [
    ("c", r"^(visible|hidden)$", {"visible", "hidden", "middle", "innermost"}),
    ("c++", r"shapes", {"shapes::describe", "shapes::Box<int>::twice", "shapes::Box<int>::operator<", "shapes_run"}),
    ("rust", r"rust_run|shapes", {"rust_run"}),
])
def test_lines_and_inlined_functions_are_those_of_addr2line(tool, tmp_path, language, pattern, names):
    library = build(tmp_path, language)
    addresses = addresses_in(own_functions(library, pattern))
    ours, facts = ask(tool, library, addresses, build_id(library))
    if not facts["has_dwarf"]:
        pytest.skip("needs libdw")
    theirs = addr2line(library, addresses)
    agree = sum(same_place(a, b) for a, b in zip(ours, theirs))
    # Binutils takes the first of several rows of a line table at one address, elfutils the last.
    assert agree >= 0.97 * len(addresses), [(hex(at), a, b) for at, a, b in zip(addresses, ours, theirs)
                                            if not same_place(a, b)][:5]
    assert max(len(answer) for answer in ours) >= 2
    seen = {name for answer in ours for name, _, _ in answer}
    assert names <= seen, seen
    assert not [name for name in seen if name.startswith("_ZN") or re.search(r"17h[0-9a-f]{16}", name)]


@pytest.mark.parametrize("version", ["legacy", "v0"])
def test_names_of_rust_have_modules_and_no_hashes(tool, tmp_path, version, monkeypatch):
    needs("rustc")
    monkeypatch.setenv("RUSTC_BOOTSTRAP", "1")  # today's compiler hides the old kind, yesterday's the new one
    try:
        library = build(tmp_path, "rust", "-Z", "unstable-options", "-C", f"symbol-mangling-version={version}")
    except subprocess.CalledProcessError:
        pytest.skip(f"needs a rustc that writes {version} names")
    answers, _ = ask(tool, library, addresses_in(own_functions(library, "area|total|rust_run")))
    seen = {name for answer in answers for name, _, _ in answer}
    assert any(re.fullmatch(r"\w+::shapes::total(::<.*>)?", name) for name in seen), seen
    assert any(re.fullmatch(r"<\w+::shapes::Square as \w+::shapes::Area>::area", name) for name in seen), seen


def test_a_stripped_file_is_named_by_its_separate_debug_file(tool, tmp_path):
    needs("objcopy", "strip")
    library = build(tmp_path, "c")
    addresses = addresses_in(own_functions(library, r"^(visible|hidden)$"), 40)
    whole, facts = ask(tool, library, addresses, build_id(library))
    if not facts["has_dwarf"]:
        pytest.skip("needs libdw")
    stripped, debug = tmp_path / "stripped.so", tmp_path / "stripped.so.debug"
    run("objcopy", "--only-keep-debug", library, debug)
    run("strip", "-o", stripped, library)
    # What is left: exported names, and no line.
    exported, _ = ask(tool, stripped, addresses, build_id(library))
    assert {name for answer in exported for name, _, line in answer if "+0x" not in name} == {"visible"}
    assert not any(line for answer in exported for _, _, line in answer)
    # By build id below a folder.
    ident = build_id(library)
    place = tmp_path / "debug" / ".build-id" / ident[:2]
    place.mkdir(parents=True)
    shutil.copy(debug, place / f"{ident[2:]}.debug")
    assert ask(tool, stripped, addresses, ident, f"/nonexistent:{tmp_path / 'debug'}")[0] == whole
    # Even without the file itself.
    assert ask(tool, tmp_path / "gone.so", addresses, ident, tmp_path / "debug")[0] == whole
    # By the link in the file: beside it, and in .debug/.
    linked = tmp_path / "linked.so"
    run("objcopy", f"--add-gnu-debuglink={debug}", stripped, linked)
    assert ask(tool, linked, addresses, ident)[0] == whole
    (tmp_path / ".debug").mkdir()
    debug.rename(tmp_path / ".debug" / debug.name)
    assert ask(tool, linked, addresses, ident)[0] == whole


def test_a_debug_file_of_another_build_does_not_count(tool, tmp_path):
    needs("objcopy", "strip")
    library = build(tmp_path, "c", "-Wl,--build-id=none")
    addresses = addresses_in(own_functions(library, r"^hidden$"), 10)
    debug, stripped = tmp_path / "x.debug", tmp_path / "x.so"
    run("objcopy", "--only-keep-debug", library, debug)
    run("strip", "-o", stripped, library)
    run("objcopy", f"--add-gnu-debuglink={debug}", stripped)
    named, _ = ask(tool, stripped, addresses)
    assert all(answer[-1][0] == "hidden" for answer in named)
    with open(debug, "ab") as file:  # the checksum does not fit any more
        file.write(b"\0")
    other, _ = ask(tool, stripped, addresses)
    assert all("+0x" in answer[-1][0] for answer in other)


def test_packed_symbols_of_a_stripped_file_are_read(tool, tmp_path):
    needs("objcopy", "strip", "xz")
    library = build(tmp_path, "c")
    addresses = addresses_in(own_functions(library, r"^hidden$"), 10)
    mini, stripped = tmp_path / "mini", tmp_path / "packed.so"
    run("objcopy", "-S", "--keep-symbol=hidden", library, mini)
    run("xz", mini)
    run("strip", "-o", stripped, library)
    run("objcopy", f"--add-section=.gnu_debugdata={mini}.xz", stripped)
    answers, _ = ask(tool, stripped, addresses, build_id(library))
    assert all(answer == [("hidden", "", 0)] for answer in answers)


def test_jumps_to_other_libraries_are_named_as_objdump_does(tool, tmp_path):
    needs("objdump", "strip")
    if os.uname().machine != "x86_64":
        pytest.skip("needs x86-64")
    for language, flags in (("c", []), ("c++", ["-Wl,-z,ibtplt"]), ("c++", ["-Wl,-z,lazy"])):
        library = build(tmp_path, language, *flags)
        run("strip", library)
        text = "".join(run("objdump", "-d", "-j", section, library).stdout for section in (".plt", ".plt.sec")
                       if f" {section} " in run("readelf", "-SW", library).stdout)
        known = {int(at, 16): name for at, name in re.findall(r"^([0-9a-f]+) <([^>*]+@plt)>:", text, re.M)}
        assert known
        answers, _ = ask(tool, library, [at + 4 for at in known], build_id(library))
        named = {name.split("@")[0] for name in known.values() if not name.startswith("_Z")}
        assert named <= {answer[0][0].removesuffix("@plt") for answer in answers}
        assert all(answer[0][0].endswith("@plt") for answer in answers)


def test_damaged_debug_information_costs_names_only(tool, tmp_path):
    """Each damaged copy is answered or given up; whoever asks lives and does not wait long."""
    library = build(tmp_path, "c")
    addresses = addresses_in(own_functions(library, r"^(visible|hidden)$"), 8)
    good, bad = library.read_bytes(), tmp_path / "bad.so"
    sections = {m.group(1): (int(m.group(2), 16), int(m.group(3), 16)) for m in re.finditer(
        r"\] (\.debug_\w+)\s+PROGBITS\s+\w+ (\w+) (\w+)", run("readelf", "-SW", library).stdout)}
    assert ".debug_info" in sections
    for name, (start, size) in sections.items():
        for value in (0x00, 0xff, 0x7f):
            data = bytearray(good)
            step = max(1, size // 9)
            for at in range(start, start + size, step):
                data[at:at + 2] = bytes([value, value])
            bad.write_bytes(data)
            answers, facts = ask(tool, bad, addresses, build_id(library))
            assert len(answers) == len(addresses), name
            assert facts["ns"] < 30e9
            # Names come from the symbol table where nothing else is left.
            assert all(answer for answer in answers)


def test_convert_names_what_was_out_of_reach_when_it_was_recorded(pyrometer, spawn, tmp_path):
    needs("objcopy", "strip")
    library = build(tmp_path, "c")
    ident = build_id(library)
    place = tmp_path / "debug" / ".build-id" / ident[:2]
    place.mkdir(parents=True)
    run("objcopy", "--only-keep-debug", library, place / f"{ident[2:]}.debug")
    run("strip", library)
    target = spawn([sys.executable, "-c", f"""
import ctypes
work = ctypes.CDLL({str(library)!r}).visible
print("ready", flush=True)
while True:
    work(1 << 20)
"""], stdout=subprocess.PIPE, text=True)
    assert target.stdout.readline() == "ready\n"
    capture = tmp_path / "out.pyro"
    run(pyrometer, "record", "-n", "-p", target.pid, "-d", "1", "-o", capture)
    bare = run(pyrometer, "convert", capture, "-o", "-", "-f", "raw").stdout
    assert f"{library.name}+0x" in bare and "hidden" not in bare
    named = run(pyrometer, "convert", capture, "-o", "-", "-f", "raw", "--debug-dir", tmp_path / "debug").stdout
    assert f"{library.name}+0x" not in named
    assert re.search(r";visible \([^)]*\);hidden \(plain\.c:\d+\)", named), named[:2000]  # visible is exported
    # And at once, where they are in reach.
    at_once = run(pyrometer, "record", "-n", "-p", target.pid, "-d", "1", "-o", "-", "-f", "raw",
                  "--debug-dir", tmp_path / "debug").stdout
    assert ";hidden (" in at_once


PERF_SCRIPT = """
node  4711/4712 [002] 94564.109216:     250000 cpu-clock:u:
	    7f12a0001a40 [unknown] ([unknown])
	    55d0c0a1b2c3 uv__run_timers+0x43 (/usr/bin/node)

python  4811 [002] 94564.359216:     250000 cpu-clock:u:
	    7f12a0002a40 py::work:/srv/app.py+0x10 (/tmp/perf-4811.map)

"""


def test_convert_reads_what_perf_script_prints(pyrometer, tmp_path):
    text, perf_map = tmp_path / "perf.txt", tmp_path / "perf-4711.map"
    text.write_text(PERF_SCRIPT)
    perf_map.write_text("7f12a0001a00 100 JS:*render /srv/app.js:14:9\n")
    convert = [pyrometer, "convert", text, "-o", "-", "-f", "raw"]
    assert sorted(run(*convert).stdout.splitlines()) == ["uv__run_timers (/usr/bin/node);[unknown] 1", "work (/srv/app.py) 1"]
    assert sorted(run(*convert, "-t", "--perf-map", perf_map).stdout.splitlines()) == [
        "process 4711;thread 4712: node;uv__run_timers (/usr/bin/node);render (/srv/app.js) 1",
        "thread 4811: python;work (/srv/app.py) 1"]
    refused = subprocess.run([*convert, "--from", "1"], capture_output=True, text=True)
    assert refused.returncode == 1 and "is no capture" in refused.stderr
    svg = tmp_path / "out.svg"
    run(pyrometer, "convert", text, "-o", svg, "--perf-map", perf_map)
    assert "render" in svg.read_text()


def libraries_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""


def descendants(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child] + descendants(child)
    return found


def test_nobody_with_rights_has_a_library_for_debug_information(pyrometer, spawn, tmp_path):
    """Of all processes of a recording only those that look up names, and give up everything else, have libdw."""
    target = spawn([sys.executable, "-c", "while True: sum(range(100))"])
    recording = spawn([pyrometer, "record", "-n", "-p", target.pid, "-d", "20", "-o", tmp_path / "out.txt", "-f", "raw"],
                      stderr=subprocess.DEVNULL)

    def comm(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            return ""

    def with_names():
        return [pid for pid in descendants(recording.pid) if comm(pid) == "pyro-symbols"]

    wait_until(lambda: len(with_names()) >= 2, 15, "a process that looks up names")
    symbols = with_names()
    others = [recording.pid] + [pid for pid in descendants(recording.pid) if pid not in symbols]
    assert len(others) >= 3  # front, keeper, reader
    assert not [pid for pid in others if "libdw" in libraries_of(pid) or "libelf" in libraries_of(pid)]
    for pid in symbols:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        assert re.search(r"CapEff:\s+0+\n", status) and re.search(r"NoNewPrivs:\s+1\n", status)
        assert re.search(r"Seccomp:\s+2\n", status)
