# SPDX-License-Identifier: Apache-2.0
"""Every Python on this machine, with what tells one build from another: the one list of tests and benches.

Looked for, in this order: pyenv's versions, `.pythons/bin` of the checkout (filled by tools/pythons), the system's
own.  PYROMETER_PYTHONS, paths joined by colons, replaces them all: to run the tests on one interpreter only.

    import pythons
    @pytest.mark.parametrize("python", pythons.params())              one build of every version that can be read
    @pytest.mark.parametrize("python", pythons.params(builds="all"))  every build of them
    @pytest.mark.parametrize("python", pythons.params(["3.8", "3.14t"]))
    pythons.first()                                                   the path of some readable one, or None

`python` is a path.  A version that is not here is one skipped test that says so.  Run as a program it prints the list.
"""

import dataclasses
import functools
import glob
import os
import pathlib
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Tags of what the profiler reads: a minor version, with "t" for the builds without a GIL.
READABLE = ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t", "3.15"]

PROBE = ("import sys, sysconfig; sys.stdout.write('%d.%d.%d %s' % (tuple(sys.version_info[:3]) + "
         "(sysconfig.get_config_var('Py_GIL_DISABLED') and 't' or '-',)))")


@dataclasses.dataclass(frozen=True)
class Python:
    """One interpreter; `path` starts it."""
    path: str
    version: str  # "3.14.2"
    tag: str  # "3.14", or "3.14t" without a GIL
    is_shared: bool  # its code is in libpython, not in the program
    is_stripped: bool  # what holds its code has no .symtab
    libc: str  # "glibc", "musl" or "none" (linked statically)

    @property
    def id(self):
        """Short and telling: "3.14-shared", "3.12-static-musl"."""
        parts = [self.tag, "shared" if self.is_shared else "static"]
        return "-".join(parts + ([] if self.libc == "glibc" else [self.libc]))


# ---- what an ELF file says ---------------------------------------------------------------------

def read_elf(path):
    """(names of needed libraries, loader or None, has .symtab) of a 64-bit little-endian ELF file."""
    data = pathlib.Path(path).read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{path} is not a 64-bit ELF file")
    phoff, shoff = struct.unpack_from("<QQ", data, 32)
    phsize, phnum, shsize, shnum = struct.unpack_from("<HHHH", data, 54)
    segments = [struct.unpack_from("<IIQQQQ", data, phoff + i * phsize) for i in range(phnum)]
    sections = [struct.unpack_from("<IIQQQQ", data, shoff + i * shsize) for i in range(shnum)]

    def offset_of(vaddr):
        return next(off + vaddr - start for kind, _, off, start, _, size in segments
                    if kind == 1 and start <= vaddr < start + size)

    def text_at(offset):
        return data[offset:data.index(b"\0", offset)].decode()

    loader = next((text_at(off) for kind, _, off, _, _, _ in segments if kind == 3), None)
    dynamic = next(((off, size) for kind, _, off, _, _, size in segments if kind == 2), (0, 0))
    entries = [struct.unpack_from("<qQ", data, dynamic[0] + at) for at in range(0, dynamic[1], 16)]
    strings = next((value for tag, value in entries if tag == 5), 0)
    needed = [text_at(offset_of(strings) + value) for tag, value in entries if tag == 1]
    return needed, loader, any(kind == 2 for _, kind, *_ in sections)


def library_of(program, name):
    """Where a running program has mapped a library from."""
    code = "import sys; sys.stdout.write(open('/proc/self/maps').read())"
    maps = subprocess.run([program, "-c", code], capture_output=True, text=True, timeout=20, check=True).stdout
    return next(line.split()[-1] for line in maps.splitlines() if line.endswith("/" + name) or name in line)


def describe(path):
    """The Python behind a path, or None when it is no interpreter that runs here."""
    try:
        probe = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, timeout=20, check=True).stdout
        version, threads = probe.split()
        needed, loader, has_symbols = read_elf(os.path.realpath(path))
        library = next((name for name in needed if name.startswith("libpython")), None)
        if library:
            has_symbols = read_elf(os.path.realpath(library_of(path, library)))[2]
    except (OSError, ValueError, StopIteration, subprocess.SubprocessError):
        return None
    tag = ".".join(version.split(".")[:2]) + ("t" if threads == "t" else "")
    libc = "none" if not loader else "musl" if "musl" in loader else "glibc"
    return Python(str(path), version, tag, bool(library), not has_symbols, libc)


# ---- the list ----------------------------------------------------------------------------------

def candidates():
    """Paths, the preferred first: one's own builds before the system's."""
    chosen = os.environ.get("PYROMETER_PYTHONS")
    if chosen is not None:
        return [path for path in chosen.split(":") if path]
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    paths = sorted(glob.glob(f"{pyenv}/versions/*/bin/python"))
    paths += sorted(glob.glob(f"{ROOT}/.pythons/bin/python*"))
    return paths + sorted(glob.glob("/usr/bin/python[23].[0-9]")) + sorted(glob.glob("/usr/bin/python3.[0-9][0-9]"))


def by_version(python):
    return [int(part) for part in python.version.split(".")], python.tag.endswith("t")


@functools.lru_cache(maxsize=None)
def every():
    """All interpreters, oldest version first."""
    found = {}
    for path in candidates():
        if os.path.realpath(path) not in found and os.access(path, os.X_OK):
            python = describe(path)
            if python:
                found[os.path.realpath(path)] = python
    return sorted(found.values(), key=by_version)


def of(tag):
    """All builds of a version, glibc's first."""
    return sorted((python for python in every() if python.tag == tag), key=lambda python: python.libc != "glibc")


def first(tags=None):
    """The path of an interpreter that can be read, of the first of these tags that is here (a common version, where
    any will do); None without any."""
    return next((python.path for tag in tags or ["3.12", *READABLE] for python in of(tag)), None)


def params(tags=None, builds="one"):
    """Parameters for pytest: one build of each version, or all of them; an absent version is a reported skip."""
    import pytest  # not where a bench runs this  # pylint: disable=import-outside-toplevel

    chosen = []
    for tag in tags or READABLE:
        pythons = of(tag)
        if not pythons:
            chosen.append(pytest.param(None, id=tag, marks=pytest.mark.skip(reason=f"needs CPython {tag}")))
        for python in pythons if builds == "all" else pythons[:1]:
            chosen.append(pytest.param(python.path, id=python.id))
    ids = [param.id for param in chosen]
    return [pytest.param(*param.values, id=f"{param.id}-{ids[:i].count(param.id)}" if param.id in ids[:i] else param.id,
                         marks=param.marks) for i, param in enumerate(chosen)]


def main():
    for python in every():
        symbols = "stripped" if python.is_stripped else "symbols"
        print(f"{python.version:8} {python.id:18} {symbols:9} {python.path}")
    for tag in READABLE:
        if not of(tag):
            print(f"{tag:8} not here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
