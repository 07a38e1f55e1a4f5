# SPDX-License-Identifier: Apache-2.0
"""Captures made by hand: docs/CAPTURE.md in code, for tests that must know every sample."""

import struct
import zlib

UNKNOWN, RUNNING_GIL, RUNNING, WAITING_GIL, WAITING_LOCK, WAITING_IO, SLEEPING, STOPPED = range(8)
PYTHON, NATIVE = 1, 2
MS = 10**6


def varint(value):
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def zigzag(value):
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return varint(len(data)) + data


class Capture:
    """Records in the order of the calls; bytes() is the file."""

    def __init__(self, command="python app.py", rate=100.0):
        self.records = []
        self.strings, self.frames, self.nodes = {}, {}, {}
        self.last_ns = 0
        self.add(1, zigzag(0), zigzag(0), struct.pack("<d", rate), varint(0), text(command), text("host"), text("0"))

    def add(self, kind, *fields):
        body = b"".join(fields)
        self.records.append(varint(kind) + varint(len(body)) + body)

    def string(self, value):
        if not value:
            return 0
        if value not in self.strings:
            self.add(2, value if isinstance(value, bytes) else value.encode())
            self.strings[value] = len(self.strings) + 1
        return self.strings[value]

    def stack(self, *frames):
        """The node of frames, outermost first, each (function, file, line) or (…, first line)."""
        node = 0
        for function, file, line, *first in frames:
            key = (function, file, line)
            if key not in self.frames:
                name, path = self.string(function), self.string(file)
                self.add(3, *map(varint, (name, 0, path, 0, 0, 0, line, (first or [max(line - 1, 1)])[0], PYTHON)))
                self.frames[key] = len(self.frames) + 1
            child = (node, self.frames[key])
            if child not in self.nodes:
                self.add(4, varint(node), varint(child[1]))
                self.nodes[child] = len(self.nodes) + 1
            node = self.nodes[child]
        return node

    def process(self, number=1, pid=4711, command="python app.py", runtime="CPython 3.13.1"):
        self.add(5, varint(number), zigzag(pid), zigzag(1), zigzag(1), text(command), text(runtime))

    def thread(self, number, name, process=1, tid=None):
        self.add(6, varint(number), varint(process), zigzag(tid or 4710 + number), varint(0), text(name))

    def sample(self, at_ms, thread, node, state, wall_ms=10, cpu_ms=None):
        at_ns = at_ms * MS
        cpu_ms = (wall_ms if state == RUNNING_GIL else 0) if cpu_ms is None else cpu_ms
        self.add(7, zigzag(at_ns - self.last_ns), varint(thread), varint(node), varint(state),
                 varint(1 if state == RUNNING_GIL else 0), varint(wall_ms * MS), varint(cpu_ms * MS))
        self.last_ns = at_ns

    def source(self, file, content, process=1):
        self.add(10, varint(process), text(file), text(content))

    def end(self, at_ms):
        ticks = at_ms // 10
        self.add(8, zigzag(at_ms * MS), *map(varint, [ticks, 0, 0, len(self.records)] + [0] * 16))
        self.add(9, zigzag(at_ms * MS), zigzag(0), zigzag(-1), text(""))

    def bytes(self):
        payload = b"".join(self.records)
        assert len(payload) < 4 << 20
        return b"PYRO" + bytes([1, 0, 0, 0]) + struct.pack("<III", len(payload), len(payload), zlib.crc32(payload)) + payload


APP = """\
def foo(steps):
    x = 1
    for _ in range(steps):
        x = x * 75 % 65537
    return x


def bar(steps):
    return sum(range(steps))


def work():
    return foo(75) + bar(25)
"""


def scene_a(seconds=10):
    """work() calls foo (75 %, nearly all of it in line 4) and bar (25 %); a second thread waits for I/O."""
    made = Capture()
    made.process()
    made.thread(1, "MainThread")
    made.thread(2, "server")
    main = [("<module>", "/srv/app.py", 14, 1), ("work", "/srv/app.py", 13, 12)]
    hot = made.stack(*main, ("foo", "/srv/app.py", 4, 1))
    warm = made.stack(*main, ("foo", "/srv/app.py", 3, 1))
    bar = made.stack(*main, ("bar", "/srv/app.py", 9, 8))
    poll = made.stack(("serve", "/usr/lib/python3.13/socketserver.py", 233, 220))
    made.source("/srv/app.py", APP)
    for tick in range(1, 100 * seconds + 1):
        made.sample(10 * tick, 1, [hot, warm, bar, hot][tick % 4] if tick % 8 != 1 else hot, RUNNING_GIL)
        made.sample(10 * tick, 2, poll, WAITING_IO)
    made.end(1000 * seconds)
    return made


def scene_b(seconds=5):
    """Of eight workers seven wait for the lock at one line, the eighth has it and works; MainThread polls."""
    made = Capture("waitress-serve shop:app")
    made.process(command="waitress-serve shop:app")
    made.thread(1, "MainThread")
    for number in range(8):
        made.thread(2 + number, f"waitress-{number}")
    poll = made.stack(("run", "/srv/waitress/server.py", 52, 40))
    view = [("handler", "/srv/waitress/task.py", 80, 60), ("view", "/srv/shop/view.py", 41, 30)]
    works = made.stack(*view, ("render", "/srv/shop/view.py", 77, 70))
    waits = made.stack(*view, ("acquire", "/srv/asgiref/local.py", 100, 90))
    for tick in range(1, 100 * seconds + 1):
        made.sample(10 * tick, 1, poll, WAITING_IO)
        made.sample(10 * tick, 2, works, RUNNING_GIL)
        for number in range(1, 8):
            made.sample(10 * tick, 2 + number, waits, WAITING_LOCK)
    made.end(1000 * seconds)
    return made
