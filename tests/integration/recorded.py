# SPDX-License-Identifier: Apache-2.0
"""Recorded exchanges of clients with a real Pyroscope, moved to the present: the same questions about the same data."""

import gzip
import json
import re
import time

from serving import field, push_request

RECORDED_START, RECORDED_END = 1795340594, 1795344194  # seconds: the range of all recorded questions
# Whole hours, so that steps begin where they began.
SHIFT = (int(time.time()) - RECORDED_END - 60) // 3600 * 3600
START, END = (RECORDED_START + SHIFT) * 1000, (RECORDED_END + SHIFT) * 1000


class Exchange:
    def __init__(self, folder, number):
        text = (folder / f"{number}.req.txt").read_text()
        head, *lines = text.splitlines()
        self.method, self.path, _ = head.split(" ", 2)
        self.headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines if ": " in line)}
        self.body = (folder / f"{number}.req.body.bin").read_bytes()
        told = (folder / f"{number}.resp.txt").read_text().splitlines()
        self.status = int(told[0].split()[1])
        self.answer = (folder / f"{number}.resp.body.bin").read_bytes()
        if any(line.lower() == "content-encoding: gzip" for line in told):
            self.answer = gzip.decompress(self.answer)

    def json(self):
        return json.loads(self.answer)


def exchanges(folder):
    return {path.name[:3]: Exchange(folder, path.name[:3]) for path in sorted(folder.glob("*.req.txt"))}


# ---- moving ----

def number_at(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def fields(data):
    """[(number, value or bytes, as written)] of a message."""
    at, out = 0, []
    while at < len(data):
        begin = at
        tag, at = number_at(data, at)
        if tag & 7 == 0:
            value, at = number_at(data, at)
        elif tag & 7 == 2:
            length, at = number_at(data, at)
            value, at = data[at:at + length], at + length
        else:
            size = 8 if tag & 7 == 1 else 4
            value, at = data[at:at + size], at + size
        out.append((tag >> 3, value, data[begin:at]))
    return out


def moved_pprof(data):
    """Field 9 of a profile is when it began."""
    plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    return b"".join(field(9, value + SHIFT * 10**9) if number == 9 and value else raw
                    for number, value, raw in fields(plain))


def moved_push(data):
    series = []
    for _, one, _ in fields(data):
        labels, samples = {}, []
        for number, value, _ in fields(one):
            inner = {n: v for n, v, _ in fields(value)}
            if number == 1:
                labels[inner[1].decode()] = inner.get(2, b"").decode()
            elif number == 2:
                samples.append((moved_pprof(inner[1]), inner.get(2, b"").decode()))
        series.append((labels, samples))
    return push_request(series)


def moved_question(data):
    """Of querier.v1, in proto: milliseconds of the recorded year are times."""
    return b"".join(field(number, value + SHIFT * 1000) if isinstance(value, int) and 1.7e12 < value < 1.9e12 else raw
                    for number, value, raw in fields(data))


def moved_form(body, boundary):
    """The profiles in a multipart form."""
    mark = b"--" + boundary.encode()
    parts = body.split(mark)
    for i, part in enumerate(parts):
        if b'name="profile"' in part:
            head, data = part.split(b"\r\n\r\n", 1)
            parts[i] = head + b"\r\n\r\n" + moved_pprof(data[:-2]) + b"\r\n"
    return mark.join(parts)


def moved_digits(match):
    text = match[0]
    unit = 10 ** (len(text) - 10)
    return str(int(text) + SHIFT * unit)


def moved_path(path):
    path = re.sub(r"(?<=[=])\d{10}(\d{3}){0,3}(?=&|$)", moved_digits, path)
    path = re.sub(r"((?:from|leftFrom|rightFrom)=)now-1h", rf"\g<1>{START}", path)
    return re.sub(r"((?:until|leftUntil|rightUntil)=)now(?=&|$)", rf"\g<1>{END}", path)


def moved_json(value):
    if isinstance(value, dict):
        return {key: str(int(inner) + SHIFT * 1000) if key in ("start", "end", "modifiedAt") and int(inner) > 10**12
                and isinstance(inner, str) else int(inner) + SHIFT * 1000 if key in ("start", "end", "modifiedAt")
                and int(inner) > 10**12 else moved_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [moved_json(inner) for inner in value]
    return value


def moved_body(exchange):
    kind = exchange.headers.get("content-type", "")
    body = exchange.body
    if exchange.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if kind.startswith("multipart/form-data"):
        return moved_form(body, re.search("boundary=([^;]+)", kind)[1])
    if kind == "application/proto" and exchange.path.endswith("/Push"):
        return moved_push(body)
    if kind == "application/proto":
        return moved_question(body)
    if kind == "application/json" and not exchange.path.endswith("/Push") and not body.startswith(b"{broken"):
        return json.dumps(moved_json(json.loads(body))).encode()
    if "format=pprof" in exchange.path and body and exchange.status == 200:
        return moved_pprof(body)
    return body


def send(server, exchange):
    """The request as it was, moved; bodies go without their compression."""
    headers = {name: exchange.headers[name] for name in ("content-type", "accept", "te") if name in exchange.headers}
    return server.request(exchange.method, moved_path(exchange.path), moved_body(exchange) or None, headers)


def moved_times(value):
    """The times of an answer, as texts or numbers of milliseconds."""
    if isinstance(value, dict):
        return {key: type(inner)(int(inner) + SHIFT * 1000) if key in ("timestamp", "modifiedAt")
                else moved_times(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [moved_times(inner) for inner in value]
    return value


def plain(answer):
    """The body of an answer without its compression."""
    return gzip.decompress(answer.body) if answer.headers.get("Content-Encoding") == "gzip" else answer.body
