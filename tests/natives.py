# SPDX-License-Identifier: Apache-2.0
"""The native truth programs (tests/targets/native/), and what a profile of one is worth: for tests and benches.

    folder = natives.build(scratch, python)                   libraries of C, C++ and Rust, and the extension
    with natives.Target(python, "running", folder) as target:
        verdict = target.truth.judge(stacks)                   stacks: {(frame, ...): count}, outermost first

A frame is (name, place); truths.raw_stacks() of texts "name (place)" will not do, for C++ has brackets of its own.
A stack is *wrong* when its functions of known order are not the beginning of a path that the program announced, when a
strange Python function or one of our libraries stands between them, or when an evaluation loop that runs no Python frame
lies anywhere but innermost.  It is *complete* when it has native frames and no marker says that some are not known; then it has to begin where
threads do.
"""

import collections
import functools
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from unfit import Unfit, last_words

TARGETS = pathlib.Path(__file__).resolve().parent / "targets" / "native"
HARD = ["-O2", "-fPIC", "-shared", "-pthread", "-w", "-fno-ipa-icf"]  # of every library
VARIANTS = {
    "omit": ["-g", "-fomit-frame-pointer"],
    "realign": ["-g", "-fomit-frame-pointer", "-mstackrealign"],
    "keep": ["-g", "-fno-omit-frame-pointer"],
    "bare": ["-fno-omit-frame-pointer", "-fno-asynchronous-unwind-tables", "-fno-exceptions", "-fno-unwind-tables"],
}
# Where threads begin; a libc without symbols has its address only.
BASES = re.compile(r"_start|(__GI_)?_*clone3?|thread_start|(libc|ld-musl|libpthread)[^ ]*\+0x[0-9a-f]+")
EVAL = re.compile(r"_PyEval_EvalFrameDefault.*|PyEval_EvalFrameEx.*")  # but _PyEval_EvalFrame() calls these

MUSL = ("/libc.so", "/ld-musl-x86_64.so.1")  # its clone() has no name, or that of a label before it
# Static functions: a stripped library has their addresses only.
HIDDEN = {"metal_deep_down", "metal_sixty_down", "metal_all_down", "metal_last", "metal_never", "metal_on_signal",
          "metal_handle"}
CUT = "[native frames not known]"

Verdict = collections.namedtuple("Verdict", "samples native complete wrong shapes")


# ---- building -----------------------------------------------------------------------------------


def call(*argv):
    done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unfit(f"needs {argv[0]}: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")


def is_musl(python):
    return getattr(python, "libc", "glibc") != "glibc"


def build_c(folder, compiler):
    for name, flags in VARIANTS.items():
        call(compiler, *HARD, *flags, TARGETS / "metal.c", "-o", folder / f"libmetal_{name}.so")
    stripped, split = folder / "libmetal_stripped.so", folder / "libmetal_split.so"
    debug = folder / "libmetal_split.so.debug"
    for path in (stripped, split):  # with build ids of their own, or names would be those of the first
        call(compiler, *HARD, *VARIANTS["omit"], "-Wl,--build-id=0x" + os.urandom(20).hex(), TARGETS / "metal.c",
             "-o", path)
    call("strip", "--strip-all", stripped)
    call("objcopy", "--only-keep-debug", split, debug)
    call("objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", split)


def build_libraries(folder, python):
    musl = is_musl(python)
    build_c(folder, "musl-gcc" if musl else "cc")
    if not musl:
        call("c++", *HARD, "-g", TARGETS / "metal_cpp.cc", "-o", folder / "libmetal_cpp.so")
        if shutil.which("rustc"):
            call("rustc", "--edition=2021", "--crate-type=cdylib", "-O", "-g", "--crate-name=metal_rust",
                 TARGETS / "metal_rust.rs", "-o", folder / "libmetal_rust.so")


