# SPDX-License-Identifier: Apache-2.0
"""How soon the page answers, cold: a new browser, a server with half an hour of profiles, and a second as the baseline."""

import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from e2e import conftest, seed  # noqa: E402

BASELINE_S = 1.0
RUNS = 5


def measure(playwright, chromium, address):
    """Seconds from the address to the first flame graph, and to the answer to a click into it."""
    browser = playwright.chromium.launch(executable_path=chromium, args=conftest.FLAGS)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    begin = time.monotonic()
    page.goto(address)
    while not page.evaluate("window.__flame ? __flame.rects().length : 0"):
        pass
    painted = time.monotonic() - begin
    box = next(box for box in page.evaluate("__flame.rects()") if box["name"] == "work")
    page.mouse.click(box["x"] + 30, box["y"] + 8)
    while not page.locator(".crumbs b").count():
        pass
    clicked = time.monotonic() - begin
    browser.close()
    return painted, clicked


def main():
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium or not (conftest.BUILD / "web" / "app.js").exists():
        print("page: skipped, needs chromium and the web page in the build")
        return
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        url = f"http://127.0.0.1:{conftest.free_port()}"
        binary = conftest.BUILD / "src" / "cmd" / "pyrometer"
        server = subprocess.Popen(
            [binary, "serve", "--listen", url[7:], "--data", f"{data}/store"], stderr=subprocess.DEVNULL
        )
        try:
            for _ in range(100):
                try:
                    urllib.request.urlopen(f"{url}/ready")
                    break
                except OSError:
                    time.sleep(0.1)
            begin_ms = int(time.time()) // 60 * 60_000 - 60_000 - seed.LENGTH_MS
            seed.send_scene(url, begin_ms)
            address = f"{url}/s/demo?from={begin_ms}&until={begin_ms + seed.LENGTH_MS}"
            runs = [measure(playwright, chromium, address) for _ in range(RUNS)]
        finally:
            server.terminate()
            server.wait()
    print(f"page, cold, median of {RUNS}; baseline: {BASELINE_S:.0f} s")
    for name, seconds in zip(
        ("first flame graph", "first answered click"), map(statistics.median, zip(*runs))
    ):
        print(f"  {name:22} {seconds * 1000:6.0f} ms  {seconds / BASELINE_S:5.2f} x")


main()
