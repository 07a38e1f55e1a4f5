# SPDX-License-Identifier: Apache-2.0
"""Files that others wrote, and what others read in ours: go tool pprof, speedscope, recorded uploads."""

import base64
import collections
import concurrent.futures
import gzip
import html
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import ROOT, wait_until
from profiles import fields, read_pprof, read_raw

# Of tests/unit/format/sample_profiles.h.
MARKERS, STATES, NATIVE, TWO_TYPES, QUALNAMES = 1, 2, 8, 16, 32


@pytest.fixture(scope="session")
def tool(pyrometer):
    path = pathlib.Path(pyrometer).parents[2] / "tests" / "tools" / "format_tool"
    if not path.exists():
        pytest.skip("needs tests/tools/format_tool beside the binary")

    def run(*args):
        done = subprocess.run([str(path), *map(str, args)], capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    return run


# ---- go tool pprof ----

@pytest.fixture(scope="session")
def go():
    path = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if not path:
        pytest.skip("needs go")
    return path


def go_top(go, path, index):
    """{function: (flat, cum)} and the total, in nanoseconds, as pprof counts them."""
    done = subprocess.run([go, "tool", "pprof", "-top", "-unit=ns", f"-sample_index={index}", "-nodecount=100000",
                           "-nodefraction=0", path], capture_output=True, text=True, timeout=300, check=False,
                          env={**os.environ, "PPROF_TMPDIR": str(path.parent)})
    if done.returncode != 0 and "no such tool" in done.stderr:
        pytest.skip("needs go tool pprof")
    assert done.returncode == 0, done.stderr
    total = int(re.search(r"of (\d+)ns total", done.stdout).group(1))
    rows = {}
    for line in done.stdout.splitlines():
        match = re.match(r"\s*(\d+)(?:ns)?\s+[\d.]+%\s+[\d.]+%\s+(\d+)(?:ns)?\s+[\d.]+%\s+(.*)$", line)
        if match:
            rows[match.group(3)] = (int(match.group(1)), int(match.group(2)))
    return rows, total


@pytest.mark.parametrize("flags", [0, MARKERS | STATES | TWO_TYPES, NATIVE | QUALNAMES])
def test_go_tool_pprof_agrees_with_our_totals(tool, go, tmp_path, flags):
    path = tmp_path / "sample.pb.gz"
    tool("sample", 5, flags, "pprof", path)
    ours, = tool("sums", path)
    rows, total = go_top(go, path, "cpu")
    assert total == sum(column["sum"] for column in ours["columns"] if column["type"] == "cpu")
    # pprof's own count, from the file itself: functions of one name are one row there.
    expected = collections.defaultdict(lambda: [0, 0])
    for sample in read_pprof(path).samples:
        names = [function for function, _, _ in sample.stack]
        expected[names[0]][0] += sample.values["cpu"]
        for name in set(names):
            expected[name][1] += sample.values["cpu"]
    assert rows == {name: tuple(values) for name, values in expected.items() if values[1]}
    if flags == 0:
        table = collections.defaultdict(int)
        for row in ours["functions"]:
            table[row["name"]] += row["self"]
        assert {name: self for name, (self, _) in rows.items() if self} == {
            name: self for name, self in table.items() if self}


# ---- speedscope ----

@pytest.fixture(scope="session")
def speedscope(tmp_path_factory):
    """The page that the speedscope package ships, installed once into the build folder."""
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("needs npm, for the speedscope package")
    folder = ROOT / "build" / "oracle-speedscope"
    page = folder / "node_modules" / "speedscope" / "dist" / "release" / "index.html"
    if not page.exists():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefix", folder,
                               "speedscope@1.25.0"], capture_output=True, text=True, timeout=300, check=False,
                              cwd=folder)
        if done.returncode != 0:
            pytest.skip("needs the speedscope package from the npm registry")
    return page


@pytest.fixture(scope="session")
def chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return shutil.which(name)
    return pytest.skip("needs chromium")


ROW = re.compile(r'<tr[^>]*><td[^>]*>([^<]*)<div[^>]*><div[^>]*style="width: ([\d.e-]+)%[^>]*></div></div></td>'
                 r'<td[^>]*>([^<]*)<div[^>]*><div[^>]*style="width: ([\d.e-]+)%[^>]*></div></div></td>'
                 r'<td(?: title="([^"]*)")?[^>]*><span[^>]*></span>(.*?)</td></tr>')


