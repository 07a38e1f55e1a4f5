# SPDX-License-Identifier: Apache-2.0
"""Native frames: what they show against what is known to be true, what they cost, and py-spy --native beside them.

    python tests/bench/native.py [--only REGEX] [--seconds N] [--parts truth,oracles,cost,peers]

truth    every interpreter here, programs of tests/targets/native/: samples that are complete to the base, stacks that
         are not one of those that the program can have, samples that fell back to Python's frames
oracles  every thread of a process that stands still, as libunwind and gdb see it
cost     the first stacks of a process, a stack of 60 frames, what a pause copies and takes longer, memory
peers    py-spy --native on the same program: how much slower it runs, errors, frames of a stack

Bars: complete >= 99 % running, >= 97 % waiting; wrong 0; fallen back < 0.5 %; the first look < 300 ms; a stack of 60
frames <= 30 us; <= 64 KiB and <= 20 us more in a pause; <= 100 MB with 20 large libraries.  In ./dev bench the seconds
are few (BENCH_SECONDS, 2 a case).
"""

import argparse
import collections
import json
import os
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import native_oracles  # noqa: E402  (all of these need the path above)
import natives  # noqa: E402
import peers  # noqa: E402
import pythons  # noqa: E402
import samplers  # noqa: E402

PYROMETER = samplers.PYROMETER
PROGRAMS = {  # name: (program, shapes, is it judged)
    "running": ("running", r"^(?!.*(deep|elsewhere|bare))", True),
    "waiting": ("waiting", "", True),
    "no tables": ("running", r"bare(?!.*(deep|elsewhere))", False),
    "> 64 KiB": ("running", "deep", False),
    "own stack": ("running", "elsewhere", False),
}
LIBRARIES, FUNCTIONS = 20, 20000
FEW_BYTES = 1 << 20

missed_bars = []


def bar(is_met, text):
    if not is_met:
        missed_bars.append(text)


def share(part, whole):
    return f"{100 * part / whole:.2f}%" if whole else "-"


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found.group(1)) if found else 0.0


