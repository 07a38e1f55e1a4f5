# SPDX-License-Identifier: Apache-2.0
"""A server that answers as docs/API.md says, from stacks that a test gives it, and fails when told to.

For what the real server cannot be made to do at will: 500s, slow or senseless answers, hostile names.
It serves the page's files as the build made them.
"""

import base64
import hashlib
import http.server
import json
import pathlib
import re
import threading
import time
import urllib.parse

CPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MIME = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8",
}


def key_of(frame):
    return base64.urlsafe_b64encode(hashlib.sha256(repr(frame).encode()).digest()[:8])[:11].decode()


class Strings:
    def __init__(self):
        self.ids, self.list = {"": 0}, [""]

    def id(self, text):
        if text not in self.ids:
            self.ids[text] = len(self.list)
            self.list.append(text)
        return self.ids[text]


class Tree:
    """Stacks ((name, file, line), …) with one value per column, as the tree that a view shows."""

    def __init__(self, columns):
        self.children = {(): {}}
        self.self = {}
        self.n = len(columns)
        for i, stacks in enumerate(columns):
            for stack, value in stacks.items():
                self.add(stack, i, value)

    def add(self, stack, column, value):
        for depth in range(len(stack)):
            self.children.setdefault(stack[:depth], {})[stack[: depth + 1]] = True
            self.children.setdefault(stack[: depth + 1], {})
        self.self.setdefault(stack, [0] * self.n)[column] += value

    def totals(self):
        out = {}
        for node in sorted(self.children, key=len, reverse=True):
            own = self.self.get(node, [0] * self.n)
            out[node] = [own[c] + sum(out[child][c] for child in self.children[node]) for c in range(self.n)]
        return out

    def level_order(self):
        order = [()]
        for node in order:
            order.extend(sorted(self.children[node]))
        return order


