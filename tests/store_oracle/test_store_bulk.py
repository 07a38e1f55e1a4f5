# SPDX-License-Identifier: Apache-2.0
"""What is written in bulk is what a server would have written: fsck adds up every window again, and queries see it all."""

import os
import pathlib
import subprocess

import pytest

from .test_store_backup import pyrometer

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILL = os.environ.get("STORE_FILL", ROOT / "build" / "tests" / "bench" / "store_fill")
S = 10**9
CPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
SELECTOR = '{__profile_type__="%s",service_name="shop"}' % CPU


def fill(data, shape, series, seconds):
    out = subprocess.run([FILL, data, shape, str(series), "10", str(seconds)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {key: float(value) for key, value in (line.split() for line in out.splitlines())}


def total(store, begin, end):
    got = store.ask("merge", tenant="anonymous", selector=SELECTOR, **{"from": int(begin), "until": int(end)})
    assert not got["partial"]
    return sum(got["columns"][""].values())


@pytest.mark.parametrize("shape, series", [("bench", 5), ("zipf", 1)])
def test_bulk_is_what_fsck_wants_and_adds_up_at_every_level(open_store, tmp_path, shape, series):
    made = fill(tmp_path / "data", shape, series, 4200)
    said = pyrometer("fsck", tmp_path / "data")
    assert "all is well" in said
    assert int(said.split(" windows")[0].rsplit(" ", 1)[1]) > 60
    store = open_store(int(made["last_s"]) * S + 3600 * S)
    begin, end = int(made["first_s"]) * S, (int(made["last_s"]) + 10) * S
    whole = total(store, begin, end)
    # A sample weighs 10 ms, up to a tenth more or less.
    assert 0.99 < whole / (made["samples"] * 1e7) < 1.01
    # The same however it is cut: by windows, and across all of them.
    for cut in (begin + 3600 * S, begin + 2321 * S + 987654321):
        assert total(store, begin, cut) + total(store, cut, end) == whole
