# SPDX-License-Identifier: Apache-2.0
"""Passes over large trees, each as a multiple of one plain pass over an array of that many values."""
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PYROMETER_BUILD", ROOT / "build"))

SHAPES = [
    ("20,000 nodes, 50 deep, 1,000 functions", 20_000, 50, 1_000),
    ("1 M nodes, 50 deep, 1,000 functions", 1_000_000, 50, 1_000),
    ("1 M nodes, 4,096 deep, 1,000 functions", 1_000_000, 4_096, 1_000),
    ("1 M nodes, 50 deep, 100,000 functions", 1_000_000, 50, 100_000),
]


def main():
    program = BUILD / "tests" / "bench" / "profile_bench"
    for title, *shape in SHAPES:
        lines = subprocess.run([program, *map(str, shape)], check=True, stdout=subprocess.PIPE, text=True).stdout
        results = {r["name"]: r["ms"] for r in map(json.loads, lines.splitlines())}
        baseline = results["baseline"]
        print(f"{title}; baseline: one backward pass over an array, {baseline:.3f} ms")
        for name, ms in results.items():
            if name != "baseline":
                print(f"  {name:26} {ms:8.2f} ms  {ms / baseline:7.1f} x")


main()
