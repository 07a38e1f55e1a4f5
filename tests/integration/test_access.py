# SPDX-License-Identifier: Apache-2.0
"""Who gets in: tokens, scopes, tenants, the login page, refusals that say what to change; over every route."""

import base64
import hashlib
import html
import json
import os
import re
import stat
import subprocess
import time

import pytest

from conftest import wait_until
from serving import CPU, Server, pprof

RANGE = {"from": 0, "until": 4102444800000}
SECURE = "Content-Security-Policy"


def token(pyrometer, data, *options):
    made = subprocess.run([pyrometer, "token", "create", "--data", str(data), *options], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def put(server, headers=None, service="shop", leaf="work"):
    return server.request("POST", f"/ingest?name={service}&format=pprof", pprof({("main", leaf): 10**9}), headers or {})


def services(server, headers=None):
    answer = server.request("GET", "/api/v1/services?from=0&until=4102444800000", headers=headers or {})
    assert answer.status == 200, answer.body
    return sorted(one["name"] for one in answer.json()["services"])


@pytest.fixture(scope="module")
def guarded(pyrometer, tmp_path_factory):
    """A server that asks for tokens, and one token of each kind."""
    data = tmp_path_factory.mktemp("guarded")
    tokens = {scope: token(pyrometer, data, "--scope", scope) for scope in ("ingest", "query", "admin")}
    tokens["shop"] = token(pyrometer, data, "--scope", "ingest,query", "--tenant", "shop")
    server = Server(pyrometer, data)
    yield server, tokens
    server.stop()


def all_routes():
    """Every route of the server's own table, as (path, methods, scopes)."""
    source = open(os.path.join(os.path.dirname(__file__), "../../src/server/server.c")).read()
    names = dict(re.findall(r'#define (\w+) "([^"]+)"', source))
    table = source[source.index("http_route routes[] = {"):]
    table = table[:table.index("\n};")]
    rows = []
    for text in re.findall(r"\{((?:[A-Z_]+ )?\"[^{}]*?)\}", table, re.S):
        parts = [" ".join(part.split()) for part in text.split(",")]
        path = parts[0]
        for name, value in names.items():
            path = path.replace(name + " ", f'"{value}"')
        rows.append((path.replace('"', "").replace(" ", ""), parts[1], parts[-1]))
    return rows


ROUTES = all_routes()
OPEN = [path for path, _, scope in ROUTES if "SCOPE_OPEN" in scope]


def test_the_table_of_routes_was_read():
    assert len(ROUTES) > 30
    assert {"/ready", "/healthz", "/login", "/logout"} <= set(OPEN)
    assert all("SCOPE_" in scope for _, _, scope in ROUTES), "a route that does not say whom it is for"


@pytest.mark.parametrize("path,methods,scope", [route for route in ROUTES if route[0] not in OPEN],
                         ids=lambda value: None if "HTTP" in value or "SCOPE" in value else value)
def test_every_route_wants_its_scope(guarded, path, methods, scope):
    server, tokens = guarded
    path = path.replace("*", "x")
    method = "POST" if "POST" in methods else "PUT" if "PUT" in methods else "GET"
    nobody = server.request(method, path, b"" if method != "GET" else None)
    assert nobody.status == 401
    assert nobody.headers["WWW-Authenticate"].startswith("Bearer")
    assert nobody.json()["code"] == "unauthenticated" and SECURE in nobody.headers
    wrong = "query" if "SCOPE_INGEST" in scope else "ingest"
    assert server.request(method, path, b"", bearer(tokens[wrong])).status == 403
    right = "ingest" if "SCOPE_INGEST" in scope else "query" if "SCOPE_QUERY" in scope else "admin"
    for kind in (right, "admin"):
        assert server.request(method, path, b"", bearer(tokens[kind])).status not in (401, 403)


@pytest.mark.parametrize("path", [path for path in OPEN if path != "/logout"])
def test_open_routes_tell_nothing_of_profiles(guarded, path):
    server, _ = guarded
    put(server, bearer(guarded[1]["ingest"]), service="secret.service")
    assert b"secret" not in server.request("GET", path).body


def test_a_token_is_taken_as_bearer_and_as_password(guarded):
    server, tokens = guarded
    basic = base64.b64encode(b"any:" + tokens["ingest"].encode()).decode()
    assert put(server, {"Authorization": "Basic " + basic}).status == 200
    assert put(server, {"authorization": "bearer " + tokens["ingest"]}).status == 200


BAD = ["", "Bearer", "Bearer ", "Bearer  x", "Basic", "Basic !!!", "Basic " + base64.b64encode(b"no colon").decode(),
       "Basic " + base64.b64encode(b":").decode(), "Digest x", "Bearer " + "x" * 4000,
       "Bearer pyro_00000000_" + "A" * 43]


@pytest.mark.parametrize("value", BAD)
def test_malformed_and_unknown_tokens_are_all_the_same(pyrometer, guarded, value):
    server, _ = guarded
    answer = server.request("GET", "/metrics", headers={"Authorization": value})
    assert answer.status in (401, 429) and b"pyrometer_" not in answer.body


def test_wrong_secrets_and_two_headers_do_not_get_in(guarded):
    server, tokens = guarded
    good = tokens["query"]
    changed = good[:-1] + ("A" if good[-1] != "A" else "B")
    assert server.request("GET", "/metrics", headers=bearer(changed)).status in (401, 429)
    with server.socket() as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\nAuthorization: Bearer "
                     + good.encode() + b"\r\nConnection: close\r\n\r\n")
        assert re.match(rb"HTTP/1.1 4(01|29)", sock.recv(65536))


