# SPDX-License-Identifier: Apache-2.0
"""What is deleted, by selector or because there is too much: exactly that, and nothing else changes."""

import pytest

from .oracle import Oracle, S, matcher
from .test_store_crash import NOW, profile
from .test_store_oracle import CPU, DAY, EPOCH, HOUR, MINUTE, SELECTORS, History, check_merge, labels, put_all

DONE = 2
CPU_KIND = ("cpu", "nanoseconds")


def delete(store, selector, begin, end):
    """Ask for it and wait until it is done; returns the job."""
    number = store.ask("delete", selector=selector, **{"from": begin, "until": end})["job"]
    store.ask("settle")
    job = store.ask("jobs")["jobs"][0]
    assert job["id"] == number and job["state"] == DONE and not job["error"]
    assert job["files_done"] == job["files_all"]
    return job


@pytest.mark.parametrize("seed", range(4))
def test_deleting_by_selector_takes_those_profiles_from_every_level(open_store, seed):
    history, oracle = History(seed + 100, ragged=False), Oracle()
    store = open_store(EPOCH + 2 * DAY)
    put_all(store, oracle, [history.profile(at) for at in history.times(120)])
    if seed % 2:
        store.ask("settle")
    for selector in ('{service_name="s0",host=~"h[02]"}', '{host="h1"}'):
        begin, end = history.range()
        job = delete(store, selector, begin, end)
        assert job["profiles"] == oracle.delete(matcher(selector), begin, end)
        for _ in range(12):
            check_merge(store, oracle, SELECTORS[2][0], CPU_KIND, *history.range())
        # What comes later counts.
        put_all(store, oracle, [history.profile(at) for at in history.times(10)])
    check_merge(store, oracle, SELECTORS[2][0], CPU_KIND, EPOCH, EPOCH + 2 * DAY)
    store.kill()
    store = open_store(EPOCH + 2 * DAY)
    check_merge(store, oracle, SELECTORS[2][0], CPU_KIND, EPOCH, EPOCH + 2 * DAY)
    store.close()


def test_a_job_goes_on_after_a_crash(open_store):
    store, oracle = open_store(NOW), Oracle()
    for i in range(60):
        store.ask("put", **profile(i))
        oracle.put(profile(i))
    store.ask("wait")
    store.ask("settle")
    selector = '{__name__="process_cpu"}'
    store.ask("delete", selector=selector, **{"from": EPOCH, "until": EPOCH + 200 * S})
    store.kill()
    store = open_store(NOW)
    store.ask("settle")
    (job,) = store.ask("jobs")["jobs"]
    assert job["state"] == DONE and job["selector"] == selector
    oracle.delete(matcher(selector), EPOCH, EPOCH + 200 * S)
    for begin, end in ((EPOCH, NOW), (EPOCH + 195 * S, EPOCH + 300 * S), (EPOCH, EPOCH + 10 * MINUTE)):
        check_merge(store, oracle, "{}", CPU_KIND, begin, end)
    store.close()


def test_of_sums_whose_detail_has_expired_whole_windows_go(open_store):
    retention = [2 * DAY, 0, 0, 0, 0]
    store, oracle = open_store(NOW, retention=retention), Oracle()
    for i in range(100):
        store.ask("put", **profile(i))
        oracle.put(profile(i))
    store.ask("wait")
    store.ask("settle")
    store.ask("clock", now=EPOCH + 8 * DAY)
    store.ask("settle")
    delete(store, "{}", EPOCH + 90 * S, EPOCH + 330 * S)
    everything = {"from": EPOCH, "until": EPOCH + HOUR}
    got = store.ask("merge", selector="{}", **everything)
    # Minutes 2 to 4 lie in the range whole; the halves of minutes 1 and 5 stay.
    want = [oracle.merge(matcher("{}"), CPU_KIND, a, b) for a, b in
            ((EPOCH, EPOCH + 2 * MINUTE), (EPOCH + 5 * MINUTE, EPOCH + HOUR))]
    assert got["covered"] == sum(w["covered"] for w in want)
    assert sum(got["columns"][""].values()) == sum(v for w in want for v in w["columns"][""].values())
    store.close()


