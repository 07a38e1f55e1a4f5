# SPDX-License-Identifier: Apache-2.0
"""What a store must answer, said as shortly as possible: a list of profiles and one formula.

Of a value v over d nanoseconds the first e hold F(e) = floor((v * e + d // 2) / d); a range holds the
difference at its ends.  Nanoseconds are kept as microseconds, what is below one goes to the series' next
profile.  Gauges count whole where they begin.  Profiles longer than ten minutes are pieces that end on
whole ten minutes.  There are no levels, files or days here: they must not show.
"""

import re
from collections import defaultdict

S = 10**9
PIECE = 600 * S


def spread(value, until, length):
    if until <= 0:
        return 0
    return value if until >= length else (value * until + length // 2) // length


def part(value, start, length, begin, end):
    return spread(value, end - start, length) - spread(value, begin - start, length)


class Block:
    """A profile, or a piece of one, as it is stored."""

    def __init__(self, series, start, length, columns, counts, samples):
        self.series, self.start, self.length = series, start, length
        self.columns = columns  # (type, unit, state) -> {stack: value in stored units}
        self.counts = counts  # 1 for the piece in which the profile begins
        self.samples = samples
        self.name = ""  # of its profile
        self.spans = {}  # of a profile's first: (span, trace) -> {column: {stack: value as sent}}

    def overlap(self, begin, end):
        return max(self.start, begin), min(self.start + self.length, end)


class Oracle:
    def __init__(self):
        self.blocks = []
        self.seen = set()
        self.carry = defaultdict(int)

    def restart(self):
        self.carry.clear()  # less than a microsecond of each series

    def put(self, profile):
        """`profile`: the fields of the driver's put.  False: known already."""
        if profile.get("id"):
            if profile["id"] in self.seen:
                return False
            self.seen.add(profile["id"])
        series = (profile["labels"], profile["period"], profile["gauge"])
        columns = {}
        width = len(profile["columns"])
        for c, name in enumerate(profile["columns"]):
            kind = tuple(name.split(":"))
            values = defaultdict(int)
            for i, stack in enumerate(profile["stacks"]):
                values[stack] += profile["values"][i * width + c]
            columns[kind] = self.scale(series, kind, values)
        at = len(self.blocks)
        self.store(series, profile, columns)
        for block in self.blocks[at:]:
            block.name = profile.get("id") or f"unnamed {at}"
        self.blocks[at].spans = self.spans_of(profile)
        return True

    @staticmethod
    def spans_of(profile):
        spans = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
        width = len(profile["columns"])
        for i, (stack, span) in enumerate(zip(profile["stacks"], profile.get("spans", []))):
            for c, name in enumerate(profile["columns"]):
                if span and profile["values"][i * width + c]:
                    spans[tuple(span.split())][tuple(name.split(":"))][stack] += profile["values"][i * width + c]
        return spans

    def scale(self, series, kind, values):
        if kind[1] != "nanoseconds":
            return dict(values)
        scaled = {}
        for stack, value in values.items():
            value += self.carry[series, kind]
            scaled[stack], self.carry[series, kind] = divmod(value, 1000)
        return scaled

    def store(self, series, profile, columns):
        start, length = profile["start"], profile["duration"]
        samples = profile.get("samples", 0)
        begin = start
        while begin < start + length:
            end = start + length
            if length > PIECE and not profile["gauge"]:
                end = min(end, begin + PIECE - begin % PIECE)
            cut = {kind: {stack: part(value, start, length, begin, end) for stack, value in values.items()}
                   for kind, values in columns.items()}
            self.blocks.append(Block(series, begin, end - begin, cut, begin == start,
                                     part(samples, start, length, begin, end)))
            begin = end

    def delete(self, match, begin, end):
        """Whole profiles (or pieces) that begin in the range; returns how many profiles."""
        gone = [b for b in self.blocks if match(b.series[0]) and begin <= b.start < end]
        self.blocks = [b for b in self.blocks if b not in gone]
        return sum(b.counts for b in gone)

    def matching(self, match, kind, begin, end):
        """Blocks of all series that have the kind: a profile without it covers its time with zero."""
        having = {b.series for b in self.blocks if any(k[:2] == kind for k in b.columns)}
        for block in self.blocks:
            at, until = block.overlap(begin, end)
            if at < until and block.series in having and match(block.series[0]):
                yield block, at, until, {k: v for k, v in block.columns.items() if k[:2] == kind}

    def merge(self, match, kind, begin, end):
        """States -> {stack: value}, and the counts of an answer."""
        sums = defaultdict(lambda: defaultdict(int))
        scale = 1000 if kind[1] == "nanoseconds" else 1
        covered = profiles = samples = 0
        stretches = []
        blocks = list(self.matching(match, kind, begin, end))
        begun = [b for b, *_ in blocks if b.start >= begin]
        for block, at, until, columns in blocks:
            is_gauge = block.series[2]
            counts = not begun if is_gauge and not begun else block.start >= begin
            profiles += (1 if is_gauge and not begun else block.counts) if counts else 0
            covered += until - at
            samples += part(block.samples, block.start, block.length, at, until)
            stretches.append((at, until))
            for (_, _, state), values in columns.items():
                for stack, value in values.items():
                    if is_gauge:
                        value = value if counts else 0
                    else:
                        value = part(value, block.start, block.length, at, until)
                    sums[""][stack] += value * scale
                    if state:
                        sums[state][stack] += value * scale
        nonzero = {state: {k: v for k, v in values.items() if v} for state, values in sums.items()}
        return {"columns": {s: v for s, v in nonzero.items() if v}, "covered": covered,
                "wall": union(stretches), "profiles": profiles, "samples": samples}

    def picked(self, match, kind, begin, end, names=(), span_ids=(), trace_ids=()):
        """{stack: value} of whole profiles that overlap the range, or of what in them belongs to spans."""
        sums = defaultdict(int)
        for block, _, _, columns in self.matching(match, kind, begin, end):
            if names and block.name not in names:
                continue
            scale = 1000 if kind[1] == "nanoseconds" else 1
            if span_ids or trace_ids:
                columns, scale = defaultdict(lambda: defaultdict(int)), 1
                for (span, trace), values in block.spans.items():
                    if (not span_ids or span in span_ids) and (not trace_ids or trace in trace_ids):
                        for column in (c for c in values if c[:2] == kind):
                            for stack, value in values[column].items():
                                columns[column][stack] += value
            for values in columns.values():
                for stack, value in values.items():
                    sums[stack] += value * scale
        return {stack: value for stack, value in sums.items() if value}

    def exemplars(self, match, kind, begin, end, of_spans):
        """Sorted [labels, name, span, trace, time, value] of what begins in the range."""
        out = []
        for block, _, _, columns in self.matching(match, kind, begin, end):
            if block.start < begin:
                continue
            if not of_spans:
                scale = 1000 if kind[1] == "nanoseconds" else 1
                total = sum(sum(values.values()) for values in columns.values())
                out.append([block.series[0], block.name, "", "", block.start, total * scale])
                continue
            for (span, trace), values in block.spans.items():
                total = sum(sum(stacks.values()) for column, stacks in values.items() if column[:2] == kind)
                if total:
                    out.append([block.series[0], block.name, span.strip("-"), trace.strip("-"), block.start, total])
        return sorted(out)

    def timeline(self, match, kind, begin, end, step):
        """[value, covered, wall, profiles] per step.  Flows; of a cut block the total is divided."""
        scale = 1000 if kind[1] == "nanoseconds" else 1
        points = []
        for at in range(begin, end, step):
            value = covered = profiles = 0
            stretches = []
            for block, since, until, columns in self.matching(match, kind, at, min(at + step, end)):
                covered += until - since
                profiles += block.counts if block.start >= at else 0
                stretches.append((since, until))
                for values in columns.values():
                    value += scale * part(sum(values.values()), block.start, block.length, since, until)
            points.append([value, covered, union(stretches), profiles])
        return points


def union(stretches):
    total, reached = 0, 0
    for begin, end in sorted(stretches):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def matcher(selector):
    """Equality and regular expression matchers on canonical label texts."""
    wanted = re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', selector)

    def match(labels):
        have = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        for name, op, value in wanted:
            if name == "__profile_type__":
                continue
            got = have.get(name, "")
            ok = {"=": got == value, "!=": got != value, "=~": bool(re.fullmatch(value, got))}[op]
            if not ok:
                return False
        return True

    return match
