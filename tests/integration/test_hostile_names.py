# SPDX-License-Identifier: Apache-2.0
"""
Names that are markup, control characters, another direction of writing, formulas of a spreadsheet: data in every export, on
every page and in every answer.  What each format's reader makes of them is compared with what was sent.

Elsewhere: the page in a browser (tests/e2e), the terminal (test_looks.py), each writer alone (tests/unit/format/test_markup.c,
hostile.c), file names in headers (test_hostile_http.py).
"""

import gzip
import html.parser
import json
import re
import subprocess
import xml.etree.ElementTree

import pytest

from profiles import fields
from serving import CPU, Server, pprof

ALL = {"from": 1, "until": 4102444800000}
HOSTILE = {
    "script": "</script><script>alert(1)</script>", "image": "<img src=x onerror=alert(1)>", "attribute": "\"'><svg/onload=alert(1)>",
    "comment": "--><!--", "cdata": "]]>&lt;", "entity": "&#60;b&#62; &amp;", "template": "{{7*7}} ${7*7} #{7*7}", "link": "javascript:alert(1)",
    "markdown": "[x](javascript:alert(1)) `code` | a | b |", "escape": "\x1b[31mred\x1b]0;title\x07", "bell": "\x07\x08\x7f", "c1": "\x9b31m",
    "turned": "\u202egnp.exe\u202c", "isolated": "\u2066a\u2069", "hidden": "a\u200bb\ufeff", "separator": "a\u2028b\u2029c", "lines": "a\nb\r\nc",
    "semicolon": "a;b;c 5", "formula": "=cmd|' /C calc'!A0", "at": "@SUM(1)", "path": "../../etc/passwd", "quote": 'a"b\\c', "metric": 'x"} 1\nfake{y="',
    "wide": "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 名前 اسم", "combining": "e" + "\u0301" * 50, "long": "x" * 1900,
}
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def server(pyrometer, tmp_path_factory):
    """A service for each name, which is its service, a label's value, a function, and a file's."""
    server = Server(pyrometer, tmp_path_factory.mktemp("names"))
    for name in HOSTILE.values():
        answer = server.push([({"__name__": "process_cpu", "service_name": name, "pod": name},
                               [(pprof({("main", name, "leaf"): 10**9}), "")])])  # long ones: below the limit of labels
        assert answer.status == 200, answer.body
    yield server
    code, err = server.stop()
    assert code == 0 and not CONTROL.search(err)


@pytest.fixture(scope="module")
def stored(server):
    """How names are kept: {what it is called here: the name as the answer has it}."""
    view = server.get("/api/v1/view", query=f"{CPU}{{}}", **ALL).json()
    return {view["strings"][i] for i in view["frames"]["name"]}


def export(server, form, **more):
    answer = server.get("/api/v1/export", query=f"{CPU}{{}}", format=form, **ALL, **more)
    assert answer.status == 200, answer.body
    return answer


def test_names_are_kept_but_for_what_no_name_has(stored):
    for name in HOSTILE.values():
        if not CONTROL.search(name) and "\n" not in name and len(name) < 1000:
            assert name in stored, name


def test_the_json_of_every_question_is_json_and_nothing_else(server):
    paths = ["/api/v1/services", "/api/v1/labels", "/api/v1/labels/service_name/values", "/api/v1/labels/pod/values", "/api/v1/view",
             "/api/v1/timeline", "/api/v1/functions", "/api/v1/breakdown", "/pyroscope/render", "/pyroscope/label-values", "/api/v1/rejections"]
    for path in paths:
        answer = server.get(path, query=f"{CPU}{{}}", by="pod", group_by="pod", label="service_name" if "label-values" in path else "pod", **ALL)
        assert answer.status == 200, (path, answer.body)
        assert answer.headers["Content-Type"].startswith("application/json") and answer.headers["X-Content-Type-Options"] == "nosniff"
        answer.json()
        assert not CONTROL.search(answer.body.decode()), path


