# SPDX-License-Identifier: Apache-2.0
"""Signing in, the list of refusals and a path of a proxy, in a browser: what is shown, and that the policy is kept."""

import base64
import re
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from .conftest import Page

STACKS = b"main;work;foo 75\nmain;work;bar 25\n"


@pytest.fixture
def guarded(dist, binary, tmp_path):
    made = subprocess.run([binary, "token", "create", "--scope", "admin", "--data", tmp_path],
                          capture_output=True, text=True, check=True)
    process = subprocess.Popen([binary, "serve", "--listen", "127.0.0.1:0", "--data", tmp_path,
                                "--base-path", "/pyrometer", "--max-samples", "1000"], stdout=subprocess.PIPE, text=True)
    url = re.search(r"http://[0-9.]+:\d+", process.stdout.readline())[0]
    yield url, made.stdout.strip()
    process.terminate()
    process.wait(30)


def put(url, token, body, service="shop"):
    request = urllib.request.Request(f"{url}/pyrometer/ingest?name={service}&from={int(time.time()) - 20}", body,
                                     {"Authorization": "Basic " + base64.b64encode(b"x:" + token.encode()).decode()})
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_page_works_below_a_path_behind_a_login_without_breaking_its_policy(guarded, browser):
    url, token = guarded
    assert put(url, token, STACKS) == 200
    assert put(url, token, b"".join(b"main;<img src=x onerror=alert(1)>%d 1\n" % i for i in range(1200)), "big") == 413
    raw = browser.new_page()
    page = Page(raw)
    violations = []
    raw.expose_function("noteViolation", lambda text: violations.append(text))
    raw.add_init_script("addEventListener('securitypolicyviolation', e => noteViolation(e.violatedDirective + ' ' + e.blockedURI))")
    try:
        raw.goto(f"{url}/pyrometer/s/shop")
        assert raw.url == f"{url}/pyrometer/login"
        raw.fill("input[name=token]", "wrong")
        raw.click("button")
        assert "not known here" in raw.inner_text("[role=alert]")
        raw.fill("input[name=token]", token)
        raw.click("button")
        page.until(lambda: raw.url.startswith(f"{url}/pyrometer/") and "login" not in raw.url, lambda: raw.url)
        page.until(lambda: raw.query_selector(".footer a"), "the page with a flame graph")
        page.until(lambda: "shop" in raw.inner_text("body"), "the service")
        assert raw.evaluate("document.cookie") == ""  # HttpOnly
        raw.click("a.logo")
        page.until(lambda: raw.url.startswith(f"{url}/pyrometer/"), lambda: raw.url)
        raw.goto(f"{url}/pyrometer/rejections")
        assert "samples_limit" in raw.inner_text("table") and "--max-samples" in raw.inner_text("table")
        assert not raw.query_selector("img")
        raw.goto(f"{url}/pyrometer/login")
        raw.click("text=Sign out")
        page.until(lambda: raw.query_selector("input[name=token]"), "the form again")
        raw.goto(f"{url}/pyrometer/s/shop")
        assert raw.url == f"{url}/pyrometer/login"
        outside = [request for request in page.requests if not request.startswith(f"{url}/pyrometer/")]
        assert not outside and not violations
        assert not [text for text in page.errors if "401" not in text]
    finally:
        raw.close()