def test_a_token_in_the_url_is_not_taken(guarded):
    server, tokens = guarded
    assert server.request("GET", f"/metrics?token={tokens['query']}&access_token={tokens['query']}").status == 401


def test_a_refused_upload_is_not_read(guarded):
    server, _ = guarded
    with server.socket() as sock:
        sock.sendall(b"POST /ingest?name=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 401")


def test_a_bound_token_sees_neither_other_tenants_nor_the_whole(guarded):
    server, tokens = guarded
    assert put(server, bearer(tokens["shop"]), service="of.shop").status == 200
    assert "of.shop" in services(server, bearer(tokens["shop"]))
    assert "of.shop" not in services(server, bearer(tokens["query"]))
    assert server.request("GET", "/metrics", headers=bearer(tokens["shop"])).status == 403


def test_wrong_tokens_are_slowed_down_and_right_ones_are_not(pyrometer, tmp_path):
    good = token(pyrometer, tmp_path, "--scope", "query")
    server = Server(pyrometer, tmp_path, "--max-login-failures", "3")
    try:
        seen = [server.request("GET", "/metrics", headers=bearer("wrong")) for _ in range(6)]
        assert [answer.status for answer in seen] == [401, 401, 401, 429, 429, 429]
        assert seen[-1].headers["Retry-After"] and "--max-login-failures" in seen[-1].json()["detail"]
        assert server.request("GET", "/metrics", headers=bearer(good)).status == 200
    finally:
        server.stop()


def test_tokens_come_and_go_while_the_server_runs(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path)
    try:
        assert server.request("GET", "/metrics").status == 200
        good = token(pyrometer, tmp_path, "--scope", "query")
        wait_until(lambda: server.request("GET", "/metrics").status == 401)
        assert server.request("GET", "/metrics", headers=bearer(good)).status == 200
        revoked = subprocess.run([pyrometer, "token", "revoke", good[5:13], "--data", str(tmp_path)])
        assert revoked.returncode == 0
        wait_until(lambda: server.request("GET", "/metrics", headers=bearer(good)).status in (401, 429))
        os.unlink(tmp_path / "tokens")
        time.sleep(1.2)  # longer than the server looks at the file
        assert server.request("GET", "/metrics").status == 401
    finally:
        server.stop()


def test_tokens_expire(pyrometer, tmp_path):
    brief = token(pyrometer, tmp_path, "--scope", "query", "--expires", "3s")
    server = Server(pyrometer, tmp_path)
    try:
        wait_until(lambda: server.request("GET", "/metrics", headers=bearer(brief)).status == 401)
    finally:
        server.stop()


