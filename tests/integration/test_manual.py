# SPDX-License-Identifier: Apache-2.0
"""The man page and --help: of the same commands and options, and without a mistake in its markup."""

import re
import shutil
import subprocess

import pytest

from conftest import ROOT
from profiles import run

PAGE = ROOT / "docs" / "pyrometer.1"


def option_of_help(line):
    """("-p", "--pid", "PID") of a line of --help, or None."""
    match = re.match(r"^  (?:(-\w), |    )--([a-z-]+)(?: ([A-Z|=:]+))?(?:  |$)", line)
    return match and (match.group(1) or "", "--" + match.group(2), match.group(3) or "")


def options_of_help(pyrometer, command):
    text = run([pyrometer, command, "--help"]).stdout
    return {option for option in map(option_of_help, text.splitlines()) if option}


def options_of_page(command):
    section = re.search(rf"^\.Sh {command}\n(.*?)^\.Sh ", PAGE.read_text(), re.S | re.M).group(1)
    found = set()
    for line in re.findall(r"^\.It Fl (.*)$", section, re.M):
        match = re.fullmatch(r"(?:(\w) , )?-([a-z-]+)(?: Ar (\S+))?", line)
        assert match, line
        found.add(("-" + match.group(1) if match.group(1) else "", "--" + match.group(2), match.group(3) or ""))
    return found


def commands(pyrometer):
    return re.findall(r"^  (\w+) ", run([pyrometer, "--help"]).stdout, re.M)


def test_the_page_has_every_command(pyrometer):
    sections = re.findall(r"^\.Sh ([a-z]+)$", PAGE.read_text(), re.M)
    assert sections == commands(pyrometer)


def test_the_page_has_every_option(pyrometer):
    for command in commands(pyrometer):
        assert options_of_page(command) == options_of_help(pyrometer, command), command


def test_the_page_names_the_environment(pyrometer):
    said = run([pyrometer, "--help"]).stdout
    named = set(re.findall(r"^\.It Ev (\w+)$", PAGE.read_text(), re.M))
    assert set(re.findall(r"PYROMETER_\w+", said)) <= named
    in_tables = set()
    for path in (ROOT / "src" / "cmd").glob("*.c"):
        in_tables |= set(re.findall(r'"(PYROMETER_[A-Z]+)"', path.read_text()))
    assert in_tables <= named


@pytest.mark.parametrize("argv", [["mandoc", "-T", "lint", "-W", "warning"], ["groff", "-mdoc", "-Tutf8", "-ww", "-z"]])
def test_the_markup_is_right(argv):
    if not shutil.which(argv[0]):
        pytest.skip(f"needs {argv[0]}")
    done = subprocess.run([*argv, PAGE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stdout + done.stderr == ""
