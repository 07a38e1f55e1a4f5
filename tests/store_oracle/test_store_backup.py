# SPDX-License-Identifier: Apache-2.0
"""Backups taken under load answer as the store did at their moment; half of one is not taken for a whole one."""

import os
import pathlib
import random
import re
import shutil
import subprocess
import threading

import pytest

from .conftest import ROOT
from .oracle import Oracle, matcher
from .test_store_crash import NOW, profile
from .test_store_oracle import CPU, EPOCH, HOUR, MINUTE, S

ALL = '{__profile_type__="%s"}' % CPU
PROGRAM = os.environ.get("PYROMETER_BIN", str(ROOT / "build" / "src" / "cmd" / "pyrometer"))
KIND = ("cpu", "nanoseconds")


def pyrometer(*args, code=0, **more):
    done = subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, timeout=60, **more)
    assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def numbers(columns):
    return {int(stack.rsplit("own", 1)[1]): value for stack, value in columns.get("", {}).items()}


def answers(store, begin=EPOCH, end=NOW):
    got = store.ask("merge", selector=ALL, **{"from": begin, "until": end})
    assert not got["partial"]
    return numbers(got["columns"])


def put(store, numbers_):
    for i in numbers_:
        store.ask("put", **profile(i))
    assert set(store.ask("wait")["codes"]) <= {0, -4104}


class Load(threading.Thread):
    """Puts profiles one after the other, rolls up now and then, and knows what was acknowledged when."""

    def __init__(self, store, first):
        super().__init__()
        self.store, self.next, self.acked = store, first, first
        self.stop = threading.Event()

    def run(self):
        rng = random.Random(self.next)
        while not self.stop.is_set():
            batch = range(self.next, self.next + rng.randint(1, 8))
            self.next = batch[-1] + 1
            put(self.store, batch)
            self.acked = self.next
            if rng.random() < 0.3:
                self.store.ask("settle")

    def end(self):
        self.stop.set()
        self.join()


RANGES = [(EPOCH, NOW), (EPOCH + 1, EPOCH + HOUR - 1), (EPOCH + 90 * S, EPOCH + 300 * S), (EPOCH, EPOCH + 10 * MINUTE)]


def check_copy(open_store, directory, least, most):
    """All profiles of 0 .. some n, least <= n <= most, and every range as the oracle has it for those."""
    copy = open_store(NOW, directory=directory)
    there = answers(copy)
    n = len(there)
    assert set(there) == set(range(n)) and least <= n <= most
    for settled in (False, True):
        oracle = Oracle()
        for i in range(n):
            oracle.put(profile(i))
        for begin, end in RANGES:
            want = numbers(oracle.merge(matcher(ALL), KIND, begin, end)["columns"])
            assert answers(copy, begin, end) == want, (settled, begin, end)
        if not settled:
            copy.ask("settle")
    # Identities are in it as well, and it goes on.
    put(copy, range(n + 3))
    assert set(answers(copy)) == set(range(n + 3))
    copy.close()


def test_a_backup_under_load_is_the_store_of_its_moment(open_store, tmp_path):
    store = open_store(NOW)
    put(store, range(200))
    store.ask("settle")
    load = Load(store, 200)
    load.start()
    try:
        bounds = []
        for i in range(2):
            least = load.acked
            said = pyrometer("backup", tmp_path / "data", tmp_path / f"backup{i}")
            assert "backed up" in said
            bounds.append((least, load.next))
    finally:
        load.end()
    store.close()
    assert bounds[-1][0] > 200, "nothing was put meanwhile"
    for i, (least, most) in enumerate(bounds):
        pyrometer("restore", tmp_path / f"backup{i}", tmp_path / f"copy{i}")
        assert not list((tmp_path / f"copy{i}").rglob("*-wal"))
        check_copy(open_store, tmp_path / f"copy{i}", least, most)


def test_unchanged_files_are_linked_from_the_backup_before(open_store, tmp_path):
    store = open_store(NOW)
    put(store, range(50))
    store.ask("settle")
    store.close()
    for path in (tmp_path / "data").rglob("*.db"):
        os.utime(path, ns=(EPOCH, EPOCH))
    pyrometer("backup", tmp_path / "data", tmp_path / "one")
    store = open_store(NOW)
    store.ask("put", **{**profile(77), "start": EPOCH + 25 * HOUR})  # a day of its own
    store.ask("wait")
    said = pyrometer("backup", tmp_path / "data", tmp_path / "two", "--since", tmp_path / "one")
    whole = answers(store)
    store.close()
    assert re.search(r"[1-9]\d* of them unchanged", said)
    same = [p for p in (tmp_path / "two").rglob("*.db")
            if (tmp_path / "one" / p.relative_to(tmp_path / "two")).exists() and p.stat().st_nlink > 1]
    assert same and not any(p.name == "catalogue.db" for p in same)
    shutil.rmtree(tmp_path / "one")
    pyrometer("restore", tmp_path / "two", tmp_path / "copy")
    copy = open_store(NOW, directory=tmp_path / "copy")
    assert answers(copy) == whole and len(whole) == 51
    copy.close()


def test_a_backup_of_a_stopped_store_and_of_a_crashed_one(open_store, tmp_path):
    store = open_store(NOW)
    put(store, range(30))
    store.kill()
    assert list((tmp_path / "data").rglob("*-wal")), "a crash leaves logs"
    pyrometer("backup", tmp_path / "data", tmp_path / "out")
    pyrometer("restore", tmp_path / "out", tmp_path / "copy")
    check_copy(open_store, tmp_path / "copy", 30, 30)


