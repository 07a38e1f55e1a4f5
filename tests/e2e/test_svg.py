# SPDX-License-Identifier: Apache-2.0
"""The SVG picture in a browser: still, as an image, and with its script."""
import subprocess

import pytest

from .conftest import BUILD


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """picture(seed): the file's address; seed 0 is work, foo 75 % and bar 25 %."""
    program = BUILD / "tests" / "unit" / "format" / "write_sample"
    if not program.exists():
        pytest.skip("needs the unit tests in the build")
    where = tmp_path_factory.mktemp("svg")

    def make(seed=0):
        path = where / f"{seed}.svg"
        path.write_bytes(subprocess.run([program, "svg", str(seed)], check=True, stdout=subprocess.PIPE).stdout)
        return path.as_uri()

    return make


BOXES = """() => Object.fromEntries([...document.querySelectorAll('.b')].map(g => [g.querySelector('title').textContent.split('\\n')[0], {
    x: +g.querySelector('rect').getAttribute('x'), w: +g.querySelector('rect').getAttribute('width'),
    shown: getComputedStyle(g).display !== 'none', hit: g.classList.contains('hit'), text: g.querySelector('text')?.textContent}]))"""


def boxes(page):
    return page.raw.evaluate(BOXES)


def shown(page):
    return {name: box for name, box in boxes(page).items() if box["shown"]}


def click(page, name):
    page.raw.locator(".b", has_text=name).locator("rect").first.click(position={"x": 5, "y": 8})


def test_click_zooms_and_the_address_names_the_path(page, picture):
    page.open(picture())
    assert boxes(page)["foo (app.py:13)"]["w"] == pytest.approx(885)
    click(page, "foo (app.py:13)")
    zoomed = shown(page)
    assert zoomed["foo (app.py:13)"] == {"x": 10, "w": 1180, "shown": True, "hit": False, "text": "foo (app.py:13)"}
    assert zoomed["work (app.py:31)"]["w"] == 1180
    assert "bar (app.py:22)" not in zoomed
    assert "#z=work%20(app.py%3A31)/foo%20(app.py%3A13)" in page.raw.url
    page.raw.reload()
    assert shown(page) == zoomed
    page.raw.go_back()
    page.until(lambda: boxes(page)["bar (app.py:22)"]["shown"], "the whole again")
    click(page, "work (app.py:31)")
    page.raw.keyboard.press("Escape")
    assert boxes(page)["foo (app.py:13)"]["w"] == pytest.approx(885)


@pytest.mark.parametrize("query, share, hits", [
    ("FOO", "75.00", {"foo (app.py:13)"}),
    ("/srv", "100.00", {"work (app.py:31)", "foo (app.py:13)", "bar (app.py:22)"}),  # overlap counts once
    ("/^(foo|bar) /", "100.00", {"foo (app.py:13)", "bar (app.py:22)"}),
    ("nothing", "0.00", set()),
])
def test_search_marks_and_says_the_share(page, picture, query, share, hits):
    page.open(picture())
    page.raw.once("dialog", lambda dialog: dialog.accept(query))
    page.raw.locator("#search").click()
    page.until(lambda: f"matched {share} % of all" in page.raw.locator("#matched").text_content(), "the share")
    assert {name for name, box in boxes(page).items() if box["hit"]} == hits
    page.raw.reload()
    page.until(lambda: f"matched {share} %" in page.raw.locator("#matched").text_content(), "the share after a reload")
    page.raw.locator("#reset").click()
    assert page.raw.locator("#matched").text_content() == ""


def test_a_bad_expression_is_said(page, picture):
    page.open(picture())
    page.raw.once("dialog", lambda dialog: dialog.accept("/(/"))
    page.raw.keyboard.press("/")
    page.until(lambda: page.raw.locator("#matched").text_content() == "not an expression", "what is wrong")


def test_hostile_names_run_nothing(page, picture):
    page.open(picture(5))
    assert page.raw.evaluate("document.querySelectorAll('script').length") == 1
    assert len(boxes(page)) > 20
    click(page, "&amp;&lt;&#0;")  # zoom by such a name, and find it again
    before = shown(page)
    assert len(before) > 1
    page.raw.reload()
    assert shown(page) == before


def test_as_an_image_it_is_the_whole_picture(page, picture, tmp_path):
    (tmp_path / "index.html").write_text(f'<img src="{picture()}">')
    page.open((tmp_path / "index.html").as_uri())
    size = page.raw.evaluate("[document.images[0].naturalWidth, document.images[0].naturalHeight]")
    assert size == [1200, 64 + 3 * 17 + 52]