def speedscope_rows(page, chromium, folder, path):
    """[(name, file, total share, self share)] of the sandwich view, as speedscope's importer counts them."""
    script = folder / "file.js"
    content = base64.b64encode(path.read_bytes()).decode()
    script.write_text(f"speedscope.loadFileFromBase64({json.dumps(path.name)}, {json.dumps(content)})")
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]

    def read_page():
        with api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=flags)
            shown = browser.new_page(viewport={"width": 1400, "height": 8000})
            shown.goto(f"file://{page}#localProfilePath={script}&view=sandwich")
            found = wait_until(lambda: ROW.findall(shown.content()), 60, "speedscope's table")
            browser.close()
        return found

    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # playwright allows one event loop a thread
        rows = pool.submit(read_page).result()
    return [(html.unescape(name), html.unescape(file), float(total) / 100, float(own) / 100)
            for _, total, _, own, file, name in rows]


def by_name_and_file(rows):
    out = collections.defaultdict(list)
    for name, file, total, own in rows:
        out[name, file].append((total, own))
    return {key: sorted(values) for key, values in out.items()}


@pytest.mark.parametrize("flags", [0, MARKERS, NATIVE])
def test_speedscope_reads_our_file_to_the_same_totals(tool, speedscope, chromium, tmp_path, flags):
    path, raw = tmp_path / "sample.speedscope.json", tmp_path / "sample.raw"
    tool("sample", 5, flags, "speedscope", path)
    tool("sample", 5, flags, "raw", raw)
    stacks = read_raw(raw.read_text())
    everything = sum(count for _, count in stacks)
    expected = []
    totals = collections.defaultdict(lambda: [0, 0])
    for stack, count in stacks:
        totals[stack[-1]][0] += count
        for frame in set(stack):
            totals[frame][1] += count
    for frame, (own, total) in totals.items():
        match = re.match(r"(.*) \(([^()]*?)(?::\d+)?\)$", frame)
        name, file = match.groups() if match else (frame, "")
        if frame.endswith("_[k]"):
            name, file = frame[:-4], "[kernel]"
        expected.append((name, file, total / everything, own / everything))
    rows = by_name_and_file(speedscope_rows(speedscope, chromium, tmp_path, path))
    wanted = by_name_and_file(expected)
    assert rows.keys() == wanted.keys()
    for key, values in wanted.items():
        assert len(rows[key]) == len(values), key
        for got, want in zip(rows[key], values):
            assert got == pytest.approx(want, abs=2e-5), key


# ---- uploads of real clients ----

def multipart(body, boundary):
    for part in body.split(b"--" + boundary.encode()):
        head, _, content = part.partition(b"\r\n\r\n")
        if b'name="profile"' in head:
            yield content[:-2]


def uploads(shared):
    """(name, body) of every recorded pprof."""
    for path in sorted((shared / "corpus").glob("*/**/*.req.txt")):
        head = path.read_text("latin1")
        body = path.with_name(path.name.replace(".req.txt", ".req.body.bin")).read_bytes()
        first = head.split("\r\n")[0]
        kind = re.search(r"(?im)^content-type: ([^\r\n]*)", head)
        kind = kind.group(1) if kind else ""
        name = str(path.relative_to(shared)).removesuffix(".req.txt")
        if "PusherService/Push" in first and "json" not in kind:
            if re.search(r"(?im)^content-encoding: gzip", head):
                body = gzip.decompress(body)
            for _, series in fields(body[5:] if "grpc" in kind else body):
                for number, sample in fields(series):
                    if number == 2:
                        yield name, dict(fields(sample))[1]
        elif "/ingest" in first and "boundary=" in kind:
            yield from ((name, part) for part in multipart(body, kind.split("boundary=")[1]) if part[:2] != b"FL")
        elif "/ingest" in first and body[:2] == b"\x1f\x8b":
            yield name, body


