# SPDX-License-Identifier: Apache-2.0
"""Process trees: load_tree.py WHAT SECONDS.  Nobody outlives the parent by more than a moment.

    pool-fork, pool-spawn, pool-forkserver    two children of multiprocessing that spin
    exec        becomes a shell for a while, then another Python
    daemon      a grandchild whose parent has left it
    zombie      a child that has ended and is never waited for
    found       children, one after the other, that say how long they lived
    idle, busy  that many children that sleep, or spin
    storm       a shell every 2 ms
    child       what others start: spins
"""

import multiprocessing
import os
import subprocess
import sys
import time

HERE = os.path.abspath(__file__)
PARENT = int(os.environ.get("LOAD_TREE_ROOT") or os.getpid())


def root_is_there():
    try:
        os.kill(PARENT, 0)
    except OSError:
        return False
    return True


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and root_is_there():
        for _ in range(20000):
            pass


def pooled(seconds):
    spin(seconds)


def pool(method, seconds):
    context = multiprocessing.get_context(method)
    children = [context.Process(target=pooled, args=(seconds,)) for _ in range(2)]
    for child in children:
        child.start()
    print("ready", *[child.pid for child in children], flush=True)
    for child in children:
        child.join()


def become_a_shell(seconds):
    print("ready", flush=True)
    spin(0.5)
    script = "sleep 0.3; exec '%s' '%s' child %s" % (sys.executable, HERE, seconds)
    os.execv("/bin/sh", ["sh", "-c", script])


def leave_a_daemon(seconds):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writer, b"%d\n" % os.getpid())
            daemon(seconds)
        os._exit(0)
    os.wait()
    print("ready", os.read(reader, 32).decode().strip(), flush=True)
    time.sleep(seconds)


def daemon(seconds):
    spin(seconds)
    os._exit(0)


def leave_a_zombie(seconds):
    if os.fork() == 0:
        os._exit(0)
    print("ready", flush=True)
    spin(seconds)


def be_found(count):
    """Children that say who they are and how long they lived, from just before their birth, in ms."""
    print("ready", flush=True)
    time.sleep(0.5)
    for _ in range(int(count)):
        begin = time.monotonic()
        if os.fork() == 0:
            spin(0.4)
            print("pid %d lived %.1f ms" % (os.getpid(), 1e3 * (time.monotonic() - begin)), flush=True)
            os._exit(0)
        os.wait()


def have_children(what, count):
    for _ in range(int(count)):
        if os.fork() == 0:
            while root_is_there():
                if what == "busy":
                    spin(1)
                else:
                    time.sleep(5)
            os._exit(0)
    print("ready", flush=True)
    time.sleep(1000)


def storm(seconds):
    print("ready", flush=True)
    due = time.monotonic()
    end = due + seconds
    while due < end:
        os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", ":"], os.environ), 0)
        due += 0.002
        time.sleep(max(due - time.monotonic(), 0))


if __name__ == "__main__":
    os.environ["LOAD_TREE_ROOT"] = str(PARENT)
    what, number = sys.argv[1], float(sys.argv[2])
    if what.startswith("pool-"):
        pool(what[5:], number)
    elif what in ("idle", "busy"):
        have_children(what, number)
    else:
        {"exec": become_a_shell, "daemon": leave_a_daemon, "zombie": leave_a_zombie, "found": be_found,
         "storm": storm, "child": spin}[what](number)
