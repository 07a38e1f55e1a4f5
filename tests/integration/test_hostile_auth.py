# SPDX-License-Identifier: Apache-2.0
"""
Who tries to get in: what shows a wrong token nothing, in what it is told, how long it takes and what is written down.

Elsewhere: every route and scope, malformed and doubled headers, tokens in URLs, cookies forged, replayed and of other sites,
tenants by name, tokens revoked and expired, the token file spoilt (test_access.py); the same without a server
(tests/unit/server/test_access.c, test_token.c), any bytes (tests/fuzz/fuzz_access.c, fuzz_token.c).
"""

import base64
import gzip
import os
import re
import secrets
import statistics
import subprocess
import time

import pytest

from serving import Server, grpc_frame, h2_frame, pprof
import serving

QUESTION = "/api/v1/services?from=0&until=1"


def make(pyrometer, data, *options):
    return subprocess.run([pyrometer, "token", "create", "--data", str(data), *options], check=True, capture_output=True,
                          text=True).stdout.strip()


@pytest.fixture(scope="module")
def guarded(pyrometer, tmp_path_factory):
    data = tmp_path_factory.mktemp("auth")
    tokens = {scope: make(pyrometer, data, "--scope", scope) for scope in ("ingest", "query", "admin")}
    tokens["shop"] = make(pyrometer, data, "--scope", "ingest,query", "--tenant", "shop")
    server = Server(pyrometer, data, "--tenants", "--max-login-failures", "1000000")
    yield server, tokens
    code, err = server.stop()
    assert code == 0 and not any(text in err for text in tokens.values())


def show(text, tenant="shop"):
    return {"Authorization": f"Bearer {text}", **({"X-Scope-OrgID": tenant} if tenant else {})}


