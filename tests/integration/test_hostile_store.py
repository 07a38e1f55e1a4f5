# SPDX-License-Identifier: Apache-2.0
"""
A data directory that is not what the server left: it starts and answers with what is whole, or says what is wrong and
touches nothing; it never dies, and never answers more than was put.

Elsewhere: damaged blocks, pages and catalogues, formats of before and to come, full disks, retention, a second server, copies
of a directory, backups (tests/store_oracle: test_store_files.py, test_store_crash.py, test_store_fsck.py,
test_store_backup.py), power cuts and kills (tests/crash), foreign catalogues (test_server.py).
"""

import os
import shutil
import sqlite3

import pytest

from serving import CPU, Server, pprof

ALL = {"from": 1, "until": 4102444800000}
PUT = 20 * 10**9


@pytest.fixture(scope="module")
def filled(pyrometer, tmp_path_factory):
    """A directory as a killed server leaves it: with its logs."""
    data = tmp_path_factory.mktemp("filled") / "data"
    server = Server(pyrometer, data)
    for i in range(20):
        assert server.push([({"__name__": "process_cpu", "service_name": "shop"}, [(pprof({("main", f"f{i}"): 10**9}), "")])]).status == 200
    server.process.kill()
    server.process.communicate()
    return data


def files(data, ending):
    return sorted(path for path in data.rglob("*") if path.is_file() and path.name.endswith(ending))


def each(ending, change):
    def spoil(data):
        found = files(data, ending)
        for path in found:
            change(path)
        return found
    return spoil


def tamper(*statements):
    def change(path):
        database = sqlite3.connect(path, isolation_level=None)
        for statement in statements:
            try:
                database.execute(statement)
            except sqlite3.Error:
                pass  # this file has no such table
        database.close()
    return change


def beside(name, data=b"rubbish" * 1000):
    return lambda folder: (folder / name).write_bytes(data) or [folder]


SPOIL = {
    "logs are empty": each("-wal", lambda path: path.write_bytes(b"")),
    "logs are cut": each("-wal", lambda path: os.truncate(path, path.stat().st_size // 2)),
    "logs are rubbish": each("-wal", lambda path: path.write_bytes(os.urandom(path.stat().st_size))),
    "logs are missing": each("-wal", os.unlink),
    "shared memory is rubbish": each("-shm", lambda path: path.write_bytes(os.urandom(32768))),
    "a journal was left": lambda data: [path.with_name(path.name + "-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(504))
                                        for path in files(data, ".db") + files(data, ".sqlite")] or [data],
    "databases are empty": each(".db", lambda path: path.write_bytes(b"")),
    "databases are one byte": each(".db", lambda path: path.write_bytes(b"S")),
    "databases are texts": each(".db", lambda path: path.write_text("no database " * 1000)),
    "databases are directories": each(".db", lambda path: (path.unlink(), path.mkdir())),
    "databases are links out": lambda data: each(".db", lambda path: (path.unlink(), path.symlink_to(data.parent / "precious")))(data),
    "triggers were added": each(".db", tamper("CREATE TRIGGER bad AFTER INSERT ON block BEGIN DELETE FROM block; END")),
    "views stand for tables": each(".db", tamper("ALTER TABLE block RENAME TO was", "CREATE VIEW block AS SELECT * FROM was")),
    "tables are missing": each(".db", tamper("DROP TABLE block")),
    "foreign files": beside("README.txt"), "a hidden file": beside(".hidden"), "a file with a newline": beside("a\nb.db"),
    "the key of a lock": beside("lock", b"\xff" * 100),
}


@pytest.mark.parametrize("name", SPOIL)
def test_a_spoilt_directory_harms_nobody(pyrometer, filled, tmp_path, name):
    data = tmp_path / "data"
    shutil.copytree(filled, data, symlinks=True)
    (tmp_path / "precious").write_text("another's")
    assert SPOIL[name](data), "nothing was spoilt"
    try:
        server = Server(pyrometer, data)
    except RuntimeError as error:  # it refused to start: with a sentence
        assert "error: " in str(error) and "Traceback" not in str(error) and len(str(error)) < 1000
        assert (tmp_path / "precious").read_text() == "another's"
        return
    try:
        answer = server.get("/api/v1/view", query=f'{CPU}{{service_name="shop"}}', **ALL)
        assert answer.status in (200, 400, 404, 500, 503)
        assert answer.status != 200 or answer.json()["total"] <= PUT
        assert server.ingest(b"main 1\n", name="after").status in (200, 500, 503, 507)
        assert server.get("/healthz").status == 200
    finally:
        code, _ = server.stop()
    assert code == 0 and (tmp_path / "precious").read_text() == "another's"


def test_a_directory_that_goes_away_while_it_is_served(pyrometer, tmp_path):
    """Renamed and a new one in its place: what is told as stored can be asked for, and nothing ends."""
    server = Server(pyrometer, tmp_path / "data")
    try:
        assert server.ingest(b"main 1\n", name="before").status == 200
        (tmp_path / "data").rename(tmp_path / "moved")
        (tmp_path / "data").mkdir()
        assert server.ingest(b"main 1\n", name="later").status in (200, 500, 503, 507)
        assert server.get("/api/v1/services", **ALL).status in (200, 500, 503)
        assert server.get("/healthz").status == 200
    finally:
        assert server.stop()[0] == 0
