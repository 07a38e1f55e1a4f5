# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged is there, once, after the process was killed at any moment."""

import os
import random
import sqlite3
import threading

import pytest

from .test_store_oracle import CPU, DAY, EPOCH, S, labels

from .conftest import change_database

KILLS = int(os.environ.get("STORE_KILLS", 12))
NOW = EPOCH + 2 * DAY


def profile(i, **more):
    """A profile with a stack of its own, worth exactly i + 1 microseconds."""
    return {"id": f"p{i}", "labels": labels("process_cpu", f"s{i % 3}", host=f"h{i % 5}"), "gauge": 0,
            "period": "cpu:nanoseconds", "start": EPOCH + i * 7 * S, "duration": 10 * S,
            "columns": ["cpu:nanoseconds:"], "stacks": [f"main;f{i % 50};own{i}"],
            "values": [(i + 1) * 1000], **more}


def everything(store):
    got = store.ask("merge", selector='{__profile_type__="%s"}' % CPU, **{"from": EPOCH, "until": NOW})
    assert not got["partial"]
    return {int(stack.rsplit("own", 1)[1]): value for stack, value in got["columns"].get("", {}).items()}


def test_a_killed_store_has_all_that_it_acknowledged_and_nothing_twice(open_store):
    rng = random.Random(1)
    acked, tried, i = set(), set(), 0
    for round_ in range(KILLS):
        store = open_store(NOW)
        timer = threading.Timer(rng.uniform(0.05, 0.5), store.process.kill)
        timer.start()
        alive = True
        while alive:
            # What was not acknowledged before the crash is sent again, as a client would.
            again = sorted(tried - acked)[:10]
            fresh = list(range(i, i + rng.randint(1, 20)))
            i = fresh[-1] + 1
            batch = again + fresh
            tried.update(fresh)
            for number in batch:
                alive = alive and store.try_ask("put", **profile(number)) is not None
            answer = store.try_ask("wait") if alive else None
            alive = answer is not None
            if alive:
                assert set(answer["codes"]) <= {0, -4104}
                acked.update(batch)
            if alive and rng.random() < 0.2:
                alive = store.try_ask("settle") is not None
        timer.join()
        store.process.wait(20)
        store = open_store(NOW)
        there = everything(store)
        assert acked <= set(there), "acknowledged and lost"
        assert set(there) <= tried
        wrong = {n: v for n, v in there.items() if v != (n + 1) * 1000}
        assert not wrong, "counted twice, or half"
        store.ask("settle")
        assert everything(store) == there
        store.close()


def test_the_second_process_on_a_directory_is_refused(open_store, tmp_path):
    store = open_store(NOW)
    with pytest.raises(AssertionError, match=f"in use by process {store.process.pid}"):
        open_store(NOW)


@pytest.mark.parametrize("content", [b"x" * 5000, b"SQLite format 3\0" + b"\0" * 4096])
def test_a_foreign_catalogue_is_refused_and_left_alone(open_store, tmp_path, content):
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "catalogue.db"
    path.write_bytes(content)
    with pytest.raises(AssertionError, match="catalogue"):
        open_store(NOW)
    assert path.read_bytes() == content


def test_a_newer_catalogue_is_refused_and_left_alone(open_store, tmp_path):
    open_store(NOW).close()
    path = tmp_path / "data" / "catalogue.db"
    change_database(path, "PRAGMA user_version=99")
    before = path.read_bytes()
    with pytest.raises(AssertionError, match="newer version"):
        open_store(NOW)
    assert path.read_bytes() == before


def streams(data, n, n_runs):
    """Numbers of short runs (src/store/sqlite/streams.h), by the letter of the format."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    n_bits = varint()
    assert data[at] == 0, "runs of a few numbers are not compressed"
    at += 1
    heads = []
    for _ in range(n_runs):
        form = data[at]
        at += 1
        heads.append((form & 127, varint() if form & 128 else 1))
        if not form & 127:
            varint()
    bits = int.from_bytes(data[len(data) - n_bits:], "little")
    for run, (form, divisor) in enumerate(heads):
        numbers = []
        for _ in range(n):
            if not form:
                numbers.append(varint())
                continue
            symbol = data[at] ^ (255 if run else 0)
            at += 1
            if symbol >= 1 << form:
                below = (symbol >> form) - 1
                number = ((1 << form) | symbol & ((1 << form) - 1)) << below | bits & ((1 << below) - 1)
                bits >>= below
                numbers.append(number)
            else:
                numbers.append(symbol)
        yield [number * divisor for number in numbers]
    assert at == len(data) - n_bits


def old_nodes(path):
    """Statements that give a catalogue its stacks in the form of versions 1 and 2."""
    yield ("CREATE TABLE node(dictionary INTEGER, id INTEGER, parent INTEGER NOT NULL, frame INTEGER NOT NULL,"
           " PRIMARY KEY(dictionary, id)) WITHOUT ROWID")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        for row, n, data in db.execute("SELECT id, n, data FROM nodes"):
            distances, frames = streams(data, n, 2)
            for at in range(n):
                node = (row & 0xffffffff) + at
                if node:
                    yield f"INSERT INTO node VALUES({row >> 32}, {node}, {node - distances[at]}, {frames[at]})"
    yield "DROP TABLE nodes"


@pytest.mark.parametrize("version", [1, 2])
def test_a_catalogue_of_a_format_before_is_brought_to_the_present_one(open_store, tmp_path, version):
    store = open_store(NOW)
    store.ask("put", **profile(1))
    store.ask("wait")
    store.close()
    path = tmp_path / "data" / "catalogue.db"
    if version == 1:
        change_database(path, "DROP TABLE job_series", "DROP TABLE job")
    change_database(path, *old_nodes(path), f"PRAGMA user_version={version}")
    store = open_store(NOW)
    assert everything(store) == {1: 2000}
    store.ask("put", **profile(2))
    assert store.ask("wait")["codes"] == [0]
    store.close()
    store = open_store(NOW)
    assert everything(store) == {1: 2000, 2: 3000}
    store.close()
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] > 2
        assert db.execute("SELECT count(*) FROM job").fetchone()[0] == 0
        assert db.execute("SELECT count(*) FROM nodes").fetchone()[0] == 1
