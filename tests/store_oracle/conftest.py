# SPDX-License-Identifier: Apache-2.0
"""The store behind its driver: one line of JSON in, one out."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def change_database(path, *statements):
    """Change a database as a process that ends at once: the change stays in its log, since pages in the
    database itself have checksums that only the store writes."""
    code = ("import os, sqlite3, sys\n"
            "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "for statement in sys.argv[2:]: db.execute(statement)\n"
            "os._exit(0)\n")
    subprocess.run([sys.executable, "-c", code, str(path), *statements], check=True)


class Store:
    """A process that holds a store open; kill() ends it as a crash would."""

    def __init__(self, directory, now, env=None, **options):
        path = os.environ.get("STORE_DRIVER", ROOT / "build" / "tests" / "store_oracle" / "store_driver")
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**os.environ, **(env or {})})
        self.ask("open", dir=str(directory), now=now, **options)

    def try_ask(self, what, **fields):
        """The answer, whatever its code; None when the process is gone."""
        line = json.dumps({"do": what, **fields}) + "\n"
        try:
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        answer = self.process.stdout.readline()
        return json.loads(answer) if answer.endswith(b"\n") else None

    def ask(self, what, **fields):
        answer = self.try_ask(what, **fields)
        assert answer is not None, f"the store ended during {what}"
        assert answer["code"] == 0, answer
        return answer

    def close(self):
        self.ask("close")
        self.process.stdin.close()
        assert self.process.wait(20) == 0

    def kill(self):
        self.process.kill()
        self.process.wait(20)


@pytest.fixture
def open_store(tmp_path):
    """open_store(now, **options): the store of this test's directory, opened (again)."""
    opened = []

    def open_again(now, directory=None, **options):
        opened.append(Store(directory or tmp_path / "data", now, **options))
        return opened[-1]

    yield open_again
    for store in opened:
        if store.process.poll() is None:
            store.kill()
