# SPDX-License-Identifier: Apache-2.0
"""load_libraries.py LIBRARY...: one stack through all of these libraries, each of which has many functions."""
import ctypes
import sys

CALLBACK = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long)
shapes, callbacks = [], []


def go_on(n):
    if n < len(shapes):
        return shapes[n](callbacks[0], n + 1) + 1
    total = 0
    for i in range(30000):
        total += i
    return total & 1


callbacks.append(CALLBACK(go_on))
for path in sys.argv[1:]:
    shape = ctypes.PyDLL(path).metal_call
    shape.argtypes = [CALLBACK, ctypes.c_long]
    shapes.append(shape)
sys.stdout.write("ready\n")
sys.stdout.flush()
while True:
    go_on(0)