def test_tokens_are_hashed_at_rest_and_listed_without_secrets(pyrometer, tmp_path):
    text = token(pyrometer, tmp_path, "--scope", "ingest,query", "--name", "of the build farm", "--tenant", "shop")
    assert re.fullmatch(r"pyro_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", text)
    assert stat.S_IMODE(os.stat(tmp_path / "tokens").st_mode) == 0o600
    secret = text.rsplit("_", 1)[-1] if "_" not in text[14:] else text[14:]
    kept = (tmp_path / "tokens").read_text()
    assert secret not in kept and hashlib.sha256(text.encode()).hexdigest() in kept
    listed = subprocess.run([pyrometer, "token", "list", "--data", str(tmp_path)], capture_output=True, text=True)
    assert listed.returncode == 0 and secret not in listed.stdout
    assert text[5:13] in listed.stdout and "ingest,query" in listed.stdout and "of the build farm" in listed.stdout


@pytest.mark.parametrize("spoil,says", [
    (lambda path: os.chmod(path, 0o644), "chmod 600"),
    (lambda path: path.write_text("rubbish\n"), "is not a token"),
    (lambda path: path.write_text(path.read_text() * 2), "is not a token"),
    (lambda path: path.write_text(path.read_text()[:40]), "is not a token"),
    (lambda path: (path.rename(path.with_name("else")), path.symlink_to("else")), "cannot open"),
    (lambda path: (path.unlink(), path.mkdir()), "not a plain file"),
], ids=["readable", "rubbish", "twice", "cut", "link", "directory"])
def test_a_token_file_that_cannot_be_trusted_is_said(pyrometer, tmp_path, spoil, says):
    token(pyrometer, tmp_path, "--scope", "admin")
    spoil(tmp_path / "tokens")
    with pytest.raises(RuntimeError, match=says):
        Server(pyrometer, tmp_path)


