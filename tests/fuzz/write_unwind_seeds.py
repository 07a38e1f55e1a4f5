#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""write_unwind_seeds.py CC CORPUS: the first corpus of fuzz_eh_frame and fuzz_unwind, made with a compiler.

A small library with the shapes that compilers write (saved registers, a frame pointer, an aligned stack, a signal's
frame), stripped; its sections alone; and stacks with registers that stand in it.
"""

import pathlib
import struct
import subprocess
import sys
import tempfile

SOURCE = r"""
typedef int callback(int *);
int saves(callback *f, int a) { int x[4] = {a}; int y = f(x); return y + f(x) * a + x[1]; }
int grows(callback *f, int a) { int x[a]; x[0] = a; return f(x) + x[0]; }
int aligns(callback *f, int a) { int x[16] __attribute__((aligned(64))); x[0] = a; return f(x) + x[0]; }
__asm__(".globl signals\n.type signals, @function\n.cfi_startproc\n.cfi_signal_frame\n"
        ".cfi_def_cfa_offset 8\n.cfi_escape 0x0f,4,0x77,0xa0,1,6\n.cfi_escape 0x10,16,3,0x77,0xa8,1\n"
        "nop\nsignals: mov $15,%rax\nsyscall\n.cfi_endproc\n"
        ".globl starts\nstarts: .cfi_startproc\n.cfi_undefined 16\ncall saves\nhlt\n.cfi_endproc\n");
"""
FILE_AT, STACK_AT = 0x400000, 0x7ffe00000000


def section(elf, kind):
    """The bytes of the first segment of a kind (PT_GNU_EH_FRAME is 0x6474e550), to the end of the file's read-only part."""
    phoff, = struct.unpack_from("<Q", elf, 32)
    for i in range(struct.unpack_from("<H", elf, 56)[0]):
        found, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", elf, phoff + 56 * i)
        if found == kind:
            return elf[offset:offset + size], elf[(offset + size + 7) & ~7:][:1024]
    raise SystemExit("the compiler writes no .eh_frame_hdr")


def stack(elf, pc, words, known=0x1ffff):
    regs = [0x100 + i for i in range(17)]
    regs[6], regs[7], regs[16] = STACK_AT + 64, STACK_AT, pc
    data = b"".join(struct.pack("<Q", word) for word in words)
    return struct.pack("<17QQQ", *regs, known, len(data)) + data + elf


def main():
    compiler, corpus = sys.argv[1], pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        library = pathlib.Path(folder) / "seed.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-nostdlib", "-Os", "-s", "-fno-stack-protector", "-Wl,-z,noseparate-code",
                        "-Wl,--build-id=sha1", "-fasynchronous-unwind-tables", "-x", "c", "-", "-o", library],
                       input=SOURCE, text=True, check=True)
        elf = library.read_bytes()
    hdr, frame = section(elf, 0x6474e550)
    count, = struct.unpack_from("<I", hdr, 8)
    vaddr = elf.index(hdr)
    starts = [vaddr + struct.unpack_from("<i", hdr, 12 + 8 * i)[0] for i in range(count)]
    returns = [FILE_AT + start + 12 for start in starts]
    seeds = {"eh_frame/library": elf, "eh_frame/hdr": hdr, "eh_frame/section": frame, "unwind/scan": stack(
        elf, FILE_AT + 0x10, [0, returns[0], 7, *returns, STACK_AT + 80, returns[-1]] * 4, 1 << 7 | 1 << 16)}
    for i, start in enumerate(starts):
        seeds[f"unwind/function-{i}"] = stack(elf, FILE_AT + start + 8, [STACK_AT + 96, *returns, 0, 1] * 8)
    seeds["unwind/record"] = stack(elf, 0x500000010, [STACK_AT + 96, *returns, STACK_AT + 112, returns[0], 0] * 6)
    for name, data in seeds.items():
        path = corpus / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()
