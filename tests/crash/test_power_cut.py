# SPDX-License-Identifier: Apache-2.0
"""The power is cut at any moment of a load: what was acknowledged is there, what was not is whole or absent (disk.py)."""

import os
import random
import shutil
import time

import pytest

from .disk import Disk, operations, recorder, recording
from .ledger import Ledger, Sender, Server, check, fsck

CUTS = int(os.environ.get("POWER_CUTS", 8))


@pytest.fixture(scope="module")
def recorded(pyrometer, tmp_path_factory):
    """A server under load, recorded until it is killed: (data, journal, ledger, [(journal's length at the answer, i)])."""
    where = tmp_path_factory.mktemp("power")
    library = recorder(where)
    data, journal = where / "data", where / "journal"
    data.mkdir(mode=0o700)
    server = Server(pyrometer, data, env=recording(library, data, journal))
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
