# SPDX-License-Identifier: Apache-2.0
"""`pyrometer selftest`: what it prints, and that its verdict follows from it."""

import pathlib
import re
import tempfile

import pytest

import pythons
from profiles import run

PYTHON = pythons.first()
pytestmark = [pytest.mark.alone, pytest.mark.skipif(not PYTHON, reason="needs a supported Python to profile")]


def leftovers():
    return set(pathlib.Path(tempfile.gettempdir()).glob("pyrometer-selftest-*"))


def test_selftest_measures_every_program_and_says_what_it_found(pyrometer):
    before = leftovers()
    done = run([pyrometer, "selftest", "--seconds", "6", "--python", PYTHON], timeout=120)
    rows = re.findall(r"^(\w+) +(pausing|nonblocking) +(\d+) +(\d+) +(\d+) +([\d.]+)% +([\d.]+)% ", done.stdout, re.M)
    assert len(rows) == 12, done.stdout + done.stderr
    assert "CPython " in done.stdout.splitlines()[0]
    assert all(int(samples) > 20 and int(impossible) == 0 for _, _, samples, impossible, *_ in rows), done.stdout
    assert re.search(r"^pauses: median \d+ us, 99 % below \d+ us, longest \d+ us", done.stdout, re.M)
    assert re.search(r"^cost: [\d.]+ % of one CPU", done.stdout, re.M)
    # Half a second a program is too little to be sure of more; the code must say what the words say.
    assert done.returncode == (1 if "FAILED" in done.stdout else 0)
    assert ("ok: " in done.stdout) == (done.returncode == 0)
    assert leftovers() <= before


def test_selftest_says_what_it_cannot_do(pyrometer, tmp_path):
    done = run([pyrometer, "selftest", "--python", tmp_path / "none"])
    assert done.returncode == 5 and "--python" in done.stderr
    fake = tmp_path / "fake"
    fake.write_text("#!/bin/sh\necho 'not today' >&2\nexit 3\n")
    fake.chmod(0o755)
    done = run([pyrometer, "selftest", "--python", fake])
    assert done.returncode == 5 and "not today" in done.stderr
    assert run([pyrometer, "selftest", "extra"]).returncode == 2
