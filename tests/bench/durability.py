# SPDX-License-Identifier: Apache-2.0
"""Kill the server under load, again and again: acknowledged = found, none twice, none half.

	durability.py [--kills N] [--seed N]	(300 kills without it: some ten minutes)
"""

import argparse
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from crash.ledger import kill_again_and_again  # noqa: E402

BINARY = os.environ.get("PYROMETER_BIN", str(ROOT / "build" / "src" / "cmd" / "pyrometer"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        ledger = kill_again_and_again(BINARY, pathlib.Path(directory) / "data", given.kills, given.seed, longest_s=2.0,
                                      check_every=10, say=lambda line: print(line, flush=True))
    print(f"durability: {given.kills} kills, {len(ledger.acked)} acknowledged, 0 lost, 0 twice, 0 half")


if __name__ == "__main__":
    main()