@pytest.mark.parametrize("when", ["mkdir", "pwrite64", "rename"])
def test_an_interrupted_backup_is_no_backup(open_store, tmp_path, when):
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    store = open_store(NOW)
    put(store, range(30))
    store.close()
    out = tmp_path / "out"
    name = {"rename": "rename,renameat,renameat2"}.get(when, when)
    nth = {"mkdir": 3, "pwrite64": 5, "rename": 1}[when]
    done = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={name}:signal=KILL:when={nth}", PROGRAM,
                           "backup", tmp_path / "data", out], capture_output=True)
    if b"ptrace" in done.stderr.lower():
        pytest.skip("needs ptrace")
    assert done.returncode != 0, "it was not killed"
    assert not out.exists()
    if when != "rename":  # the last step: all is there but its name
        assert "no whole backup" in pyrometer("restore", str(out) + ".partial", tmp_path / "copy", code=1)
        assert not (tmp_path / "copy").exists()
    pyrometer("backup", tmp_path / "data", out)  # what was left is out of the way
    assert not pathlib.Path(str(out) + ".partial").exists()
    pyrometer("restore", out, tmp_path / "copy")
    check_copy(open_store, tmp_path / "copy", 30, 30)


def test_an_interrupted_restore_is_no_store_and_can_be_done_again(open_store, tmp_path):
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    store = open_store(NOW)
    put(store, range(30))
    store.close()
    pyrometer("backup", tmp_path / "data", tmp_path / "out")
    copy = tmp_path / "copy"
    done = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=rename,renameat,renameat2:signal=KILL:when=1", PROGRAM,
                           "restore", tmp_path / "out", copy], capture_output=True)
    if b"ptrace" in done.stderr.lower():
        pytest.skip("needs ptrace")
    assert done.returncode != 0 and copy.exists()
    with pytest.raises(AssertionError, match="holds profiles"):
        open_store(NOW, directory=copy)
    (copy / "lock").unlink()
    pyrometer("restore", tmp_path / "out", copy)
    check_copy(open_store, copy, 30, 30)
    assert "not empty" in pyrometer("restore", tmp_path / "out", copy, code=1)


@pytest.mark.parametrize("what", ["manifest", "cut", "catalogue", "block", "gone"])
def test_a_damaged_backup_says_so(open_store, tmp_path, what):
    store = open_store(NOW)
    put(store, range(30))
    store.close()
    out, copy = tmp_path / "out", tmp_path / "copy"
    pyrometer("backup", tmp_path / "data", out)
    block = next(out.glob("blocks/*/10s/*.db"))
    path = {"manifest": out / "MANIFEST", "cut": out / "MANIFEST", "catalogue": out / "catalogue.db"}.get(what, block)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if what == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-40] if what == "cut" else data)
    said = pyrometer("restore", out, copy, code=1)
    if what in ("block", "gone"):
        assert block.name in said
        store = open_store(NOW, directory=copy)
        got = store.ask("merge", selector=ALL, **{"from": EPOCH, "until": NOW})
        assert got["partial"]
        store.close()
    else:
        assert "no whole backup" in said or "catalogue is damaged" in said
        assert not (copy / "catalogue.db").exists()


def test_a_damaged_store_is_backed_up_as_far_as_it_goes(open_store, tmp_path):
    store = open_store(NOW)
    put(store, range(60))
    store.close()
    path = next((tmp_path / "data").glob("blocks/*/10s/*.db"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    said = pyrometer("backup", tmp_path / "data", tmp_path / "out", code=1)
    assert path.name in said
    assert path.name in pyrometer("restore", tmp_path / "out", tmp_path / "copy", code=1)
    assert (tmp_path / "copy" / path.relative_to(tmp_path / "data")).read_bytes() == data, "fsck can save from it"


def test_what_is_in_the_way_is_named(open_store, tmp_path):
    open_store(NOW).close()
    (tmp_path / "there").mkdir()
    assert "exists" in pyrometer("backup", tmp_path / "data", tmp_path / "there", code=1)
    assert "no store" in pyrometer("backup", tmp_path / "nothing", tmp_path / "out", code=1)
    assert "no whole backup" in pyrometer("restore", tmp_path / "there", tmp_path / "copy", code=1)
    pyrometer("backup", tmp_path / "data", tmp_path / "whole")
    assert "is a backup: pyrometer restore" in pyrometer("fsck", tmp_path / "whole", code=1)
    pyrometer("backup", tmp_path / "data", code=2)
    pyrometer("restore", tmp_path / "data", code=2)


def test_a_stopped_backup_does_not_stop_the_server(open_store, tmp_path):
    """Whoever holds the writer up and falls asleep over it: the writer goes on, the backup counts for nothing."""
    import fcntl
    import struct
    store = open_store(NOW)
    put(store, range(3))
    fd = os.open(tmp_path / "data" / "lock", os.O_RDWR)
    for byte in (1024, 1025):
        fcntl.fcntl(fd, 38, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))  # F_OFD_SETLKW
    put(store, range(3, 6))  # waits for the writer's patience
    assert set(answers(store)) == set(range(6))
    os.close(fd)
    store.close()
