# SPDX-License-Identifier: Apache-2.0
"""A tree far larger than a picture: what is too small is merged openly, and no number changes by it."""

import pytest
from . import seed

GROUPS, LEAVES = 150, 130


@pytest.fixture(scope="module")
def large(start_server, dist, begin_ms):
    """19,500 leaves in 150 groups, all of one size; the groups differ in nothing but their names."""
    url = start_server()
    frame = lambda name: ((name, "/srv/large.py", 1), 2)
    samples = [
        ([frame("main"), frame(f"group_{g:03}"), frame(f"leaf_{leaf:03}")], 1_000_000)
        for g in range(GROUPS)
        for leaf in range(LEAVES)
    ]
    seed.ingest(url, "large", samples, begin_ms, begin_ms + 10_000)
    return f"{url}/s/large?from={begin_ms}&until={begin_ms + 10_000}"


def test_small_boxes_are_merged_and_say_so(page, large):
    page.open(large)
    page.box("main")
    footer = page.sees(".footer", "merged") and page.text(".footer")
    assert "19,652 nodes" in footer and "100 % = 1.95 cores" in footer
    assert "too small to draw, merged" in page.text(".legend")
    page.sees(".pane-foot", "281 functions · self of all: 100.0 %")
    page.shot("large")


def test_zoom_into_what_was_merged_brings_it(page, large):
    page.open(large)
    boxes = page.until(
        lambda: [b for b in page.raw.evaluate("window.__flame ? __flame.rects() : []") if b["merged"]],
        "merged boxes",
    )
    box = max(boxes, key=lambda b: b["w"])
    page.raw.mouse.click(box["x"] + box["w"] / 2, box["y"] + 8)
    leaves = lambda: [
        b for b in page.raw.evaluate("window.__flame ? __flame.rects() : []") if b["name"].startswith("leaf_")
    ]
    page.until(lambda: len(leaves()) == LEAVES, "every leaf of the group")
    page.sees(".crumbs b", "group_")
    page.until(lambda: "root=" in " ".join(page.requests), "a closer look was asked for")
    address = page.raw.url
    page.raw.go_back()
    page.until(lambda: page.raw.locator(".crumbs").count() == 0, "everything again")
    page.open(address)
    page.until(lambda: len(leaves()) == LEAVES, "the same by its address")


def test_search_counts_what_is_merged_too(page, large):
    page.open(large + "&s=leaf_077")
    page.sees(".search-result", "0.8 % matched")
    assert page.rows()["leaf_077"][0] == "0.8 %"


def test_table_shows_what_is_visible_only(page, large):
    page.open(large)
    page.until(lambda: page.rows(), "rows")
    assert page.raw.locator(".grid-row").count() < 80
    page.raw.locator(".grid-body").focus()
    page.raw.keyboard.press("End")
    page.until(
        lambda: page.raw.locator(".grid-row.is-active").get_attribute("aria-rowindex") == "282",
        "the last row",
    )


def test_comparison_brings_what_was_merged_too(page, start_server, dist, begin_ms):
    url = start_server()
    frame = lambda name: ((name, "/srv/large.py", 1), 2)
    for step in range(2):
        # In the second half the leaves of every other group cost twice as much.
        samples = [
            (
                [frame("main"), frame(f"group_{g:03}"), frame(f"leaf_{leaf:03}")],
                1_000_000 * (1 + step * (g % 2)),
            )
            for g in range(GROUPS)
            for leaf in range(LEAVES)
        ]
        seed.ingest(url, "large", samples, begin_ms + 10_000 * step, begin_ms + 10_000 * (step + 1))
    middle, end = begin_ms + 10_000, begin_ms + 20_000
    page.open(f"{url}/s/large?from={begin_ms}&until={end}&base={begin_ms}-{middle}&sel={middle}-{end}")
    page.sees(".banner", "cores more (+50 %)")
    boxes = page.until(
        lambda: [b for b in page.raw.evaluate("window.__flame ? __flame.rects() : []") if b["merged"]],
        "merged boxes",
    )
    box = max(boxes, key=lambda b: b["w"])
    page.raw.mouse.click(box["x"] + box["w"] / 2, box["y"] + 8)
    leaves = lambda: [b for b in page.raw.evaluate("__flame.rects()") if b["name"].startswith("leaf_")]
    page.until(lambda: len(leaves()) == LEAVES, "every leaf of the group")
