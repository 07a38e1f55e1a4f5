# SPDX-License-Identifier: Apache-2.0
"""Block files that are damaged, deleted by age, or have no room: never a wrong answer."""

import os
import random
import shutil
import sqlite3
import subprocess

import pytest

from .conftest import change_database
from .oracle import Oracle, matcher
from .test_store_crash import NOW, everything, profile
from .test_store_oracle import CPU, DAY, EPOCH, HOUR, MINUTE, S

ALL = '{__profile_type__="%s"}' % CPU


def fill(store, n=60):
    for i in range(n):
        store.ask("put", **profile(i))
    assert store.ask("wait")["codes"] == [0] * n


def block_files(tmp_path, level):
    return sorted((tmp_path / "data" / "blocks" / "1" / level).glob("*.db"))


def change_row(path, column):
    """Flip a bit in the middle of a value of one row that queries read; its key stays."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    families = "owner % 2 AND" if "/1m/" in str(path) else ""
    rowid, blob = db.execute(f"SELECT rowid, {column} FROM block WHERE {families} t_ns > {EPOCH + 100 * S}"
                             f" AND t_ns < {EPOCH + 300 * S}").fetchone()
    db.close()
    blob = bytearray(blob)
    blob[len(blob) // 2] ^= 4
    change_database(path, f"UPDATE block SET {column}=x'{blob.hex()}' WHERE rowid={rowid}")


@pytest.mark.parametrize("column", ["head", "data"])
@pytest.mark.parametrize("level", ["10s", "1m"])
def test_a_damaged_block_is_left_out_and_reported(open_store, tmp_path, level, column):
    store = open_store(NOW)
    fill(store)
    if level == "1m":
        store.ask("settle")
    whole = everything(store)
    store.close()
    change_row(block_files(tmp_path, level)[0], column)
    store = open_store(NOW)
    # Up to odd seconds, so that the finest levels are read.
    got = store.ask("merge", selector=ALL, **{"from": EPOCH + 1, "until": EPOCH + 12 * MINUTE - 1})
    assert got["partial"] and got["missing"]
    there = {int(s.rsplit("own", 1)[1]): v for s, v in got["columns"][""].items()}
    lost = set(whole) - set(there)
    assert lost, "the damaged block was used"
    for number, value in there.items():
        assert value <= whole[number]
    missing = list(zip(got["missing"][::2], got["missing"][1::2]))
    for number in lost:
        start = EPOCH + number * 7 * S
        assert any(a < start + 10 * S and b > start for a, b in missing), number


@pytest.mark.parametrize("seed", range(30))
def test_random_damage_never_gives_a_wrong_answer(open_store, tmp_path, seed):
    """Bits, pages and ends of files: less is said to be less, and nothing crashes."""
    rng = random.Random(seed)
    store = open_store(NOW)
    fill(store)
    store.ask("settle")
    whole = everything(store)
    store.close()
    level = rng.choice(["10s", "1m", "10m", "1d"])
    path = block_files(tmp_path, level)[0]
    data = bytearray(path.read_bytes())
    kind = rng.choice(["bit", "page", "cut", "gone"])
    if kind == "bit":
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "page":
        at = rng.randrange(len(data) // 4096) * 4096
        data[at:at + 4096] = bytes(4096)
    elif kind == "cut":
        del data[rng.randrange(len(data)):]
    path.unlink()
    if kind != "gone":
        path.write_bytes(data)
    store = open_store(NOW)
    for begin, end in ((EPOCH, NOW), (EPOCH + 1, EPOCH + HOUR - 1), (EPOCH + 90 * S, EPOCH + 300 * S)):
        got = store.ask("merge", selector=ALL, **{"from": begin, "until": end})
        there = {int(s.rsplit("own", 1)[1]): v for s, v in got["columns"].get("", {}).items()}
        oracle = Oracle()
        for i in range(60):
            oracle.put(profile(i))
        want = {int(s.rsplit("own", 1)[1]): v for s, v in
                oracle.merge(matcher(ALL), ("cpu", "nanoseconds"), begin, end)["columns"].get("", {}).items()}
        assert all(v <= want.get(n, 0) for n, v in there.items())
        assert there == want or got["partial"], (level, kind, begin, end)
    # And it goes on taking profiles.
    store.ask("put", **profile(1000))
    assert store.ask("wait")["codes"] == [0]
    store.ask("settle")
    assert 1000 in {int(s.rsplit("own", 1)[1]) for s in store.ask(
        "merge", selector=ALL, **{"from": EPOCH + 7000 * S, "until": EPOCH + 7010 * S})["columns"][""]}
    assert whole
    store.close()


def test_retention_deletes_files_by_level_and_keeps_the_coarser(open_store, tmp_path):
    retention = [2 * DAY, 4 * DAY, 400 * DAY, 0, 0]
    store = open_store(NOW, retention=retention)
    fill(store)
    store.ask("settle")
    whole = everything(store)
    dictionaries = store.ask("stats")["nodes"]
    store.ask("clock", now=EPOCH + 8 * DAY)
    store.ask("settle")
    assert not block_files(tmp_path, "10s") and not block_files(tmp_path, "1m")
    assert block_files(tmp_path, "10m") and block_files(tmp_path, "1d")
    assert everything(store) == whole, "sums do not change when finer levels go"
    # An end inside a window is divided from what is left; the parts still add up.
    cut = EPOCH + 130 * S
    parts = [store.ask("merge", selector=ALL, **{"from": a, "until": b})["columns"][""]
             for a, b in ((EPOCH, cut), (cut, NOW))]
    for stack, value in ((s, v) for p in parts for s, v in p.items()):
        assert sum(p.get(stack, 0) for p in parts) == whole[int(stack.rsplit("own", 1)[1])]
    assert store.try_ask("put", **profile(1))["code"] == -4100, "older than what is kept"
    store.ask("wait")
    store.close()
    store = open_store(EPOCH + 8 * DAY, retention=retention)
    assert everything(store) == whole
    store.close()
    # Without any block file the dictionaries go too, and their ids are not used again.
    store = open_store(EPOCH + 900 * DAY, retention=[DAY] * 5)
    store.ask("settle")
    assert everything(store) == {}
    assert store.ask("stats")["nodes"] < dictionaries
    store.ask("put", **{**profile(0), "start": EPOCH + 900 * DAY - HOUR})
    assert store.ask("wait")["codes"] == [0]
    store.close()
    with sqlite3.connect(f"file:{tmp_path}/data/catalogue.db?mode=ro", uri=True) as db:
        assert db.execute("SELECT min(id) FROM dictionary").fetchone()[0] > 3


def test_a_full_dictionary_ends_in_an_honest_remainder(open_store):
    store = open_store(NOW, max_nodes=20)
    n = 200
    for i in range(n):
        store.ask("put", **{**profile(i), "labels": profile(0)["labels"]})
    assert store.ask("wait")["codes"] == [0] * n
    got = store.ask("merge", selector=ALL, **{"from": EPOCH, "until": NOW})["columns"][""]
    assert sum(got.values()) == sum((i + 1) * 1000 for i in range(n)), "nothing is lost"
    assert got["[stacks over limit]"] > 0
    assert store.ask("stats")["over_limit"] > 0
    assert store.ask("stats")["nodes"] <= 4 * 20
    store.close()


def test_too_many_series_are_refused_by_name(open_store):
    store = open_store(NOW, max_series=3)
    answers = [store.try_ask("put", **{**profile(i), "labels": profile(0)["labels"].replace("h0", f"x{i}")})
               for i in range(5)]
    assert [a["code"] for a in answers] == [0, 0, 0, -4098, -4098]
    assert "3 series" in answers[4]["error"]
    store.ask("wait")
    store.close()


@pytest.mark.parametrize("change,word", [
    ({"duration": 0}, "lasts"), ({"duration": 25 * HOUR}, "lasts"), ({"start": NOW + HOUR}, "clock"),
    ({"values": [-1]}, "negative"), ({"labels": '{service_name="x"}'}, "__name__"), ({"id": "i" * 65}, "id"),
    ({"values": [2**62]}, "add up"),
])
def test_a_profile_that_cannot_be_kept_is_refused_with_the_reason(open_store, change, word):
    store = open_store(NOW)
    answer = store.try_ask("put", **{**profile(1), **change})
    assert answer["code"] < 0 and word in answer["error"]
    store.close()


def test_a_full_disk_loses_nothing_and_reading_goes_on(open_store, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk], capture_output=True)
    if mount.returncode:
        pytest.skip("needs root to mount a small tmpfs")
    try:
        check_full_disk(open_store, disk)
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


def check_full_disk(open_store, disk):
    store = open_store(NOW, directory=disk / "data")
    ballast = disk / "ballast"
    accepted, i, refused = {}, 0, False
    while i < 5000 and not refused:
        if i == 100:
            free = os.statvfs(disk)
            ballast.write_bytes(bytes(max(0, free.f_bavail * free.f_bsize - 1_000_000)))
        answer = store.try_ask("put", **profile(i))
        codes = store.ask("wait")["codes"]
        assert codes[0] in (0, -28), (answer, codes)
        if codes[0] == 0:
            accepted[i] = (i + 1) * 1000
        refused = codes[0] == -28
        i += 1
    assert refused, "the disk did not fill"
    assert everything(store) == accepted, "reads go on"
    ballast.unlink()
    codes = [-28]
    for _ in range(50):
        store.try_ask("put", **profile(i))
        codes = store.ask("wait")["codes"]
        if codes == [0]:
            break
        subprocess.run(["sleep", "0.1"], check=True)
    assert codes == [0], "it resumes"
    accepted[i] = (i + 1) * 1000
    assert everything(store) == accepted
    store.kill()
    store = open_store(NOW, directory=disk / "data")
    assert everything(store) == accepted
    store.ask("settle")
    assert everything(store) == accepted
    store.close()


def test_a_copy_of_the_directory_is_a_store(open_store, tmp_path):
    store = open_store(NOW)
    fill(store)
    whole = everything(store)
    store.close()
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    copy = open_store(NOW, directory=tmp_path / "copy")
    assert everything(copy) == whole
    copy.close()


@pytest.mark.parametrize("seed", range(10))
def test_a_damaged_catalogue_never_renames_a_stack(open_store, tmp_path, seed):
    rng = random.Random(seed)
    store = open_store(NOW)
    fill(store)
    whole = everything(store)
    store.close()
    path = tmp_path / "data" / "catalogue.db"
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    try:
        store = open_store(NOW)
    except AssertionError as refused:
        assert "catalogue" in str(refused)
        return
    got = store.ask("merge", selector=ALL, **{"from": EPOCH, "until": NOW})
    there = {int(s.rsplit("own", 1)[1]): v for s, v in got["columns"].get("", {}).items()}
    assert there == whole or (got["partial"] and there.items() <= whole.items())
