# SPDX-License-Identifier: Apache-2.0
"""What tests read out of results: pprof files decoded without any library, and the summary on stderr."""

import collections
import gzip
import os
import re
import subprocess

Sample = collections.namedtuple("Sample", "stack values labels")
Profile = collections.namedtuple("Profile", "types samples duration_ns")


def fields(data):
    """(number, value) of every field of a protobuf message; bytes for length-delimited ones."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        elif key & 7 == 2:
            size = varint()
            yield key >> 3, data[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {key & 7}")


def numbers(value):
    """A repeated number, packed or not."""
    if isinstance(value, int):
        return [value]
    out, current, shift = [], 0, 0
    for byte in value:
        current |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            out.append(current)
            current = shift = 0
    return out


def read_pprof(path):
    """Stacks innermost first as (function, file, line)."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    parts = collections.defaultdict(list)
    for number, value in fields(data):
        parts[number].append(value)
    strings = [text.decode() for text in parts[6]]
    types = [strings[dict(fields(each))[1]] for each in parts[1]]
    functions = {}
    for each in parts[5]:
        got = dict(fields(each))
        functions[got[1]] = (strings[got.get(2, 0)], strings[got.get(4, 0)])
    locations = {}
    for each in parts[4]:
        got = dict(fields(each))
        line = dict(fields(got.get(4, b"")))
        locations[got[1]] = (*functions.get(line.get(1), ("", "")), line.get(2, 0))
    samples = []
    for each in parts[2]:
        ids, values, labels = [], [], {}
        for number, value in fields(each):
            if number == 1:
                ids += numbers(value)
            elif number == 2:
                values += numbers(value)
            elif number == 3:
                label = dict(fields(value))
                labels[strings[label[1]]] = strings[label[2]] if 2 in label else label.get(3, 0)
        samples.append(Sample([locations[one] for one in ids], dict(zip(types, values)), labels))
    return Profile(types, samples, parts[10][0] if parts[10] else 0)


def read_raw(text):
    """[(frames outermost first, count)] of collapsed stacks."""
    out = []
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        out.append((stack.split(";"), int(count)))
    return out


def functions(stack):
    """Names of a raw stack without file and line."""
    return [frame.rpartition(" (")[0] or frame for frame in stack]


def summary(stderr):
    """The figures of the summary: ticks, missed, dropped, samples, own CPU seconds."""
    def figure(pattern):
        match = re.search(pattern, stderr)
        return float(match.group(1)) if match else None

    return {
        "samples": figure(r"(\d+) samples in"),
        "ticks": figure(r"in (\d+) ticks"),
        "late": figure(r"(\d+) late"),
        "missed": figure(r"(\d+) missed"),
        "dropped": figure(r"(\d+) dropped"),
        "paused": figure(r"(\d+) paused"),
        "stepped": figure(r"(\d+) stepped"),
        "seconds": figure(r"([\d.]+) s at"),
        "cpu": figure(r"own CPU time: ([\d.]+) s"),
    }


def run(argv, timeout=60, **options):
    """Run a command to its end; its output as text."""
    return subprocess.run([str(arg) for arg in argv], capture_output=True, text=True,
                          timeout=timeout, check=False, **options)


def cpu_seconds(pid):
    """utime + stime of a process as the kernel tells them."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        parts = file.read().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / 100


def state(pid):
    """State letter of a process, None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def child_of(pid):
    """The first child: the keeper of a front, the (first) reader of a keeper; 0 when there is none."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return int((file.read().split() or [0])[0])
    except OSError:
        return 0


def sampling_reader(front, target):
    """The reader of a recording, once it samples that process: it keeps files of its threads open then."""
    reader = child_of(child_of(front))
    try:
        opened = [os.readlink(f"/proc/{reader}/fd/{fd}") for fd in os.listdir(f"/proc/{reader}/fd")]
    except OSError:
        return 0
    return reader if any(path.startswith(f"/proc/{target}/task/") for path in opened) else 0


def is_free(pid):
    """Does nobody trace or stop it (any more)?"""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return "TracerPid:\t0\n" in file.read() and state(pid) in "RS"
