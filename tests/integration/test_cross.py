# SPDX-License-Identifier: Apache-2.0
"""pyrometer-reader for aarch64, built by Debian's cross compiler: without a warning, and one static file."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CROSS = ROOT / ".pythons" / "cross-aarch64" / "aarch64.ini"
ELF_AARCH64 = 183


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    if not all(shutil.which(f"aarch64-linux-gnu-{tool}") for tool in ("gcc", "g++")):
        pytest.skip("needs gcc- and g++-aarch64-linux-gnu")
    if not CROSS.exists():
        pytest.skip("needs libraries for aarch64 (tools/cross-root)")
    build = tmp_path_factory.mktemp("aarch64") / "build"
    # Whether it compiles is the question, so without optimisation: 10 s of CPU instead of 60.
    setup = ["meson", "setup", build, ROOT, "--cross-file", CROSS, "-Donly_reader=true", "-Dweb=disabled", "--werror", "-Doptimization=0",
             "-Ddebug=false"]
    for command in (setup, ["meson", "compile", "-C", build]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        assert done.returncode == 0, done.stdout[-4000:]
    return build / "src" / "cmd" / "pyrometer-reader"


def test_it_builds_for_aarch64(reader):
    head = reader.read_bytes()[:20]
    assert head[:5] == b"\x7fELF\x02" and int.from_bytes(head[18:20], "little") == ELF_AARCH64


def test_it_starts_where_that_processor_can_be_emulated(reader):
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if not emulator:
        pytest.skip("needs qemu-aarch64 (Debian: qemu-user-static)")
    done = subprocess.run([emulator, reader, "--version"], stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith("pyrometer-reader ")