@pytest.mark.parametrize("argv,says", [
    (["create"], "--scope"), (["create", "--scope", "root"], "no scope"), (["revoke"], "which one"),
    (["revoke", "00000000"], "no token"), ([], "create, list or revoke"), (["create", "--scope", ","], "scope"),
    (["create", "--scope", "query", "--tenant", "../x"], "not the name of a tenant"),
    (["create", "--scope", "query", "--tenant", "x" * 151], "longer"),
    (["create", "--scope", "query", "--name", "a\nb"], "control character"),
])
def test_senseless_token_commands_are_refused(pyrometer, tmp_path, argv, says):
    token(pyrometer, tmp_path, "--scope", "admin")
    done = subprocess.run([pyrometer, "token", *argv, "--data", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode != 0 and says in done.stderr and not done.stdout


# ---- tenants ----

@pytest.fixture(scope="module")
def shared(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("shared"), "--tenants")
    for tenant in ("one", "two"):
        assert put(server, {"X-Scope-OrgID": tenant}, service=f"of.{tenant}", leaf=f"leaf_{tenant}").status == 200
    yield server
    server.stop()


def test_without_an_org_id_the_answer_is_401(shared):
    answer = shared.request("POST", "/querier.v1.QuerierService/LabelNames", b"{}", {"Content-Type": "application/json"})
    assert answer.status == 401 and answer.json()["code"] == "unauthenticated"
    assert put(shared).status == 401


def test_without_tenants_the_header_is_not_looked_at(guarded):
    server, tokens = guarded
    put(server, {**bearer(tokens["ingest"]), "X-Scope-OrgID": "elsewhere"}, service="here")
    assert "here" in services(server, bearer(tokens["query"]))


QUESTIONS = [(path, methods) for path, methods, scope in ROUTES if "SCOPE_QUERY" in scope and "WHOLE" not in scope]


@pytest.mark.parametrize("path,methods", QUESTIONS, ids=[path for path, _ in QUESTIONS])
def test_no_route_shows_another_tenants_data(shared, path, methods):
    """Everything that can be asked, as tenant one (who sees something of his own) and as tenant two."""
    query = f'{CPU}{{service_name="of.two"}}'
    fields = {"start": 0, "end": 4102444800000, "profileTypeID": CPU, "labelSelector": '{service_name="of.two"}',
              "name": "service_name", "step": 3600, "matchers": ['{service_name="of.two"}']}
    params = (f"?from=0&until=4102444800000&query={query}&leftQuery={query}&rightQuery={query}&label=service_name"
              f"&base_from=0&base_until=4102444800000&base_query={query}&service=of.two&function=leaf_two&group_by=service_name")
    params = params.replace("{", "%7B").replace("}", "%7D").replace('"', "%22").replace(",", "%2C")
    path = path.replace("labels/*", "labels/service_name/values").replace("*", "x")
    for method in ["POST"] if "POST" in methods else ["GET"]:
        if method == "POST" and path.startswith("/querier"):
            answer = shared.request(method, path, json.dumps(fields),
                                    {"Content-Type": "application/json", "X-Scope-OrgID": "one"})
        else:
            answer = shared.request(method, path + params, None if method == "GET" else b"{}", {"X-Scope-OrgID": "one"})
        echoed = answer.body.replace(b"of.two", b"", answer.body.count(b"query")) if b'"query"' in answer.body else answer.body
        assert b"leaf_two" not in echoed or answer.status >= 400
        if path in ("/api/v1/services", "/api/v1/labels/service_name/values"):
            assert b"of.two" not in shared.request("GET", path + "?from=0&until=4102444800000",
                                                   headers={"X-Scope-OrgID": "one"}).body


def test_tenants_see_their_own_and_only_that(shared):
    for tenant, other in (("one", "two"), ("two", "one")):
        assert services(shared, {"X-Scope-OrgID": tenant}) == [f"of.{tenant}"]
        view = shared.request("GET", f"/api/v1/view?from=0&until=4102444800000&query={CPU}%7B%7D",
                              headers={"X-Scope-OrgID": tenant})
        assert f"leaf_{tenant}".encode() in view.body and f"leaf_{other}".encode() not in view.body


def test_the_cache_of_one_tenant_is_not_anothers(shared):
    """The very same question, again and again: each its own answer."""
    path = f"/api/v1/view?from=1000&until=4102444800000&query={CPU}%7B%7D"
    for _ in range(3):
        for tenant, other in (("one", "two"), ("two", "one")):
            body = shared.request("GET", path, headers={"X-Scope-OrgID": tenant}).body
            assert f"leaf_{other}".encode() not in body and f"leaf_{tenant}".encode() in body


HOSTILE = ["", ".", "..", "a/b", "../../etc", "a b", "a\tb", "x" * 151, "|", "a|", "|a", "a|..", "*", "ä", "a,b", "a%2Fb",
           "'; drop table--", "<b>", "\x01", "a|b"]


@pytest.mark.parametrize("name", HOSTILE, ids=[repr(name)[:20] for name in HOSTILE])
def test_hostile_tenant_names_are_refused(shared, name):
    answer = put(shared, {"X-Scope-OrgID": name.encode("utf-8").decode("latin-1")})
    assert answer.status in (400, 401)
    assert b"<b>" not in answer.body


def test_odd_but_legal_tenant_names_are_kept_apart(shared):
    names = ["a", "A", "a.", "...", "-", "_", "!", "(x)", "it's", "x" * 150, "con", "tokens", "catalogue.sqlite"]
    for i, name in enumerate(names):
        assert put(shared, {"X-Scope-OrgID": name}, service=f"s{i}").status == 200, name
    for i, name in enumerate(names):
        assert services(shared, {"X-Scope-OrgID": name}) == [f"s{i}"], name


# ---- refusals ----

def test_limits_are_the_documented_ones(pyrometer, guarded):
    server, tokens = guarded
    limits = server.request("GET", "/api/v1/limits", headers=bearer(tokens["query"])).json()["limits"]
    text = open(os.path.join(os.path.dirname(__file__), "../../docs/LIMITS.md")).read()
    rows = {cells[0].strip(" `"): cells[1].strip() for cells in
            (line.strip("|\n").split("|") for line in text.splitlines() if line.startswith("| `--"))}
    assert rows == {"--" + limit["option"]: limit["default"] for limit in limits}
    helped = subprocess.run([pyrometer, "serve", "--help"], capture_output=True, text=True).stdout
    assert all(f"--{limit['option']} " in helped and limit["value"] == limit["default"] for limit in limits)


@pytest.fixture(scope="module")
def narrow(pyrometer, tmp_path_factory):
    server = Server(pyrometer, tmp_path_factory.mktemp("narrow"), "--max-body", "200kB", "--max-inflated", "400kB",
                    "--max-samples", "3", "--max-series", "2", "--max-labels", "4", "--max-label-value", "20",
                    "--max-profiles", "2", "--max-label-name", "16", "--accept-future", "60s")
    yield server
    server.stop()


def many(n):
    return pprof({("main", f"f{i}"): 10**7 for i in range(n)})


def labelled(labels, raw=None, ident=None, n=1):
    return [({"service_name": "shop", **labels}, [(raw or many(1), ident)] * n)]


REFUSED = [
    ("samples_limit", "--max-samples", lambda server: server.push(labelled({}, many(4)))),
    ("max_label_names_per_series", "--max-labels", lambda server: server.push(labelled({c: "1" for c in "abcde"}))),
    ("label_value_too_long", "--max-label-value", lambda server: server.push(labelled({"a": "x" * 21}))),
    ("label_name_too_long", "--max-label-name", lambda server: server.push(labelled({"x" * 17: "1"}))),
    ("profiles_limit", "--max-profiles", lambda server: server.push(labelled({}, n=3))),
    ("body_size_limit_exceeded", "--max-body", lambda server: server.push(labelled({}, os.urandom(300000)))),
    ("series_limit", "--max-series", lambda server: [server.push(labelled({"a": str(i)})) for i in range(4)][-1]),
    ("not_in_ingestion_window", "--accept-future",
     lambda server: server.push(labelled({}, pprof({("main",): 1}, time_ns=time.time_ns() + 10**12)))),
    ("malformed_profile", "", lambda server: server.push(labelled({}, b"\x0a\xff\xff"))),
]


@pytest.mark.parametrize("reason,option,send", REFUSED, ids=[row[0] for row in REFUSED])
def test_a_refusal_names_its_limit_and_shows_everywhere(narrow, reason, option, send):
    answer = send(narrow)
    assert answer.status in (400, 413, 422, 429)
    listed = narrow.get("/api/v1/rejections").json()["rejections"]
    mine = [row for row in listed if row["reason"] == reason]
    assert mine and mine[0]["count"] >= 1 and mine[0]["last"] > 1.6e12
    assert option in mine[0]["detail"]
    if reason != "body_size_limit_exceeded":
        assert option.encode() in answer.body
        assert mine[0]["service"] == ("" if reason == "profiles_limit" else "shop")
    metrics = narrow.request("GET", "/metrics").body.decode()
    assert f'pyroscope_discarded_samples_total{{reason="{reason}",tenant="anonymous"}}' in metrics
    assert f'pyrometer_rejected_total{{reason="{reason}",tenant="anonymous"}}' in metrics
    page = narrow.request("GET", "/rejections", headers={"Accept": "text/html"})
    assert page.status == 200 and reason in page.body.decode() and html.escape(option) in page.body.decode()


def test_the_list_of_refusals_is_bounded_and_is_not_markup(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path, "--max-samples", "1")
    try:
        for i in range(230):
            server.push([({"service_name": f"<script>{i}</script>\x1b[31m"}, [(many(2), None)])])
        listed = server.get("/api/v1/rejections")
        assert len(listed.json()["rejections"]) == 200
        page = server.get("/rejections").body.decode()
        assert "<script>" not in page and "&lt;script&gt;" in page and "\x1b" not in page and b"<script>" not in listed.body
        lines = [line for line in server.get("/metrics").body.decode().splitlines()
                 if line.startswith("pyrometer_rejected_total{")]
        assert lines == ['pyrometer_rejected_total{reason="samples_limit",tenant="anonymous"} 230']
    finally:
        server.stop()


def lost(server, reason):
    """Uploads, samples and bytes refused for that reason until now."""
    text = server.request("GET", "/metrics").body.decode()
    names = "pyrometer_rejected_total", "pyroscope_discarded_samples_total", "pyroscope_discarded_bytes_total"
    found = (re.search(rf'^{name}{{reason="{reason}",tenant="anonymous"}} (\d+)$', text, re.M) for name in names)
    return [int(match[1]) if match else 0 for match in found]


def test_discarded_samples_and_bytes_are_what_their_names_say(pyrometer, tmp_path):
    server = Server(pyrometer, tmp_path, "--max-series", "1", "--max-body", "100kB", "--max-label-value", "20")
    late = pprof({("main", f"f{i}"): (i + 1) * 10**7 for i in range(5)}, time_ns=time.time_ns() + 10**12)
    try:
        # Each stack's value is so many periods of samples: 1 + 2 + 3 + 4 + 5.
        assert server.push(labelled({}, late)).status == 400
        uploads, samples, size = lost(server, "not_in_ingestion_window")
        assert (uploads, samples) == (1, 15) and size >= len(late)
        # One of two series is taken: of the bytes about the half is lost.
        assert server.push(labelled({"a": "1"}, many(7)) + labelled({"a": "2"}, many(7))).status == 429
        uploads, samples, size = lost(server, "series_limit")
        assert (uploads, samples) == (1, 7) and len(many(7)) <= size <= len(many(7)) + 100
        # What cannot be read is one sample, with all that came.
        assert server.ingest(b"\x0a\xff\xff", format="pprof", name="shop").status == 422
        assert lost(server, "malformed_profile") == [1, 1, 3]
        # A label too many behind a profile that was read.
        assert server.push(labelled({}, many(4)) + labelled({"b": "x" * 21}, many(9))).status == 413
        assert lost(server, "label_value_too_long")[:2] == [1, 5]
        # Refused by its head.
        assert server.push(labelled({}, os.urandom(200000))).status == 413
        uploads, samples, size = lost(server, "body_size_limit_exceeded")
        assert (uploads, samples) == (1, 1) and size > 200000
    finally:
        server.stop()


# ---- the login page ----

def cookie_of(answer):
    text = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in text.split(";")}
    return {"Cookie": text.split(";")[0]}


def sign_in(server, text, path="/login", **more):
    form = "&".join(f"{key}={value}" for key, value in {"token": text, **more}.items())
    return server.request("POST", path, form, {"Content-Type": "application/x-www-form-urlencoded"})


def test_browsers_are_sent_to_the_login_page_and_programs_are_not(guarded):
    server, _ = guarded
    browser = {"Accept": "text/html,application/xhtml+xml"}
    assert server.request("GET", "/", headers=browser).headers["Location"] == "/login"
    assert server.request("GET", "/s/shop?x=1", headers=browser).status == 303
    assert server.request("GET", "/api/v1/services", headers=browser).status == 401
    page = server.request("GET", "/login")
    assert page.status == 200 and b"<form" in page.body and b"<script" not in page.body and b"style=" not in page.body
    assert "script-src 'self'" in page.headers[SECURE] and "unsafe" not in page.headers[SECURE]


def test_a_session_begins_is_used_and_ends(guarded):
    server, tokens = guarded
    assert sign_in(server, "wrong").status in (401, 429)
    answer = sign_in(server, tokens["query"])
    assert answer.status == 303 and answer.headers["Location"] == "/"
    cookie = cookie_of(answer)
    assert tokens["query"] not in answer.headers["Set-Cookie"]
    assert put(server, bearer(tokens["ingest"])).status == 200
    assert "shop" in services(server, cookie)
    assert put(server, {**cookie, "Sec-Fetch-Site": "same-origin"}).status == 403  # the token's scope, not more
    assert b"Sign out" in server.request("GET", "/login", headers=cookie).body
    assert cookie_of(sign_in(server, tokens["query"])) != cookie
    server.request("POST", "/logout", b"", {**cookie, "Sec-Fetch-Site": "same-origin"})
    assert server.request("GET", "/api/v1/services?from=0&until=1", headers=cookie).status == 401  # replayed


def test_a_cookie_does_not_work_for_other_sites(guarded):
    server, tokens = guarded
    cookie = cookie_of(sign_in(server, tokens["admin"]))
    here = f"http://{server.host}:{server.port}"
    for headers, status in [({}, 403), ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403),
                            ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Origin": here}, 200),
                            ({"Sec-Fetch-Site": "same-origin"}, 200)]:
        assert put(server, {**cookie, **headers}).status == status, headers
    assert server.request("POST", "/login", "token=x", {"Origin": "http://evil.example"}).status == 403


