# SPDX-License-Identifier: Apache-2.0
"""doctor: says what is allowed, with rights and without, and what would help."""

import ctypes
import json
import os
import shutil
import struct
import subprocess

import pytest

import pythons
from conftest import TARGETS
from profiles import run

PYTHON = pythons.first()
SYS_PTRACE, SYS_VM_READV = 101, 310  # x86-64


def examine(argv, code, **options):
    """{name: check} of the JSON report."""
    done = run([*argv, "--json"], **options)
    assert done.returncode == code, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] == (code == 0)
    for check in report["checks"]:
        assert check["verdict"] in ("ok", "note", "problem") and check["text"]
    return {check["name"]: check for check in report["checks"]}


def as_nobody(*more):
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv, to be without rights")
    return ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all",
            "--inh-caps", "-all", *more]


@pytest.fixture
def reachable(pyrometer, tmp_path_factory):
    """The binary where a user without rights can run it."""
    folder = tmp_path_factory.mktemp("bin", numbered=True)
    path = "/tmp/pyrometer-" + folder.name + str(os.getpid())
    shutil.copy(pyrometer, path)
    os.chmod(path, 0o755)
    yield path
    os.unlink(path)


@pytest.fixture
def target(spawn):
    if not PYTHON:
        pytest.skip("needs a supported Python to profile")
    process = spawn([PYTHON, "-u", TARGETS / "load_threads.py"], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def test_the_machine_is_described_in_plain_text(pyrometer):
    done = run([pyrometer, "doctor"])
    assert done.returncode in (0, 1) and done.stderr == ""
    assert done.stdout.startswith("this machine\n  ok       Linux ")
    assert "this process" not in done.stdout
    assert done.stdout.endswith("\nno problem\n" if done.returncode == 0 else "not everything will work: see above\n")


def test_a_python_is_explained_and_both_modes_tried(pyrometer, target):
    checks = examine([pyrometer, "doctor", "-p", target.pid], 0)
    assert f"process {target.pid}: " in checks["process"]["text"] and "load_threads.py" in checks["process"]["text"]
    version = run([PYTHON, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]).stdout.strip()
    assert checks["python"]["text"].startswith(f"CPython {version}, found by the symbols of /")
    assert int(checks["threads"]["text"].split()[0]) >= 6
    assert "works" in checks["pausing"]["text"] and "works" in checks["nonblocking"]["text"]
    assert target.poll() is None


def test_a_traced_process_can_be_read_without_pausing(pyrometer, target, spawn):
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.ptrace(0x4206, target.pid, None, None) == 0  # PTRACE_SEIZE: it runs on, we are its tracer
    try:
        checks = examine([pyrometer, "doctor", "-p", target.pid], 1)
    finally:
        target.kill()
    assert checks["tracer"]["verdict"] == "problem" and "--nonblocking" in checks["tracer"]["remedy"]
    assert "pausing" not in checks and checks["nonblocking"]["verdict"] == "ok"


@pytest.mark.parametrize("pid, says", [(4194303, "4194303"), (2, "part of the kernel")])
def test_what_is_no_program_is_said(pyrometer, pid, says):
    if pid == 2 and not os.path.exists("/proc/2/comm"):
        pytest.skip("needs to see the kernel's threads")
    if pid == 2 and open("/proc/2/comm", encoding="utf-8").read() != "kthreadd\n":
        pytest.skip("needs to see the kernel's threads")
    checks = examine([pyrometer, "doctor", "-p", pid], 1)
    assert any(check["verdict"] == "problem" and says in check["text"] for check in checks.values())


def test_a_program_without_python_is_said(pyrometer, spawn):
    sleeper = spawn(["sleep", "100"])
    checks = examine([pyrometer, "doctor", "-p", sleeper.pid], 1)
    assert checks["rights"]["verdict"] == "ok"
    assert checks["python"]["verdict"] == "problem" and "not a Python process" in checks["python"]["text"]


def test_without_rights_the_command_that_helps_is_given(reachable, target):
    checks = examine([*as_nobody(), reachable, "doctor", "-p", target.pid], 1)
    assert checks["user"]["verdict"] == "note" and "65534" in checks["user"]["text"]
    assert checks["rights"]["verdict"] == "problem"
    assert checks["rights"]["remedy"] == f'sudo env "PATH=$PATH" pyrometer record -p {target.pid}'
    assert "python" not in checks


def test_where_sudo_cannot_help_it_is_not_recommended(reachable):
    checks = examine([*as_nobody("--no-new-privs"), reachable, "doctor"], 0)
    assert checks["no_new_privs"]["verdict"] == "note"
    assert checks["user"]["remedy"] is None


def refuse_calls():
    """As a container's seccomp filter does: EPERM for ptrace and process_vm_readv."""
    def instruction(code, jt, jf, k):
        return struct.pack("<HBBI", code, jt, jf, k)

    program = b"".join([instruction(0x20, 0, 0, 0),  # the call's number
                        instruction(0x15, 2, 0, SYS_PTRACE), instruction(0x15, 1, 0, SYS_VM_READV),
                        instruction(0x06, 0, 0, 0x7FFF0000),  # allow
                        instruction(0x06, 0, 0, 0x00050000 | 1)])  # EPERM
    code = ctypes.create_string_buffer(program)
    head = struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, head, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def test_a_seccomp_filter_is_told_apart(pyrometer):
    if os.uname().machine != "x86_64":
        pytest.skip("needs x86-64, for the numbers of system calls")
    checks = examine([pyrometer, "doctor"], 1, preexec_fn=refuse_calls)
    for name in ("ptrace", "process_vm_readv"):
        assert checks[name]["verdict"] == "problem" and "seccomp" in checks[name]["text"]
        assert "SYS_PTRACE" in checks[name]["remedy"]


def test_a_namespace_of_its_own_is_seen_from_both_sides(pyrometer, spawn):
    argv = ["unshare", "-U", "-r", "-p", "-f", "--mount-proc"]
    if run([*argv, "true"]).returncode != 0:
        pytest.skip("needs user namespaces")
    checks = examine([*argv, pyrometer, "doctor"], 0)
    assert "pid namespace" in checks["namespaces"]["text"] and checks["namespaces"]["verdict"] == "note"
    if not PYTHON or os.geteuid() != 0:
        pytest.skip("needs root and a Python, to look inside")
    outer = spawn([*argv, PYTHON, "-u", "-c", "print('ready', flush=True)\nimport time; time.sleep(100)"],
                  stdout=subprocess.PIPE)
    assert outer.stdout.readline() == b"ready\n"
    with open(f"/proc/{outer.pid}/task/{outer.pid}/children", encoding="utf-8") as file:
        inner = int(file.read().split()[0])
    checks = examine([pyrometer, "doctor", "-p", inner], 0)
    assert "process 1" in checks["namespace"]["text"]


def test_nonsense_is_refused(pyrometer):
    for argv in (["doctor", "4711"], ["doctor", "-p", "x"]):
        done = run([pyrometer, *argv])
        assert done.returncode == 2 and done.stderr.count("\n") == 1
