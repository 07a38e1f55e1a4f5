# SPDX-License-Identifier: Apache-2.0
"""convert: any format, whole or in part, from a capture made once."""

import json
import subprocess

import pytest

import pythons
from conftest import TARGETS
from profiles import functions, read_pprof, read_raw, run

PYTHON = pythons.first()
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")


@pytest.fixture(scope="module")
def capture(pyrometer, tmp_path_factory):
    """Two seconds of a program with threads that do different things, idle ones included."""
    path = tmp_path_factory.mktemp("capture") / "in.pyro"
    with subprocess.Popen([PYTHON, "-u", TARGETS / "load_threads.py"], stdout=subprocess.PIPE) as target:
        try:
            assert target.stdout.readline() == b"ready\n"
            done = run([pyrometer, "record", "-p", target.pid, "-d", "2", "-r", "200", "-o", path])
            tid = {line.split()[1]: int(line.split()[0]) for line in thread_names(target.pid)}
        finally:  # else a failure would wait for it for ever
            target.kill()
    assert done.returncode == 0, done.stderr
    return path, target.pid, tid


def thread_names(pid):
    """"TID COMM" of every thread; Python sets no comm before 3.14, so that only the main one is sure."""
    import os
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="utf-8") as file:
            yield f"{tid} {file.read().strip()}"


def raw(pyrometer, capture, *options):
    done = run([pyrometer, "convert", capture[0], "-f", "raw", "-o", "-", *options])
    assert done.returncode == 0, done.stderr
    return read_raw(done.stdout)


def leaves(stacks):
    return {functions(stack)[-1] for stack, _ in stacks}


def test_every_format_can_be_made_and_says_the_same(pyrometer, capture, tmp_path):
    for name in ("x.svg", "x.raw", "x.speedscope.json", "x.pb.gz"):
        done = run([pyrometer, "convert", capture[0], "-o", tmp_path / name])
        assert done.returncode == 0, done.stderr
    counted = sum(count for _, count in raw(pyrometer, capture))
    profile = read_pprof(tmp_path / "x.pb.gz")
    assert sum(sample.values["samples"] for sample in profile.samples) == counted
    wall = sum(sample.values["wall"] for sample in profile.samples)
    scope = json.loads((tmp_path / "x.speedscope.json").read_text())
    unit = {"nanoseconds": 1, "microseconds": 1e3, "milliseconds": 1e6, "seconds": 1e9}
    total = sum(sum(each["weights"]) * unit[each["unit"]] for each in scope["profiles"])
    assert abs(total - wall) <= 1e-3 * wall
    assert "busy" in (tmp_path / "x.svg").read_text()


def test_filters_choose_threads_states_and_holders(pyrometer, capture):
    assert "sleeping" not in leaves(raw(pyrometer, capture))
    everything = leaves(raw(pyrometer, capture, "--idle"))
    assert {"busy", "sleeping", "blocked", "reading", "polling"} <= everything
    assert leaves(raw(pyrometer, capture, "--idle", "--thread", "blocked")) == {"blocked"}
    assert leaves(raw(pyrometer, capture, "--idle", "--thread", str(capture[1]))) == {"<module>"}
    assert leaves(raw(pyrometer, capture, "--gil", "--idle")) == {"busy"}
    assert raw(pyrometer, capture, "--pid", str(capture[1])) == raw(pyrometer, capture)


def test_time_ranges_add_up(pyrometer, capture):
    def count(*options):
        return sum(number for _, number in raw(pyrometer, capture, "--thread", "blocked", "--idle", *options))

    whole = count()
    assert whole > 100
    assert count("--until", "0.7") + count("--from", "700ms", "--until", "1.1s") + count("--from", "1.1") == whole


def test_filters_that_leave_nothing_are_an_error(pyrometer, capture, tmp_path):
    done = run([pyrometer, "convert", capture[0], "--thread", "nobody", "-o", tmp_path / "x.svg"])
    assert done.returncode == 1 and "passes the filters" in done.stderr
    assert not (tmp_path / "x.svg").exists()


@pytest.mark.parametrize("damage", ["cut", "flip", "garbage behind"])
def test_a_damaged_capture_is_used_up_to_its_last_whole_block(pyrometer, capture, tmp_path, damage):
    data = bytearray(capture[0].read_bytes())
    if damage == "cut":
        data = data[:len(data) * 3 // 4]
    elif damage == "flip":
        data[len(data) * 3 // 4] ^= 0x55
    else:
        data += b"PYROgarbage" * 9
    bad = tmp_path / "bad.pyro"
    bad.write_bytes(data)
    done = run([pyrometer, "convert", bad, "--idle", "-f", "raw", "-o", "-"])
    assert done.returncode == 1
    assert "warning" in done.stderr and "bytes are used" in done.stderr
    some, whole = read_raw(done.stdout), raw(pyrometer, capture, "--idle")
    assert 0 < sum(count for _, count in some) <= sum(count for _, count in whole)
    assert leaves(some) <= leaves(whole)


@pytest.mark.parametrize("content", [b"", b"P", b"PYRO", b"not a capture at all\n" * 99, bytes(4096)])
def test_what_is_no_capture_is_refused(pyrometer, tmp_path, content):
    (tmp_path / "in").write_bytes(content)
    done = run([pyrometer, "convert", tmp_path / "in", "-o", tmp_path / "out.svg"])
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "is not a capture" in done.stderr
    assert not (tmp_path / "out.svg").exists()


@pytest.mark.parametrize("argv", [[], ["a", "b", "-o", "x.svg"], ["a"], ["a", "-o", "x", "-f", "nonsense"],
                                  ["a", "-o", "x.svg", "--from", "5", "--until", "3"],
                                  ["a", "-o", "x.svg", "--from", "1y2"], ["a", "-o", "x.pyro"]])
def test_nonsense_is_refused_in_one_line(pyrometer, argv):
    done = run([pyrometer, "convert", *argv])
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("pyrometer: error: ")
