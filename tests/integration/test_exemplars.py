# SPDX-License-Identifier: Apache-2.0
"""GET /api/v1/exemplars, and views of the profiles, spans and traces that it names, against the profiles that were sent."""

import collections

import pytest

from serving import CPU
from test_spans import BASE, END, PROFILES, SPANS, START, TRACES, expected, server  # noqa: F401  (a fixture)

QUERY = f'{CPU}{{service_name="shop"}}'


def ask(server, path, **params):  # noqa: F811
    return server.get(f"/api/v1/{path}", query=QUERY, **{"from": START, "until": END, **params})


def answer(server, **params):  # noqa: F811
    got = ask(server, "exemplars", limit=10000, **params)
    assert got.status == 200, got.body
    assert got.json()["unit"] == "nanoseconds" and not got.json()["is_partial"]
    assert got.json()["rows"] == len(got.json()["exemplars"])
    return got.json()["exemplars"]


def spans_sent():
    """{(profile, span, trace): value}"""
    out = collections.Counter()
    for sent in PROFILES:
        for _, value, labels in sent.samples:
            if labels:
                out[sent.ident, labels["span_id"], labels.get("trace_id")] += value
    return out


def test_profiles_are_all_told_the_greatest_first(server):  # noqa: F811
    got = answer(server)
    values = {sent.ident: sum(value for _, value, _ in sent.samples) for sent in PROFILES}
    assert {one["profile"]: one["value"] for one in got} == values
    assert [one["value"] for one in got] == sorted(values.values(), reverse=True)
    for one in got:
        sent = next(sent for sent in PROFILES if sent.ident == one["profile"])
        assert one["time"] == sent.start_s * 1000 and "span" not in one and "trace" not in one
        assert one["labels"] == {"service_name": "shop", "region": sent.region}


def test_spans_are_those_of_each_profile(server):  # noqa: F811
    got = answer(server, kind="span")
    assert {(one["profile"], one["span"], one.get("trace")): one["value"] for one in got} == spans_sent()
    assert [one["value"] for one in got] == sorted((one["value"] for one in got), reverse=True)


def test_pages_and_ids_choose_among_them(server):  # noqa: F811
    whole = answer(server, kind="span")
    page = ask(server, "exemplars", kind="span", offset=5, limit=7).json()
    assert page["exemplars"] == whole[5:12] and page["rows"] == len(whole)
    assert answer(server, kind="span", spans=SPANS[4]) == [one for one in whole if one["span"] == SPANS[4]]
    assert answer(server, kind="span", traces=TRACES[1]) == [one for one in whole if one.get("trace") == TRACES[1]]
    some = [PROFILES[3].ident, PROFILES[8].ident]
    assert {one["profile"] for one in answer(server, profiles=",".join(some))} == set(some)
    early = answer(server, until=(BASE + 100) * 1000)
    assert {one["profile"] for one in early} == {sent.ident for sent in PROFILES if sent.start_s < BASE + 100}


PICKS = {
    "a span": ({"spans": SPANS[4]}, lambda sent, labels: labels.get("span_id") == SPANS[4]),
    "two spans": ({"spans": f"{SPANS[1]},{SPANS[2]}"}, lambda sent, labels: labels.get("span_id") in SPANS[1:3]),
    "a trace": ({"traces": TRACES[0]}, lambda sent, labels: labels.get("trace_id") == TRACES[0]),
    "a profile": ({"profiles": PROFILES[3].ident}, lambda sent, labels: sent is PROFILES[3]),
    "a span in a profile": ({"profiles": PROFILES[3].ident, "spans": SPANS[7]},
                            lambda sent, labels: sent is PROFILES[3] and labels.get("span_id") == SPANS[7]),
    "what is not there": ({"spans": "ffffffffffffffff"}, lambda sent, labels: False),
}


@pytest.mark.parametrize("pick", PICKS)
def test_views_show_what_is_picked(server, pick):  # noqa: F811
    params, keep = PICKS[pick]
    stacks = expected(keep)
    text = ask(server, "export", format="collapsed", **params).body.decode()
    got = collections.Counter()
    for line in text.splitlines():
        stack, _, value = line.rpartition(" ")
        got[tuple(frame.split(" (")[0] for frame in stack.split(";"))] += int(value)
    total = sum(stacks.values())
    assert set(got) == set(stacks) and len(text.splitlines()) == len(stacks)
    for path in ("view", "functions"):
        one = ask(server, path, **params).json()
        assert one["total"] == total, path
        whole = ask(server, path).json()["total"]
        assert whole == sum(expected(lambda sent, labels: True).values()), "the cache keeps them apart"


@pytest.mark.parametrize("params", [{"kind": "trace"}, {"spans": "12"}, {"traces": SPANS[0]}, {"spans": "x" * 16}, {"limit": 0}])
def test_what_makes_no_sense_is_refused(server, params):  # noqa: F811
    got = ask(server, "exemplars", **params)
    assert got.status == 400 and got.json()["error"] == "bad_query", got.body


@pytest.mark.parametrize("path", ["timeline", "diff", "changes", "breakdown"])
def test_what_cannot_be_picked_says_so(server, path):  # noqa: F811
    got = ask(server, path, spans=SPANS[0], from_b=START, until_b=END, by="region")
    assert got.status == 400 and "spans" in got.json()["detail"]
