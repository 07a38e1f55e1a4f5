# SPDX-License-Identifier: Apache-2.0
"""Stacks, names and files that are out of the ordinary, on every version: tests/targets/odd_stacks.py."""

import json
import subprocess

import pytest

import pythons
from conftest import TARGETS, wait_until
from hosts import dump, with_frame
from profiles import functions, read_raw, run, summary

DEPTH_LIMIT = 4096  # PYTHON_MAX_DEPTH

# The innermost function but rest(), as the version's own strings hold it.
NAMES = {
    "wide": "wide", "long table": "long_table", "cyrillic": "функция", "emoji": "💩", "rtl": "\u202eאב",
    "nul": "a\ufffdb", "long file": "in_file", "bad file": "in_file",
    "emoji file": "in_file", "comm": "commed", "surrogate": "a\ufffdb",
}
NAMES_2 = {**NAMES, "nul": "a\\x00b"}
FILES = {"long file": "/" + "f" * 1500 + "/end.py", "bad file": "caf\ufffd.py", "emoji file": "💩.py"}
FILES_2 = {**FILES, "bad file": "caf\\xe9.py"}
LINES = {"wide": 3, "long table": 35002, "long file": 2}


def check_thread(thread, name, is_2):
    names, files = (NAMES_2, FILES_2) if is_2 else (NAMES, FILES)
    frame = thread["frames"][1]
    assert thread["thread_name"] == name
    assert thread["names"][0] == "rest" and thread["frames"][0]["line"] in (22, 23)
    if name == "long name":  # of 5,000 characters
        assert frame["name"].startswith("n" * 2000) and frame["name"].endswith("n…")
    else:
        assert frame["name"] == names[name], name
    assert frame["filename"] == files.get(name, frame["filename"]), name
    assert frame["line"] == LINES.get(name, frame["line"]), name
    assert thread["names"][-1].strip("_") == "bootstrap", name


def check_deep(thread):
    """The inner frames and, in the place of all the others, a marker."""
    assert thread["names"][0] == "rest"
    assert thread["names"][-1] == "[deeper]"
    assert set(thread["names"][1:-1]) == {"recursion"}
    assert len(thread["names"]) == DEPTH_LIMIT + 1


@pytest.mark.parametrize("python", pythons.params())
def test_what_is_odd_is_shown_as_it_is(pyrometer, spawn, python):
    has_ctypes = subprocess.run([python, "-c", "import ctypes"], capture_output=True, check=False).returncode == 0
    n_native = 150 if has_ctypes else 0
    target = spawn([python, TARGETS / "odd_stacks.py", n_native], stdout=subprocess.PIPE)
    line = target.stdout.readline()
    assert line, "the target said nothing"
    facts = json.loads(line)
    is_2 = "surrogate" not in facts

    def all_read():
        threads = {thread["os_thread_id"]: thread for thread in dump(pyrometer, target.pid)}
        return threads if all(threads[tid]["names"][:1] == ["rest"] for tid in facts.values()) else None

    threads = wait_until(all_read, seconds=10, what="a stack of every thread")
    check_deep(threads[facts.pop("deep")])
    for name, tid in facts.items():
        check_thread(threads[tid], name, is_2)
    assert len(with_frame(threads.values(), "[no Python]")) == n_native
    done = run([pyrometer, "record", "-p", target.pid, "-d", 1, "-i", "-t", "-f", "raw", "-o", "-"])
    assert done.returncode == 0, done.stderr
    stacks = [functions(stack) for stack, _ in read_raw(done.stdout)]
    deep = [stack for stack in stacks if "recursion" in stack]
    assert deep and all("[deeper]" in stack for stack in deep)
    assert summary(done.stderr)["dropped"] <= 0.05 * summary(done.stderr)["samples"]
