# SPDX-License-Identifier: Apache-2.0
"""Other unwinders on the threads of a process that stands still, and where they differ from ours: for tests and benches.

    theirs = native_oracles.libunwind(pid, scratch)          {thread: [address, ...]}, the leaf first
    theirs = native_oracles.gdb(pid)
    theirs = native_oracles.perf(pid, scratch)             of a stopped process, which runs on for an instant
    differences = native_oracles.compare(dump, theirs, native_oracles.Maps(pid))

`dump` is what `pyrometer dump -n --json` says.  Ours shows Python frames in the place of the evaluation function, so there
theirs may have as many frames more as ours has Python frames, all of one module.
"""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time

from natives import TARGETS, Unfit, call


class Maps:
    """Addresses of a process as (path, address in the file as it was linked)."""

    def __init__(self, pid):
        self.spans, self.loads = [], {}
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                words = line.split(None, 5)
                start, end = (int(word, 16) for word in words[0].split("-"))
                if "x" in words[1]:
                    self.spans.append((start, end, int(words[2], 16), words[5].strip() if len(words) > 5 else ""))

    def segments(self, path):
        if path not in self.loads:
            try:
                with open(path, "rb") as file:
                    data = file.read(4096)
                at, size, n = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
                headers = [struct.unpack_from("<IIQQQQ", data, at + i * size) for i in range(n)]
                self.loads[path] = [(head[2], head[3], head[5]) for head in headers if head[0] == 1]
            except (OSError, struct.error):
                self.loads[path] = []
        return self.loads[path]

    def place(self, addr):
        for start, end, offset, path in self.spans:
            if start <= addr < end:
                at = addr - start + offset
                for from_, vaddr, size in self.segments(path):
                    if from_ <= at < from_ + size:
                        return path, at - from_ + vaddr
                return path or "[anonymous]", at
        return "", addr

    def address(self, path, offset):
        """Of a place in a file, as perf tells it."""
        for start, end, from_, mapped in self.spans:
            if mapped == path and from_ <= offset < from_ + end - start:
                return start + offset - from_
        return offset


# ---- theirs -------------------------------------------------------------------------------------


def libunwind(pid, scratch):
    program = scratch / "oracle"
    if not program.exists():
        call("cc", "-O1", "-w", TARGETS / "oracle.c", "-o", program, "-lunwind-ptrace", "-lunwind-generic", "-lunwind")
    done = subprocess.run([program, str(pid)], capture_output=True, text=True, timeout=60, check=True)
    threads, frames, exact = {}, [], True
    for line in done.stdout.splitlines():
        first, second = line.split()
        if first == "thread":
            frames, exact = threads.setdefault(int(second), []), True
            continue
        frames.append(int(first, 16) - (0 if exact or second == "s" else 1))
        exact = second == "s"
    return threads


GDB = """
import gdb, json
told = {}
for thread in gdb.selected_inferior().threads():
    thread.switch()
    frame, frames, exact = gdb.newest_frame(), [], True
    while frame is not None and len(frames) < 4096:
        if frame.type() == gdb.SIGTRAMP_FRAME:
            exact = True
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            frames.append(frame.pc() - (0 if exact else 1))
            exact = frame.type() == gdb.SIGTRAMP_FRAME
        try:
            frame = frame.older()
        except gdb.error:
            break
    told[thread.ptid[1]] = frames
print("TOLD " + json.dumps(told))
"""


def gdb(pid):
    if not shutil.which("gdb"):
        raise Unfit("needs gdb")
    done = subprocess.run(["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set auto-load off",
                           "-ex", "set backtrace past-main on", "-ex", "set backtrace past-entry on", "-p", str(pid),
                           "-ex", "python exec(" + repr(GDB) + ")"],
                          capture_output=True, text=True, timeout=120, check=False)
    told = re.search(r"^TOLD (.*)$", done.stdout, re.M)
    if not told:
        raise Unfit(f"gdb says nothing: {done.stderr[-200:]}")
    return {int(thread): frames for thread, frames in json.loads(told.group(1)).items()}


def is_stopped(pid):
    """All of its threads, but for one that waits for the child of its vfork() and for nothing else."""
    states = [open(f"/proc/{pid}/task/{tid}/stat", encoding="utf-8", errors="replace").read().rpartition(")")[2].split()[0]
              for tid in os.listdir(f"/proc/{pid}/task")]
    return all(state in "TDt" for state in states)


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    while not is_stopped(pid):
        time.sleep(0.01)


# What fits into a sample of perf's; a stack that is larger ends early.
PERF_STACK_BYTES = 65528
PERF_FRAME = re.compile(r"\s+([0-9a-f]+) (?:.* )?\(([^()]*)\)$")


