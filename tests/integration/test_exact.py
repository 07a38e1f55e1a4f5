# SPDX-License-Identifier: Apache-2.0
"""
Answers do not depend on what is drawn: with room for eight boxes every number of /api/v1 is that of a brute-force model, which
knows nothing but the stacks that were sent.
"""

import collections
import gzip
import json
import random
import re
import time

import pytest

from profiles import fields, numbers
from serving import CPU, Server, pprof

NOW = int(time.time()) // 60 * 60
A = (NOW - 600, NOW - 590)  # two ranges of ten seconds each
B = (NOW - 300, NOW - 290)
QUERY = f'{CPU}{{service_name="shop"}}'
FEW = 8  # boxes


def make_stacks(seed):
    """{region: {stack of (name, line, first line): ns}}: recursion, a long tail, the same functions by many ways."""
    rng = random.Random(seed)
    functions = [(f"f{i:02}", 10 * i) for i in range(40)]
    out = {}
    for region in ("eu", "us", "asia"):
        out[region] = collections.Counter()
        for _ in range(300):
            depth = rng.randrange(1, 9)
            chosen = [functions[min(int(rng.paretovariate(0.7)) - 1, 39)] for _ in range(depth)]
            stack = tuple((name, first + rng.randrange(1, 4), first) for name, first in chosen)
            out[region][stack] += rng.randrange(1, 10**5) * 1000
    return out


SENT = {"a": make_stacks(1), "b": make_stacks(2)}


def merged(side, regions=("eu", "us", "asia")):
    out = collections.Counter()
    for region in regions:
        out.update(SENT[side][region])
    return out


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("exact") / "data")
    for side, (start, _) in (("a", A), ("b", B)):
        for region, stacks in SENT[side].items():
            labels = {"__name__": "process_cpu", "service_name": "shop", "region": region}
            assert server.push([(labels, [(pprof(dict(stacks), time_ns=start * 10**9), None)])]).status == 200
    yield server
    code, err = server.stop()
    assert code == 0, err


SECOND = {"from_b": B[0] * 1000, "until_b": B[1] * 1000}


def ask(server, path, query=QUERY, **params):
    got = server.get(f"/api/v1/{path}", query=query, **{"from": A[0] * 1000, "until": A[1] * 1000, "max_nodes": FEW, **params})
    assert got.status == 200, got.body
    return got


def answer(server, path, **params):
    return ask(server, path, **params).json()


# ---- the model ----

def function_table(stacks):
    """{name: (self, total)}; a function counts once in a stack, however often it is in it."""
    table = {}
    for stack, value in stacks.items():
        for name in {name for name, _, _ in stack}:
            own, total = table.get(name, (0, 0))
            table[name] = (own + (value if stack[-1][0] == name else 0), total + value)
    return table


def neighbours(stacks, name):
    """(callers, callees) of a function by value, from the outermost of it inwards; None: the root, or itself on top."""
    callers, callees = collections.Counter(), collections.Counter()
    for stack, value in stacks.items():
        places = [i for i, frame in enumerate(stack) if frame[0] == name]
        if places:
            first, last = places[0], places[-1]
            callers[stack[first - 1][0] if first else None] += value
            callees[stack[last + 1][0] if last + 1 < len(stack) else None] += value
    return callers, callees


def matching(stacks, expression):
    return sum(value for stack, value in stacks.items() if any(re.search(expression, name) for name, _, _ in stack))


# ---- what was drawn, and what was counted ----

def test_only_a_few_boxes_are_drawn_and_they_add_up(server):
    view = answer(server, "view")
    flame = view["flame"]
    assert len(flame["frame"]) <= 2 * FEW < flame["tree_nodes"] and sum(flame["merged"]) > 0
    assert flame["total"][0] == view["total"] == sum(merged("a").values())
    for box in range(len(flame["frame"])):
        children = [i for i, parent in enumerate(flame["parent"]) if parent == box and i]
        if children and not flame["merged"][box]:
            assert flame["total"][box] == flame["self"][box] + sum(flame["total"][i] for i in children)


