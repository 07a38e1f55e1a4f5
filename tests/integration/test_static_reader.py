# SPDX-License-Identifier: Apache-2.0
"""pyrometer-reader: one file that records, dumps and shows in whatever root it is copied into."""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import textwrap

import pytest

import pythons

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREES = ROOT / ".pythons"
LIBRARY_DIRS = ("bin", "sbin", "lib", "lib64")

PROGRAM = """
import threading, time
def inner():
    time.sleep(1000)
def work():
    while True:
        sum(range(1000))
threading.Thread(target=inner).start()
print("ready", flush=True)
work()
"""

# In mount namespaces of its own: the tree, /proc, the program in it and the reader beside it.
SCRIPT = r"""
set -eu
cd "$root"
for pair in $binds; do
	mkdir -p "$(dirname ".${pair#*=}")"
	if [ -d "${pair%%=*}" ]; then mkdir -p ".${pair#*=}"; else : >".${pair#*=}"; fi
	mount --bind "${pair%%=*}" ".${pair#*=}"
done
mkdir -p proc tmp
mount --rbind /proc proc
# Its own root for the reader: the target's, or an empty one.
mkdir -p "$reader_root/proc" "$reader_root/tmp"
mount --rbind /proc "$reader_root/proc"
LD_LIBRARY_PATH=$libraries chroot . $python -E -c "$program" >tmp/said & target=$!
trap 'kill -9 $target' EXIT
tries=0
until [ -s tmp/said ]; do
	kill -0 $target
	tries=$((tries + 1))
	[ $tries -lt 300 ]
	sleep 0.1
done
chroot=$(command -v chroot)
in_root() { env -i PATH=/ TERM=xterm "$chroot" "$reader_root" /pyrometer-reader "$@"; }
# Until both threads are where they stay.
tries=0
until in_root dump -n -p $target >"$results/dump" && grep -q 'inner (' "$results/dump" && grep -q 'work (' "$results/dump"; do
	tries=$((tries + 1))
	[ $tries -lt 100 ]
	sleep 0.1
done
in_root record -n -i -p $target -d 0.5 -f raw -o /tmp/out.raw
in_root record -p $target -d 0.5 -o /tmp/out.pyro
in_root convert /tmp/out.pyro -o /tmp/out.svg
in_root top -p $target -d 1 >"$results/top"
cp "$reader_root/tmp/out.raw" "$reader_root/tmp/out.svg" "$results"
"""


@dataclasses.dataclass
class Tree:
    """What a root is made of, and the program in it."""
    binds: list  # (there, here)
    python: str
    links: bool = False  # /lib and its like are links into /usr
    libraries: str = ""  # where the program does not find them itself


def debian(path, python):
    def make():
        return Tree([(path / "usr", "/usr")], python, links=True) if (path / "usr").is_dir() else None
    return make


def musl():
    python = next((one.path for one in pythons.every() if one.libc == "musl"), None)
    loader = pathlib.Path("/lib/ld-musl-x86_64.so.1")
    if not python or not loader.exists():
        return None
    prefix = pathlib.Path(os.path.realpath(python)).parents[1]
    return Tree([(prefix, str(prefix)), (loader.resolve(), str(loader))], os.path.realpath(python), libraries=str(prefix / "lib"))


TREE_MAKERS = {
    "debian-11": debian(TREES / "roots" / "bullseye", "/usr/bin/python3"),
    "debian-13": debian(TREES / "roots" / "trixie", "/usr/bin/python3"),
    "debian-sid": debian(TREES / "sid", "/usr/bin/python3.14"),
    "musl": musl,
}


@pytest.fixture(scope="session")
def reader(pyrometer):
    path = pathlib.Path(os.environ.get("PYROMETER_READER", pathlib.Path(pyrometer).with_name("pyrometer-reader")))
    if not path.exists():
        pytest.skip("needs static libraries to build pyrometer-reader")
    return path


@pytest.fixture(scope="session")
def namespace():
    """How to get mount namespaces here."""
    ways = [["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]]
    for way in ways:
        if shutil.which("unshare") and subprocess.run([*way, "mount", "--bind", "/proc", "/proc"], stderr=subprocess.DEVNULL).returncode == 0:
            return way
    pytest.skip("needs the right to make a mount namespace")


def run_in(tree, namespace, reader, tmp_path, in_empty_root=False):
    root, results = tmp_path / "root", tmp_path / "results"
    root.mkdir()
    results.mkdir()
    if tree.links:
        for name in LIBRARY_DIRS:
            (root / name).symlink_to(f"usr/{name}")
    reader_root = tmp_path / "empty" if in_empty_root else root
    reader_root.mkdir(exist_ok=True)
    shutil.copy(reader, reader_root / "pyrometer-reader")
    env = {**os.environ, "root": str(root), "reader_root": str(reader_root), "results": str(results), "python": tree.python,
           "program": PROGRAM, "libraries": tree.libraries, "binds": " ".join(f"{there}={here}" for there, here in tree.binds)}
    done = subprocess.run([*namespace, "sh", "-c", SCRIPT], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=180)
    assert done.returncode == 0, done.stdout
    return results


def assert_whole(results):
    dump = (results / "dump").read_text()
    threads = re.split(r"^Thread ", dump, flags=re.M)[1:]
    waiting = next(thread for thread in threads if "inner (" in thread)
    lines = [line.strip() for line in waiting.splitlines()[1:]]
    python = next(i for i, line in enumerate(lines) if line.startswith("inner ("))
    assert python > 0 and lines[-1] != "inner", f"native frames above and below:\n{textwrap.indent(waiting, '  ')}"
    assert not re.search(r"\(<string>:|\(<stdin>", lines[0]), "the innermost frame is native"
    stacks = [line.rsplit(" ", 1)[0] for line in (results / "out.raw").read_text().splitlines()]
    assert any("inner (" in stack for stack in stacks) and any("work (" in stack for stack in stacks)
    assert (results / "out.svg").read_text().startswith("<?xml")
    assert "work" in (results / "top").read_text()


@pytest.mark.parametrize("name", TREE_MAKERS)
def test_it_runs_in_other_systems(reader, namespace, tmp_path, name):
    tree = TREE_MAKERS[name]()
    if not tree:
        pytest.skip(f"needs a root of {name} (tools/roots, tools/pythons)")
    assert_whole(run_in(tree, namespace, reader, tmp_path))


def test_it_runs_where_there_is_nothing_but_itself(reader, namespace, tmp_path):
    tree = next((tree for tree in (make() for make in TREE_MAKERS.values()) if tree), None)
    if not tree:
        pytest.skip("needs a root with a Python in it (tools/roots, tools/pythons)")
    assert_whole(run_in(tree, namespace, reader, tmp_path, in_empty_root=True))


def test_it_is_one_file(reader):
    elf = pythons.read_elf(reader)
    assert elf[0] == [] and elf[1] is None, "no library and no loader is needed"
    assert reader.stat().st_size < 32 << 20


def test_it_has_what_needs_no_network_and_says_what_it_lacks(reader):
    text = subprocess.run([reader, "--help"], stdout=subprocess.PIPE, text=True, timeout=60).stdout
    commands = re.findall(r"^  ([a-z]+) +\S", text, re.M)
    assert {"record", "dump", "top", "convert"} <= set(commands) and "serve" not in commands
    done = subprocess.run([reader, "record", "-p", "1", "--push", "http://127.0.0.1:1"], stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 2 and "has no network" in done.stderr