def perf(pid, scratch):
    """
    perf copies the stack of a thread that leaves its CPU, and `perf script` unwinds it.  A stop makes all threads leave:
    what it has of them last is where they stand.
    """
    if not shutil.which("perf"):
        raise Unfit("needs perf (linux-perf)")
    data = scratch / f"perf-{pid}.data"
    control, acknowledged = os.pipe(), os.pipe()
    with subprocess.Popen(["perf", "record", "-q", "-N", "-D", "-1", "--control", f"fd:{control[0]},{acknowledged[1]}",
                           "-e", "context-switches", "-c", "1", "--call-graph", f"dwarf,{PERF_STACK_BYTES}", "-m", "16M",
                           "-o", data, "-p", str(pid)], pass_fds=(control[0], acknowledged[1]), text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as record:
        os.close(control[0])
        os.close(acknowledged[1])
        os.write(control[1], b"enable\n")
        is_ready = b"ack" in os.read(acknowledged[0], 16)  # nothing once it has ended
        if is_ready:
            os.kill(pid, signal.SIGCONT)
            stop(pid)
            record.send_signal(signal.SIGINT)
        reason = record.communicate(timeout=60)[1].strip()
        os.close(control[1])
        os.close(acknowledged[0])
    if not is_ready:
        raise Unfit(f"needs the right to use perf: {(reason or 'no reason given').splitlines()[-1]}")
    text = subprocess.run(["perf", "script", "-i", data, "--no-inline", "--max-stack", "4096", "-F", "tid,ip,sym,dso"],
                          capture_output=True, text=True, timeout=60, check=True).stdout
    data.unlink()
    return read_perf(text, Maps(pid))


def read_perf(text, maps):
    threads, frames = {}, []
    for line in text.splitlines():
        found = PERF_FRAME.match(line)
        if not found and line.strip():
            frames = threads[int(line)] = []  # the last sample of a thread counts
        elif found and found.group(2) != "[kernel.kallsyms]":
            frames.append(maps.address(found.group(2), int(found.group(1), 16)))
    return threads


# ---- comparing ----------------------------------------------------------------------------------


def ours_of(thread):
    """[(module, address) or None for a Python frame], the leaf first; a function and what is inlined there are one."""
    out, last = [], None
    for frame in thread["frames"]:
        if frame["name"].startswith("[") and not frame.get("is_native"):
            continue
        place = (frame["module"], frame["address"]) if frame.get("is_native") else None
        if not place or not out or out[-1] != place or frame["name"] == last:  # but recursion is not
            out.append(place)
        last = frame["name"]
    return out


def differs(ours, theirs):
    """Where they part: None when nowhere."""
    i = j = 0
    while i < len(ours) and j < len(theirs):
        if ours[i] is None:
            begin = i
            while i < len(ours) and ours[i] is None:
                i += 1
            skipped = 0
            while j < len(theirs) and (i == len(ours) or not same(ours[i], theirs[j])) and skipped < i - begin:
                j, skipped = j + 1, skipped + 1
            if not skipped:
                return f"Python's frames at {begin} stand for nothing"
            continue
        if not same(ours[i], theirs[j]):
            return f"frame {i}: ours {spell(ours[i])}, theirs {spell(theirs[j])}"
        i, j = i + 1, j + 1
    if i < len(ours):
        return f"theirs ends {len(ours) - i} frames earlier"
    if j < len(theirs):
        return f"ours ends {len(theirs) - j} frames earlier, below {spell(theirs[j - 1]) if j else '-'}"
    return None


def same(ours, theirs):
    # Of a signal's return they differ by one: whether somebody called it is a matter of taste.
    return abs(ours[1] - theirs[1]) <= 1 or (ours[0].startswith("[") and theirs[0].startswith("["))


def spell(place):
    return f"{place[0].rpartition('/')[2]}+{place[1]:#x}" if place else "Python"


def compare(dump, theirs, maps):
    """[(thread id, what differs)] of the threads that both have."""
    found = []
    for thread in dump:
        tid = thread["os_thread_id"]
        if tid in theirs:
            why = differs(ours_of(thread), [maps.place(addr) for addr in theirs[tid]])
            if why:
                found.append((tid, why))
    return found


def is_theirs(why):
    """Does theirs end early, or go where nothing is mapped?  Then ours cannot be judged by it."""
    return why.startswith("theirs ends") or "theirs +" in why


NAMES = ("libunwind", "gdb", "perf")


def ask(name, pid, scratch):
    return {"libunwind": lambda: libunwind(pid, scratch), "gdb": lambda: gdb(pid), "perf": lambda: perf(pid, scratch)}[name]()
