# SPDX-License-Identifier: Apache-2.0
"""
All 85 recorded calls to a real Pyroscope 2.2.1, asked again of our server with what its clients had sent put in first,
and all that profilecli asked.  The table says for each how the two answers are compared; where ours differs on purpose,
how and why.
"""

import base64
import json
import pathlib

import pytest

import recorded
import stacks
from serving import Server

CLIENTS = ("pyroscope-go", "pyroscope-python", "pyroscope-python-mem", "pyroscope-python-0.8.16", "pyroscope-nodejs",
           "pyroscope-java", "profilecli")


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory, shared):
    server = Server(pyrometer, tmp_path_factory.mktemp("recorded") / "data")
    for client in CLIENTS:
        for exchange in recorded.exchanges(shared / "corpus" / "clients" / client).values():
            if exchange.path.startswith("/ingest") or exchange.path.endswith("/Push"):
                got = recorded.send(server, exchange)
                assert got.status == exchange.status == 200, (client, got.body)
    yield server
    code, err = server.stop()
    assert code == 0, err


def shape(value):
    """The kinds of a JSON value: what it has, not how much."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [merged(map(shape, value))] if value else []
    return type(value).__name__ if not isinstance(value, (int, float)) or isinstance(value, bool) else "number"


def merged(shapes):
    whole = None
    for one in shapes:
        whole = {**whole, **one} if isinstance(one, dict) and isinstance(whole, dict) else one
    return whole


def fits(ours, theirs, at="answer"):
    """No member of another kind than theirs; theirs alone are those that say nothing (a zero is left out)."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours.keys() & theirs.keys():
            fits(ours[key], theirs[key], f"{at}.{key}")
        assert ours.keys() <= theirs.keys(), (at, ours.keys() - theirs.keys())
    elif isinstance(ours, list) and isinstance(theirs, list):
        if ours and theirs:
            fits(ours[0], theirs[0], at + "[]")
    else:
        assert ours == theirs or None in (ours, theirs), at


# ---- how answers are compared ----

def same(ours, theirs):
    """The very text, but for the times that were moved."""
    assert ours.json() == recorded.moved_times(theirs.json())


def same_shape(ours, theirs):
    fits(shape(ours.json()), shape(theirs.json()))


def same_error(ours, theirs):
    assert ours.json()["code"] == theirs.json()["code"] and ours.json()["message"]


def same_status(ours, theirs):
    pass


def no_answer(ours, theirs):
    assert ours.body == theirs.answer == b""


def same_names(ours, theirs):
    """At least the labels that theirs had, but for those of the canary, whose data we have not; threads are frames here."""
    missing = set(theirs.json()["names"]) - set(ours.json()["names"])
    assert not missing - {"job", "instance", "ingestion_method", "__otel__", "thread_name"}


def same_services(ours, theirs):
    assert set(theirs.json()["names"]) - set(ours.json()["names"]) == {"pyroscope-canary-exporter"}


def types_of(answer):
    return {(pairs["service_name"], pairs["__profile_type__"]) for pairs in
            ({pair["name"]: pair["value"] for pair in one["labels"]} for one in answer["labelsSet"])}


def same_series(ours, theirs):
    """
    Ours has what counters began with as nothing: allocations of a heap profile that came once.  Theirs leaves out types
    whose profiles were empty.
    """
    missing = types_of(theirs.json()) - types_of(ours.json())
    assert {service for service, _ in missing} <= {"pyroscope-canary-exporter", "uploaded"}, missing
    assert all(":alloc_" in kind for service, kind in missing if service == "uploaded"), missing


def flame_of(answer):
    answer = answer.json()
    return answer["flamegraph"] if "flamegraph" in answer else answer["flamebearer"]


def same_stacks(ours, theirs):
    assert stacks.of_flame(flame_of(ours)) == stacks.of_flame(flame_of(theirs))


def a_third_of_their_stacks(ours, theirs):
    """They had the upload three times."""
    assert {stack: 3 * value for stack, value in stacks.of_flame(flame_of(ours)).items()} \
        == stacks.of_flame(flame_of(theirs))


def same_total(ours, theirs):
    """Cut to so few boxes that the order of equal ones decides which stay."""
    assert sum(stacks.of_flame(flame_of(ours)).values()) == sum(stacks.of_flame(flame_of(theirs)).values())


def same_tree(ours, theirs):
    assert ours.json() == theirs.json(), "byte for byte"
    assert stacks.of_tree(base64.b64decode(ours.json()["tree"]))


def names_in_dot(text):
    return {line.split(" [label=")[0] for line in text.splitlines() if " [label=" in line and "->" not in line}