def test_forged_and_doubled_cookies_are_nothing(guarded):
    server, tokens = guarded
    good = cookie_of(sign_in(server, tokens["query"]))["Cookie"]
    for value in ["pyrometer_session=", "pyrometer_session=" + "A" * 43, "pyrometer_session=" + "A" * 9000,
                  good + "; pyrometer_session=" + "A" * 43, good + "x", good.replace("pyrometer", "Pyrometer")]:
        assert server.request("GET", "/api/v1/services?from=0&until=1", headers={"Cookie": value}).status == 401
    assert server.request("GET", "/api/v1/services?from=0&until=1", headers={"Cookie": "a=b; " + good + "; c=d"}).status == 200


def test_the_login_page_asks_for_the_tenant(shared):
    assert b'name="tenant"' in shared.request("GET", "/login").body
    assert b'name="token"' not in shared.request("GET", "/login").body
    cookie = cookie_of(sign_in(shared, "", tenant="one"))
    assert services(shared, cookie) == ["of.one"]
    assert shared.request("GET", "/api/v1/services?from=0&until=1",
                          headers={**cookie, "X-Scope-OrgID": "two"}).status == 403
    for name in ("", "..", "a/b", "*", "a|b"):
        assert sign_in(shared, "", tenant=name).status == 400


