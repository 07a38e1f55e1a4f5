# SPDX-License-Identifier: Apache-2.0
"""Random histories with spans: profiles by name, span profiles and exemplars are what the oracle picks, exactly."""

import os

import pytest

from .oracle import S, Oracle, matcher
from .test_store_oracle import DAY, EPOCH, HOUR, SELECTORS, History, check_merge, put_all

SPANS = [f"{0x1000 + i:016x}" for i in range(9)]
TRACES = [f"{0x77 + i:032x}" for i in range(3)]


class Traced(History):
    """As the others, but two of three profiles tell of most of their stacks whose they are."""

    def profile(self, at):
        put = super().profile(at)
        if self.random.random() < 0.67:
            put["spans"] = [self.span() for _ in put["stacks"]]
        return put

    def span(self):
        r = self.random
        if r.random() < 0.2:
            return ""
        span, trace = r.choice(SPANS), r.choice([*TRACES, "-"])
        return f"- {trace}" if r.random() < 0.1 and trace != "-" else f"{span} {trace}"


def check_picks(store, oracle, history):
    r = history.random
    selector, kind = r.choice(SELECTORS)
    begin, end = history.range()
    names = r.sample([put["id"] for put in history.sent if put["id"]], 8)
    picks = [{"span_ids": r.sample(SPANS, 2)}, {"trace_ids": r.sample(TRACES, 1)}, {"profile_ids": names},
             {"span_ids": SPANS[:4], "trace_ids": TRACES[:2]},
             {"profile_ids": [put["id"] for put in history.sent if put["id"]][::2], "span_ids": SPANS[::2]}]
    for pick in picks:
        got = store.ask("merge", selector=selector, **{"from": begin, "until": end}, **pick)
        want = oracle.picked(matcher(selector), kind, begin, end, pick.get("profile_ids", ()), pick.get("span_ids", ()),
                             pick.get("trace_ids", ()))
        assert not got["partial"]
        assert {k: v for k, v in got["columns"].get("", {}).items() if v} == want, (selector, begin, end, pick)


def check_exemplars(store, oracle, history):
    selector, kind = history.random.choice(SELECTORS)
    begin, end = history.range()
    for of_spans in (0, 1):
        got = store.ask("exemplars", selector=selector, step=of_spans, **{"from": begin, "until": end})
        want = oracle.exemplars(matcher(selector), kind, begin, end, of_spans)
        assert not got["partial"]
        # A name that the store made up: only that it is one.
        have = sorted([labels, name if name.startswith("p") else "-", *rest] for labels, name, *rest in got["exemplars"])
        assert have == sorted([labels, name if name.startswith("p") else "-", *rest] for labels, name, *rest in want)


@pytest.mark.parametrize("seed", range(int(os.environ.get("STORE_ORACLE_SEEDS", 4))))
def test_random_histories_are_picked_from(open_store, seed):
    """Gauges, states, long profiles, duplicates, back-fill, restarts and crashes between."""
    history, oracle = Traced(seed, ragged=False), Oracle()
    now = EPOCH + 2 * DAY
    store = open_store(now)
    for _ in range(3):
        put_all(store, oracle, [history.profile(at) for at in history.times(60)])
        put_all(store, oracle, [dict(p) for p in history.random.sample(history.sent, 10) if p["id"]])
        for _ in range(8):
            check_picks(store, oracle, history)
            check_exemplars(store, oracle, history)
        if history.random.random() < 0.5:
            store.ask("settle")
        if history.random.random() < 0.7:
            store.close() if history.random.random() < 0.5 else store.kill()
            oracle.restart()
            store = open_store(now)
    selector, kind = SELECTORS[0]
    check_merge(store, oracle, selector, kind, EPOCH, EPOCH + 2 * DAY)
    store.close()


def test_ragged_values_are_exact_in_spans(open_store):
    """Profiles are kept in whole microseconds, spans to the nanosecond."""
    history, oracle = Traced(99, ragged=True), Oracle()
    store = open_store(EPOCH + 2 * DAY)
    put_all(store, oracle, [history.profile(at) for at in history.times(60)])
    for selector, kind in SELECTORS:
        got = store.ask("merge", selector=selector, span_ids=SPANS, **{"from": EPOCH, "until": EPOCH + 2 * DAY})
        assert {k: v for k, v in got["columns"].get("", {}).items() if v} == oracle.picked(
            matcher(selector), kind, EPOCH, EPOCH + 2 * DAY, span_ids=SPANS)
    store.close()


def test_spans_of_deleted_profiles_are_gone(open_store):
    history, oracle = Traced(5, ragged=False), Oracle()
    store = open_store(EPOCH + 2 * DAY)
    put_all(store, oracle, [history.profile(at) for at in history.times(80)])
    begin, end = EPOCH + 3 * HOUR, EPOCH + 30 * HOUR
    store.ask("delete", selector='{service_name="s0"}', **{"from": begin, "until": end})
    store.ask("settle")
    oracle.delete(matcher('{service_name="s0"}'), begin, end)
    for _ in range(10):
        check_picks(store, oracle, history)
        check_exemplars(store, oracle, history)
    store.close()


def test_a_kill_between_spans_and_profiles_leaves_nothing_half(open_store):
    """Killed at any moment: each profile is there with all of its spans, or not at all."""
    now = EPOCH + 2 * DAY
    selector, kind = SELECTORS[2]
    history, oracle = Traced(17, ragged=False), Oracle()
    sent = []
    for round_ in range(6):
        store = open_store(now)
        puts = []
        for at in history.times(40):
            put = history.profile(at)
            if put["id"] and not put["gauge"]:
                puts.append(put)
        for put in puts:
            store.ask("put", **put)
        if round_ % 2:
            store.ask("clock", now=now + S)  # some more of the writer's time
        store.kill()
        sent += puts
        store = open_store(now)
        got = store.ask("exemplars", selector=selector, step=0, **{"from": EPOCH, "until": EPOCH + 2 * DAY})
        there = {name for _, name, *_ in got["exemplars"]}
        oracle = Oracle()
        for put in sent:
            if put["id"] in there:
                oracle.put(put)
        spans = store.ask("exemplars", selector=selector, step=1, **{"from": EPOCH, "until": EPOCH + 2 * DAY})
        assert sorted(map(list, spans["exemplars"])) == oracle.exemplars(matcher(selector), kind, EPOCH, EPOCH + 2 * DAY, True)
        sent = [put for put in sent if put["id"] in there]
        store.close()
