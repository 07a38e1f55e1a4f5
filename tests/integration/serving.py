# SPDX-License-Identifier: Apache-2.0
"""A server of the real binary and the few bytes a client needs: HTTP, pprof, gRPC frames, HTTP/2 frames."""

import gzip
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.parse

CPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Server:
    """pyrometer serve on a port of the kernel's choice."""

    def __init__(self, binary, data, *options, env=None, preexec_fn=None):
        self.binary, self.data, self.options = binary, str(data), options
        self.env, self.preexec_fn = env, preexec_fn
        self.process = None
        self.start()

    def start(self, seconds=20):
        argv = [self.binary, "serve", "--listen", "127.0.0.1:0", "--data", self.data, *self.options]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=self.env, preexec_fn=self.preexec_fn)
        line = self.process.stdout.readline()
        match = re.search(r"http://([0-9.]+):(\d+)", line)
        if not match:
            self.process.wait(timeout=seconds)
            raise RuntimeError(f"no server: {line!r} {self.process.stderr.read()!r}")
        self.host, self.port = match[1], int(match[2])
        self.url = f"http://{self.host}:{self.port}"

    def stop(self, how=signal.SIGTERM):
        """End it; returns (exit code, stderr)."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            _, err = self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, err

    def request(self, method, path, body=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, **params):
        query = urllib.parse.urlencode({k: v for k, v in params.items() if v is not None})
        return self.request("GET", path + ("?" + query if query else ""))

    def ingest(self, body, headers=None, **params):
        return self.request("POST", "/ingest?" + urllib.parse.urlencode(params), body, headers)

    def push(self, series, headers=None):
        """[(labels, [(pprof, id)])] as application/proto."""
        return self.request("POST", "/push.v1.PusherService/Push", push_request(series),
                            {"Content-Type": "application/proto", **(headers or {})})

    def metric(self, name):
        """Value of one line of /metrics, labels included in the name."""
        for line in self.request("GET", "/metrics").body.decode().splitlines():
            if line.startswith("pyrometer_" + name + " "):
                return float(line.rsplit(" ", 1)[1])
        raise KeyError(name)

    def raw(self, data):
        """Send these bytes on a connection of their own; the answer, see raw_answer()."""
        sock = self.socket()
        try:
            sock.sendall(data)
        except ConnectionError:
            pass  # refused while it was sent: the answer may be there
        return raw_answer(sock)

    def socket(self):
        return socket.create_connection((self.host, self.port), timeout=20)


def raw_answer(sock):
    """The answer on a socket until the server closes it; what comes behind the chunks is among the headers."""
    data = b""
    with sock:
        try:
            while chunk := sock.recv(65536):
                data += chunk
        except ConnectionError:
            pass
    head, _, body = data.partition(b"\r\n\r\n")
    if not head:
        return Answer(0, {}, b"")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict((name.lower(), value) for name, value in (line.split(": ", 1) for line in lines[1:]))
    if headers.get("transfer-encoding") == "chunked":
        whole, rest = b"", body
        while (length := int(rest.partition(b"\r\n")[0] or b"0", 16)) > 0:
            rest = rest.partition(b"\r\n")[2]
            whole, rest = whole + rest[:length], rest[length + 2:]
        trailers = rest.partition(b"\r\n")[2].decode("latin-1").split("\r\n")
        headers.update((name.lower(), value) for name, value in (line.split(": ", 1) for line in trailers if line))
        body = whole
    return Answer(int(lines[0].split()[1]), headers, body)


# ---- protobuf and pprof ----

def varint(value):
    out = b""
    value &= (1 << 64) - 1
    while value > 0x7f:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def pprof(stacks, types=(("cpu", "nanoseconds"),), time_ns=None, duration_ns=10 * 10**9, period=10**7,
          labels=None):
    """
    stacks: {("outermost", …, "leaf"): value or (values)}, a frame being a name or (name, line, first line);
    labels: per stack, {stack: {key: text or number}}.  Or stacks: [(stack, value, labels)], where one may come often.
    """
    strings = {"": 0}

    def text(name):
        return strings.setdefault(name, len(strings))

    frames, samples = {}, b""
    if isinstance(stacks, dict):
        stacks = [(stack, values, (labels or {}).get(stack, {})) for stack, values in stacks.items()]
    for stack, values, own in stacks:
        values = values if isinstance(values, tuple) else (values,)
        whole = [frame if isinstance(frame, tuple) else (frame, 7, 0) for frame in stack]
        ids = [frames.setdefault(frame, len(frames) + 1) for frame in reversed(whole)]
        sample = field(1, b"".join(varint(i) for i in ids)) + field(2, b"".join(varint(v) for v in values))
        for key, value in own.items():
            label = field(1, text(key))
            label += field(3, value) if isinstance(value, int) else field(2, text(value))
            sample += field(3, label)
        samples += field(2, sample)
    out = b"".join(field(1, field(1, text(t)) + field(2, text(u))) for t, u in types) + samples
    functions = {}
    for (name, line, first), i in frames.items():
        function = functions.setdefault((name, first), len(functions) + 1)
        out += field(4, field(1, i) + field(4, field(1, function) + field(2, line)))
    for (name, first), i in functions.items():
        out += field(5, field(1, i) + field(2, text(name)) + field(4, text("/srv/app.py")) + field(5, first))
    period_type = field(1, text("cpu")) + field(2, text("nanoseconds"))
    out += b"".join(field(6, name) for name in strings)
    time_ns = time.time_ns() - duration_ns if time_ns is None else time_ns
    return out + field(9, time_ns) + field(10, duration_ns) + field(11, period_type) + field(12, period)


def push_request(series):
    out = b""
    for labels, samples in series:
        body = b"".join(field(1, field(1, k) + field(2, v)) for k, v in labels.items())
        body += b"".join(field(2, field(1, raw) + (field(2, ident) if ident else b"")) for raw, ident in samples)
        out += field(1, body)
    return out


def grpc_frame(message, compressed=False):
    if compressed:
        message = gzip.compress(message)
    return struct.pack(">BI", compressed, len(message)) + message


# ---- HTTP/2 by hand, for what no client does ----

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4


def h2_frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def h2_headers(pairs):
    """HPACK, each header literal, without index and Huffman (lengths below 127)."""
    return b"".join(b"\x00" + bytes([len(k)]) + k.encode() + bytes([len(v)]) + v.encode() for k, v in pairs)


def h2_request(host, path="/ready", method="GET"):
    return h2_headers([(":method", method), (":scheme", "http"), (":authority", host), (":path", path)])


def h2_frames(sock, seconds=10):
    """All frames until the server closes or is silent: [(kind, flags, stream, payload)]."""
    sock.settimeout(seconds)
    data, frames = b"", []
    try:
        while chunk := sock.recv(65536):
            data += chunk
            while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
                length = int.from_bytes(data[:3], "big")
                frames.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:9 + length]))
                data = data[9 + length:]
    except (TimeoutError, ConnectionError):
        pass
    return frames


class Background:
    """Run call() in a thread until the block ends; errors other than a lost connection are kept."""

    def __init__(self, call):
        self.call, self.ends, self.errors = call, threading.Event(), []

    def _run(self):
        while not self.ends.is_set():
            try:
                self.call()
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
            except Exception as error:  # shown by the test
                self.errors.append(error)
                return

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join(timeout=30)


def rss_bytes(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