@pytest.mark.parametrize("max_nodes", [FEW, 100_000])
def test_function_table(server, max_nodes):
    rows = answer(server, "functions", limit=10_000, max_nodes=max_nodes)
    assert {row["name"]: (row["self"], row["total"]) for row in rows["functions"]} == function_table(merged("a"))
    view = answer(server, "view", max_nodes=max_nodes)
    names = [view["strings"][view["frames"]["name"][frame]] for frame in view["table"]["frame"]]
    assert dict(zip(names, zip(view["table"]["self"], view["table"]["total"]))) == function_table(merged("a"))
    assert view["table"]["rows"] == len(names)


@pytest.mark.parametrize("expression", ["f00", "f1.$", "f3[5-9]", "^f(02|11)$", "nosuch"])
def test_search(server, expression):
    found = answer(server, "view", search=f"/{expression}/")["search"]
    assert found["matched"] == matching(merged("a"), expression)
    assert found["functions"] == sum(bool(re.search(expression, name)) for name in function_table(merged("a")))
    assert answer(server, "functions", search=f"/{expression}/")["matched"] == found["matched"]


def keys(server):
    rows = answer(server, "functions", limit=10_000)["functions"]
    return {row["name"]: row["key"] for row in rows}


def test_lines_callers_and_callees_of_every_function(server):
    stacks = merged("a")
    for name, key in keys(server).items():
        got = answer(server, "lines", function=key)
        callers, callees = neighbours(stacks, name)
        assert collections.Counter({row["frame"] and row["frame"]["name"]: row["value"] for row in got["callers"]}) == callers, name
        assert collections.Counter({row["frame"] and row["frame"]["name"]: row["value"] for row in got["callees"]}) == callees, name
        own, inclusive = collections.Counter(), collections.Counter()
        for stack, value in stacks.items():
            if stack[-1][0] == name:
                own[stack[-1][1]] += value
            for line in {frame[1] for frame in stack if frame[0] == name}:
                inclusive[line] += value
        assert {row["line"]: row["self"] for row in got["lines"] if row["self"]} == own, name
        assert {row["line"]: row["total"] for row in got["lines"]} == inclusive, name
        assert (got["self"], got["total"]) == function_table(stacks)[name]


def test_focus_callers_and_inverted_keep_their_totals(server):
    stacks = merged("a")
    for name in ("f00", "f05", "f20"):
        through = function_table(stacks)[name][1]
        key = keys(server)[name]
        assert answer(server, "view", focus=key)["total"] == through
        assert answer(server, "view", callers=key)["total"] == through
    inverted = answer(server, "view", inverted=1)
    assert inverted["total"] == sum(stacks.values())
    names = [inverted["strings"][inverted["frames"]["name"][frame]] for frame in inverted["flame"]["frame"]]
    tops = {names[i]: total for i, total in enumerate(inverted["flame"]["total"])
            if inverted["flame"]["depth"][i] == 1 and not inverted["flame"]["merged"][i]}
    assert tops and all(total == function_table(stacks)[name][0] for name, total in tops.items())


def test_diff_and_changes(server):
    before, after = function_table(merged("a")), function_table(merged("b"))
    diff = answer(server, "diff", **SECOND)
    names = [diff["strings"][diff["frames"]["name"][frame]] for frame in diff["table"]["frame"]]
    table = diff["table"]
    got = {name: row for name, *row in zip(names, table["self"], table["total"], table["self_b"], table["total_b"])}
    assert got == {name: [*before.get(name, (0, 0)), *after.get(name, (0, 0))] for name in before.keys() | after.keys()}
    for sort, column in (("self", 0), ("total", 1)):
        rows = answer(server, "changes", sort=sort, limit=10_000, **SECOND)["changes"]
        expected = {name: after.get(name, (0, 0))[column] - before.get(name, (0, 0))[column] for name in before.keys() | after.keys()}
        assert {row["name"]: row["change"] for row in rows} == expected
        sizes = [abs(row["change"]) for row in rows]
        assert sizes == sorted(sizes, reverse=True), "the top changes come first"
        top = answer(server, "changes", sort=sort, limit=3, **SECOND)["changes"]
        assert top == rows[:3]


