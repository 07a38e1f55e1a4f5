# SPDX-License-Identifier: Apache-2.0
"""Bodies that are small on the wire and large inside, made without making the inside."""

import struct
import zlib

MIB = 1 << 20


def gzip_bomb(mib, prefix=b""):
    """One gzip member of `prefix` and so many MiB of zeros, at 1000:1; its checksum is wrong, but who gets there?"""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(prefix) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)  # repeats: a full flush forgets what was before
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + head + block * mib + packer.flush() + bytes(8)


def gzip_members(mib):
    """The same in as many members, each in good order."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return (packer.compress(bytes(MIB)) + packer.flush()) * mib


def zstd_bomb(mib):
    """A zstd frame of RLE blocks, at 32,000:1."""
    blocks = b"".join(struct.pack("<I", (128 << 10) << 3 | 1 << 1)[:3] + b"\0" for _ in range(8 * mib))
    return b"\x28\xb5\x2f\xfd\0\x58" + blocks + struct.pack("<I", 1)[:3]


def zstd_window(log):
    """A frame that asks its reader for a window of 2^log bytes."""
    return b"\x28\xb5\x2f\xfd\0" + bytes([(log - 10) << 3]) + struct.pack("<I", 4 << 3 | 1 << 1 | 1)[:3] + b"x"


def just_allowed(mib, prefix=b""):
    """A good gzip member that grows by a little less than 200:1: the largest thing that has to be taken."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    out = packer.compress(prefix)
    for i in range(mib):
        noise = bytes((i * 7 + k * k) % 251 for k in range(4500))
        out += packer.compress(noise + bytes(MIB - len(noise)))
    return out + packer.flush()
