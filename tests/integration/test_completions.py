# SPDX-License-Identifier: Apache-2.0
"""completions: each shell loads its script and offers what the option tables hold."""

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys

import pytest

from conftest import wait_until
from profiles import run


def script(pyrometer, shell):
    done = run([pyrometer, "completions", shell])
    assert done.returncode == 0 and done.stderr == ""
    return done.stdout


def bash_offers(pyrometer, line, folder):
    """What bash would offer for the last word of the line."""
    words = shlex.split(line.replace("=", " = ")) + ([""] if line.endswith((" ", "=")) else [])
    body = script(pyrometer, "bash") + f"""
cd {shlex.quote(str(folder))}
COMP_WORDS=({" ".join(map(shlex.quote, words))})
COMP_CWORD={len(words) - 1}
_pyrometer
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "--norc", "-c", body], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return set(done.stdout.split("\n")) - {""}


def fish_offers(pyrometer, line, folder):
    body = script(pyrometer, "fish") + f"\ncd {shlex.quote(str(folder))}\ncomplete -C {shlex.quote(line)}"
    done = subprocess.run(["fish", "--no-config", "-c", body], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return {each.split("\t")[0] for each in done.stdout.splitlines()}


# zsh completes in its line editor only: so there is a terminal, and what is offered is written into a file.  Before the editor
# has the terminal a Ctrl-D ends the input: so it says that it begins.
ZSH_SETUP = """
PS1='> '; LISTMAX=1000000; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D
compadd() {
	if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\\ * ]]; then
		local -a hits
		builtin compadd -A hits "$@"
		print -rl -- $hits >> offered
	fi
	builtin compadd "$@"
}
said() { print -r -- THE-END >> offered }
comppostfuncs=(said)
: > offered
zle-line-init() { print -r -- BEGUN >> offered }
zle -N zle-line-init
"""


def zsh_offers(pyrometer, line, folder):
    (folder / "_pyrometer").write_text(script(pyrometer, "zsh"))
    (folder / "setup").write_text(ZSH_SETUP)
    offered = folder / "offered"
    offered.unlink(missing_ok=True)
    master, slave = pty.openpty()
    shell = subprocess.Popen(["zsh", "-f", "-i"], stdin=slave, stdout=slave, stderr=slave, cwd=folder,
                             env={**os.environ, "TERM": "dumb"}, start_new_session=True)
    os.close(slave)

    def wait_for(mark):
        def is_there():
            if select.select([master], [], [], 0)[0]:
                os.read(master, 65536)  # a full terminal would stop the shell
            return offered.exists() and mark in offered.read_text()
        wait_until(is_there, 60, f"{mark} of zsh")

    try:
        os.write(master, b". ./setup\n")
        wait_for("BEGUN")
        os.write(master, line.encode() + b"\x04")  # Ctrl-D behind a word lists what fits
        wait_for("THE-END")
        return set(offered.read_text().split()) - {"BEGUN", "THE-END"}
    finally:
        shell.kill()
        shell.wait()
        os.close(master)


OFFERS = {"bash": bash_offers, "fish": fish_offers, "zsh": zsh_offers}


@pytest.fixture(params=list(OFFERS))
def offers(request, pyrometer, tmp_path):
    if not shutil.which(request.param):
        pytest.skip(f"needs {request.param}")
    (tmp_path / "one.pyro").write_text("")
    (tmp_path / "folder").mkdir()
    return lambda line: OFFERS[request.param](pyrometer, line, tmp_path)


def listed_commands(pyrometer):
    return set(re.findall(r"^  (\w+) ", run([pyrometer, "--help"]).stdout, re.M))


def test_commands_are_offered(pyrometer, offers):
    commands = listed_commands(pyrometer)
    assert {"record", "dump", "convert", "serve", "completions"} <= commands
    assert commands <= offers("pyrometer ")


def test_every_option_of_every_command_is_offered(pyrometer, offers):
    for command in sorted(listed_commands(pyrometer)):
        options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", run([pyrometer, command, "--help"]).stdout, re.M))
        got = {word.partition("=")[0] for word in offers(f"pyrometer {command} --")}
        assert options <= got, command
        assert not {"--capture", "--hideprogress"} & got


def test_values_are_offered(offers, spawn):
    assert {"flamegraph", "raw", "speedscope"} <= offers("pyrometer record -f ")
    assert "pyro" not in offers("pyrometer convert --format ")
    assert "one.pyro" in offers("pyrometer convert o") | offers("pyrometer convert ")
    assert {"bash", "zsh", "fish"} <= offers("pyrometer completions ")
    target = spawn([sys.executable, "-c", "import time; time.sleep(100)"])
    assert str(target.pid) in offers("pyrometer dump --pid ")


def test_a_value_behind_an_equals_sign_is_completed(offers):
    assert any(word.endswith("speedscope") for word in offers("pyrometer record --format=spe"))


def test_a_shell_that_is_none_is_refused(pyrometer):
    for argv in (["completions"], ["completions", "tcsh"], ["completions", "bash", "zsh"]):
        done = run([pyrometer, *argv])
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and "bash, zsh or fish" in done.stderr