def test_breakdown_by_label(server):
    for name, key in ((None, None), ("f00", keys(server)["f00"]), ("f07", keys(server)["f07"])):
        rows = answer(server, "breakdown", by="region", function=key, **SECOND)["values"]
        for row in rows:
            sides = [function_table(SENT[side][row["value"]]).get(name, (0, 0))[1] if name
                     else sum(SENT[side][row["value"]].values()) for side in ("a", "b")]
            assert [row["total"], row["total_b"]] == sides and row["change"] == sides[1] - sides[0]
        assert {row["value"] for row in rows} == set(SENT["a"])


def test_a_selector_shows_its_part(server):
    for selector, regions in (('region="eu"', ["eu"]), ('region!="eu"', ["us", "asia"]), ('region=~"eu|us"', ["eu", "us"])):
        rows = answer(server, "functions", query=f'{CPU}{{service_name="shop",{selector}}}', limit=10_000)["functions"]
        assert {row["name"]: (row["self"], row["total"]) for row in rows} == function_table(merged("a", regions))


# ---- exports ----

def lines_of(stacks):
    """{stack of "name:line": ns}"""
    out = collections.Counter()
    for stack, value in stacks.items():
        out[tuple(f"{name}:{line}" for name, line, _ in stack)] += value
    return out


def names_of(stacks):
    out = collections.Counter()
    for stack, value in stacks.items():
        out[tuple(name for name, _, _ in stack)] += value
    return out


def test_collapsed_and_raw_exports_are_whole(server):
    for format, expected in (("raw", lines_of(merged("a"))), ("collapsed", names_of(merged("a")))):
        got = collections.Counter()
        for line in ask(server, "export", format=format).body.decode().splitlines():
            stack, _, value = line.rpartition(" ")
            frames = re.findall(r"(\w+) \(/srv/app\.py(?::(\d+))?\)", stack)
            got[tuple(f"{name}:{number}" if format == "raw" else name for name, number in frames)] += int(value)
        assert got == expected, format


def test_speedscope_export_is_whole(server):
    document = answer(server, "export", format="speedscope")
    frames = document["shared"]["frames"]
    got = collections.Counter()
    for profile in document["profiles"]:
        scale = {"nanoseconds": 1, "microseconds": 1000, "milliseconds": 10**6, "seconds": 10**9}[profile["unit"]]
        for stack, weight in zip(profile["samples"], profile["weights"]):
            got[tuple(frames[i]["name"].split(" (")[0].split(":")[0] for i in stack)] += round(weight * scale)
    assert got == names_of(merged("a"))


def test_pprof_export_is_whole(server):
    data = ask(server, "export", format="pprof").body
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    parts = collections.defaultdict(list)
    for number, value in fields(data):
        parts[number].append(value)
    texts = [text.decode() for text in parts[6]]
    functions = {dict(fields(one))[1]: texts[dict(fields(one))[2]] for one in parts[5]}
    locations = {}
    for one in parts[4]:
        line = dict(fields(dict(fields(one))[4]))
        locations[dict(fields(one))[1]] = f"{functions[line[1]]}:{line[2]}"
    got = collections.Counter()
    kinds = [texts[dict(fields(one))[1]] for one in parts[1]]
    column = kinds.index("cpu")
    for one in parts[2]:
        sample = dict(fields(one))
        got[tuple(locations[i] for i in reversed(numbers(sample[1])))] += numbers(sample[2])[column]
    assert got == lines_of(merged("a"))


@pytest.mark.parametrize("format", ["svg", "html", "json", "markdown"])
def test_exports_for_people_have_the_whole_total(server, format):
    body = ask(server, "export", format=format).body.decode()
    best = max(function_table(merged("a")).items(), key=lambda row: row[1][0])[0]
    assert best in body
    if format == "json":
        document = json.loads(body)
        assert json.dumps(sum(merged("a").values())) in json.dumps(document)
