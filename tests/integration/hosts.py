# SPDX-License-Identifier: Apache-2.0
"""What the tests of unusual targets share: a program with a Python inside, and a dump as data."""

import json
import os
import pathlib
import shutil
import subprocess
import types

import pytest

from conftest import TARGETS
from profiles import run

WHERE = ("import json, sys, sysconfig; v = sysconfig.get_config_var; sys.stdout.write(json.dumps("
         "[sysconfig.get_path('include'), v('LIBDIR'), v('LDLIBRARY'), sys.prefix]))")

# Says its thread, then works a little for ever.  For every version from 2.7 on.
MAIN = """
import os, sys, time
def in_main():
    sys.stdout.write(os.readlink("/proc/thread-self").split("/")[-1] + "\\n")
    sys.stdout.flush()
    while True:
        time.sleep(0.01)
        sum(range(2000))
in_main()
"""

SUB = """
import threading, time
def in_sub():
    while True:
        time.sleep(0.01)
threading.Thread(target=in_sub, name="sub").start()
"""


def layout_of(python):
    """Where an interpreter keeps its headers, its library, and itself."""
    done = subprocess.run([python, "-c", WHERE], capture_output=True, text=True, check=True, timeout=20)
    include, libdir, library, prefix = json.loads(done.stdout)
    return types.SimpleNamespace(include=include, libdir=libdir, library=library, prefix=prefix)


def build_host(python, folder):
    """tests/targets/host.c linked to the interpreter's library; (program, environment) or a skip that says why."""
    where = layout_of(python)
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler")
    if not os.path.exists(os.path.join(where.include, "Python.h")) or ".so" not in (where.library or ""):
        pytest.skip(f"needs headers and a shared library of {python}")
    name = where.library.split(".so")[0][len("lib"):]
    done = run(["cc", "-std=gnu11", "-O1", "-w", "-I", where.include, TARGETS / "host.c", "-o", folder / "host",
                "-L", where.libdir, f"-l{name}", f"-Wl,-rpath,{where.libdir}", "-lpthread"])
    if done.returncode:
        pytest.skip(f"needs a library to link of {python}: {done.stderr.splitlines()[-1]}")
    (folder / "main.py").write_text(MAIN)
    (folder / "sub.py").write_text(SUB)
    return folder / "host", {**os.environ, "PYTHONHOME": where.prefix}


def dump(pyrometer, pid, *options):
    """The threads of a process, innermost frames first: "name (file:line)"."""
    done = run([pyrometer, "dump", "--json", "-p", pid, *options])
    assert done.returncode == 0, done.stderr
    threads = json.loads(done.stdout)
    for thread in threads:
        thread["stack"] = [f"{frame['name']} ({pathlib.Path(frame['filename'] or '').name}:{frame['line']})"
                           for frame in thread["frames"]]
        thread["names"] = [frame["name"] for frame in thread["frames"]]
    return threads


def with_frame(threads, name):
    return [thread for thread in threads if name in thread["names"]]
