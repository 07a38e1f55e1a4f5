# SPDX-License-Identifier: Apache-2.0
"""Random histories: what the store answers is what the oracle adds up, exactly."""

import os
import random

import pytest

from .oracle import S, Oracle, matcher

MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86400 * S
EPOCH = 1763800000 * S - (1763800000 * S) % DAY  # a midnight
CPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"


def labels(metric, service, **more):
    names = {"__name__": metric, "service_name": service, **more}
    return "{" + ",".join(f'{k}="{names[k]}"' for k in sorted(names)) + "}"


class History:
    """Random profiles of a few series over two days, put in random order."""

    def __init__(self, seed, ragged):
        self.random = random.Random(seed)
        self.ragged = ragged  # values that are no whole microseconds
        self.series = [(labels("process_cpu", f"s{i % 2}", host=f"h{i}"), False) for i in range(7)]
        self.series += [(labels("memory", "s0", host=f"h{i}"), True) for i in range(2)]
        self.sent = []

    def value(self):
        micros = self.random.choice([1, 2, 10_000, self.random.randrange(10**7)])
        return micros * 1000 + (self.random.randrange(1000) if self.ragged else 0)

    def profile(self, at):
        r = self.random
        name, gauge = r.choice(self.series)
        length = r.choice([10 * S, 10 * S, 10 * S, 15 * S, 1 * S, 60 * S, 7 * S + 123456789, 1500 * S])
        stacks = sorted({";".join(r.choice("abcd") for _ in range(r.randint(1, 5)))
                         for _ in range(r.randint(0, 12))})
        columns = ["inuse_space:bytes:"] if gauge else \
            r.choice([["cpu:nanoseconds:"], ["cpu:nanoseconds:", "samples:count:"],
                      ["cpu:nanoseconds:running", "cpu:nanoseconds:waiting-gil"]])
        put = {"id": f"p{len(self.sent)}" if r.random() < 0.8 else "", "labels": name, "gauge": int(gauge),
               "period": "space:bytes" if gauge else "cpu:nanoseconds", "start": at, "duration": length,
               "columns": columns, "stacks": stacks, "samples": r.randrange(1000),
               "values": [r.choice([0, self.value()]) if c.endswith("ng") else self.value()
                          for _ in stacks for c in columns]}
        self.sent.append(put)
        return put

    def times(self, n):
        """Mostly a stream, with gaps, and back-fill anywhere in the two days."""
        at = EPOCH + self.random.randrange(DAY)
        for _ in range(n):
            if self.random.random() < 0.15:
                yield EPOCH + self.random.randrange(2 * DAY - 2 * HOUR)
                continue
            at += self.random.choice([10 * S, 10 * S, 5 * S, 17 * S, 300 * S, 2 * HOUR * (self.random.random() < .1)])
            at = EPOCH + (at - EPOCH) % (2 * DAY - 2 * HOUR)
            yield at

    def range(self):
        r = self.random
        unit = r.choice([1, S, 10 * S, MINUTE, 10 * MINUTE, HOUR])
        begin = r.randrange(EPOCH, EPOCH + 2 * DAY - HOUR) // unit * unit
        end = begin + max(unit, r.choice([10 * S, MINUTE, HOUR, 5 * HOUR, DAY, 2 * DAY]) // unit * unit)
        return begin, end


def put_all(store, oracle, puts):
    """Put, wait, and check that what was known before is said to be."""
    sent = []
    for put in puts:
        fields = {k: v for k, v in put.items() if k != "id" or v}
        store.ask("put", **fields)
        sent.append(put)
    codes = store.ask("wait")["codes"]
    for put, code in zip(sent, codes):
        assert code == (0 if oracle.put(put) else -4104), put


def check_merge(store, oracle, selector, kind, begin, end, exact=True):
    got = store.ask("merge", selector=selector, **{"from": begin, "until": end})
    want = oracle.merge(matcher(selector), kind, begin, end)
    assert not got["partial"]
    for field in ("covered", "wall", "profiles", "samples"):
        assert got[field] == want[field], (selector, begin, end, field)
    if exact:
        assert {s: v for s, v in got["columns"].items() if v} == want["columns"], (selector, begin, end)
        return
    # Which node of a profile gets a carried microsecond depends on their numbers: sums do not.
    for state, values in want["columns"].items():
        have = got["columns"][state]
        for stack in set(values) | set(have):
            assert abs(values.get(stack, 0) - have.get(stack, 0)) <= 1000 * got["blocks"] + 1000 * len(oracle.blocks)
    total = sum(want["columns"].get("", {}).values())
    assert abs(sum(got["columns"].get("", {}).values()) - total) <= 1000 * 50 * len(oracle.blocks)


def check_timeline(store, oracle, selector, kind, begin, end, step):
    got = store.ask("timeline", selector=selector, step=step, **{"from": begin, "until": end})["lines"]
    want = oracle.timeline(matcher(selector), kind, begin, end, step)
    points = [p[1:] for p in got[0]["points"]] if got else [[0, 0, 0, 0]] * len(want)
    assert points == want, (selector, begin, end, step)


SELECTORS = [
    ('{__profile_type__="%s",service_name="s0"}' % CPU, ("cpu", "nanoseconds")),
    ('{__profile_type__="%s",service_name="s1"}' % CPU, ("cpu", "nanoseconds")),
    ('{__profile_type__="%s"}' % CPU, ("cpu", "nanoseconds")),
    ('{__profile_type__="%s",host=~"h[0-2]"}' % CPU, ("cpu", "nanoseconds")),
    ('{__profile_type__="%s",host!="h3"}' % CPU, ("cpu", "nanoseconds")),
    ('{__profile_type__="process_cpu:samples:count:cpu:nanoseconds"}', ("samples", "count")),
    ('{__profile_type__="memory:inuse_space:bytes:space:bytes"}', ("inuse_space", "bytes")),
]


def check_everything(store, oracle, history, n, exact):
    for _ in range(n):
        selector, kind = history.random.choice(SELECTORS)
        begin, end = history.range()
        check_merge(store, oracle, selector, kind, begin, end, exact)
        if kind[1] == "bytes" or not exact:
            continue
        step = history.random.choice([10 * S, MINUTE, 10 * MINUTE, HOUR, 7 * MINUTE + 13])
        step = max(step, (end - begin) // 50)
        check_timeline(store, oracle, selector, kind, begin, end, step)


@pytest.mark.parametrize("seed", range(int(os.environ.get("STORE_ORACLE_SEEDS", 8))))
def test_random_histories_add_up(open_store, seed):
    """Gaps, gauges, 15 s profiles, back-fill, duplicates, restarts, unaligned ranges, labels, services."""
    history, oracle = History(seed, ragged=False), Oracle()
    now = EPOCH + 2 * DAY
    store = open_store(now)
    for _ in range(4):
        put_all(store, oracle, [history.profile(at) for at in history.times(60)])
        put_all(store, oracle, [dict(p) for p in history.random.sample(history.sent, 10) if p["id"]])
        check_everything(store, oracle, history, 12, exact=True)
        if history.random.random() < 0.8:
            store.ask("settle")
            check_everything(store, oracle, history, 12, exact=True)
        if history.random.random() < 0.5:
            store.close() if history.random.random() < 0.5 else store.kill()
            oracle.restart()
            store = open_store(now)
        check_everything(store, oracle, history, 6, exact=True)
    store.close()


@pytest.mark.parametrize("seed", range(2))
def test_whole_ranges_of_ragged_nanoseconds_lose_less_than_a_microsecond(open_store, seed):
    history, oracle = History(100 + seed, ragged=True), Oracle()
    store = open_store(EPOCH + 2 * DAY)
    put_all(store, oracle, [history.profile(at) for at in history.times(150)])
    sent = sum(sum(p["values"][p["columns"].index(c)::len(p["columns"])])
               for p in history.sent for c in p["columns"] if c.startswith("cpu"))
    for _ in range(2):
        got = store.ask("merge", selector='{__profile_type__="%s"}' % CPU,
                        **{"from": EPOCH, "until": EPOCH + 3 * DAY})
        kept = sum(got["columns"][""].values())
        assert 0 <= sent - kept < 1000 * 3 * 7  # one microsecond per column of each series
        check_everything(store, oracle, history, 10, exact=False)
        store.ask("settle")
    store.close()


def test_adjoining_ranges_add_up_whatever_the_borders(open_store):
    history, oracle = History(7, ragged=True), Oracle()
    store = open_store(EPOCH + 2 * DAY)
    put_all(store, oracle, [history.profile(at) for at in history.times(150)])
    store.ask("settle")
    selector = SELECTORS[2][0]
    for _ in range(15):
        begin, end = history.range()
        borders = sorted({begin, end, *(history.random.randrange(begin, end) for _ in range(5))})
        whole = store.ask("merge", selector=selector, **{"from": begin, "until": end})["columns"][""]
        summed = {}
        for a, b in zip(borders, borders[1:]):
            for stack, value in store.ask("merge", selector=selector, **{"from": a, "until": b})["columns"][""].items():
                summed[stack] = summed.get(stack, 0) + value
        assert summed == whole


def test_a_long_profile_counts_beyond_the_day_of_its_file(open_store):
    """It is kept in pieces, in the file of its beginning; each range is asked for by itself."""
    oracle = Oracle()
    store = open_store(EPOCH + 2 * DAY)
    put_all(store, oracle, [{
        "id": "long", "labels": labels("process_cpu", "s0", host="h0"), "gauge": 0, "period": "cpu:nanoseconds", "samples": 9,
        "start": EPOCH + DAY - 5 * MINUTE, "duration": HOUR, "columns": ["cpu:nanoseconds:"], "stacks": ["a"], "values": [HOUR]}])
    for minute in range(0, 55, 5):
        begin = EPOCH + DAY + minute * MINUTE
        check_merge(store, oracle, SELECTORS[0][0], ("cpu", "nanoseconds"), begin, begin + 5 * MINUTE)
        check_timeline(store, oracle, SELECTORS[0][0], ("cpu", "nanoseconds"), begin, begin + 5 * MINUTE, MINUTE + 7)


def test_the_oracle_notices_a_wrong_answer(open_store):
    """A test that cannot fail proves nothing: one microsecond off is seen."""
    history, oracle = History(3, ragged=False), Oracle()
    store = open_store(EPOCH + 2 * DAY)
    put_all(store, oracle, [history.profile(at) for at in history.times(40)])
    flow = next(b for b in oracle.blocks if not b.series[2] and any(b.columns.values()))
    values = next(v for k, v in flow.columns.items() if k[0] == "cpu" and v)
    values[next(iter(values))] += 1
    with pytest.raises(AssertionError):
        check_merge(store, oracle, SELECTORS[2][0], ("cpu", "nanoseconds"), EPOCH, EPOCH + 3 * DAY)


def test_groups_are_the_lines_of_their_series(open_store):
    history, oracle = History(11, ragged=False), Oracle()
    store = open_store(EPOCH + 2 * DAY)
    put_all(store, oracle, [history.profile(at) for at in history.times(150)])
    fields = {"from": EPOCH, "until": EPOCH + DAY, "step": 10 * MINUTE}
    for _ in range(2):
        lines = store.ask("timeline", selector=SELECTORS[2][0], group_by=["host"], **fields)["lines"]
        assert [line["group"] for line in lines] == sorted(line["group"] for line in lines)
        assert len(lines) > 3
        for line in lines:
            host = line["group"].split('"')[1]
            want = oracle.timeline(matcher('{host="%s"}' % host), ("cpu", "nanoseconds"), EPOCH, EPOCH + DAY, 10 * MINUTE)
            assert [p[1:] for p in line["points"]] == want, host
        store.ask("settle")


def test_gauges_average_and_repeat_until_the_next(open_store):
    store = open_store(EPOCH + 2 * DAY)
    for i, level in enumerate([100, 300, 200]):
        store.ask("put", labels=labels("memory", "s"), period="space:bytes", gauge=1, start=EPOCH + i * 60 * S,
                  duration=60 * S, columns=["inuse_space:bytes:"], stacks=["a"], values=[level])
    store.ask("wait")
    ask = {"selector": "{}", "from": EPOCH, "until": EPOCH + 240 * S}
    for _ in range(2):
        points = store.ask("timeline", step=20 * S, **ask)["lines"][0]["points"]
        assert [p[1] / p[4] for p in points[:9]] == [100] * 3 + [300] * 3 + [200] * 3
        assert all(p[2] == 0 for p in points[9:]), "after the last nothing is known"
        merged = store.ask("merge", **ask)
        assert merged["columns"][""]["a"] / merged["profiles"] == 200
        # A range inside one profile shows its level.
        inside = store.ask("merge", selector="{}", **{"from": EPOCH + 70 * S, "until": EPOCH + 80 * S})
        assert inside["columns"][""]["a"] / inside["profiles"] == 300
        store.ask("settle")


def test_tenants_share_nothing(open_store):
    store = open_store(EPOCH + 2 * DAY)
    for tenant, value in (("one", 1000), ("two", 2000)):
        store.ask("put", tenant=tenant, id="same", labels=labels("process_cpu", "s"), period="cpu:nanoseconds",
                  start=EPOCH, duration=10 * S, columns=["cpu:nanoseconds:"], stacks=["a"], values=[value])
    assert store.ask("wait")["codes"] == [0, 0]
    whole = {"selector": "{}", "from": EPOCH, "until": EPOCH + DAY}
    assert store.ask("merge", tenant="one", **whole)["columns"][""] == {"a": 1000}
    assert store.ask("merge", tenant="two", **whole)["columns"][""] == {"a": 2000}
    assert store.ask("merge", tenant="three", **whole)["columns"][""] == {}
    assert store.ask("series", tenant="three", **whole)["list"] == []


def test_series_are_those_with_data_in_the_range(open_store):
    store = open_store(EPOCH + 2 * DAY)
    for host, hours in (("a", (1, 5)), ("b", (3,))):
        for hour in hours:
            store.ask("put", labels=labels("process_cpu", "s", host=host), period="cpu:nanoseconds",
                      start=EPOCH + hour * HOUR, duration=10 * S, stacks=["x"], values=[1000, 1],
                      columns=["cpu:nanoseconds:", "samples:count:"])
    store.ask("wait")
    for _ in range(2):
        def hosts(begin, end, selector="{}"):
            rows = store.ask("series", selector=selector, **{"from": EPOCH + begin * HOUR, "until": EPOCH + end * HOUR})
            return [(row["labels"].split('host="')[1][0], row["type"].split(":")[1]) for row in rows["list"]]
        assert hosts(0, 6) == [("a", "cpu"), ("a", "samples"), ("b", "cpu"), ("b", "samples")]
        assert hosts(2, 4) == [("b", "cpu"), ("b", "samples")], "a has data before and after, not in between"
        assert hosts(0, 2, '{__profile_type__=~".*:samples:.*"}') == [("a", "samples")]
        store.ask("settle")


def test_values_of_several_types_need_a_type(open_store):
    store = open_store(EPOCH + 2 * DAY)
    store.ask("put", labels=labels("process_cpu", "s"), period="cpu:nanoseconds", start=EPOCH, duration=10 * S,
              columns=["cpu:nanoseconds:", "samples:count:"], stacks=["x"], values=[1000, 1])
    store.ask("wait")
    answer = store.try_ask("merge", selector="{}", **{"from": EPOCH, "until": EPOCH + HOUR})
    assert answer["code"] == -4100 and "__profile_type__" in answer["error"]


def test_a_range_of_all_times_costs_what_is_there(open_store):
    history, oracle = History(12, ragged=False), Oracle()
    store = open_store(EPOCH + 2 * DAY)
    put_all(store, oracle, [history.profile(at) for at in history.times(80)])
    for _ in range(2):
        for begin, end in ((0, 2**63 - 1), (0, EPOCH + DAY), (EPOCH + DAY, 2**63 - 1), (2**63 - 5, 2**63 - 1)):
            check_merge(store, oracle, SELECTORS[2][0], ("cpu", "nanoseconds"), begin, end)
        store.ask("settle")
    got = store.ask("merge", selector=SELECTORS[2][0], **{"from": 0, "until": 2**63 - 1})
    assert got["took"] < 10**9
