# SPDX-License-Identifier: Apache-2.0
"""Stores that earlier versions wrote are opened, brought to the present format, and answer as the oracle does.

fixtures/NAME.tar.xz holds 70 random profiles with spans (Traced(77), 50 of them rolled up), put into the store driver of
the version that wrote that format: catalogue-1 (no jobs yet), blocks-1 (blocks before streams.h).
"""

import shutil
import sqlite3

import pytest

from .conftest import ROOT
from .oracle import Oracle
from .test_store_backup import pyrometer
from .test_store_oracle import DAY, EPOCH, check_everything, put_all
from .test_store_spans import Traced, check_exemplars, check_picks

NOW = EPOCH + 2 * DAY
FIXTURES = ROOT / "tests" / "store_oracle" / "fixtures"


def version(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


@pytest.mark.parametrize("name,file", [("catalogue-1", "catalogue.db"), ("blocks-1", "blocks/1/10s/*.db")])
def test_a_store_of_an_earlier_version_is_read_and_goes_on(open_store, tmp_path, name, file):
    shutil.unpack_archive(FIXTURES / f"{name}.tar.xz", tmp_path)
    data = tmp_path / "data"
    assert {version(path) for path in data.glob(file)} == {1}
    assert "all is well" in pyrometer("fsck", data), "looked at before it is changed"
    history, oracle = Traced(77, ragged=False), Oracle()
    for put in [history.profile(at) for at in history.times(70)]:
        oracle.put(put)
    store = open_store(NOW)
    for settled in (False, True):
        check_everything(store, oracle, history, 12, exact=True)
        check_picks(store, oracle, history)
        check_exemplars(store, oracle, history)
        if not settled:
            store.ask("settle")
    # What is known is known, and what comes is added to what there was.
    oracle.restart()
    put_all(store, oracle, [dict(put) for put in history.sent[:10] if put["id"]])
    put_all(store, oracle, [history.profile(at) for at in history.times(20)])
    store.ask("settle")
    check_everything(store, oracle, history, 12, exact=True)
    store.close()
    assert version(data / "catalogue.db") > 1
    assert "all is well" in pyrometer("fsck", data)
