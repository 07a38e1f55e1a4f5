#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""unwind.py [BUILD]: what native stacks cost, on every interpreter that is here.

    stacks   waiting threads of tests/targets/waits.py: how many are complete to their base, how many frames were
             recovered by searching, the first look at a process (files opened, functions decoded), and 60 frames
             of those that were seen before.  Limits: 97 % complete, 300 ms, 30 us.
    tables   every function of large libraries decoded (a profiler decodes those that stacks pass through), and
             all of them held at the same time.  Limit: 100 MB with 20 libraries.

Prints tables and fails when a limit is missed.  Times are of one run on this machine.
"""

import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import pythons  # noqa: E402  pylint: disable=wrong-import-position

ROUNDS = 500
LIBRARIES = 20
MUSL_US = 150  # of 60 frames where a library has no unwind information and each stack is searched


def run(*argv):
    return subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, check=True, timeout=120).stdout


def pairs(line):
    words = line.split()
    return {key: float(value) for key, value in zip(words[::2], words[1::2])}


def wait_until_still(waits, pid):
    """Until no thread is on its way to where it waits: twice the same."""
    last = None
    for _ in range(50):
        text = run(waits, pid)
        if text == last and len(text.splitlines()) >= 10:
            return text
        last = text
        time.sleep(0.1)
    return last


def stacks_of(python, waits):
    with subprocess.Popen([python.path, ROOT / "tests" / "targets" / "waits.py"], stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            lines = [line.split(maxsplit=3) for line in wait_until_still(waits, process.pid).splitlines()]
            costs = pairs(run(waits, "-r", ROUNDS, process.pid))
        finally:
            process.kill()
    complete = sum(words[3] == "complete" for words in lines)
    recovered = sum(int(words[2]) for words in lines)
    return {**costs, "threads": len(lines), "complete": complete, "recovered": recovered}


def bench_stacks(waits):
    print(f"{'build':20} {'complete':>9} {'frames':>7} {'recovered':>9} {'first look':>11} {'60 frames':>10} {'memory':>8}")
    is_good = True
    for python in pythons.every():
        found = stacks_of(python, waits)
        print(f"{python.id:20} {found['complete']:4.0f}/{found['threads']:<4} {found['frames']:7.0f} {found['recovered']:9}"
              f" {found['first_us'] / 1000:8.1f} ms {found['per_60_frames_us']:7.1f} us {found['rss_kb'] / 1024:5.1f} MB")
        limit_us = 30 if python.libc == "glibc" else MUSL_US
        is_good &= found["complete"] >= 0.97 * found["threads"]
        is_good &= found["first_us"] < 300000 and found["per_60_frames_us"] <= limit_us
    return is_good


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def large_libraries():
    """The largest shared libraries of the system, each once."""
    sizes, seen = {}, set()
    for folder, _, names in os.walk("/usr/lib"):
        for path in [os.path.join(folder, name) for name in names if ".so" in name]:
            if os.path.isfile(path) and not os.path.islink(path) and os.stat(path).st_ino not in seen:
                seen.add(os.stat(path).st_ino)
                sizes[path] = os.path.getsize(path)
    return [path for path in sorted(sizes, key=sizes.get, reverse=True) if is_elf(path)][:LIBRARIES]


def bench_tables(tables):
    *lines, total = run(tables, *large_libraries()).splitlines()
    print(f"\n{'library':44} {'size':>8} {'functions':>9} {'rows':>8} {'open':>9} {'all decoded':>11} {'a function':>10}")
    for line in lines:
        path, _, rest = line.partition(" ")
        found = pairs(rest)
        each = found["decode_us"] / max(1, found["functions"])
        print(f"{path[-44:]:44} {os.path.getsize(path) / 2**20:5.0f} MB {found['functions']:9.0f} {found['rows']:8.0f}"
              f" {found['open_us'] / 1000:6.1f} ms {found['decode_us'] / 1000:8.1f} ms {each:7.2f} us")
    found = pairs(total.removeprefix("all "))
    print(f"all {len(lines)} with every function decoded: {found['rules']:.0f} different rules, {found['rss_kb'] / 1024:.0f} MB")
    return found["rss_kb"] <= 100 * 1024


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build") / "tests" / "bench"
    is_good = bench_stacks(folder / "unwind_waits")
    is_good &= bench_tables(folder / "unwind_tables")
    print("every limit is kept" if is_good else "A LIMIT IS MISSED")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