def same_dot(ours, theirs):
    """Drawn by function where theirs draws by line: the same language, a graph of the same total."""
    if ours.body[:1] == b"{":
        ours, theirs = ours.json()["dot"], theirs.json()["dot"]
    else:
        ours, theirs = ours.body.decode(), theirs.answer.decode()
    for text in (ours, theirs):
        assert text.startswith('digraph "goapp" {\nnode [style=filled fillcolor="#f8f8f8"]\nsubgraph cluster_L {')
        assert text.endswith("}\n") and "7.05" in text and "->" in text
    assert len(names_in_dot(ours)) <= len(names_in_dot(theirs)) + 1


def pprof_of(answer):
    answer = answer.json()
    return answer["pprof"]["profile"] if "pprof" in answer else answer


def same_pprof(ours, theirs):
    assert stacks.of_pprof(pprof_of(ours)) == stacks.of_pprof(pprof_of(theirs))
    ours, theirs = shape(pprof_of(ours)), shape(pprof_of(theirs))
    assert set(ours) - {"durationNanos"} <= set(theirs)


def lines_of(answer):
    return {tuple(pair["value"] for pair in line.get("labels", [])):
            {int(point["timestamp"]): point["value"] for point in line["points"]} for line in answer["series"]}


def same_points(ours, theirs):
    assert lines_of(ours.json()) == lines_of(recorded.moved_times(theirs.json()))


def same_lines(ours, theirs):
    """A profile that reaches over a border of two steps is divided here and counts where it began there."""
    ours, theirs = lines_of(ours.json()), lines_of(recorded.moved_times(theirs.json()))
    assert set(theirs) - set(ours) == set() and ours[("goapp",)] == theirs[("goapp",)]


def a_part_of_their_points(ours, theirs):
    """Theirs ignores the call site in this call; ours is what of their flame graph begins there."""
    (ours,), (theirs,) = (lines_of(one.json()).values() for one in (ours, theirs))
    assert list(ours.values()) == [7010000000] and list(theirs.values()) == [7050000000]


def a_mean_with_empty_profiles(ours, theirs):
    """The second profile of the step was empty: it counts here (two of them), theirs never stored it."""
    (ours,), (theirs,) = (lines_of(one.json()).values() for one in (ours, theirs))
    assert [2 * value for value in ours.values()] == list(theirs.values())


def same_diff(ours, theirs):
    ours, theirs = ours.json(), theirs.json()
    fits(shape(ours), shape(theirs))
    inner = [one.get("flamegraph") or {**one["flamebearer"], **one} for one in (ours, theirs)]
    assert [int(inner[0][side]) for side in ("leftTicks", "rightTicks")] == \
        [int(inner[1][side]) for side in ("leftTicks", "rightTicks")]
    assert sorted(inner[0]["names"]) == sorted(inner[1]["names"])


def same_rendering(ours, theirs):
    same_stacks(ours, theirs)
    ours, theirs = ours.json(), theirs.json()
    fits(shape(ours), shape(theirs))
    assert ours["metadata"] == theirs["metadata"] and set(ours["groups"] or ()) == set(theirs["groups"] or ())
    assert len(ours["timeline"]["samples"]) == len(theirs["timeline"]["samples"])
    assert ours["timeline"]["durationDelta"] == theirs["timeline"]["durationDelta"]


def same_rendering_but_boxes(ours, theirs):
    """Of all services together; we have not all of them."""
    fits(shape(ours.json()), shape(theirs.json()))


def more_values(ours, theirs):
    assert set(ours.json()) >= {"goapp", "pyapp", "javaapp"}


def same_types(ours, theirs):
    assert {kind.split(":")[0] for kind in ours.json()} >= {"goroutines", "memory", "mutex", "process_cpu", "wall"}


def same_file(ours, theirs):
    same_shape(ours, theirs)
    ours, theirs = ours.json(), theirs.json()
    assert ours["profileTypes"] == theirs["profileTypes"] and ours["name"] == theirs["name"]
    assert ours["profileType"] == theirs["profileType"] and ours["id"][26:] == theirs["id"][26:]
    ours, theirs = (json.loads(one["flamebearerProfile"]) for one in (ours, theirs))
    fits(shape(ours), shape(theirs))
    assert ours["flamebearer"]["numTicks"] == theirs["flamebearer"]["numTicks"]
    assert ours["metadata"] == theirs["metadata"]


def same_flags(ours, theirs):
    assert [one["name"] for one in ours.json()["featureFlags"]] == [one["name"] for one in theirs.json()["featureFlags"]]