def record(pid, seconds, out, *options):
    done = subprocess.run([PYROMETER, "record", "-p", str(pid), "-d", str(seconds), "-f", "raw", "-o", out, *options],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return done.stderr


# ---- truth --------------------------------------------------------------------------------------


def ways(python):
    return ["none"] if python.libc == "none" else ["ctypes", "module"]


def truth_line(python, how, name, seconds, scratch):
    program, wanted, is_judged = PROGRAMS[name]
    folder = natives.build(scratch, python, how)
    with natives.Target(python, program, folder, how, wanted) as target:
        options = ["-i", "-r", "100"] if program == "waiting" else ["-r", "1000"]
        stderr = record(target.pid, seconds, scratch / "x.txt", "-n", *options)
        verdict = target.truth.judge(natives.raw_stacks((scratch / "x.txt").read_text()))
    wrong = sum(verdict.wrong.values())
    mismatches, recovered = number(r"not in step with Python's frames: (\d+)", stderr), number(r"by searching: (\d+)", stderr)
    if is_judged:
        what = f"{python.id} {python.version} {how} {name}"
        bar(verdict.complete >= (0.97 if program == "waiting" else 0.99) * verdict.samples, f"{what}: complete")
        bar(mismatches <= max(1, 0.005 * verdict.samples), f"{what}: fallen back")
        bar(wrong == 0 or python.libc == "musl", f"{what}: wrong {wrong}")
    return (f"{verdict.samples:8} {share(verdict.complete, verdict.samples):>9} "
            f"{share(verdict.native - verdict.complete, verdict.samples):>9} {wrong:6} {mismatches:6.0f} "
            f"{number(r'([0-9]+) dropped', stderr):6.0f} {recovered:9.0f}")


def truth(options, scratch):
    print(f"{'interpreter':22} {'called by':9} {'program':10} {'samples':>8} {'complete':>9} {'inner':>9} {'wrong':>6} "
          f"{'fallen':>6} {'lost':>6} {'searched':>9}")
    for python in pythons.every():
        for how in ways(python):
            for name in PROGRAMS:
                head = f"{python.id + ' ' + python.version:22} {how:9} {name:10}"
                if python.tag not in pythons.READABLE or not re.search(options.only, head):
                    continue
                if how == "none" and not PROGRAMS[name][2]:
                    continue
                try:
                    print(head, truth_line(python, how, name, options.seconds, scratch), flush=True)
                except natives.Unfit as unfit:
                    print(head, unfit, flush=True)


# ---- oracles ------------------------------------------------------------------------------------


def oracle_line(python, how, program, name, scratch):
    folder = natives.build(scratch, python, how)
    with natives.Target(python, program, folder, how, PROGRAMS["running"][1]) as target:
        native_oracles.stop(target.pid)
        theirs = native_oracles.ask(name, target.pid, scratch)
        done = subprocess.run([PYROMETER, "dump", "-n", "--json", "--addresses", "-p", str(target.pid)],
                              capture_output=True, text=True, check=True)
        ours = json.loads(done.stdout)
        found = native_oracles.compare(ours, theirs, native_oracles.Maps(target.pid))
    given_up = sum(native_oracles.is_theirs(why) for _, why in found)
    text = f"{len(ours):5} threads {len(ours) - len(found):5} agree {given_up:5} it gives up {len(found) - given_up:5} differ"
    return text + "".join(f"\n    {why}" for _, why in found if not native_oracles.is_theirs(why))


def oracles(options, scratch):
    for python in pythons.every():
        how = "module" if python.libc == "musl" else ways(python)[0]
        for program in ("waiting", "running"):
            for name in native_oracles.NAMES:
                head = f"{python.id + ' ' + python.version:22} {program:8} {name:10}"
                if python.tag not in pythons.READABLE or not re.search(options.only, head):
                    continue
                try:
                    print(head, oracle_line(python, how, program, name, scratch), flush=True)
                except natives.Unfit as unfit:
                    print(head, unfit, flush=True)


# ---- cost ---------------------------------------------------------------------------------------


def forget_files(pid):
    """What the process has mapped is not in the page cache any more, as far as the kernel lets go."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        paths = {line.split(None, 5)[5].strip() for line in maps if len(line.split(None, 5)) > 5}
    for path in paths:
        if path.startswith("/"):
            try:
                fd = os.open(path, os.O_RDONLY)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(fd)
            except OSError:
                continue


def first_look(pid, *options):
    began = time.monotonic()
    subprocess.run([PYROMETER, "dump", "-n", "-p", str(pid), *options], capture_output=True, check=True)
    return time.monotonic() - began


def first_looks(python, scratch):
    folder = natives.build(scratch, python, "ctypes")
    for name, prepare, options in (("cold, addresses", forget_files, ["--addresses"]), ("cold, names", forget_files, []),
                                   ("warm, addresses", lambda pid: None, ["--addresses"]), ("warm, names", lambda pid: None, [])):
        took = []
        for _ in range(3):
            with natives.Target(python, "running", folder, "ctypes", PROGRAMS["running"][1]) as target:
                prepare(target.pid)
                took.append(first_look(target.pid, *options))
        print(f"  first look, {name}: {1000 * statistics.median(took):.0f} ms (median of 3, all of the program's run)")
        bar("names" in name or statistics.median(took) < 0.3, f"first look, {name}")


def pauses(text):
    return number(r"pauses: median ([\d.]+) us", text)


def stack_costs(python, seconds, scratch):
    target = Rate(python, natives.build(scratch, python, "ctypes"), scratch)
    try:
        found = collections.defaultdict(list)
        for _ in range(3):  # in turns, so that all meet the same machine
            for flags in ((), ("-n",)):
                out = scratch / "cost.txt"
                text, cpu, _, rss = samplers.run_measured([PYROMETER, "record", "-p", str(target.process.pid),
                                                           "-d", str(seconds), "-r", "1000", "-f", "raw", "-o", str(out), *flags])
                samples = max(1, number(r"(\d+) samples in", text))
                found[flags].append((1e6 * cpu / samples, pauses(text), rss, number(r"([\d.]+) KiB copied in a pause", text)))
    finally:
        target.close()
    medians = {flags: [statistics.median(column) for column in zip(*rows)] for flags, rows in found.items()}
    frames = describe("", out)[1]
    plain, native = medians[()], medians[("-n",)]
    print(f"  a stack of {frames:.0f} frames: {native[0] - plain[0]:.1f} us of CPU more than Python's alone ({plain[0]:.1f} us), "
          f"{(native[0] - plain[0]) * 60 / frames:.1f} us for 60, in all processes together: pausing, copying, unwinding, "
          "names, writing")
    print(f"  a pause: median {native[1]:.0f} us with the native stack, {plain[1]:.0f} us without; {native[3]:.1f} KiB of stack copied in the mean")
    bar(0 < native[3] <= 64, "bytes copied in a pause")
    bar(native[1] - plain[1] <= 20, "a pause takes more than 20 us longer")


def large_libraries(scratch):
    """Twenty files, of equal code but with build ids of their own."""
    source = scratch / "large.c"
    shape = (natives.TARGETS / "metal.c").read_text()
    functions = "\n".join(f"long large_{i}(long *a, long n) {{ a[n] = {i}; return other(a, n + {i}) * {i} + a[0]; }}"
                          for i in range(FUNCTIONS))
    source.write_text(shape + "\nextern long other(long *a, long n);\n" + functions + "\nlong other(long *a, long n) "
                      "{ return a[n]; }\n")
    first = scratch / "large.o"
    natives.call("cc", "-O1", "-fPIC", "-w", "-c", "-I", natives.TARGETS, source, "-o", first)
    paths = []
    for i in range(LIBRARIES):
        paths.append(scratch / f"liblarge_{i}.so")
        natives.call("cc", "-shared", first, f"-Wl,--build-id=0x{i + 1:040x}", "-lpthread", "-o", paths[-1])
    return paths


def memory(python, seconds, scratch):
    paths = large_libraries(scratch)
    with subprocess.Popen([python.path, "-u", natives.TARGETS / "load_libraries.py", *paths],
                          stdout=subprocess.PIPE) as target:
        try:
            target.stdout.readline()
            looks = {what: first_look(target.pid, *options) for what, options in (("addresses", ["--addresses"]), ("names", []))}
            text, _, _, rss = samplers.run_measured([PYROMETER, "record", "-p", str(target.pid), "-d", str(max(seconds, 2)), "-n",
                                                     "-f", "raw", "-o", str(scratch / "large.txt")])
        finally:
            target.kill()
    names = {place.rpartition("/")[2] for stack in natives.raw_stacks((scratch / "large.txt").read_text())
             for _, place in stack if "liblarge" in place}
    print(f"  {LIBRARIES} libraries of {FUNCTIONS} functions and {paths[0].stat().st_size / FEW_BYTES:.1f} MB each: {rss / 1024:.0f} MB, "
          f"all processes together; {len(names)} of them on a stack")
    print("    its first look: " + ", ".join(f"{what} {1000 * took:.0f} ms" for what, took in looks.items()))
    print("   ", re.sub(r"\s+", " ", " ".join(line for line in text.splitlines() if "native stacks" in line)))
    bar(looks["addresses"] < 0.3, "first look with 20 large libraries")
    bar(rss <= 100 * 1024, "memory with 20 large libraries")


def cost(options, scratch):
    python = pythons.of("3.11")[0] if pythons.of("3.11") else pythons.every()[0]
    print(f"on {python.id} {python.version}:")
    first_looks(python, scratch)
    stack_costs(python, options.seconds, scratch)
    memory(python, options.seconds, scratch)


# ---- py-spy -------------------------------------------------------------------------------------


class Rate:
    """A program that counts its rounds, and how fast it is."""

    def __init__(self, python, folder, scratch):
        self.file = scratch / "counter"
        self.file.write_bytes(bytes(8))
        self.process = subprocess.Popen([python.path, "-u", natives.TARGETS / "load_rate.py", folder, self.file],
                                        stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def rounds(self):
        return struct.unpack("Q", self.file.read_bytes())[0]

    def during(self, function):
        before, began = self.rounds(), time.monotonic()
        result = function()
        return (self.rounds() - before) / (time.monotonic() - began), result

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def describe(text, out):
    stacks = natives.raw_stacks(out.read_text())
    samples = sum(stacks.values())
    frames = sum(len(stack) * count for stack, count in stacks.items()) / max(1, samples)
    return samples, frames, number(r"Errors: (\d+)", text) + number(r"(\d+) dropped", text)


def peer_lines(python, options, scratch):
    folder = natives.build(scratch, python, "ctypes")
    py_spy = peers.find_py_spy(scratch)
    out = scratch / "peer.txt"
    seconds = max(2, round(options.seconds))
    commands = {"pyrometer -n": [PYROMETER, "record", "-n"], "py-spy -n": py_spy and [py_spy, "record", "-n"]}
    for rate in (100, 1000):
        target = Rate(python, folder, scratch)
        try:
            for name, command in commands.items():
                if not command:
                    print(f"{python.id:16} {name:13} cannot be had")
                    continue
                argv = [*map(str, command), "-p", str(target.process.pid), "-r", str(rate), "-d", str(seconds), "-f", "raw",
                        "-o", str(out)]
                speeds = []
                for _ in range(3):  # in turns, so that both meet the same machine
                    alone, _ = target.during(lambda: time.sleep(seconds))
                    beside, done = target.during(lambda: samplers.run_measured(argv, accept=(0, 1)))  # pylint: disable=cell-var-from-loop
                    speeds.append(beside / alone)
                samples, frames, errors = describe(done[0], out)
                print(f"{python.id:16} {name:13} {rate:5} Hz {100 * (1 - statistics.median(speeds)):7.1f}% slower {samples:7} samples "
                      f"{errors:6.0f} errors {frames:7.1f} frames a stack {done[1] / done[2] * 100:6.1f}% of a CPU", flush=True)
        finally:
            target.close()


def beside_peers(options, scratch):
    for tag in ("3.8", "3.11", "3.13", "3.14"):
        for python in pythons.of(tag)[:1]:
            try:
                peer_lines(python, options, scratch)
            except (natives.Unfit, samplers.Failed) as reason:
                print(f"{python.id:16} {reason}")


PARTS = {"truth": truth, "oracles": oracles, "cost": cost, "peers": beside_peers}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="regular expression for lines of truth and oracles")
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("BENCH_SECONDS", "2")))
    parser.add_argument("--parts", default=",".join(PARTS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for part in options.parts.split(","):
            print(f"-- {part}", flush=True)
            PARTS[part](options, pathlib.Path(name))
    for text in missed_bars:
        print(f"bar missed: {text}")


if __name__ == "__main__":
    main()
