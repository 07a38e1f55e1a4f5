#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many pprof uploads of a busy service one CPU second reads: 300 stacks, about 48 KB.

The baseline is the goal that the design states, 1,500 per CPU second; the ratio is ours over it.
"""

import gzip
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "build" / "tests" / "tools" / "format_tool"
GOAL = 1500
STACKS, DEPTH, FUNCTIONS = 300, 30, 430
ROUNDS = 400


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def packed(numbers):
    return b"".join(map(varint, numbers))


def upload():
    """Call trees as services have them: stacks share their beginnings, leaves differ."""
    rng = random.Random(1)
    strings = ["", "cpu", "nanoseconds"]
    out = field(1, field(1, 1) + field(2, 2))
    for number in range(FUNCTIONS):
        strings += [f"module_{number % 40}.function_{number}", f"/srv/app/module_{number % 40}.py"]
        function = field(1, number + 1) + field(2, len(strings) - 2) + field(4, len(strings) - 1)
        out += field(5, function)
        out += field(4, field(1, number + 1) + field(4, field(1, number + 1) + field(2, 1 + number % 200)))
    stack = [rng.randrange(FUNCTIONS) for _ in range(DEPTH)]
    for _ in range(STACKS):
        keep = rng.randrange(5, DEPTH)
        stack = stack[:keep] + [rng.randrange(FUNCTIONS) for _ in range(rng.randrange(1, DEPTH))]
        out += field(2, field(1, packed(each + 1 for each in reversed(stack[:60]))) + field(2, packed([rng.randrange(1, 10**9)])))
    for text in strings:
        out += field(6, text.encode())
    return out + field(9, 1763800000 * 10**9) + field(10, 10 * 10**9)


def main():
    if not TOOL.exists():
        print("pprof_bench: skipped: needs", TOOL)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for name, plain in (("plain", True), ("gzip", False)):
            path = pathlib.Path(folder) / name
            data = upload()
            path.write_bytes(data if plain else gzip.compress(data, 6))
            seconds = float(subprocess.run([TOOL, "read", str(ROUNDS), path], capture_output=True, text=True,
                                           check=True).stdout)
            rate = ROUNDS / seconds
            print(f"pprof_bench: {name:5} {path.stat().st_size:6} bytes ({len(data)} unpacked), {STACKS} stacks: "
                  f"{rate:6.0f} per CPU second, {rate / GOAL:.2f} x the goal of {GOAL}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
