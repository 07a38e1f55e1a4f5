# SPDX-License-Identifier: Apache-2.0
"""What the native truth programs share: shapes called by ctypes (without the GIL) or by an extension (with it; "none":
no shapes at all, where a program cannot load a library), and the first line that says which stacks are possible.  Runs on Python 2.7 and 3.6+.

    paths   texts of names from the outermost to the innermost function whose order is known; a stack is a beginning of
            one of them.  "name*7" stands seven times, "?name" may be missing (it has a frame only where debug
            information tells of inlined functions).  What lies between two of them belongs to the interpreter or a library.
    open    names below which other Python functions, of the standard library, may follow
"""
import json
import os
import re
import sys

FOLDER = sys.argv[2]
WANTED = re.compile(sys.argv[3] if len(sys.argv) > 3 else "")  # of "libmetal_omit.so metal_deep"

# What is on the stack of a shape when it has come to the bottom.
SHAPES = {
    "metal_call": ["metal_call"],
    "metal_deep": ["metal_deep metal_deep_down*1100"],
    "metal_sixty": ["metal_sixty metal_sixty_down*60"],
    "metal_tail_first": ["metal_tail_second"],
    "metal_aligned": ["metal_aligned"],
    "metal_variable": ["metal_variable"],
    "metal_all": ["metal_all metal_all_down"],
    "metal_inline": ["metal_inline ?metal_inline_middle ?metal_inline_inner"],
    "metal_jump": ["metal_jump metal_last metal_never"],
    "metal_raise": ["metal_raise metal_on_signal"],
    "metal_alarm": ["metal_alarm metal_on_signal", "metal_alarm metal_work metal_on_signal"],
    "metal_elsewhere": ["metal_elsewhere metal_on_signal"],
    "metal_cpp_call": ["metal_cpp_call metal::worker::run"],
    "metal_cpp_throw": ["metal_cpp_throw metal::pass metal::fail"],
    "metal_rust_call": ["metal_rust_call metal_rust::inner::through metal_rust::inner::bottom"],
}
# And on the way there or back.
ASIDES = {
    "metal_tail_first": "metal_tail_first",
    "metal_raise": "metal_raise metal_handle",
    "metal_alarm": "metal_alarm metal_handle",
    "metal_elsewhere": "metal_elsewhere metal_handle",
}
WORK = {"libmetal_cpp.so": "metal::work", "libmetal_rust.so": "metal_rust::inner::work"}


def shapes_of(library):
    own = [word for word in ("cpp", "rust") if word in library]
    return sorted(name for name in SHAPES if WANTED.search(library + " " + name)
                  and (own[0] in name if own else "cpp" not in name and "rust" not in name))


def work_of(library):
    return WORK.get(library, "metal_work")


class ByCtypes(object):
    def __init__(self):
        import ctypes  # not everywhere
        self.ctypes = ctypes
        self.callback_type = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long)

    def shape(self, library, name):
        """(function(callback, n), what stands for no callback): so that no Python frame of ours lies between."""
        function = getattr(self.ctypes.CDLL(os.path.join(FOLDER, library)), name)
        function.restype = self.ctypes.c_long
        function.argtypes = [self.callback_type, self.ctypes.c_long]
        return function, self.callback_type()

    def callback(self, function):
        return self.callback_type(function)


class ByModule(object):
    def __init__(self):
        sys.path.insert(0, FOLDER)
        import metal_module
        self.module = metal_module

    def shape(self, library, name):
        import functools
        return functools.partial(self.module.run, self.module.load(os.path.join(FOLDER, library)), name), None

    def callback(self, function):
        return function


def loader():
    return ByCtypes() if sys.argv[1] == "ctypes" else ByModule() if sys.argv[1] == "module" else None


def libraries():
    names = os.listdir(FOLDER) if sys.argv[1] != "none" else []
    return sorted(name for name in names if name.startswith("libmetal") and name.endswith(".so"))


def shape_paths(before, name, after):
    return [" ".join((before, way, after)) for way in SHAPES[name]] + [before + " " + ASIDES.get(name, name)]


def say(paths, may_call_others=()):
    # A thread may still be in here when the first look comes.
    sys.stdout.write(json.dumps({"paths": paths + ["<module> main say"], "open": ["say"] + list(may_call_others)}) + "\n")
    sys.stdout.flush()