def test_a_file_that_was_emptied_goes(open_store, tmp_path):
    store = open_store(NOW)
    for i in range(60):
        store.ask("put", **profile(i))
    store.ask("wait")
    store.ask("settle")
    store.ask("clock", now=EPOCH + 4 * DAY)
    delete(store, "{}", 0, EPOCH + 3 * DAY)
    store.ask("settle")
    assert not list((tmp_path / "data" / "blocks" / "1" / "10s").glob("*.db"))
    assert store.ask("merge", selector="{}", **{"from": EPOCH, "until": NOW})["blocks"] == 0
    # Its ids are gone with it, and time goes on there.
    store.ask("put", **profile(3))
    assert store.ask("wait")["codes"] == [0]
    store.close()


def fill_days(store, oracle, days, tenant="t"):
    """An hour of every day, some 100 kB each."""
    for day in range(days):
        for i in range(60):
            put = {"labels": labels("process_cpu", "s", host="h0"), "period": "cpu:nanoseconds", "gauge": 0,
                   "start": EPOCH + day * DAY + 8 * HOUR + i * MINUTE, "duration": MINUTE, "samples": 300,
                   "columns": ["cpu:nanoseconds:"], "stacks": [f"main;work{k};leaf{(k * 7 + i) % 5}" for k in range(300)],
                   "values": [(1 + (k * 7919 + i * 104729 + day) % 100000) * 1000 for k in range(300)]}
            store.ask("put", **put, tenant=tenant)
            oracle.put(put)
    assert set(store.ask("wait")["codes"]) == {0}


def level_files(tmp_path, level, tenant=1):
    return sorted(p.name[:10] for p in (tmp_path / "data" / "blocks" / str(tenant) / level).glob("*.db"))


def test_a_level_that_is_too_large_loses_its_oldest_files(open_store, tmp_path):
    oracle = Oracle()
    store = open_store(EPOCH + 6 * DAY + HOUR, sizes=[150_000, 0, 0, 0, 0])
    fill_days(store, oracle, 6)
    days = level_files(tmp_path, "10s")
    assert len(days) == 6
    store.ask("settle")
    left = level_files(tmp_path, "10s")
    assert 1 <= len(left) < 6 and left == days[-len(left):], "the oldest go"
    assert len(level_files(tmp_path, "1m")) == 6, "other levels have limits of their own"
    # Sums of what went are exact, at the windows of the next level.
    for begin, end in ((EPOCH, EPOCH + 6 * DAY), (EPOCH + 8 * HOUR + 7 * MINUTE, EPOCH + 2 * DAY + 9 * HOUR)):
        check_merge(store, oracle, "{}", CPU_KIND, begin, end)
    # Nothing is taken for a time that is gone.
    answer = store.try_ask("put", **{**profile(1), "start": EPOCH + 8 * HOUR})
    assert answer["code"] == -4100 and "older" in answer["error"]
    store.ask("wait")
    store.close()


def test_a_tenant_that_is_too_large_loses_detail_first_and_others_nothing(open_store, tmp_path):
    oracle, other = Oracle(), Oracle()
    store = open_store(EPOCH + 6 * DAY + HOUR, total=300_000, of="big")
    fill_days(store, oracle, 6, "big")
    fill_days(store, other, 6, "small")
    store.ask("settle")
    assert len(level_files(tmp_path, "10s", 1)) < 6
    assert len(level_files(tmp_path, "10s", 2)) == 6
    got = store.ask("merge", selector="{}", tenant="big", **{"from": EPOCH, "until": EPOCH + 6 * DAY})
    want = oracle.merge(matcher("{}"), CPU_KIND, EPOCH, EPOCH + 6 * DAY)
    assert got["columns"][""] == want["columns"][""], "sums stay"
    store.close()


def test_what_is_still_written_stays_however_large(open_store, tmp_path):
    oracle = Oracle()
    store = open_store(EPOCH + 9 * HOUR, sizes=[1, 1, 1, 1, 1])
    fill_days(store, oracle, 1)
    store.ask("settle")
    assert len(level_files(tmp_path, "10s")) == len(level_files(tmp_path, "1m")) == 1
    check_merge(store, oracle, "{}", CPU_KIND, EPOCH, EPOCH + DAY)
    store.close()
