# SPDX-License-Identifier: Apache-2.0
"""What a person sees when there is nothing to show, when something fails, and when names are hostile."""

import json

from . import seed
from .fake_server import FakeServer

HOSTILE = [
    "<img src=x onerror=window.__owned=1>",
    "</script><script>window.__owned=1</script>",
    '"><svg onload=window.__owned=1>',
    "javascript:window.__owned=1",
    "{{constructor.constructor('window.__owned=1')()}}",
    "\u202egnp.exe\u0000\u001b[31m",
    "a" * 5000,
    "__proto__",
    "constructor",
    "</style><style>*{display:none}</style>",
]


def address(fake, **query):
    query = {"from": fake.begin, "until": fake.begin + seed.LENGTH_MS, **query}
    return f"{fake.url}/s/demo?" + "&".join(f"{key}={value}" for key, value in query.items())


def test_first_run_tells_what_to_type_and_goes_on_by_itself(page, start_server, dist, begin_ms):
    url = start_server()
    page.open(url)
    page.sees("h1", "No profiles yet")
    page.sees(".command", f"pyrometer record -p PID --push {url} --service my-service --source")
    page.sees(".waiting", "Waiting for the first profile")
    page.shot("first-run")
    seed.ingest(
        url, "demo", seed.step_samples(0), begin_ms + seed.LENGTH_MS - 10_000, begin_ms + seed.LENGTH_MS
    )
    page.until(lambda: "/s/demo" in page.raw.url, "the page of the new service")
    page.box("work")


def test_range_without_samples_says_where_there_are_some(page, real_site):
    day = 24 * 3600_000
    page.open(f"{real_site.url}/s/demo?from={real_site.begin - 3 * day}&until={real_site.begin - 2 * day}")
    page.sees(".empty", "No samples from")
    page.sees(".empty", "demo has data from")
    page.raw.locator(".empty button").click()
    page.box("work")


def test_filter_that_fits_nothing_can_be_removed(page, real_site):
    page.open(real_site.service(q="env%3Dnowhere"))
    page.sees(".empty", "No samples for this filter")
    page.raw.get_by_text("Remove the filter").click()
    page.box("work")


def test_unknown_service_leads_to_another(page, real_site):
    page.open(f"{real_site.url}/s/nobody")
    page.sees(".empty", "Nobody has sent anything for a service named nobody")
    page.raw.get_by_text("Show another").click()
    page.box("work")


def test_failure_keeps_the_last_picture_and_retry_brings_the_next(new_page, fake):
    page = new_page(may_fail=True).open(address(fake))
    page.box("foo")
    fake.failing["/api/v1/view"] = (
        500,
        json.dumps({"error": "store", "detail": "The store is read-only: the disk is full."}),
    )
    page.raw.keyboard.press("/")
    page.raw.keyboard.type("foo")
    page.sees(".notice.error", "500: The store is read-only: the disk is full.")
    assert "foo" in page.boxes()
    page.shot("error")
    fake.failing.clear()
    page.raw.locator(".notice.error button").click()
    page.until(lambda: page.raw.locator(".notice.error").count() == 0, "no error")
    page.sees(".search-result", "matched")


def test_failure_cures_itself(new_page, fake):
    fake.failing["/api/v1/view"] = (503, "no json at all")
    page = new_page(may_fail=True).open(address(fake))
    page.sees(".notice.error", "503: The server answered 503")
    fake.failing.clear()
    page.box("foo")
    page.until(lambda: page.raw.locator(".notice.error").count() == 0, "no error")


def test_answers_that_make_no_sense_are_told_as_errors(new_page, fake):
    broken = fake.api("view", {"from": fake.begin, "until": fake.begin + seed.LENGTH_MS})
    broken["flame"]["parent"][2] = 99
    fake.failing["/api/v1/view"] = (200, json.dumps(broken))
    page = new_page(may_fail=True).open(address(fake))
    page.sees(".notice.error", "The server's answer makes no sense")


def test_server_that_goes_away_is_told_and_the_picture_stays(new_page, fake):
    page = new_page(may_fail=True).open(address(fake))
    page.box("foo")
    page.raw.context.set_offline(True)
    page.raw.keyboard.press("/")
    page.raw.keyboard.type("bar")
    page.sees(".notice.error", "The server does not answer")
    assert "foo" in page.boxes()


def test_slow_answers_leave_the_old_picture_in_place(page, fake):
    page.open(address(fake))
    before = page.settled("foo")
    fake.delay["/api/v1/view"] = 1.0
    page.raw.locator(".search input").fill("foo")
    page.until(lambda: page.raw.locator(".progress.is-on").count(), "the line that shows progress")
    assert page.boxes()["foo"]["w"] == before["w"]
    page.sees(".search-result", "matched")


def test_bad_words_in_the_address_are_named_and_ignored(page, fake):
    page.open(address(fake, g="nonsense", sel="9-1", future="kept"))
    page.sees(".notice.warn", "g=nonsense, sel=9-1")
    page.click_box("work")
    page.until(lambda: "z=" in page.raw.url, "the zoom in the address")
    assert "future=kept" in page.raw.url


def test_zoom_that_is_not_in_this_range_says_so(page, fake):
    page.open(address(fake, z="AAAAAAAAAAA.BBBBBBBBBBB", zn="parse_row"))
    page.sees(".notice.warn", "parse_row is not in this range")
    page.box("work")


def test_hostile_names_are_only_text(new_page, dist, begin_ms):
    stacks = {
        tuple((name, f"/srv/{name}.py", 1) for name in HOSTILE[: i + 1]): 10**9 for i in range(len(HOSTILE))
    }
    fake = FakeServer(dist, lambda a, b: stacks, services=HOSTILE[:3])
    fake.source = "\n".join(HOSTILE)
    fake.begin = begin_ms
    try:
        page = new_page(may_fail=True).open(fake.url)
        box = page.settled(HOSTILE[0])
        for row in range(len(HOSTILE)):
            page.raw.mouse.move(box["x"] + 5, box["y"] + row * box["h"])
        page.raw.locator(".grid-row").nth(2).click()
        page.sees(".lines h2", "<")
        page.click_box(HOSTILE[1])
        page.raw.wait_for_timeout(300)
        assert page.raw.evaluate("window.__owned") is None
        assert page.raw.evaluate("document.querySelectorAll('img').length") == 1, "only the logo"
        assert page.raw.evaluate("getComputedStyle(document.body).display") != "none"
        assert all(url.startswith(fake.url) for url in page.requests)
    finally:
        fake.stop()


def test_page_asks_no_other_host(page, real_site):
    page.open(real_site.service())
    page.click_box("foo")
    page.sees(".lines h2", "foo")
    assert page.requests and all(url.startswith(real_site.url) for url in page.requests)


def test_live_page_draws_what_arrives(page, start_server, dist):
    import time

    url = start_server()
    now = int(time.time()) // 10 * 10_000
    seed.ingest(url, "demo", seed.step_samples(0), now - 20_000, now - 10_000)
    page.open(f"{url}/s/demo")
    page.box("foo")
    assert page.raw.locator(".live.is-on").count() == 1
    first = page.text(".footer")
    seed.ingest(url, "demo", seed.step_samples(seed.HUMP), now - 10_000, now)
    page.until(
        lambda: page.text(".footer") != first and "0.50 cores" in page.text(".footer"), "the mean of both", 20
    )
