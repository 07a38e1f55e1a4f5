# SPDX-License-Identifier: Apache-2.0
"""What every integration test shares: the binary, free ports, interpreters, clean ends."""

import glob
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ROOT / "tests" / "targets"
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def pyrometer():
    """Path of the binary under test."""
    path = pathlib.Path(os.environ.get("PYROMETER_BIN", ROOT / "build" / "src" / "cmd" / "pyrometer"))
    if not path.exists():
        pytest.fail(f"{path} is not built: run ./dev build")
    return str(path)


@pytest.fixture
def free_port():
    """A loopback port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def shared():
    """The folder of recorded traffic beside the checkout; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the recorded corpus beside the checkout")
    return SHARED


@pytest.fixture
def spawn():
    """Start processes that are ended, whatever happens, when the test is over."""
    running = []

    def start(argv, **options):
        process = subprocess.Popen([str(arg) for arg in argv], **options)
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def wait_until(condition, seconds=10.0, what="condition"):
    """Poll condition() until it is true; fail after `seconds`, generous because machines are shared."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    pytest.fail(f"{what}: not within {seconds} s")


def find_interpreters():
    """(version, path) of every CPython here, one a minor version: pyenv's, PATH's and the system's."""
    candidates = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python")))
    candidates += glob.glob("/opt/*/bin/python3*") + ["/usr/bin/python3", shutil.which("python3") or ""]
    found = {}
    for path in candidates:
        if not os.access(path, os.X_OK):
            continue
        try:
            text = subprocess.run([path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                                  capture_output=True, text=True, timeout=20).stdout.strip()
        except (OSError, subprocess.TimeoutExpired):
            continue
        if text:
            found.setdefault((text, os.path.realpath(path)), path)
    return [(version, path) for (version, _), path in sorted(found.items())]


INTERPRETERS = find_interpreters()
SUPPORTED = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]


def interpreter_params(versions=SUPPORTED):
    """Parameters for @pytest.mark.parametrize("python", …): an absent version is a reported skip."""
    params = []
    for version in versions:
        paths = [path for found, path in INTERPRETERS if found == version]
        if not paths:
            params.append(pytest.param(None, id=version,
                                       marks=pytest.mark.skip(reason=f"needs CPython {version}")))
        for path in paths:
            kind = "system" if path.startswith("/usr/bin") else "own"
            params.append(pytest.param(path, id=f"{version}-{kind}"))
    return params