def view_of(columns, walls, search=""):
    """The body of /api/v1/view (one column) or /api/v1/diff (two)."""
    tree, strings, frames = Tree(columns), Strings(), {}
    rows = []

    def frame_id(frame):
        if frame not in frames:
            frames[frame] = len(rows)
            name, file, line = frame
            rows.append(
                (
                    strings.id(name),
                    strings.id(file),
                    0,
                    0,
                    line,
                    "python" if file else "marker",
                    key_of(frame) if file else "",
                )
            )
        return frames[frame]

    frame_id(("all", "", 0))
    totals, order = tree.totals(), tree.level_order()
    at = {node: i for i, node in enumerate(order)}
    own = lambda node, c: tree.self.get(node, [0] * tree.n)[c]
    width, x = {}, {}
    for node in sorted(order, key=len, reverse=True):
        width[node] = max(own(node, c) for c in range(tree.n)) + sum(width[k] for k in tree.children[node])
    for node in order:
        left = x.setdefault(node, 0)
        for child in sorted(tree.children[node]):
            x[child] = left
            left += width[child]
    flame = {
        "frame": [frame_id(node[-1]) if node else 0 for node in order],
        "parent": [at[node[:-1]] if node else 0 for node in order],
        "total": [totals[node][0] for node in order],
        "self": [own(node, 0) for node in order],
        "x": [x[node] for node in order],
        "width": [width[node] for node in order],
        "depth": [len(node) for node in order],
        "merged": [0] * len(order),
        "tree_nodes": len(order),
        "merged_total": 0,
        "root_found": True,
    }
    self_of, total_of = {}, {}
    for node in order[1:]:
        for c in range(tree.n):
            self_of.setdefault(node[-1], [0] * tree.n)[c] += own(node, c)
            if node[-1] not in node[:-1]:
                total_of.setdefault(node[-1], [0] * tree.n)[c] += totals[node][c]
    functions = sorted(self_of, key=lambda f: -self_of[f][0])
    table = {
        "frame": [frame_id(f) for f in functions],
        "self": [self_of[f][0] for f in functions],
        "total": [total_of[f][0] for f in functions],
    }
    body = {
        "unit": "nanoseconds",
        "scale": 1,
        "total": totals[()][0],
        "covered_ms": walls[0],
        "wall_ms": walls[0],
        "profiles": 1,
        "samples": totals[()][0] // 10_000_000,
        "series": 1,
        "is_partial": False,
        "missing": [],
    }
    if tree.n == 2:
        flame["total_b"] = [totals[node][1] for node in order]
        flame["self_b"] = [own(node, 1) for node in order]
        table["self_b"] = [self_of[f][1] for f in functions]
        table["total_b"] = [total_of[f][1] for f in functions]
        table["noise"] = [
            int(1.96 * (10_000_000 * (self_of[f][0] + self_of[f][1])) ** 0.5) for f in functions
        ]
        body.update(total_b=totals[()][1], wall_b_ms=walls[1], samples_b=totals[()][1] // 10_000_000)
    if search:
        is_regex = len(search) > 1 and search[0] == search[-1] == "/"
        wanted = re.compile(search[1:-1] if is_regex else re.escape(search), re.IGNORECASE)
        hits = {f for f in functions if wanted.search(f[0])}
        matched = sum(values[0] for stack, values in tree.self.items() if hits & set(stack))
        body["search"] = {"query": search, "matched": matched, "frames": [frame_id(f) for f in hits]}
    names = ("name", "file", "module", "line", "first_line", "kind", "key")
    body.update(
        strings=strings.list, frames=dict(zip(names, map(list, zip(*rows)))), flame=flame, table=table
    )
    return body


class FakeServer:
    """`stacks(from_ms, until_ms)` gives what a range holds; `failing` maps a path to a (status, text) answer."""

    def __init__(self, dist, stacks=None, services=("demo",)):
        self.dist = pathlib.Path(dist)
        self.stacks = stacks
        self.services = list(services)
        self.failing, self.delay = {}, {}
        self.source = None
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                fake.answer(self)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def answer(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        time.sleep(self.delay.get(url.path, 0))
        if url.path in self.failing:
            status, text = self.failing[url.path]
            return self.send(handler, status, "application/json", text.encode())
        if url.path.startswith("/api/v1/"):
            return self.send(
                handler, 200, "application/json", json.dumps(self.api(url.path[8:], query)).encode()
            )
        name = "index.html" if url.path == "/" or url.path.startswith("/s/") else url.path.rsplit("/", 1)[-1]
        file = self.dist / name
        if not file.is_file():
            return self.send(handler, 404, "text/plain", b"no such page\n")
        text = file.read_text().replace("{{app.js}}", "/app.js").replace("{{app.css}}", "/app.css")
        return self.send(handler, 200, MIME[file.suffix], text.encode())

    def send(self, handler, status, mime, body):
        handler.send_response(status)
        handler.send_header("Content-Type", mime)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Content-Security-Policy", POLICY)
        handler.send_header("Cache-Control", "no-store")
        handler.send_header("Server-Timing", "total;dur=1.5")
        handler.end_headers()
        handler.wfile.write(body)

    def api(self, path, query):
        now = int(time.time() * 1000)
        if path == "services":
            return {
                "services": [
                    {"name": n, "profile_types": [CPU], "first": now - 3600_000, "last": now}
                    for n in self.services
                ]
            }
        if path == "labels":
            return {"names": ["env", "service_name"]}
        if path.startswith("labels/"):
            return {"values": ["prod", "staging"]}
        begin, until = int(query["from"]), int(query["until"])
        if path == "timeline":
            return self.timeline(begin, until)
        if path == "view":
            return view_of([self.stacks(begin, until)], [until - begin], query.get("search", ""))
        if path == "diff":
            begin_b, until_b = int(query["from_b"]), int(query["until_b"])
            return view_of(
                [self.stacks(begin, until), self.stacks(begin_b, until_b)],
                [until - begin, until_b - begin_b],
                query.get("search", ""),
            )
        return self.lines(query["function"], self.stacks(begin, until))

    def timeline(self, begin, until):
        step = max(1000, (until - begin) // 120)
        n = (until - begin) // step
        values = [sum(self.stacks(begin + i * step, begin + (i + 1) * step).values()) for i in range(n)]
        return {
            "from": begin,
            "step": step,
            "unit": "nanoseconds",
            "is_gauge": False,
            "last": until,
            "lines": [
                {
                    "labels": {},
                    "values": values,
                    "covered": [step] * n,
                    "wall": [step] * n,
                    "profiles": [1] * n,
                }
            ],
        }

    def lines(self, key, stacks):
        total = sum(stacks.values())
        own = {f: 0 for stack in stacks for f in stack}
        for stack, value in stacks.items():
            own[stack[-1]] += value
        name, file, line = next(f for f in own if key_of(f) == key)
        mine = own[(name, file, line)]
        return {
            "function": {"name": name, "file": file, "first_line": line, "kind": "python"},
            "unit": "nanoseconds",
            "total": mine,
            "self": mine,
            "view_total": total,
            "lines": [
                {"line": line + 3, "self": mine - mine // 10, "total": mine - mine // 10},
                {"line": line + 2, "self": mine // 10, "total": mine // 10},
            ],
            "callers": [],
            "callees": [],
            "source": self.source and {"first_line": 1, "text": self.source, "sent": 0},
        }