def build_module(folder, python):
    """The extension for an interpreter: where it can import it."""
    code = "import sysconfig; print(sysconfig.get_paths()['include'])"
    include = subprocess.run([python.path, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    if not os.path.exists(os.path.join(include, "Python.h")):
        raise Unfit(f"needs the headers of {python.id}")
    # Debian's are in two folders, one of which belongs to the architecture.
    call("musl-gcc" if is_musl(python) else "cc", *HARD, "-g", "-I", include, "-I", os.path.dirname(include),
         TARGETS / "metal_module.c", "-o", folder / "metal_module.so")


def has_ctypes(python):
    return subprocess.run([python.path, "-c", "import ctypes"], capture_output=True, check=False).returncode == 0


def build(scratch, python, how):
    """A folder with all that a program needs; Unfit where it cannot be made."""
    if how == "none":
        return scratch
    if python.libc == "none":
        raise Unfit("a program that is linked statically loads no library")
    if how == "ctypes" and not has_ctypes(python):
        raise Unfit(f"needs ctypes in {python.id}")
    base = scratch / ("musl" if is_musl(python) else "gnu")
    if not base.exists():
        base.mkdir()
        build_libraries(base, python)
    if how == "ctypes":
        return base
    folder = scratch / f"module-{python.id}-{python.version}"
    if not folder.exists():
        folder.mkdir()
        for library in base.glob("libmetal*"):
            (folder / library.name).symlink_to(library)
        build_module(folder, python)
    return folder


# ---- reading ------------------------------------------------------------------------------------


def parse_frame(text):
    """(name, place): "metal::run(long (*)(long), long) (metal.cc:7)" has brackets everywhere."""
    if text.endswith(")") and " (" in text:
        name, _, place = text[:-1].rpartition(" (")
        if name and (re.search(r":\d+$|\.so[.\d]*$|\.py$|\.[ch]\w*$|\.rs$|^\[.*\]$|^<.*>$", place) or "/" in place
                     or "python" in place):
            return name, place
    return text, ""


def split_stack(line):
    """Frames of a collapsed line; no name of these programs has a semicolon."""
    stack, _, count = line.rpartition(" ")
    return tuple(parse_frame(frame) for frame in stack.split(";")), int(count)


def raw_stacks(text):
    stacks = collections.Counter()
    for line in text.splitlines():
        stack, count = split_stack(line)
        stacks[stack] += count
    return stacks


@functools.lru_cache(maxsize=None)
def plain(name):
    """Without arguments, template arguments, hashes and what the compiler has added."""
    name = re.sub(r"::h[0-9a-f]{16}$|@plt$", "", name)
    name = re.sub(r"\.(constprop|isra|part|cold|llvm)\b.*$", "", name)
    before = None
    while before != name:
        before, name = name, re.sub(r"<(?!module)[^<>]*>|\([^()]*\)", "", name)
    name = name.replace("::::", "::").strip().rpartition(" ")[2] if " " in name else name.replace("::::", "::")
    return name.removesuffix("::")


def is_python(frame):
    return bool(re.search(r"\.py(:\d+)?$|^<", frame[1]))


def is_marker(frame):
    return not frame[1] and frame[0].startswith(("[", "thread "))


def is_native(frame):
    return not is_python(frame) and not is_marker(frame)


def descendants(way, through=""):
    """A way and all that lies below it, through functions of such names."""
    found, left = [], [way]
    while left:
        found.append(left.pop())
        left.extend(below for name, below in found[-1].items() if name.startswith(through))
    return found


# ---- judging ------------------------------------------------------------------------------------


class Truth:
    """What a program says of itself on its first line."""

    def __init__(self, announced):
        self.open = set(announced["open"])
        self.names = set()
        self.ways = {}
        for path in announced["paths"]:
            self.add([part for word in path.split() for part in self.expand(word)])

    def expand(self, word):
        name, _, times = word.partition("*")
        self.names.add(name.lstrip("?"))
        return [name] * int(times or 1)

    def add(self, parts):
        ends = [self.ways]
        for part in parts:
            below = [end.setdefault(part.lstrip("?"), {}) for end in ends]
            ends = below + ends if part.startswith("?") else below

    def wrong(self, stack):
        """What is wrong with a stack; None when nothing is."""
        is_bare = not any(is_native(frame) for frame in stack)  # without native frames, and said so
        at, last = [self.ways], None
        for i, frame in enumerate(stack):
            if frame[0] == CUT:  # it goes on anywhere below
                at = [below for way in at for below in descendants(way)]
                continue
            if is_marker(frame):
                continue
            if frame[0].startswith("libmetal_stripped.so+"):
                at = [way[name] for way in at for name in way if name in HIDDEN]
                last = frame[0]
                if not at:
                    return f"{frame[0]} where only named ones are"
                continue
            if is_bare:
                at = [below for way in at for below in descendants(way, "metal")]
            name = plain(frame[0])
            name = name.rpartition(".")[2] if is_python(frame) else name
            below = [way[name] for way in at if name in way]
            if is_native(frame) and not name.startswith("metal"):  # many programs have a main()
                below = []
                name = name if EVAL.fullmatch(name) else ""
            if below:
                at, last = below, name
            elif is_python(frame):
                if last not in self.open:
                    return f"{name} below {last}"
            elif name.startswith("metal") and not re.search("closure|unhappy|guard", name) and "metal_module" not in frame[1]:
                return f"{name} below {last}"
            elif EVAL.fullmatch(name) and i + 1 < len(stack):
                return f"an evaluation without frames below {last}"
        return None

    def shape_of(self, stack):
        """The function that tells where a stack is, for counts: the last that is no callback and no work."""
        for frame in reversed(stack):
            name = plain(frame[0]).rpartition(".")[2] if is_python(frame) else plain(frame[0])
            if name in self.names and not name.startswith(("spin", "back", "metal_work", "metal_on_signal", "nap")):
                return name.removesuffix("_down")
        return "?"

    def judge(self, stacks):
        native = complete = samples = 0
        wrong, shapes = collections.Counter(), {}
        for stack, count in stacks.items():
            samples += count
            shape = shapes.setdefault(self.shape_of(stack), collections.Counter())
            has_native = any(map(is_native, stack))
            is_whole = has_native and not any(frame[0] == CUT for frame in stack)
            first = next((frame for frame in stack if not is_marker(frame)), ("", ""))
            if is_whole and not BASES.fullmatch(plain(first[0])) and not first[1].endswith(MUSL):
                wrong["begins with " + first[0], stack] += count
            why = self.wrong(stack)
            shape.update(samples=count, native=count * has_native, complete=count * is_whole,
                         wrong=count * bool(why))
            native += count * has_native
            complete += count * is_whole
            if why:
                wrong[why, stack] += count
        return Verdict(samples, native, complete, wrong, shapes)


# ---- running them -------------------------------------------------------------------------------


def numpy_folder(python):
    """What a Python needs on its path to have numpy: that of who runs the tests, where it is of the same version."""
    spec = importlib.util.find_spec("numpy")
    if not spec or python.tag != f"{sys.version_info[0]}.{sys.version_info[1]}" or is_musl(python):
        return {}
    return {"PYTHONPATH": str(pathlib.Path(spec.origin).parents[1])}


class Target:
    """A native truth program that runs; Unfit when it cannot on this interpreter."""

    def __init__(self, python, program, folder, how, wanted=""):
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8",
               **numpy_folder(python)}
        self.process = subprocess.Popen([python.path, "-u", TARGETS / f"truth_{program}.py", how, folder, wanted], env=env,
                                        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        start_new_session=True)
        self.pid = self.process.pid
        line = self.process.stdout.readline()
        if not line:
            said = self.process.stderr.read()
            self.close()
            raise last_words(said, f"{program} on {python.id}")
        self.truth = Truth(json.loads(line))

    def close(self):
        try:
            os.killpg(self.pid, 9)  # it has children
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