def is_unimplemented(ours, theirs):
    assert theirs.answer.startswith(b"404 page not found") and ours.json()["code"] == "unimplemented"


def is_prometheus(ours, theirs):
    for body in (ours.body, theirs.answer):
        assert body.startswith(b"# HELP ") and b"\n# TYPE " in body


def describes_itself(ours, theirs):
    """Each its own interface; ours in a newer language."""
    assert ours.headers["Content-Type"] == "application/json" and theirs.json()["definitions"]
    assert ours.json()["openapi"].startswith("3.") and "/api/v1/view" in ours.json()["paths"]


class Differs:
    """Another status than theirs, on purpose."""

    def __init__(self, status, why):
        self.status, self.why = status, why


CALLS = {
    1: same_shape, 2: same_shape, 3: same_shape, 4: same_names, 5: same_names, 6: same_services, 7: same, 8: same,
    9: same_series, 10: same_series, 11: a_third_of_their_stacks, 12: same_stacks, 13: same_stacks, 14: same, 15: same_total,
    16: same, 17: same_stacks, 18: same_tree, 19: same_dot, 20: same_pprof, 21: same_stacks, 22: same_pprof,
    23: same, 24: same_lines, 25: a_mean_with_empty_profiles, 26: same_points, 27: a_part_of_their_points, 28: same,
    29: same_shape, 30: same_diff, 31: same_shape, 32: same, 33: is_unimplemented, 34: same_error, 35: same_error, 36: same,
    37: same, 38: same_error, 39: same, 40: same, 41: same, 42: same, 43: same, 44: is_unimplemented, 45: same,
    46: same_flags, 47: same_file, 48: same_shape, 49: same,
    50: Differs(400, "a profile that is none is the client's mistake: 500 would have it sent again"),
    51: same_rendering, 52: same_rendering, 53: same_rendering, 54: same_dot, 55: same_rendering,
    56: same_rendering_but_boxes, 57: same, 58: same, 59: same_diff, 60: same_types,
    61: Differs(200, "theirs forgets the label and asks for none; ours lists its values of all times"), 62: same, 63: same_status, 64: same_shape, 65: same_status,
    66: same_status, 67: is_prometheus, 68: same_status, 69: same_status, 70: same_status,
    71: describes_itself,
    72: no_answer, 73: no_answer, 74: no_answer, 75: no_answer, 76: no_answer, 77: no_answer, 78: same_error,
    79: same_error, 80: no_answer, 81: same_error, 82: same_error,
    83: no_answer, 84: same_error, 85: same_status,
}


def test_the_table_has_all_calls(shared):
    assert sorted(CALLS) == [int(path.name[:3]) for path in sorted((shared / "corpus" / "pyroscope-http").glob("*.req.txt"))]
    assert len(CALLS) == 85


@pytest.mark.parametrize("number", CALLS)
def test_a_recorded_call_is_answered_as_it_was(server, shared, number):
    theirs = recorded.Exchange(shared / "corpus" / "pyroscope-http", f"{number:03}")
    ours = recorded.send(server, theirs)
    how = CALLS[number]
    if isinstance(how, Differs):
        assert (ours.status, theirs.status != how.status) == (how.status, True), how.why
        return
    assert ours.status == theirs.status, ours.body
    how(ours, theirs)


def fields_of(data):
    """Which fields a message has, and which those of its first message have that is no text."""
    return {number for number, _, _ in recorded.fields(data)}


PROFILECLI = [path.name[:3] for path in sorted(
    (pathlib.Path(__file__).resolve().parents[3] / "shared" / "corpus" / "clients" / "profilecli").glob("*.req.txt"))]


@pytest.mark.parametrize("number", PROFILECLI or ["none"])
def test_profilecli_gets_the_fields_that_it_got(server, shared, number):
    """In proto: status, and the fields of the message; errors by their code."""
    if number == "none":
        pytest.skip("needs the recorded corpus beside the checkout")
    theirs = recorded.Exchange(shared / "corpus" / "clients" / "profilecli", number)
    ours = recorded.send(server, theirs)
    assert ours.status == theirs.status, ours.body
    if theirs.path == "/ready":
        assert ours.body.strip() == theirs.answer.strip() == b"ready"
    elif theirs.status == 400:
        assert ours.json()["code"] == theirs.json()["code"]
    elif theirs.status == 200:
        assert ours.headers["Content-Type"] == "application/proto"
        if "SelectSeries" not in theirs.path and "Heatmap" not in theirs.path:
            assert fields_of(ours.body) - {10} == fields_of(theirs.answer) - {10}, "10: how long a pprof is"
