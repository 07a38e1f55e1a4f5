# SPDX-License-Identifier: Apache-2.0
"""The power is cut at any moment: what was not synced is torn, out of order or gone, what was acknowledged is there.

recorder.c writes down what the server does to its files; here the state of a disk at any point of that is made: of
each file what its last sync made durable, with a random choice of the 512-byte sectors written since; new, unlinked
and renamed names either way until their directory is synced (or, for new ones, the file itself).
"""

import os
import pathlib
import random
import shutil
import subprocess
import time

import pytest

from .ledger import Ledger, Sender, Server, check, fsck

SECTOR = 512
CUTS = int(os.environ.get("POWER_CUTS", 8))


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


@pytest.fixture(scope="module")
def recorded(pyrometer, tmp_path_factory):
    """A server under load, recorded until it is killed: (data, journal, ledger, [(journal's length at the answer, i)])."""
    where = tmp_path_factory.mktemp("power")
    library = where / "recorder.so"
    if subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, pathlib.Path(__file__).with_name("recorder.c"),
                       "-ldl", "-lpthread"], check=False).returncode:
        pytest.skip("needs a C compiler")
    data, journal = where / "data", where / "journal"
    data.mkdir(mode=0o700)
    env = {**os.environ, "LD_PRELOAD": str(library), "CRASH_DIR": str(data), "CRASH_JOURNAL": str(journal)}
    server = Server(pyrometer, data, env=env)
    ledger, answers = Ledger(), []
    note = ledger.note

    def note_with_place(i, status):
        if status == 200:
            answers.append((journal.stat().st_size, i))
        note(i, status)

    ledger.note = note_with_place
    senders = [Sender(server, ledger) for _ in range(2)]
    for sender in senders:
        sender.start()
    time.sleep(3)
    server.process.kill()
    server.process.wait(20)
    for sender in senders:
        sender.join(20)
    return data, journal, ledger, answers


def test_the_recording_is_whole(recorded, tmp_path):
    """All of it done again gives the directory as it is: nothing passed the recorder by."""
    data, journal, _, _ = recorded
    disk = Disk()
    for _, kind, fields, content in operations(journal):
        disk.do(kind, fields, content)
    disk.write(data, tmp_path / "again", None)
    for path in data.rglob("*"):
        # `lock` holds nothing but a pid for people, printed in a way that nobody can get in between.
        if path.is_file() and path.name != "lock" and not path.name.endswith("-shm"):
            assert (tmp_path / "again" / path.relative_to(data)).read_bytes() == path.read_bytes(), path


def test_a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged(recorded, pyrometer, tmp_path):
    data, journal, ledger, answers = recorded
    assert len(answers) > 20, "the load was none"
    rng = random.Random(1)
    ends = [end for end, *_ in operations(journal)]
    for cut in range(CUTS):
        point = rng.choice(ends[len(ends) // 8:])
        disk = Disk()
        for end, kind, fields, content in operations(journal):
            if end > point:
                break
            disk.do(kind, fields, content)
        image = tmp_path / f"image{cut}"
        disk.write(data, image, rng)
        server = Server(pyrometer, image)
        at_point = Ledger()
        at_point.begin_ns, at_point.tried = ledger.begin_ns, ledger.tried
        at_point.acked = {i for size, i in answers if size <= point}
        check(server, at_point)
        server.stop()
        fsck(pyrometer, image)
        shutil.rmtree(image)
