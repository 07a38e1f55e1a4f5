# SPDX-License-Identifier: Apache-2.0
"""What a program did to its files, as recorder.c wrote it down, and the disk at any point of that.

After a kill a disk is as it was.  After a power cut it has of each file what its last sync made durable, with a random
choice of the 512-byte sectors written since; new, unlinked and renamed names either way until their directory is
synced (or, for new ones, the file itself).
"""

import os
import pathlib
import subprocess

import pytest

SECTOR = 512


def operations(journal):
    """(end in the journal, kind, fields, data) of each."""
    raw, at = journal.read_bytes(), 0
    while at < len(raw):
        newline = raw.index(b"\n", at)
        kind, fields = chr(raw[at]), raw[at + 2:newline].decode().split("\t")
        at = newline + 1
        size = int(fields[2]) if kind == "W" else 0
        data = raw[at:at + size]
        at += size
        yield at, kind, fields, data


def put_at(content, at, data):
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at:at + len(data)] = data


class File:
    def __init__(self):
        self.durable, self.pending = bytearray(), []
        self.is_named = False  # its name is on disk

    def apply(self, change, content):
        if change[0] == "T":
            del content[change[1]:]
            content.extend(bytes(max(0, change[1] - len(content))))
        else:
            put_at(content, change[1], change[2])

    def sync(self):
        for change in self.pending:
            self.apply(change, self.durable)
        self.pending = []

    def now(self):
        content = bytearray(self.durable)
        for change in self.pending:
            self.apply(change, content)
        return content

    def torn(self, rng):
        """What a power cut may leave: some of the changes, by sectors, in any order."""
        content = bytearray(self.durable)
        share = rng.choice([0, 0.5, 0.9, 1])
        for change in rng.sample(self.pending, len(self.pending)):
            if change[0] == "T":
                if rng.random() < share:
                    self.apply(change, content)
                continue
            _, at, data = change
            for sector in range(0, len(data), SECTOR):
                if rng.random() < share:
                    put_at(content, at + sector, data[sector:sector + SECTOR])
        return content


class Disk:
    def __init__(self):
        self.files, self.gone, self.dirs = {}, {}, set()

    def do(self, kind, fields, data):
        path = fields[0]
        if kind == "M":
            self.dirs.add(path)
        elif kind == "C":
            self.files[path] = File()
        elif kind == "W":
            self.files[path].pending.append(("W", int(fields[1]), data))
        elif kind == "T":
            self.files[path].pending.append(("T", int(fields[1])))
        elif kind == "U":
            self.gone[path] = self.files.pop(path)
        elif kind == "R":
            self.files[fields[1]] = self.files.pop(path)
        elif kind == "S" and path in self.files:
            self.files[path].sync()
            self.files[path].is_named = True
        elif kind == "S":
            self.sync_names(path)

    def sync_names(self, directory):
        for path, file in self.files.items():
            file.is_named = file.is_named or os.path.dirname(path) == directory
        for path in [p for p in self.gone if os.path.dirname(p) == directory]:
            del self.gone[path]

    def write(self, root, to, rng):
        """As it may be after a power cut; rng None: as it is."""
        contents = {}
        for path, file in self.files.items():
            if rng is None:
                contents[path] = file.now()
            elif file.is_named or rng.random() < 0.5:
                contents[path] = file.torn(rng)
        for path, file in self.gone.items():
            if rng and file.is_named and path not in contents and rng.random() < 0.5:
                contents[path] = file.torn(rng)
        for path, content in contents.items():
            out = pathlib.Path(str(to) + path[len(str(root)):])
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(content)


def recorder(where):
    """The library to preload, compiled into the directory `where`."""
    library = where / "recorder.so"
    if subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, pathlib.Path(__file__).with_name("recorder.c"),
                       "-ldl", "-lpthread"], check=False).returncode:
        pytest.skip("needs a C compiler")
    return library


def recording(library, data, journal):
    """Environment of a program whose changes below `data` go to the journal."""
    return {**os.environ, "LD_PRELOAD": str(library), "CRASH_DIR": str(data), "CRASH_JOURNAL": str(journal)}
