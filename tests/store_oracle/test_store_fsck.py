# SPDX-License-Identifier: Apache-2.0
"""fsck finds every damage, crashes at none, and a repair loses nothing that was whole."""

import random
import shutil

import pytest

from .conftest import change_database
from .oracle import Oracle, matcher
from .test_store_backup import ALL, KIND, numbers, put, pyrometer
from .test_store_crash import NOW, profile
from .test_store_oracle import DAY, EPOCH, HOUR, MINUTE, S

N = 90
DAMAGES = 6  # seeds of each kind


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A store of N profiles, rolled up, closed: a directory to copy."""
    from .conftest import Store
    directory = tmp_path_factory.mktemp("filled") / "data"
    store = Store(directory, NOW)
    put(store, range(N))
    store.ask("settle")
    put(store, range(N, N + 5))
    store.close()
    return directory


@pytest.fixture
def data(filled, tmp_path):
    shutil.copytree(filled, tmp_path / "data")
    return tmp_path / "data"


def files(data):
    return sorted(p for p in data.rglob("*.db"))


def want(begin, end):
    oracle = Oracle()
    for i in range(N + 5):
        oracle.put(profile(i))
    return numbers(oracle.merge(matcher(ALL), KIND, begin, end)["columns"])


def got(store, begin=EPOCH, end=NOW):
    answer = store.ask("merge", selector=ALL, **{"from": begin, "until": end})
    return numbers(answer["columns"]), answer


def check_honest(open_store, data):
    """What is left is right, and what is less says so; after roll-ups, too.  Returns what is left of all."""
    for _ in range(2):
        store = open_store(NOW, directory=data)
        for begin, end in ((EPOCH, NOW), (EPOCH + 1, EPOCH + HOUR - 1), (EPOCH + 90 * S, EPOCH + 300 * S)):
            there, answer = got(store, begin, end)
            whole = want(begin, end)
            assert all(v <= whole.get(n, 0) for n, v in there.items())
            assert there == whole or answer["partial"], (begin, end)
        left, _ = got(store)
        store.ask("settle")
        put(store, [N + 100])
        put(store, [N + 100])
        store.close()
        break
    return left


def test_a_whole_store_has_no_problem_while_it_runs_and_when_it_is_stopped(open_store, data):
    said = pyrometer("fsck", data)
    assert "all is well" in said and " 0 windows" not in said
    store = open_store(NOW, directory=data)
    put(store, range(N + 5, N + 40))
    said = pyrometer("fsck", data)
    assert "a server runs on it" in said and "all is well" in said
    assert "stop it" in pyrometer("fsck", "--repair", data, code=1)
    store.ask("settle")
    assert "all is well" in pyrometer("fsck", data)
    store.kill()
    assert "all is well" in pyrometer("fsck", data)
    assert "all is well" in pyrometer("fsck", "--repair", data)


def flip(rng, raw):
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)


def zero(rng, raw):
    at = rng.randrange(len(raw) // 4096) * 4096
    raw[at:at + 4096] = bytes(4096)


def cut(rng, raw):
    del raw[rng.randrange(1, len(raw)):]


def swap(rng, raw):
    a, b = rng.sample(range(len(raw) // 16384), 2) if len(raw) >= 32768 else (0, 0)
    raw[a * 16384:(a + 1) * 16384], raw[b * 16384:(b + 1) * 16384] = (
        raw[b * 16384:(b + 1) * 16384], raw[a * 16384:(a + 1) * 16384])


@pytest.mark.parametrize("how", [flip, zero, cut, swap])
def test_damage_anywhere_is_found_and_repaired_without_loss_of_the_rest(open_store, filled, tmp_path, how):
    for seed in range(DAMAGES):
        rng = random.Random(f"{how.__name__}{seed}")
        data = tmp_path / f"data{seed}"
        shutil.copytree(filled, data)
        path = rng.choice([p for p in files(data) if p.name != "catalogue.db"])
        raw = bytearray(path.read_bytes())
        before = bytes(raw)
        how(rng, raw)
        if bytes(raw) == before:
            continue
        path.write_bytes(raw)
        said = pyrometer("fsck", data, code=None)
        if how is zero and "all is well" in said:
            # Nothing leads to that page: nothing is missing.
            assert check_honest(open_store, data) == want(EPOCH, NOW)
            continue
        assert path.name in said, (seed, path, said)
        assert path.read_bytes() == raw, "looking changes nothing"
        said = pyrometer("fsck", "--repair", data)
        assert "repaired" in said, (seed, path, said)
        assert (data / "aside" / path.name).read_bytes() == raw
        pyrometer("fsck", data)
        left = check_honest(open_store, data)
        whole = want(EPOCH, NOW)
        if "/10s/" not in str(path):
            assert left == whole, (seed, path, said)
        elif " 0 lost" in said and "at least" not in said:
            assert left == whole
        assert "all is well" in pyrometer("fsck", data) or "set aside" in pyrometer("fsck", data)


def test_one_lost_page_costs_only_its_own_blocks(open_store, data):
    path = next(data.glob("blocks/*/10s/*.db"))
    raw = bytearray(path.read_bytes())
    pages = len(raw) // 8192
    table = [i for i in range(1, pages) if raw[i * 8192] == 13 and b"main" not in raw[i * 8192:i * 8192 + 64]]
    at = table[len(table) // 2] * 8192
    raw[at:at + 8192] = bytes(8192)
    path.write_bytes(raw)
    # Coarser levels go as well, so that only the finest can answer.
    said = pyrometer("fsck", "--repair", data)
    store = open_store(NOW, directory=data)
    there, answer = got(store, EPOCH + 1, EPOCH + 12 * MINUTE - 1)
    whole = want(EPOCH + 1, EPOCH + 12 * MINUTE - 1)
    lost = {n for n in whole if there.get(n) != whole[n]}
    assert len(lost) < len(whole) / 2, said
    if lost:
        missing = list(zip(answer["missing"][::2], answer["missing"][1::2]))
        for n in lost:
            start = EPOCH + n * 7 * S
            assert any(a < start + 10 * S and b > start for a, b in missing), n
    store.close()


def test_a_missing_file_is_found(open_store, data):
    for level, total in (("1m", True), ("10s", False)):
        path = next(data.glob(f"blocks/*/{level}/*.db"))
        raw = path.read_bytes()
        path.unlink()
        assert path.name in pyrometer("fsck", data, code=1)
        assert "repaired" in pyrometer("fsck", "--repair", data)
        left = check_honest(open_store, data)
        assert (left == want(EPOCH, NOW)) or not total
        assert raw


@pytest.mark.parametrize("level,column", [("10s", "head"), ("10s", "data"), ("1m", "data"), ("1d", "head")])
def test_a_damaged_block_is_set_aside_alone(open_store, data, level, column):
    import sqlite3
    path = next(data.glob(f"blocks/*/{level}/*.db"))
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rowid, blob = db.execute(f"SELECT rowid, {column} FROM block WHERE owner%2=0 LIMIT 1 OFFSET 1").fetchone()
    db.close()
    blob = bytearray(blob)
    blob[len(blob) // 2] ^= 4
    change_database(path, f"UPDATE block SET {column}=x'{blob.hex()}' WHERE rowid={rowid}")
    said = pyrometer("fsck", data, code=1)
    assert "the block of series" in said and path.name in said
    said = pyrometer("fsck", "--repair", data)
    assert "repaired" in said
    assert list((data / "aside").glob(f"{path.name}-{rowid}.block"))
    left = check_honest(open_store, data)
    whole = want(EPOCH, NOW)
    if level != "10s":
        assert left == whole
    else:
        assert len(whole) - 1 <= len(left) <= len(whole)
        assert "1 blocks are set aside" in pyrometer("fsck", data)


@pytest.mark.parametrize("statement,word", [
    ("UPDATE block SET len_ns=len_ns+1 WHERE rowid=3", "sum"),
    ("DELETE FROM block WHERE owner%2=0 AND rowid IN (SELECT rowid FROM block WHERE owner%2=0 LIMIT 2)", "missing"),
])
def test_a_roll_up_that_is_not_what_it_should_be_is_made_again(open_store, data, statement, word):
    path = next(data.glob("blocks/*/1m/*.db"))
    change_database(path, statement)
    assert word in pyrometer("fsck", data, code=1)
    assert "repaired" in pyrometer("fsck", "--repair", data)
    assert check_honest(open_store, data) == want(EPOCH, NOW)
    assert "all is well" in pyrometer("fsck", data)


def test_a_window_with_other_values_than_its_finer_blocks_is_found(open_store, data):
    """Both blocks are whole, and one is of another moment: a backup's file among newer ones."""
    old = next(data.glob("blocks/*/1m/*.db"))
    before = old.read_bytes()
    store = open_store(NOW, directory=data)
    store.ask("put", **{**profile(500), "start": EPOCH + 7 * S, "labels": profile(1)["labels"]})
    store.ask("wait")
    store.ask("settle")
    store.close()
    assert "all is well" in pyrometer("fsck", data)
    old.write_bytes(before)
    assert "finer blocks" in pyrometer("fsck", data, code=1)
    pyrometer("fsck", "--repair", data)
    store = open_store(NOW, directory=data)
    store.ask("settle")
    assert got(store)[0][500] == 501000
    store.close()
    assert "all is well" in pyrometer("fsck", data)


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_catalogue_is_found_and_left_alone(data, seed):
    rng = random.Random(seed)
    path = data / "catalogue.db"
    raw = bytearray(path.read_bytes())
    rng.choice([flip, zero, cut])(rng, raw)
    path.write_bytes(raw)
    said = pyrometer("fsck", data, code=1)
    assert "catalogue" in said
    pyrometer("fsck", "--repair", data, code=1)
    assert path.read_bytes() == raw


def test_expired_levels_are_no_problem(open_store, data):
    store = open_store(EPOCH + 12 * DAY, directory=data, retention=[2 * DAY, 4 * DAY, 400 * DAY, 0, 0])
    store.ask("settle")
    assert not list(data.glob("blocks/*/10s/*.db"))
    store.close()
    assert "all is well" in pyrometer("fsck", data)


def test_what_is_no_store_is_refused(tmp_path):
    assert "no store" in pyrometer("fsck", tmp_path / "nothing", code=1)
    pyrometer("fsck", code=2)
