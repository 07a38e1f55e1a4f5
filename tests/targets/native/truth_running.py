# SPDX-License-Identifier: Apache-2.0
"""truth_running.py ctypes|module|none FOLDER [REGEX]: runs through all shapes (those that REGEX finds) for ever, and through what libraries others
have made.

Runs on Python 2.7 and 3.6+.
"""
import hashlib
import os
import signal
import sys

import metal

ROUNDS = 120  # of Python, a few microseconds
WORK = 30000  # of native work, some 30 us
REPEATS = 8

try:
    import zlib
except ImportError:
    zlib = None
try:
    import ssl
except ImportError:
    ssl = None
try:
    import numpy
except ImportError:
    numpy = None


def spin(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


# ---- one way down, and back into Python or not --------------------------------------------------


def back(n):
    return spin(ROUNDS * 20) & 1


def go_back(function, callback):
    function(callback, 1)


def go_down(function, nothing):
    function(nothing, WORK)


# ---- several languages: Python, C, Python, C++, Python, Rust, Python -----------------------------

links = {}


def in_c(n):
    if "cpp" not in links:
        return spin(ROUNDS * 20) & 1
    function, _, callback = links["cpp"]
    return function(callback, n) + 1


def in_cpp(n):
    if "rust" not in links:
        return spin(ROUNDS * 20) & 1
    function, _, callback = links["rust"]
    return function(callback, n) + 1


def in_rust(n):
    return spin(ROUNDS * 20) & 1


def chain():
    function, _, callback = links["c"]
    function(callback, 1)


LINKS = [("c", "libmetal_omit.so", "metal_call", in_c), ("cpp", "libmetal_cpp.so", "metal_cpp_call", in_cpp),
         ("rust", "libmetal_rust.so", "metal_rust_call", in_rust)]


# ---- the interpreter's own ways through C --------------------------------------------------------


def key(value):
    return -spin(value & 63)


def sort():
    sorted(range(400), key=key)


def generate(n):
    for i in range(n):
        yield spin(i & 63)


def consume():
    sum(generate(400))


class Thing(object):
    def __init__(self):
        self.value = spin(600)

    def __eq__(self, other):
        return spin(600) == other.value

    __hash__ = None


def construct():
    for _ in range(40):
        Thing()


def compare():
    things = [Thing()]
    for _ in range(40):
        things.count(Thing())


def on_signal(*_):
    spin(ROUNDS * 50)


def be_signalled():
    for _ in range(8):
        os.kill(os.getpid(), signal.SIGUSR1)


def recurse(depth):
    return recurse(depth - 1) + 1 if depth else spin(ROUNDS * 20)


# ---- libraries of others -------------------------------------------------------------------------

DATA = os.urandom(20000) * 3


def use_zlib():
    zlib.compress(DATA, 6)


def use_hashes():
    hashlib.sha256(DATA).digest()
    hashlib.pbkdf2_hmac("sha256", b"metal", b"salt", 300)


def use_ssl():
    context = ssl.SSLContext(getattr(ssl, "PROTOCOL_TLS_CLIENT", ssl.PROTOCOL_SSLv23))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE


def use_numpy():
    matrix = numpy.ones((120, 120))
    for _ in range(4):
        matrix = numpy.dot(matrix, matrix) * 0.01


def cycle(shapes, uses):
    for function, nothing, callback in shapes:
        for _ in range(REPEATS):
            go_back(function, callback)
            go_down(function, nothing)
    for _ in range(REPEATS if links else 0):
        chain()
    for use in uses:
        use()
    recurse(60)


def main():
    loader = metal.loader()
    libraries, shapes, paths = metal.libraries(), [], []
    known = {}
    for library in libraries:
        for name in metal.shapes_of(library):
            function, nothing = loader.shape(library, name)
            known[library, name] = function, nothing
            shapes.append((function, nothing, loader.callback(back)))
            paths += metal.shape_paths("<module> main cycle go_back", name, "back spin")
            paths += metal.shape_paths("<module> main cycle go_down", name, metal.work_of(library))
    way = "<module> main cycle chain"
    for language, library, name, function in LINKS:  # each is called by the one before
        if (library, name) not in known:
            break
        links[language] = known[library, name] + (loader.callback(function),)
        way += " " + metal.SHAPES[name][0] + " " + function.__name__
    paths.append(way + " spin")
    uses = [sort, consume, construct, compare, be_signalled]
    for module, use in ((hasattr(hashlib, "sha256"), use_hashes), (zlib, use_zlib), (ssl, use_ssl),
                        (numpy, use_numpy)):
        if module:
            uses.append(use)
    for rest in ("sort key spin", "consume generate spin", "construct __init__ spin", "compare __init__ spin",
                 "compare __eq__ spin", "be_signalled on_signal spin", "recurse*61 spin", "recurse*62"):
        paths.append("<module> main cycle " + rest)
    paths += ["<module> main cycle " + use.__name__ for use in uses]
    signal.signal(signal.SIGUSR1, on_signal)
    is_first = True
    while True:
        cycle(shapes, uses)
        if is_first:
            metal.say(paths, ["use_ssl", "use_hashes", "use_numpy"])
        is_first = False


if __name__ == "__main__":
    sys.setrecursionlimit(5000)
    main()