# ---- below a path of a proxy ----

def test_everything_works_below_a_base_path(pyrometer, tmp_path):
    good = token(pyrometer, tmp_path, "--scope", "admin")
    server = Server(pyrometer, tmp_path, "--base-path", "/pyrometer")
    try:
        browser = {"Accept": "text/html"}
        for path in ("/pyrometer", "/pyrometer/", "/pyrometer/s/shop", "/"):
            assert server.request("GET", path, headers=browser).headers["Location"] == "/pyrometer/login"
        answer = sign_in(server, good, "/pyrometer/login")
        assert answer.headers["Location"] == "/pyrometer/" and "Path=/pyrometer/" in answer.headers["Set-Cookie"]
        assert b'action="/pyrometer/login"' in server.get("/pyrometer/login").body
        assert server.request("POST", "/pyrometer/ingest?name=shop&format=pprof", pprof({("main",): 1}),
                              bearer(good)).status == 200
        assert server.request("GET", "/pyrometer/ready").status == 200
        assert server.request("GET", "/pyrometerready").status in (401, 404)
        assert server.request("GET", "/pyrometer/../ready").status == 400
        page = server.request("GET", "/pyrometer/", headers=bearer(good))
        if b"built without" not in page.body:
            for link in re.findall(r'(?:src|href)="(/[^"]*)"', page.body.decode()):
                assert link.startswith("/pyrometer/")
                assert server.request("GET", link, headers=bearer(good)).status == 200
    finally:
        server.stop()


@pytest.mark.parametrize("base", ["pyrometer", "/", "/a/", "/a//b", "/a b", "/a\"b", "/a/../b", "/<b>", "/" + "x" * 300])
def test_a_base_path_that_is_none_is_refused(pyrometer, tmp_path, base):
    done = subprocess.run([pyrometer, "serve", "--data", str(tmp_path), "--listen", "127.0.0.1:0", "--base-path", base],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "--base-path" in done.stderr
