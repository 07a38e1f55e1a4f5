# SPDX-License-Identifier: Apache-2.0
"""forged_native.py LIE LIBRARY FOLDER: a thread whose native stack, code or files are not what they seem.

The main thread computes as an honest one does; lie() is on the stack of the other, which never comes back.
LIBRARY is an honest libmetal; what is forged from it is written to FOLDER.
"""
import ctypes
import mmap
import os
import random
import struct
import sys
import threading
import time

SPIN = b"\xeb\xfe"  # jmp to itself
PROTECTIONS = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
keep = []


def spin_honestly():
    total = 0
    for i in range(5000):
        total += i
    return total


# ---- registers that lie: the code never returns, so it may do with them what it likes --------------


def code_of(data, file=-1):
    """Machine code as a function that is called without the GIL."""
    if file < 0:
        area = mmap.mmap(-1, 4096, prot=PROTECTIONS)
        area.write(data)
    else:
        area = mmap.mmap(file, 0, mmap.MAP_PRIVATE, PROTECTIONS)
    keep.append(area)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    return ctypes.CFUNCTYPE(ctypes.c_long)(address)


def set_rsp(value):
    return b"\x48\xbc" + struct.pack("<Q", value)


def set_rbp(value):
    return b"\x48\xbd" + struct.pack("<Q", value)


def with_sp(value):
    return lambda library, folder: code_of(set_rsp(value) + SPIN)


def stack_of(words):
    """An area that is taken for a stack: its address."""
    area = mmap.mmap(-1, 8 * len(words))
    area.write(struct.pack(f"<{len(words)}Q", *words))
    keep.append(area)
    return ctypes.addressof(ctypes.c_char.from_buffer(area))


def function_in(library):
    return ctypes.cast(ctypes.CDLL(library).metal_work, ctypes.c_void_p).value


def frames_in_a_circle(library, folder):
    """Frame records that lead to each other, in a place that nobody has tables of."""
    base = stack_of([0] * 16)
    words = [base + 16, function_in(library) + 40, base, function_in(library) + 40]
    ctypes.memmove(base, struct.pack("<4Q", *words), 32)
    return code_of(set_rsp(base) + set_rbp(base) + SPIN)


def the_same_return_for_ever(library, folder):
    base = stack_of([function_in(library) + 40] * 100000)
    return code_of(set_rsp(base) + set_rbp(base + 8) + SPIN)


def words_of_chance(library, folder):
    draw, near = random.Random(7), function_in(library)
    base = stack_of([near + draw.randrange(-2000, 2000) if i % 2 else draw.getrandbits(47) for i in range(100000)])
    return code_of(set_rsp(base) + set_rbp(base + 64) + SPIN)


def stack_that_is_code(library, folder):
    address = function_in(library) & ~15
    return code_of(set_rsp(address) + set_rbp(address) + SPIN)


def code_without_a_file(library, folder):
    return code_of(b"\x90" * 64 + SPIN)


# ---- files that lie ------------------------------------------------------------------------------


def spin_of(path):
    """metal_work() of a library, for ever."""
    function = ctypes.CDLL(path).metal_work
    function.argtypes = [ctypes.c_long]
    return lambda: function(1 << 62)


def copy_of(library, folder, change=None):
    with open(library, "rb") as file:
        data = bytearray(file.read())
    if change:
        change(data)
    path = os.path.join(folder, "libforged.so")
    with open(path, "wb") as file:
        file.write(data)
    return path


def section(data, wanted):
    """(offset, size) in the file."""
    at, = struct.unpack_from("<Q", data, 40)
    size, n, names = struct.unpack_from("<HHH", data, 58)
    heads = [struct.unpack_from("<IIQQQQ", data, at + i * size) for i in range(n)]
    for head in heads:
        start = heads[names][4] + head[0]
        if bytes(data[start:data.index(b"\0", start)]) == wanted:
            return head[4], head[5]
    raise LookupError(wanted)


def noise_over(wanted):
    def change(data):
        offset, size = section(data, wanted)
        draw = random.Random(11)
        data[offset:offset + size] = bytes(draw.randrange(256) for _ in range(size))

    return lambda library, folder: spin_of(copy_of(library, folder, change))


def count_without_end(library, folder):
    def change(data):
        offset, _ = section(data, b".eh_frame_hdr")
        struct.pack_into("<I", data, offset + 8, 0xffffffff)

    return spin_of(copy_of(library, folder, change))


def lengths_without_end(library, folder):
    def change(data):
        offset, size = section(data, b".eh_frame")
        for at in range(offset, offset + size - 4, 24):
            struct.pack_into("<I", data, at, 0xfffffff0)

    return spin_of(copy_of(library, folder, change))


def file_that_is_gone(library, folder):
    path = copy_of(library, folder)
    spin = spin_of(path)
    os.unlink(path)
    return spin


def file_that_was_replaced(library, folder):
    path = copy_of(library, folder)
    spin = spin_of(path)
    with open(path + ".new", "wb") as file:
        file.write(b"\x7fELF\x02\x01\x01" + os.urandom(20000))
    os.rename(path + ".new", path)
    return spin


def file_that_is_no_program(library, folder):
    path = os.path.join(folder, "noise")
    with open(path, "w+b") as file:
        file.write(SPIN + os.urandom(100000))
        file.flush()
        return code_of(b"", file.fileno())


def maps_that_change(library, folder):
    def change():
        while True:
            area = mmap.mmap(-1, 65536, prot=PROTECTIONS)
            area.close()

    thread = threading.Thread(target=change)
    thread.daemon = True
    thread.start()
    return spin_of(library)


LIES = {
    "sp-nowhere": with_sp(0x1230), "sp-in-the-kernel": with_sp(0xffff888000000000), "sp-at-the-last-byte": with_sp(2 ** 64 - 1),
    "frames-in-a-circle": frames_in_a_circle, "the-same-return-for-ever": the_same_return_for_ever,
    "words-of-chance": words_of_chance, "stack-that-is-code": stack_that_is_code,
    "code-without-a-file": code_without_a_file, "tables-of-noise": noise_over(b".eh_frame"),
    "index-of-noise": noise_over(b".eh_frame_hdr"), "symbols-of-noise": noise_over(b".symtab"),
    "lines-of-noise": noise_over(b".debug_line"), "types-of-noise": noise_over(b".debug_info"),
    "count-without-end": count_without_end, "lengths-without-end": lengths_without_end,
    "file-that-is-gone": file_that_is_gone, "file-that-was-replaced": file_that_was_replaced,
    "file-that-is-no-program": file_that_is_no_program, "maps-that-change": maps_that_change,
}


def lie(function):
    function()


def main():
    function = LIES[sys.argv[1]](sys.argv[2], sys.argv[3])
    thread = threading.Thread(target=lie, args=(function,))
    thread.daemon = True
    thread.start()
    time.sleep(0.05)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        spin_honestly()


if __name__ == "__main__":
    if sys.argv[1] == "list":
        print(" ".join(sorted(LIES)))
    else:
        main()
