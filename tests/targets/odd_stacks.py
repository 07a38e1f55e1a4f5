# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Threads that a reader of stacks may stumble over, one of a kind, for every version from 2.7 on.

Each works a little for ever in a function of its own.  The first line is JSON: {"kinds": {thread name: facts}}, with
the thread id, and what else its test wants to know.
"""
import json
import os
import sys
import threading
import time

IS_3 = sys.version_info[0] > 2
DEEP = 6000
FACTS = {}
GO = threading.Event()


def rest():
    """A new stack each time, hardly any CPU time."""
    while True:
        time.sleep(0.02)


def make(source, file="<made>"):
    scope = {"rest": rest}
    exec(compile(source, file, "exec"), scope)
    return scope


def recursion(n):
    return recursion(n - 1) if n else rest()


def wide():
    """One frame that does not fit into a chunk of the data stack (16 KiB)."""
    names = ["v%d" % i for i in range(1800)]
    source = "def wide():\n    %s = 1\n    return rest()\n" % " = ".join(names)
    return make(source)["wide"]


def long_table():
    """A function of 35,000 lines: its line table has more than 64 KB in every version."""
    return make("def long_table():\n" + "    x = 1\n" * 35000 + "    rest()\n")["long_table"]


def renamed(name):
    """A function whose code object has a name that no source could give it."""
    def plain():
        rest()

    code = plain.__code__
    if hasattr(code, "replace"):
        fields = {"co_name": name}
        if hasattr(code, "co_qualname"):
            fields["co_qualname"] = name
        plain.__code__ = code.replace(**fields)
    else:
        args = [code.co_argcount] + ([code.co_kwonlyargcount] if IS_3 else [])
        args += [code.co_nlocals, code.co_stacksize, code.co_flags, code.co_code, code.co_consts, code.co_names,
                 code.co_varnames, code.co_filename, name, code.co_firstlineno, code.co_lnotab, code.co_freevars,
                 code.co_cellvars]
        plain.__code__ = type(code)(*args)
    return plain


def in_file(name):
    return make("def in_file():\n    rest()\n", name)["in_file"]


def text(escaped):
    """As the version's own str: 2.7 has bytes."""
    value = json.loads('"%s"' % escaped)
    return value if IS_3 else value.encode("utf-8")


def commed(comm):
    def commed():
        with open("/proc/thread-self/comm", "w") as file:
            file.write(comm)
        rest()
    return commed


def native(n):
    """Threads that Python knows nothing of."""
    if not n:
        return
    import ctypes
    libc = ctypes.CDLL(None)
    for _ in range(n):
        ident = ctypes.c_ulong()
        if libc.pthread_create(ctypes.byref(ident), None, libc.pause, None):
            raise OSError("pthread_create")


KINDS = {
    "deep": lambda: recursion(DEEP),
    "wide": wide(),
    "long table": long_table(),
    "cyrillic": renamed(text("\\u0444\\u0443\\u043d\\u043a\\u0446\\u0438\\u044f")),
    "emoji": renamed(text("\\ud83d\\udca9")),
    "rtl": renamed(text("\\u202e\\u05d0\\u05d1")),
    "nul": renamed("a\0b"),
    "long name": renamed("n" * 5000),
    "long file": in_file("/" + "f" * 1500 + "/end.py"),
    "bad file": in_file(os.fsdecode(b"caf\xe9.py") if IS_3 else b"caf\xe9.py"),
    "emoji file": in_file(text("\\ud83d\\udca9.py")),
    "comm": commed("a) R (b) ("),
}
if IS_3:
    KINDS["surrogate"] = renamed("a\ud800b")


def start(name, function):
    def noted():
        FACTS[name] = int(os.readlink("/proc/thread-self").rsplit("/", 1)[1])
        function()

    thread = threading.Thread(target=noted, name=name)
    thread.daemon = True
    thread.start()


def main():
    sys.setrecursionlimit(3 * DEEP)
    native(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    threading.stack_size(512 << 20)
    start("deep", KINDS.pop("deep"))
    threading.stack_size(0)
    for name, function in KINDS.items():
        start(name, function)
    time.sleep(0.5)
    while len(FACTS) <= len(KINDS):
        time.sleep(0.05)
    sys.stdout.write(json.dumps(FACTS) + "\n")
    sys.stdout.flush()
    rest()


main()
