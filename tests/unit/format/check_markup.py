# SPDX-License-Identifier: Apache-2.0
"""What SVG and HTML hold, as parsers of others read it: check_markup.py WRITE_SAMPLE svg|html."""
import html.parser
import json
import re
import subprocess
import sys
import xml.etree.ElementTree

SVG = "{http://www.w3.org/2000/svg}"
SEEDS = range(1, 5)


def sample(program, kind, seed):
    return subprocess.run([program, kind, str(seed)], check=True, stdout=subprocess.PIPE).stdout


def check_box(box, boxes):
    """A box lies inside of its parent, one row below it, and says a share that fits its width."""
    rect, title = box.find(SVG + "rect"), box.find(SVG + "title")
    x, width, y = (float(rect.get(k)) for k in ("x", "width", "y"))
    parent = boxes[int(box.get("data-p"))].find(SVG + "rect")
    assert x >= float(parent.get("x")) - 0.01, title.text
    assert x + width <= float(parent.get("x")) + float(parent.get("width")) + 0.01, title.text
    assert y in (float(parent.get("y")), float(parent.get("y")) + 17), title.text
    lines = title.text.split("\n")
    assert len(lines) == 3, lines
    share = float(re.search(r"([\d.]+) % of all", lines[2]).group(1))
    assert abs(share - 100 * width / 1180) < 0.02, lines
    text = box.find(SVG + "text")
    if text is not None and not text.text.endswith("\u2026"):
        assert text.text == lines[0]


def check_svg(data, is_hostile):
    root = xml.etree.ElementTree.fromstring(data)
    assert root.tag == SVG + "svg"
    scripts = list(root.iter(SVG + "script"))
    assert len(scripts) == 1, "a name became a script"
    assert len(scripts[0].text) <= 6 * 1024
    known = {"svg", "title", "style", "defs", "pattern", "rect", "path", "text", "g", "script"}
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in known, element.tag
        assert not any(name.lower().startswith("on") or "href" in name for name in element.attrib)
    boxes = [g for g in root.iter(SVG + "g") if (g.get("class") or "").startswith("b ")]
    for box in boxes:
        check_box(box, boxes)
    titles = "".join(box.find(SVG + "title").text for box in boxes)
    if is_hostile:
        assert len(boxes) > 1500
        for name in ("</title><script>alert(1)</script>", "]]></script>", "\\x01\\x1f\\x7f", "line\\x0abreak", "\u6f22\u5b57"):
            assert name in titles, name
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ufffe\uffff]", titles)


class Page(html.parser.HTMLParser):
    """Tags in order, and the text of the elements that count."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.attrs = [], {}, []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attrs.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags:
            self.texts.setdefault(self.tags[-1], []).append(data)


def check_html(data, is_hostile):
    page = Page()
    text = data.decode()
    page.feed(text)
    page.close()
    assert page.tags.count("script") == 2, "a name became a script"
    known = {"html", "head", "meta", "title", "style", "body", "noscript", "script", "h1", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert set(page.tags) <= known, set(page.tags) - known
    for tag, attrs in page.attrs:
        assert not any(name.startswith("on") or name in ("src", "href") for name in attrs), (tag, attrs)
    policy = next(a["content"] for t, a in page.attrs if t == "meta" and a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    found = re.findall(r'<script id="pyrometer-data" type="application/json">(.*?)</script>', text, re.S)
    assert len(found) == 1 and "<" not in found[0]
    answer = json.loads(found[0])
    view = answer["view"]
    assert answer["title"].startswith("</title><script>")
    assert sum(view["flame"]["merged"]) == 0, "the report holds the full tree"
    assert sum(view["flame"]["self"]) == view["total"] == view["flame"]["total"][0]
    children = [0] * len(view["flame"]["total"])
    for i, parent in enumerate(view["flame"]["parent"][1:], 1):
        children[parent] += view["flame"]["total"][i]
    assert all(t == s + c for t, s, c in zip(view["flame"]["total"], view["flame"]["self"], children))
    if is_hostile:
        assert "</title><script>alert(1)</script>" in view["strings"]
        assert view["flame"]["tree_nodes"] > 20000
    else:
        rows = {view["strings"][view["frames"]["name"][f]]: s for f, s in zip(view["table"]["frame"], view["table"]["self"])}
        assert rows == {"foo": 75000000000, "bar": 25000000000, "work": 0}
        assert "75.00 %" in text and "foo" in text.split("<noscript>")[1].split("</noscript>")[0]


def main():
    program, kind = sys.argv[1:]
    check = {"svg": check_svg, "html": check_html}[kind]
    check(sample(program, kind, 0), False)
    for seed in SEEDS:
        check(sample(program, kind, seed), True)


main()