def test_calls_answer_in_json_and_nothing_else(server):
    for method, body in (("LabelValues", {"name": "pod"}), ("Series", {"matchers": [], "labelNames": []}), ("LabelNames", {}),
                         ("SelectMergeStacktraces", {"profileTypeID": CPU, "labelSelector": "{}"}),
                         ("SelectSeries", {"profileTypeID": CPU, "labelSelector": "{}", "groupBy": ["pod"], "step": 1e9})):
        answer = server.request("POST", f"/querier.v1.QuerierService/{method}", json.dumps({"start": 1, "end": 4102444800000, **body}),
                                {"Content-Type": "application/json"})
        assert answer.status == 200, answer.body
        assert answer.json() and not CONTROL.search(answer.body.decode())


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.handlers = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.handlers += [name for name, value in attrs if name.startswith("on") or (value or "").lower().startswith("javascript:")]


def test_the_page_of_an_export_runs_nothing_of_the_names(server):
    text = export(server, "html").body.decode()
    seen = Tags()
    seen.feed(text)
    plain = Tags()
    plain.feed(server.get("/api/v1/export", query=f'{CPU}{{service_name="wide"}}', format="html", **ALL).body.decode())
    assert seen.handlers == [] and "img" not in seen.tags
    assert seen.tags.count("script") == plain.tags.count("script") and not CONTROL.search(text)


def test_the_picture_is_xml_and_runs_nothing_of_the_names(server):
    text = export(server, "svg").body.decode()
    root = xml.etree.ElementTree.fromstring(text)
    kinds = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert "foreignObject" not in kinds and "img" not in kinds and kinds.count("script") <= 1
    for element in root.iter():
        assert not any(name.startswith("on") for name in element.attrib)
        assert not any(value.lower().startswith("javascript:") for value in element.attrib.values())
    assert not CONTROL.search(text)


def test_collapsed_text_is_one_line_a_stack(server):
    lines = export(server, "raw").body.decode().removesuffix("\n").split("\n")
    assert len(lines) == len(HOSTILE) and not CONTROL.search("".join(lines))
    assert all(re.fullmatch(r"[^;]+;[^;]+;[^;]+ \d+", line) for line in lines)


def test_pprof_and_speedscope_are_read_with_the_same_names(server, stored):
    raw = export(server, "pprof").body
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    strings = {value.decode() for number, value in fields(raw) if number == 6}
    assert stored - {"", "all"} <= strings
    frames = json.loads(export(server, "speedscope").body)["shared"]["frames"]
    assert {frame["name"] for frame in frames} >= {"main", "leaf"} and len(frames) >= len(HOSTILE)


def test_markdown_has_its_table_whole(server):
    text = export(server, "markdown").body.decode()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) > 5 and not CONTROL.search(text)
    columns = {len(re.findall(r"(?<!\\)\|", row)) for row in rows[:3]}
    assert len(columns) == 1
    assert all(len(re.findall(r"(?<!\\)\|", row)) in columns for row in rows), "a name made a column"
    assert "<script" not in text and "](javascript:" not in text.replace("\\", "")  or "\\[" in text


def test_metrics_have_no_lines_of_clients(server):
    server.push([({"__name__": "process_cpu", "service_name": name}, [(b"\xff", "")]) for name in HOSTILE.values()])
    text = server.get("/metrics").body.decode()
    assert "fake" not in text and "script" not in text and not CONTROL.search(text)
    assert all(re.match(r"(# (HELP|TYPE) |[a-z_]+(\{[^}]*\})? [-+0-9.eEN])", line) for line in text.splitlines())


def test_pages_show_names_as_text(server):
    for name in HOSTILE.values():
        server.push([({"__name__": "process_cpu", "service_name": name}, [(b"\xff", "")])])
    page = server.request("GET", "/rejections", headers={"Accept": "text/html"}).body.decode()
    seen = Tags()
    seen.feed(page)
    assert "script" not in seen.tags and "img" not in seen.tags and "svg" not in seen.tags and not seen.handlers
    assert not CONTROL.search(page)


@pytest.mark.parametrize("form", ["raw", "svg", "html", "speedscope", "markdown", "pprof"])
def test_convert_writes_hostile_names_as_the_server_does(pyrometer, tmp_path, form):
    source = tmp_path / "hostile.pb.gz"
    source.write_bytes(gzip.compress(pprof({("main", name, "leaf"): 10**9 for name in HOSTILE.values()})))
    done = subprocess.run([pyrometer, "convert", source, "-f", form, "-o", tmp_path / "out"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if form == "pprof":
        return
    text = (tmp_path / "out").read_bytes().decode()
    seen = Tags()
    seen.feed(text if form == "html" else "")
    assert not CONTROL.search(text) and "img" not in seen.tags and not seen.handlers
