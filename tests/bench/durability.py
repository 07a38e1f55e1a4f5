# SPDX-License-Identifier: Apache-2.0
"""Acknowledged = found, none twice, none half: after kills under load, or after a crash at every single step.

	durability.py [--kills N] [--seed N]	kill the server under load, again and again (300 kills without it:
						some ten minutes)
	durability.py --steps [STORY...]	crash before every change to a file while files expire, a job
						deletes, windows are rolled up, spans are written: as a kill and
						as a power cut each (tests/crash/steps.py; some twenty minutes)
"""

import argparse
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from crash.disk import recorder  # noqa: E402
from crash.ledger import kill_again_and_again  # noqa: E402
from crash.steps import STORIES, walk  # noqa: E402

BINARY = os.environ.get("PYROMETER_BIN", str(ROOT / "build" / "src" / "cmd" / "pyrometer"))


def say(line):
    print(line, flush=True)


def kill(where, kills, seed):
    ledger = kill_again_and_again(BINARY, where / "data", kills, seed, longest_s=2.0, check_every=10, say=say)
    say(f"durability: {kills} kills, {len(ledger.acked)} acknowledged, 0 lost, 0 twice, 0 half")


def crash_at_every_step(where, stories, seed):
    library = recorder(where)
    for name in stories or STORIES:
        (where / name).mkdir()
        crashes = walk(STORIES[name](seed), library, BINARY, where / name, say=say)
        say(f"durability: {name}: {crashes} crashes, all answers equal the oracle's, fsck finds nothing")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", nargs="*", metavar="STORY", help=f"one or more of {', '.join(STORIES)}; none: all")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        where = pathlib.Path(directory)
        if given.steps is None:
            kill(where, given.kills, given.seed)
        else:
            crash_at_every_step(where, given.steps, given.seed)


if __name__ == "__main__":
    main()
