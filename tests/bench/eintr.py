# SPDX-License-Identifier: Apache-2.0
"""How often system calls of a program that is paused 1,000 times a second return EINTR: never, is the goal.

    eintr.py [--seconds N] [--python TAG,...] [--signals HZ]

In each interpreter one thread computes and four sleep in calls that signals end (poll, nanosleep, select, epoll_wait), made by
ctypes, since Python would hide EINTR.  --signals: a child sends that many signals a second that the program ignores, which
wake no one while nobody traces the main thread (docs/ACCURACY.md, "Limits").  All interpreters run at the same time, each with a profiler that pauses.
"""

import argparse
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import pythons  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYROMETER = os.environ.get("PYROMETER_BIN", str(ROOT / "build" / "src" / "cmd" / "pyrometer"))
TARGET = """
import ctypes, errno, os, signal, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
until, rate = time.time() + float(sys.argv[1]), float(sys.argv[2])
child = os.fork() if rate else -1
if child == 0:
    while os.getppid() != 1 and time.time() < until:
        os.kill(os.getppid(), signal.SIGWINCH)
        time.sleep(1 / rate)
    os._exit(0)
poller = libc.epoll_create1(0)
room = ctypes.create_string_buffer(64)
def span(unit):
    return struct.pack("ll", 0, 2 * unit)
naps = [lambda: libc.poll(None, 0, 2), lambda: libc.nanosleep(span(1000000), None),
        lambda: libc.select(0, None, None, None, span(1000)), lambda: libc.epoll_wait(poller, room, 1, 2)]
counts = [[0, 0] for _ in naps]
def sleeper(nap, count):
    while time.time() < until:
        count[0] += 1
        if nap() < 0 and ctypes.get_errno() == errno.EINTR:
            count[1] += 1
threads = [threading.Thread(target=sleeper, args=pair) for pair in zip(naps, counts)]
for thread in threads:
    thread.start()
print("ready", flush=True)
while time.time() < until:
    sum(range(100))
for thread in threads:
    thread.join()
print(sum(count[0] for count in counts), sum(count[1] for count in counts), flush=True)
if rate:
    os.waitpid(child, 0)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("BENCH_SECONDS", "5")))
    parser.add_argument("--python", default="3.8,3.11,3.14", help="tags of interpreters, joined by commas")
    parser.add_argument("--signals", type=float, default=0)
    args = parser.parse_args()
    chosen = {python.tag: python for python in pythons.every() if python.tag in args.python.split(",")}
    runs = []
    for python in chosen.values():
        target = subprocess.Popen([python.path, "-c", TARGET, str(args.seconds + 1), str(args.signals)],
                                  stdout=subprocess.PIPE, text=True)
        if target.stdout.readline() != "ready\n":
            print(f"skipped: {python.id} has no ctypes")
            target.wait()
            continue
        runs.append((python, target, subprocess.Popen(
            [PYROMETER, "record", "-p", str(target.pid), "-d", str(args.seconds), "-r", "1000", "-f", "raw", "-o",
             os.devnull], stderr=subprocess.PIPE, text=True)))
    for python, target, profiler in runs:
        said = profiler.communicate()[1]
        sleeps, seen = target.communicate()[0].split()
        paused = next((line for line in said.splitlines() if " paused, " in line), said.strip())
        print(f"{python.id}: {sleeps} sleeps, {seen} saw EINTR; {paused}")


main()