def test_without_a_token_the_body_is_not_read(guarded):
    """AU1: the answer is there while a body of 10 MB has not begun."""
    server, _ = guarded
    for head in (b"POST /ingest?name=x HTTP/1.1\r\n", b"POST /push.v1.PusherService/Push HTTP/1.1\r\nContent-Type: application/proto\r\n",
                 b"POST /v1development/profiles HTTP/1.1\r\nContent-Type: application/x-protobuf\r\n", b"PUT /api/v1/source HTTP/1.1\r\n"):
        with server.socket() as sock:
            sock.sendall(head + b"Host: localhost\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
            answer = sock.recv(65536)
        assert answer.startswith(b"HTTP/1.1 401") and b"WWW-Authenticate: Bearer" in answer and b"100 Continue" not in answer


def test_bombs_without_a_token_are_not_opened(guarded):
    server, tokens = guarded
    bomb = gzip.compress(bytes(10 << 20))
    before = serving.cpu_seconds(server.process.pid)
    for _ in range(50):
        assert server.request("POST", "/ingest?name=x&format=pprof", bomb, show("wrong")).status == 401
    assert serving.cpu_seconds(server.process.pid) - before < 1
    assert server.request("GET", "/metrics", headers={"Authorization": "Bearer " + tokens["query"]}).status == 200


def test_unknown_ids_and_wrong_secrets_are_told_the_same(guarded):
    """AU3: neither what is said nor how long it takes tells which ids there are.  Compared in one run, by medians."""
    server, tokens = guarded
    good = tokens["query"]
    unknown = "pyro_" + secrets.token_hex(4) + good[13:]
    wrong = good[:14] + ("A" if good[14] != "A" else "B") + good[15:]
    times, told = {unknown: [], wrong: []}, {}
    for i in range(400):
        text = (unknown, wrong)[i % 2]
        sock = server.socket()
        began = time.perf_counter_ns()
        sock.sendall(f"GET {QUESTION} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {text}\r\nConnection: close\r\n\r\n".encode())
        answer = serving.raw_answer(sock)
        times[text].append(time.perf_counter_ns() - began)
        told[text] = (answer.status, answer.body, sorted(set(answer.headers) - {"date", "server-timing"}))
    assert told[unknown] == told[wrong] and told[wrong][0] == 401
    one, other = (statistics.median(of) for of in times.values())
    assert 0.5 < one / other < 2


NOT_ENOUGH = [
    ("ingest", "GET", QUESTION, 403), ("query", "POST", "/ingest?name=x", 403), ("query", "POST", "/api/v1/delete", 403),
    ("ingest", "POST", "/querier.v1.QuerierService/LabelNames", 403), ("query", "GET", "/api/v1/status/config", 403),
    ("shop", "GET", "/metrics", 403), ("shop", "POST", "/api/v1/delete", 403), ("ingest", "PUT", "/api/v1/source", 200),
]


@pytest.mark.parametrize("kind,method,path,status", NOT_ENOUGH, ids=[f"{kind} {path}" for kind, _, path, _ in NOT_ENOUGH])
def test_a_scope_is_not_another(guarded, kind, method, path, status):
    server, tokens = guarded
    answer = server.request(method, path, b"" if method != "GET" else None, show(tokens[kind]))
    assert answer.status == status if status != 200 else answer.status not in (401, 403)


@pytest.mark.parametrize("tenant", ["../other", "..%2fother", "other", "shop/../other", "shop,other", "shop\tother", "SHOP", "shop "])
def test_a_token_of_one_tenant_is_not_anothers(guarded, tenant):
    """AU6, AU7."""
    server, tokens = guarded
    assert server.request("POST", "/ingest?name=other.secret", b"a 1\n", show(tokens["ingest"], "other")).status == 200
    answer = server.request("GET", "/api/v1/services?from=0&until=4102444800000", headers=show(tokens["shop"], tenant))
    assert (answer.status in (400, 403) or tenant.strip() == "shop") and b"secret" not in answer.body


def test_a_token_is_asked_for_on_every_stream(guarded):
    """One good request opens nothing for those behind it on the same connection."""
    server, tokens = guarded
    with server.socket() as sock:
        sock.sendall(f"GET {QUESTION} HTTP/1.1\r\nHost: localhost\r\nX-Scope-OrgID: shop\r\nAuthorization: Bearer {tokens['query']}\r\n\r\n"
                     f"GET {QUESTION} HTTP/1.1\r\nHost: localhost\r\nX-Scope-OrgID: shop\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while chunk := sock.recv(65536):
            data += chunk
    assert re.findall(rb"HTTP/1\.1 (\d+) ", data) == [b"200", b"401"]
    pairs = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", QUESTION), ("x-scope-orgid", "shop")]
    with server.socket() as sock:
        sock.sendall(serving.PREFACE + h2_frame(serving.SETTINGS, 0, 0) +
                     h2_frame(serving.HEADERS, 5, 1, serving.h2_headers(pairs + [("authorization", "Bearer " + tokens["query"])])) +
                     h2_frame(serving.HEADERS, 5, 3, serving.h2_headers(pairs)))
        frames = serving.h2_frames(sock, 1)
    bodies = {stream: payload for kind, _, stream, payload in frames if kind == serving.DATA}
    assert b"services" in bodies[1] and b"unauthenticated" in bodies[3]


def test_grpc_without_a_token_is_no_success(guarded):
    server, _ = guarded
    answer = server.request("POST", "/push.v1.PusherService/Push", grpc_frame(b""), {"Content-Type": "application/grpc"})
    assert answer.status == 401  # which gRPC's clients know as UNAUTHENTICATED


def test_a_session_is_new_at_each_login_and_planted_ones_are_nothing(guarded):
    """AU8: fixation.  A cookie that was there before the login gets nothing by it."""
    server, tokens = guarded
    planted = "pyrometer_session=" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    form = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": planted}
    answer = server.request("POST", "/login", f"token={tokens['query']}&tenant=shop", form)
    given = answer.headers["Set-Cookie"].split(";")[0]
    assert answer.status == 303 and given != planted
    assert server.request("GET", QUESTION, headers={"Cookie": planted}).status == 401
    assert server.request("GET", QUESTION, headers={"Cookie": given}).status == 200
    assert server.request("GET", QUESTION, headers={"Cookie": f"{planted}; {given}"}).status == 401


FORGED = [{}, {"Origin": "null"}, {"Origin": "https://localhost.evil.example"}, {"Origin": "http://localhost"},
          {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"}]


def test_other_pages_end_no_session(guarded):
    server, tokens = guarded
    answer = server.request("POST", "/login", f"token={tokens['query']}&tenant=shop", {"Content-Type": "application/x-www-form-urlencoded"})
    cookie = {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}
    for headers in FORGED[1:]:  # without any it is no browser
        assert server.request("POST", "/logout", b"", {**cookie, **headers}).status == 403
    assert server.request("GET", QUESTION, headers=cookie).status == 200


@pytest.mark.parametrize("headers", FORGED, ids=[str(headers) for headers in FORGED])
@pytest.mark.parametrize("path", ["/api/v1/delete", "/ingest?name=forged", "/settings.v1.SettingsService/Set"])
def test_other_pages_change_nothing_by_the_cookie(guarded, path, headers):
    server, tokens = guarded
    answer = server.request("POST", "/login", f"token={tokens['admin']}&tenant=shop", {"Content-Type": "application/x-www-form-urlencoded"})
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    told = server.request("POST", path, b"{}", {"Cookie": cookie, "Content-Type": "text/plain", **headers})
    assert told.status == 403
    assert server.request("GET", QUESTION, headers={"Cookie": cookie}).status == 200


def test_after_the_login_no_address_leads_elsewhere(guarded):
    server, tokens = guarded
    for more in ("&next=https://evil.example", "&return=//evil.example", "&redirect=javascript:alert(1)"):
        answer = server.request("POST", "/login?next=//evil.example", f"token={tokens['query']}&tenant=shop{more}",
                                {"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 303 and answer.headers["Location"] == "/"


def test_wrong_tokens_are_not_repeated(guarded):
    server, _ = guarded
    guess = "pyro_deadbeef_<script>" + "x" * 36
    for answer in (server.request("GET", QUESTION, headers={"Authorization": "Bearer " + guess}),
                   server.request("POST", "/login", "token=" + guess, {"Content-Type": "application/x-www-form-urlencoded"})):
        assert answer.status == 401 and b"deadbeef" not in answer.body and b"<script>" not in answer.body


def test_basic_authentication_takes_odd_passwords_apart_rightly(guarded):
    """AU12: the name is anything but a colon; the password begins behind the first one."""
    server, tokens = guarded
    for plain, status in ((f":{tokens['query']}", 200), (f"a b:{tokens['query']}", 200), (f"a:b:{tokens['query']}", 401),
                          (tokens["query"], 401), (f"a:{tokens['query']}:", 401)):
        value = "Basic " + base64.b64encode(plain.encode()).decode()
        assert server.request("GET", QUESTION, headers={"Authorization": value, "X-Scope-OrgID": "shop"}).status == status, plain


def test_secrets_are_in_no_file_and_in_no_answer(guarded):
    server, tokens = guarded
    for path in ("/metrics", "/api/v1/limits", "/api/v1/rejections", "/api/v1/status/config", "/rejections"):
        answer = server.request("GET", path, headers={"Authorization": "Bearer " + tokens["admin"]})
        assert not any(text[14:].encode() in answer.body for text in tokens.values())
    for folder, _, names in os.walk(server.data):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            assert not any(text[14:].encode() in data for text in tokens.values()), name


def test_a_profile_with_a_token_in_it_is_data(guarded):
    server, tokens = guarded
    assert server.request("POST", "/ingest?name=shop&format=pprof", pprof({("main", "Authorization: Bearer x"): 5}),
                          show(tokens["ingest"])).status == 200


def test_connections_that_never_show_a_token_do_not_keep_others_out(guarded):
    server, tokens = guarded
    idle = [server.socket() for _ in range(100)]
    assert server.request("GET", QUESTION, headers=show(tokens["query"])).status == 200
    for sock in idle:
        sock.close()
