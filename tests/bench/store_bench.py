# SPDX-License-Identifier: Apache-2.0
"""The store: what a put costs and how long ranges take, each against a baseline of the same run.

	store_bench.py [--long]		(--long: 30 days too, and 100 series)
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
GENERATE = os.environ.get("STORE_GENERATE", ROOT / "build" / "tests" / "bench" / "store_generate")
HOUR, DAY = 3600, 86400


def generate(seconds, step, series, stacks, mode):
    with tempfile.TemporaryDirectory(prefix="store-bench-") as directory:
        command = [GENERATE, directory + "/data", seconds, step, series, stacks, mode]
        out = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
    return {name: float(value) for name, value in (line.split() for line in out.splitlines())}


def show(title, numbers):
    print(f"{title}:")
    print(f"  put             {numbers['puts_per_cpu_s']:8.0f} profiles/CPU s, {numbers['puts_per_s']:.0f}/s,"
          f" {numbers['commits']:.0f} commits, rolling up the rest {numbers['rollup_cpu_us_per_profile']:.0f} us CPU a profile")
    print(f"  on disk         {numbers['bytes_per_stack']:8.2f} bytes per stack of a profile, all levels")
    for name in ("merge_all", "merge_all_odd", "merge_half", "timeline"):
        if f"rolled_{name}_ms" in numbers:
            fine, rolled = numbers[f"fine_{name}_ms"], numbers[f"rolled_{name}_ms"]
            print(f"  {name:15} {rolled:8.2f} ms; before the windows were rolled up (most not yet) {fine:.2f} ms: {fine / rolled:.1f} x")
    print(f"  memory          {numbers['rss_mb']:8.0f} MB")


def main():
    single = generate(600, 10, 10, 500, "single")
    batch = generate(600, 10, 10, 500, "batch")
    ratio = batch["puts_per_s"] / single["puts_per_s"]
    print(f"group commit: {batch['puts_per_s']:.0f} puts/s with 64 waiting, one at a time"
          f" {single['puts_per_s']:.0f}/s: {ratio:.1f} x ({600 / batch['commits']:.0f} puts share a commit)")
    day = generate(DAY, 10, 1, 500, "batch")
    show("24 h of one service, 10 s profiles of 500 stacks", day)
    if "--long" in sys.argv:
        show("30 d of one service, 1 min profiles of 500 stacks", generate(30 * DAY, 60, 1, 500, "batch"))
        show("6 h of 100 series, 1 min profiles of 500 stacks", generate(6 * HOUR, 60, 100, 500, "batch"))
    if day["rolled_merge_all_odd_ms"] > 50:
        sys.exit("a day of one service took more than 50 ms")


main()
