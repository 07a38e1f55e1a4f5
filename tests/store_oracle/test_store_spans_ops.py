# SPDX-License-Identifier: Apache-2.0
"""Files of spans in a delete job, a check, a repair, a backup: as careful as with profiles, and profiles never suffer."""

import random
import shutil
import sqlite3

import pytest

from .conftest import Store, change_database
from .oracle import Oracle, matcher
from .test_store_backup import pyrometer
from .test_store_oracle import DAY, EPOCH, HOUR, SELECTORS, check_merge, put_all
from .test_store_spans import Traced, check_exemplars, check_picks

NOW = EPOCH + 2 * DAY
SELECTOR, KIND = SELECTORS[2]


class Named(Traced):
    """Each profile has a name, so that what is left can be compared one by one."""

    def profile(self, at):
        put = super().profile(at)
        put["id"] = put["id"] or f"p{len(self.sent)}-named"
        return put


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """(directory, history, oracle) of a store that is closed and rolled up."""
    directory = tmp_path_factory.mktemp("spans") / "data"
    history, oracle = Named(23, ragged=False), Oracle()
    store = Store(directory, NOW)
    put_all(store, oracle, [history.profile(at) for at in history.times(120)])
    store.ask("settle")
    store.close()
    return directory, history, oracle


@pytest.fixture
def data(filled, tmp_path):
    shutil.copytree(filled[0], tmp_path / "data")
    return tmp_path / "data"


def span_files(data):
    return sorted(data.glob("blocks/*/spans/*.db"))


def owners(data):
    """{owner: rows} of all files of spans."""
    rows = {}
    for path in span_files(data):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            for owner, n in db.execute("SELECT owner, count(*) FROM block GROUP BY owner"):
                rows[owner] = rows.get(owner, 0) + n
    return rows


def spans(store):
    return sorted(map(list, store.ask("exemplars", selector=SELECTOR, step=1, **{"from": EPOCH, "until": NOW})["exemplars"]))


def test_a_delete_job_takes_spans_out_of_their_files(open_store, filled, data):
    _, history, before = filled
    store, oracle = open_store(NOW, directory=data), Oracle()
    for put in history.sent:
        oracle.put(put)
    rows = owners(data)
    store.ask("delete", selector='{service_name="s0"}', **{"from": EPOCH, "until": EPOCH + 3 * DAY})
    store.ask("settle")
    store.ask("settle")
    oracle.delete(matcher('{service_name="s0"}'), EPOCH, EPOCH + 3 * DAY)
    assert spans(store) == oracle.exemplars(matcher(SELECTOR), KIND, EPOCH, NOW, True) and spans(store)
    store.close()
    with sqlite3.connect(f"file:{data}/catalogue.db?mode=ro", uri=True) as db:
        left = {2 * i for (i,) in db.execute("SELECT id FROM series WHERE labels NOT LIKE '%service_name=\"s0\"%'")}
    assert set(rows) > left and set(owners(data)) <= left, "not a row of what was deleted is left"
    assert "all is well" in pyrometer("fsck", data)


def flip(rng, raw):
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)


def zero(rng, raw):
    at = rng.randrange(1, len(raw) // 4096) * 4096
    raw[at:at + 4096] = bytes(4096)


def cut(rng, raw):
    del raw[rng.randrange(4096, len(raw)):]


@pytest.mark.parametrize("how", [flip, zero, cut])
def test_damaged_spans_are_found_and_cost_no_profile(open_store, filled, data, how):
    _, _, oracle = filled
    rng = random.Random(how.__name__)
    path = rng.choice(span_files(data))
    raw = bytearray(path.read_bytes())
    how(rng, raw)
    path.write_bytes(raw)
    assert path.name in pyrometer("fsck", data, code=1)
    assert path.read_bytes() == raw, "looking changes nothing"
    assert "repaired" in pyrometer("fsck", "--repair", data)
    assert (data / "aside" / path.name).read_bytes() == raw
    assert "all is well" in pyrometer("fsck", data)
    store = open_store(NOW, directory=data)
    check_merge(store, oracle, SELECTOR, KIND, EPOCH, NOW)
    want = oracle.exemplars(matcher(SELECTOR), KIND, EPOCH, NOW, True)
    there = spans(store)
    assert there and all(span in want for span in there), "what is left is true"
    store.close()


@pytest.mark.parametrize("column", ["head", "data", "sum"])
def test_a_damaged_row_of_spans_goes_alone(open_store, filled, data, column):
    _, _, oracle = filled
    path = span_files(data)[0]
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        rowid, value = db.execute(f"SELECT rowid, {column} FROM block LIMIT 1 OFFSET 3").fetchone()
        n = db.execute("SELECT count(*) FROM block").fetchone()[0]
    if column == "sum":
        change_database(path, f"UPDATE block SET sum={value ^ 4} WHERE rowid={rowid}")
    else:
        changed = bytearray(value)
        changed[len(changed) // 2] ^= 4
        change_database(path, f"UPDATE block SET {column}=x'{changed.hex()}' WHERE rowid={rowid}")
    said = pyrometer("fsck", data, code=1)
    assert path.name in said and "the block of series" in said and "1 problem" in said
    assert "repaired" in pyrometer("fsck", "--repair", data)
    assert list((data / "aside").glob(f"{path.name}-{rowid}.block"))
    assert "all is well" in pyrometer("fsck", data)
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        assert db.execute("SELECT count(*) FROM block").fetchone()[0] == n - 1
    store = open_store(NOW, directory=data)
    check_merge(store, oracle, SELECTOR, KIND, EPOCH, NOW)
    want = oracle.exemplars(matcher(SELECTOR), KIND, EPOCH, NOW, True)
    there = spans(store)
    assert len(want) >= len(there) > 0 and all(span in want for span in there)
    store.close()


def test_spans_come_back_from_a_backup(open_store, filled, data, tmp_path):
    _, history, oracle = filled
    store = open_store(NOW, directory=data)
    pyrometer("backup", data, tmp_path / "out")
    store.close()
    pyrometer("restore", tmp_path / "out", tmp_path / "copy")
    assert [p.name for p in span_files(tmp_path / "copy")] == [p.name for p in span_files(data)]
    store = open_store(NOW, directory=tmp_path / "copy")
    for _ in range(6):
        check_picks(store, oracle, history)
        check_exemplars(store, oracle, history)
    store.close()
    assert "all is well" in pyrometer("fsck", tmp_path / "copy")


def test_a_file_of_spans_that_is_missing_is_found_and_made_anew(open_store, filled, data):
    _, _, oracle = filled
    path = span_files(data)[0]
    path.unlink()
    assert path.name in pyrometer("fsck", data, code=1)
    assert "repaired" in pyrometer("fsck", "--repair", data)
    assert "all is well" in pyrometer("fsck", data)
    store = open_store(NOW, directory=data)
    check_merge(store, oracle, SELECTOR, KIND, EPOCH, NOW)
    put = {**filled[1].sent[0], "id": "later", "start": EPOCH + HOUR}
    store.ask("put", **put)
    assert store.ask("wait")["codes"] == [0]
    store.close()
