# SPDX-License-Identifier: Apache-2.0
"""Browser tests: Debian's Chromium, the real server with exact data, and a fake one that fails on demand."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from . import seed
from .fake_server import FakeServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PYROMETER_BUILD", ROOT / "build"))
SHOTS = BUILD / "screenshots"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--force-device-scale-factor=1",
    "--font-render-hinting=none",
]


@pytest.fixture(scope="session")
def dist():
    """The page's files as the build made them."""
    if not (BUILD / "web" / "app.js").exists():
        pytest.skip("needs the web page in the build (Node 18 or newer, not -Dweb=disabled)")
    return BUILD / "web"


@pytest.fixture(scope="session")
def chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return shutil.which(name)
    pytest.skip("needs chromium")


@pytest.fixture(scope="session")
def browser(chromium):
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright (tests/requirements.txt)"
    )
    with playwright.sync_playwright() as p:
        running = p.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


class Page:
    """A browser page with the words of these tests; it remembers what went wrong in it."""

    def __init__(self, raw):
        self.raw = raw
        self.errors, self.requests = [], []
        raw.set_default_timeout(15000)
        raw.on("pageerror", lambda error: self.errors.append(str(error)))
        raw.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        raw.on("request", lambda request: self.requests.append(request.url))

    def until(self, condition, what, seconds=15):
        """The first true value of condition(); the page is given time between tries."""
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                pytest.fail(f"never happened: {what() if callable(what) else what}; errors: {self.errors}")
            self.raw.wait_for_timeout(50)

    def open(self, url):
        self.raw.goto(url)
        return self

    def text(self, selector):
        return " ".join(self.raw.locator(selector).all_inner_texts()).replace("\n", " ")

    def sees(self, selector, text):
        return self.until(
            lambda: text in self.text(selector),
            lambda: f"{text!r} in {selector}; there: {self.text(selector)!r}",
        )

    def boxes(self):
        """Boxes of the flame graph by name, once there are any."""
        get = lambda: self.raw.evaluate("window.__flame ? __flame.rects() : []")
        return {box["name"]: box for box in self.until(get, "a flame graph")}

    def box(self, name):
        return self.until(lambda: self.boxes().get(name), f"a box named {name}")

    def click_box(self, name):
        box = self.settled(name)
        self.raw.mouse.click(box["x"] + min(box["w"] / 2, 60), box["y"] + box["h"] / 2)

    def settled(self, name):
        """The box once it stands still: zooming glides."""

        def still():
            first = self.box(name)
            self.raw.wait_for_timeout(60)
            return first if self.boxes().get(name) == first else None

        return self.until(still, f"{name} standing still")

    def rows(self):
        """The function table: {name: [cells]}."""
        cells = self.raw.locator(".grid-row").evaluate_all(
            "rows => rows.map(r => [...r.children].map(c => c.innerText.trim()))"
        )
        return {row[0].split(" ")[0].split("\n")[0]: row[1:] for row in cells}

    def shot(self, name):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.raw.screenshot(path=SHOTS / f"{name}.png")


@pytest.fixture
def new_page(browser):
    """new_page(...) opens a page of its own context; at the end none of them may have seen an error."""
    contexts, pages = [], []

    def make(may_fail=False, **options):
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        page = Page(context.new_page())
        if not may_fail:
            pages.append(page)
        return page

    yield make
    errors = [error for page in pages for error in page.errors]
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def page(new_page):
    return new_page()


class Site:
    def __init__(self, kind, url, begin_ms):
        self.kind = kind
        self.url = url
        self.begin = begin_ms
        self.end = begin_ms + seed.LENGTH_MS

    def at(self, offset_ms):
        return self.begin + offset_ms

    def service(self, **query):
        """Address of the whole history, at rest."""
        query = {"from": self.begin, "until": self.end, **query}
        return f"{self.url}/s/demo?" + "&".join(f"{key}={value}" for key, value in query.items())


@pytest.fixture(scope="session")
def begin_ms():
    """The history ends a minute ago, on a boundary of every level up to a minute."""
    return int(time.time()) // 60 * 60_000 - 60_000 - seed.LENGTH_MS


@pytest.fixture
def fake(dist, begin_ms):
    server = FakeServer(dist, lambda a, b: seed.stacks_between(begin_ms, a, b))
    server.source = seed.SOURCE
    server.begin = begin_ms
    yield server
    server.stop()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def binary():
    path = pathlib.Path(os.environ.get("PYROMETER_BIN", BUILD / "src" / "cmd" / "pyrometer"))
    if not path.exists():
        pytest.fail(f"{path} is not built: run ./dev build")
    return str(path)


@pytest.fixture(scope="session")
def start_server(binary, tmp_path_factory):
    """start_server() runs the real one on a port and a store of its own and gives its address."""
    running = []

    def start():
        url = f"http://127.0.0.1:{free_port()}"
        data = tmp_path_factory.mktemp("data")
        log = open(data / "log", "w+")
        process = subprocess.Popen(
            [binary, "serve", "--listen", url[7:], "--data", str(data / "store")], stdout=log, stderr=log
        )
        running.append((process, log))
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{url}/ready", timeout=5)
                return url
            except OSError:
                assert process.poll() is None, f"the server ended: {(data / 'log').read_text()}"
                time.sleep(0.05)
        raise AssertionError("the server did not become ready")

    yield start
    for process, log in running:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


@pytest.fixture(scope="session")
def real_site(start_server, dist, begin_ms):
    url = start_server()
    seed.send_scene(url, begin_ms)
    return Site("real", url, begin_ms)


@pytest.fixture(params=["real", "fake"])
def site(request, begin_ms):
    """The scene, on the real server and on the fake one: so the fake cannot drift from what is true."""
    if request.param == "real":
        return request.getfixturevalue("real_site")
    return Site("fake", request.getfixturevalue("fake").url, begin_ms)
