# SPDX-License-Identifier: Apache-2.0
"""Whole stacks out of the answers of querier.v1: {("main", …, "leaf"): own value}, whatever the format."""


def of_pprof(profile):
    """A pprof in proto3's JSON."""
    texts = profile.get("stringTable", [])
    functions = {one["id"]: texts[int(one["name"])] for one in profile.get("function", [])}
    # Inlined callees come before their callers, as locations do.
    lines = {one["id"]: [functions[line["functionId"]] for line in reversed(one.get("line", []))]
             for one in profile.get("location", [])}
    stacks = {}
    for sample in profile.get("sample", []):
        stack = tuple(name for ident in reversed(sample["locationId"]) for name in lines[ident])
        stacks[stack] = stacks.get(stack, 0) + int(sample["value"][0])
    return stacks


def of_tree(data):
    """As a reader of Pyroscope takes it: the children of a node come in any order, each under the last that waits for one."""
    at, stacks = 0, {}

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    waiting = [None]
    while waiting:
        above = waiting.pop()
        length = number()
        name = data[at:at + length].decode()
        at += length
        own, children = number(), number()
        path = () if above is None else above + (name,)
        if own:
            assert path not in stacks
            stacks[path] = own
        waiting += [path] * children
    assert at == len(data)
    return stacks


def of_flame(flame):
    """A flame graph in levels of four numbers a box, as texts (querier.v1) or numbers (render)."""
    stacks, above = {}, None
    for level in flame["levels"]:
        boxes, x = [], 0
        for gap, total, own, name in zip(*[iter(map(int, level["values"] if isinstance(level, dict) else level))] * 4):
            x += gap
            path = ()
            if above is not None:
                path = next(p for left, width, p in above if left <= x < left + width) + (flame["names"][name],)
            boxes.append((x, total, path))
            x += total
            if own:
                stacks[path] = stacks.get(path, 0) + own
        above = boxes
    return stacks