def test_pprofs_of_real_clients_are_read_to_their_sums(tool, shared, tmp_path):
    paths = {}
    for index, (name, body) in enumerate(uploads(shared)):
        path = tmp_path / f"{index}.pb"
        path.write_bytes(body)
        try:
            paths[path] = (name, read_pprof(path))
        except (ValueError, IndexError, KeyError):
            continue  # an error case of the recording
    assert len(paths) >= 25
    for got in tool("sums", *paths):
        name, expected = paths[pathlib.Path(got["file"])]
        assert got["code"] == 0, (name, got["error"])
        sums = collections.Counter()
        for column in got["columns"]:
            sums[column["type"]] += column["sum"]
        for kind in expected.types:
            assert sums[kind] == sum(sample.values[kind] for sample in expected.samples), (name, kind)


# ---- between our own formats ----

def test_every_readable_format_says_the_same_of_one_profile(tool, tmp_path):
    seen = []
    for name in ("raw", "speedscope", "pprof"):
        path = tmp_path / name
        tool("sample", 9, MARKERS | NATIVE, name, path)
        got, = tool("sums", path)
        assert got["format"] == name
        seen.append((got["columns"][0]["sum"], sorted((row["name"], row["self"], row["total"])
                                                      for row in got["functions"])))
    assert seen[0] == seen[1] == seen[2]


def test_the_capture_in_the_documentation_is_one(pyrometer, tmp_path):
    text = (ROOT / "docs" / "CAPTURE.md").read_text()
    path = tmp_path / "example.pyro"
    path.write_bytes(bytes.fromhex(re.search(r"```hex\n(.*?)```", text, re.S).group(1)))
    done = subprocess.run([pyrometer, "convert", path, "-f", "raw", "--full-filenames", "-o", "-"], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "main (/srv/app.py:7) 1\n"


def test_the_examples_in_the_documentation_are_read(tool, tmp_path):
    text = (ROOT / "docs" / "FORMATS.md").read_text()
    scope, raw = tmp_path / "speedscope", tmp_path / "raw"
    scope.write_text(re.search(r"```json\n(.*?)```", text, re.S).group(1))
    raw.write_text("\n".join(re.findall(r"^    (.* \d+)$", text, re.M)) + "\n")
    for path, total in ((scope, 30), (raw, 74)):
        got, = tool("sums", path)
        assert (got["format"], got["code"], got["columns"][0]["sum"]) == (path.name, 0, total)


# ---- json and markdown ----

@pytest.mark.parametrize("flags", [0, MARKERS, NATIVE | QUALNAMES, 4])
def test_json_has_every_stack_and_value(tool, tmp_path, flags):
    path, raw = tmp_path / "sample.stacks.json", tmp_path / "sample.txt"
    tool("sample", 7, flags, "json", path)
    tool("sample", 7, flags, "raw", raw)
    profile = json.loads(path.read_text())
    assert len(profile["stacks"]) == len(profile["values"]) and sum(profile["values"]) == profile["total"]
    stacks = collections.Counter()
    for stack, value in zip(profile["stacks"], profile["values"]):
        assert all(0 <= frame < len(profile["frames"]) for frame in stack)
        stacks[len(stack)] += value
    if not flags & 4:  # of hostile names raw escapes what would part them
        expected = collections.Counter()
        for stack, count in read_raw(raw.read_text()):
            expected[len(stack)] += count
        assert stacks == expected


def test_markdown_holds_the_table_and_the_stacks(pyrometer, tmp_path):
    raw = tmp_path / "a.txt"
    raw.write_text("main (/srv/a_b.py:3);<b>bold</b>|`x` (/srv/a_b.py:7) 75\nmain (/srv/a_b.py:4);bar (/srv/a_b.py:9) 25\n")
    out = tmp_path / "a.md"
    assert subprocess.run([pyrometer, "convert", raw, "-o", out], check=False).returncode == 0
    text = out.read_text()
    assert "Total: 100 samples" in text
    assert r"| 75 samples | 75.00 % | 75 samples | 75.00 % | &lt;b\>bold&lt;/b\>\|\`x\` | /srv/a\_b.py" in text
    assert "1. 75 samples, 75.00 %\n   - main /srv/a\\_b.py:3\n" in text


def test_other_names_of_formats_are_known(pyrometer, tmp_path):
    raw = tmp_path / "a.txt"
    raw.write_text("main;foo 3\n")
    for name, begin in (("svg", "<?xml"), ("Collapsed", "main;foo 3")):
        done = subprocess.run([pyrometer, "convert", raw, "-f", name, "-o", "-"], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0 and done.stdout.startswith(begin), done.stderr
