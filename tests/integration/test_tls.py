# SPDX-License-Identifier: Apache-2.0
"""HTTPS: both front ends by ALPN, who speaks plain HTTP, bad certificates, hostile handshakes, a certificate renewed."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest

from conftest import wait_until
from serving import Server, grpc_frame, pprof, push_request


def make_certificate(folder, name):
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


class TlsServer(Server):
    def start(self, seconds=20):
        super_line = subprocess.Popen([self.binary, "serve", "--listen", "127.0.0.1:0", "--data", self.data, *self.options],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process = super_line
        line = self.process.stdout.readline()
        match = re.search(r"https://([0-9.]+):(\d+)", line)
        if not match:
            self.process.wait(timeout=seconds)
            raise RuntimeError(f"no server: {line!r} {self.process.stderr.read()!r}")
        self.host, self.port = match[1], int(match[2])


@pytest.fixture(scope="module")
def tls(pyrometer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    cert, key = make_certificate(folder, "first")
    (folder / "data").mkdir()
    server = TlsServer(pyrometer, folder / "data", "--tls-cert", str(cert), "--tls-key", str(key),
                       "--header-timeout", "2s", "--max-body", "1MiB")
    server.cert, server.folder = cert, folder
    yield server
    server.stop()


def curl(server, path, *options):
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    return subprocess.run(["curl", "-sS", "-i", "--max-time", "20", "--cacert", str(server.cert), *options,
                           f"https://127.0.0.1:{server.port}{path}"], capture_output=True)


def connect(server, protocols=("http/1.1",)):
    context = ssl.create_default_context(cafile=str(server.cert))
    context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(socket.create_connection((server.host, server.port), timeout=20), server_hostname="localhost")


def ask(sock, path="/ready", more=""):
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())
    return sock.recv(65536)


def connections(server):
    with connect(server) as sock:
        text = ask(sock, "/metrics", "Connection: close\r\n")
        while chunk := sock.recv(65536):
            text += chunk
    return int(float(re.search(rb"\npyrometer_http_connections (\d+)", text)[1]))


@pytest.mark.parametrize("version,begins", [("--http1.1", b"HTTP/1.1 200"), ("--http2", b"HTTP/2 200")])
def test_both_front_ends_speak_tls(tls, version, begins):
    answer = curl(tls, "/ready", version).stdout
    assert answer.startswith(begins) and b"ready" in answer
    assert b"strict-transport-security" in answer.lower()


def test_alpn_says_what_is_spoken(tls):
    for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), (["spdy/1"], None)):
        with connect(tls, offered) as sock:
            assert sock.selected_alpn_protocol() == chosen


def test_grpc_works_over_tls(tls, tmp_path):
    body = tmp_path / "push"
    body.write_bytes(grpc_frame(push_request([({"service_name": "shop"}, [(pprof({("main",): 1}), None)])])))
    answer = curl(tls, "/push.v1.PusherService/Push", "--http2", "-H", "Content-Type: application/grpc", "-H", "TE: trailers",
                  "--data-binary", f"@{body}").stdout
    assert answer.startswith(b"HTTP/2 200") and b"grpc-status: 0" in answer.lower()


def test_plain_http_is_told_what_to_do(tls):
    with socket.create_connection((tls.host, tls.port), timeout=20) as sock:
        answer = ask(sock)
    assert answer.startswith(b"HTTP/1.1 400") and b"https://" in answer


def test_large_bodies_and_answers_pass_whole(tls, tmp_path):
    body = tmp_path / "folded"
    body.write_text("".join(f"main;{'x' * 200}{i};leaf 1\n" for i in range(3000)))
    for version in ("--http1.1", "--http2"):
        assert b" 200" in curl(tls, "/ingest?name=big", version, "--data-binary", f"@{body}").stdout.splitlines()[0]
        view = curl(tls, "/api/v1/export?format=raw&from=0&until=4102444800000&query="
                         "process_cpu:cpu:nanoseconds:cpu:nanoseconds%7Bservice_name=%22big%22%7D", version).stdout
        assert b" 200" in view.splitlines()[0] and view.count(b"leaf") == 3000
    body.write_bytes(b"x" * 2_000_000)
    assert b"413" in curl(tls, "/ingest?name=big", "--http1.1", "-H", "Expect:", "--data-binary", f"@{body}").stdout


def test_one_connection_serves_many_requests(tls):
    with connect(tls) as sock:
        for _ in range(50):
            assert ask(sock).startswith(b"HTTP/1.1 200")


def test_a_request_may_come_in_small_pieces(tls):
    with connect(tls) as sock:
        for byte in b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n":
            sock.sendall(bytes([byte]))
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")


def test_slow_requests_are_ended_over_tls_as_without(tls):
    with connect(tls) as sock:
        sock.sendall(b"GET /ready HTTP/1.1\r\nHost:")
        begin = time.monotonic()
        assert sock.recv(65536).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - begin < 15


HOSTILE = [b"\x16", b"\x16\x03\x01", b"\x16\x03\x01\xff\xff" + b"A" * 70000, b"\x16" + b"\0" * 2000,
           b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x15\x03\x01\x00\x02\x02\x28", b"\x80\x2e\x01", b"\0" * 100,
           b"\xff" * 100]


@pytest.mark.parametrize("data", HOSTILE, ids=[str(i) for i in range(len(HOSTILE))])
def test_hostile_handshakes_end_and_leave_nothing(tls, data):
    with socket.create_connection((tls.host, tls.port), timeout=20) as sock:
        try:
            sock.sendall(data)
            while sock.recv(65536):
                pass
        except ConnectionError:
            pass
    wait_until(lambda: connections(tls) == 1)


def test_a_handshake_broken_off_anywhere_leaves_nothing(tls):
    context = ssl.create_default_context(cafile=str(tls.cert))
    for cut in range(1, 400, 57):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with pytest.raises(ssl.SSLWantReadError):
            context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
        with socket.create_connection((tls.host, tls.port), timeout=20) as sock:
            sock.sendall(outgoing.read()[:cut])
    wait_until(lambda: connections(tls) == 1)


def test_clients_that_leave_without_a_word_leave_nothing(tls):
    for _ in range(20):
        sock = connect(tls)
        sock.sendall(b"GET /api/v1/services?from=0&until=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
    wait_until(lambda: connections(tls) == 1)


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_versions_are_refused(tls, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(socket.create_connection((tls.host, tls.port), timeout=20))


def subject(server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(socket.create_connection((server.host, server.port), timeout=20)) as sock:
        return sock.getpeercert(binary_form=True)


def test_a_renewed_certificate_is_served_after_sighup_and_a_broken_one_is_not(pyrometer, tmp_path):
    cert, key = make_certificate(tmp_path, "old")
    server = TlsServer(pyrometer, tmp_path / "data", "--tls-cert", str(cert), "--tls-key", str(key))
    try:
        server.cert = cert
        with connect(server) as open_before:
            before = subject(server)
            fresh, fresh_key = make_certificate(tmp_path, "new")
            fresh_key.replace(key)
            server.process.send_signal(signal.SIGHUP)  # the new key does not fit the old certificate
            time.sleep(0.5)
            assert subject(server) == before
            fresh.replace(cert)
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: subject(server) != before)
            assert ask(open_before).startswith(b"HTTP/1.1 200")
    finally:
        _, said = server.stop()
    assert "goes on with what it has" in said and "read again" in said


@pytest.mark.parametrize("spoil,says", [
    (lambda cert, key: key.chmod(0o644), "chmod 600"),
    (lambda cert, key: key.unlink(), "cannot read the key"),
    (lambda cert, key: cert.unlink(), "certificate"),
    (lambda cert, key: cert.write_text("rubbish"), "certificate"),
    (lambda cert, key: key.write_text(""), "certificate"),
    (lambda cert, key: make_certificate(key.parent, "other")[1].replace(key), "certificate"),
], ids=["readable", "no-key", "no-certificate", "rubbish", "empty-key", "another-key"])
def test_what_cannot_be_served_is_said_at_the_start(pyrometer, tmp_path, spoil, says):
    cert, key = make_certificate(tmp_path, "one")
    spoil(cert, key)
    with pytest.raises(RuntimeError, match=says):
        TlsServer(pyrometer, tmp_path / "data", "--tls-cert", str(cert), "--tls-key", str(key))


def test_certificate_and_key_go_together(pyrometer, tmp_path):
    done = subprocess.run([pyrometer, "serve", "--data", str(tmp_path), "--tls-cert", "x"], capture_output=True, text=True)
    assert done.returncode == 2 and "go together" in done.stderr


def test_cookies_are_for_tls_alone(pyrometer, tmp_path):
    cert, key = make_certificate(tmp_path, "cookie")
    server = TlsServer(pyrometer, tmp_path / "data", "--tls-cert", str(cert), "--tls-key", str(key), "--tenants")
    server.cert = cert
    try:
        answer = curl(server, "/login", "-d", "tenant=one").stdout
        assert b"; Secure" in answer and b" 303" in answer.splitlines()[0]
    finally:
        server.stop()


BUSY = "import time\nend = time.time() + 4\nwhile time.time() < end:\n    sum(range(1000))\n"


def test_the_agent_trusts_a_given_authority_and_shows_its_token(pyrometer, tmp_path):
    cert, key = make_certificate(tmp_path, "agent")
    (tmp_path / "data").mkdir()
    made = subprocess.run([pyrometer, "token", "create", "--scope", "ingest,query", "--tenant", "shop", "--data",
                           tmp_path / "data"], capture_output=True, text=True, check=True)
    secret = tmp_path / "token"
    secret.write_text(made.stdout)
    secret.chmod(0o600)
    server = TlsServer(pyrometer, tmp_path / "data", "--tls-cert", str(cert), "--tls-key", str(key))
    server.cert = cert
    try:
        def push(*options, **more):
            return subprocess.run([pyrometer, "record", "--push", f"https://localhost:{server.port}", "--service", "shop",
                                   "-d", "2", *options, "--", sys.executable, "-c", BUSY],
                                  capture_output=True, text=True, timeout=60, **more)
        untrusted = push("--token-file", str(secret))
        assert untrusted.returncode != 0
        done = push("--token-file", str(secret), "--ca-file", str(cert))
        assert done.returncode == 0, done.stderr
        by_environment = push("--ca-file", str(cert), env={**os.environ, "PYROMETER_TOKEN": made.stdout.strip()})
        assert by_environment.returncode == 0, by_environment.stderr
        assert made.stdout.strip() not in done.stderr + by_environment.stderr + untrusted.stderr
        answer = curl(server, "/api/v1/services?from=0&until=4102444800000", "-H",
                      "Authorization: Bearer " + made.stdout.strip()).stdout
        assert b'"shop"' in answer
    finally:
        server.stop()


@pytest.mark.parametrize("text,mode,says", [("", 0o600, "empty"), ("a b", 0o600, "more than a token"),
                                            ("x", 0o644, "chmod 600"), (None, 0, "cannot read")])
def test_token_files_of_the_agent_are_checked_at_the_start(pyrometer, tmp_path, text, mode, says):
    path = tmp_path / "token"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    done = subprocess.run([pyrometer, "record", "--push", "http://127.0.0.1:1", "--service", "x", "--token-file", path,
                           "-d", "1", "--", sys.executable, "-c", BUSY], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and says in done.stderr
