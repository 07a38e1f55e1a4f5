# SPDX-License-Identifier: Apache-2.0
"""The server is killed under load: what it acknowledged is there, once.  tests/bench/durability.py is the long form."""

from .ledger import kill_again_and_again


def test_thirty_kills_lose_nothing_that_was_acknowledged(pyrometer, tmp_path):
    ledger = kill_again_and_again(pyrometer, tmp_path / "data", kills=30, seed=1, longest_s=0.2, check_every=15)
    assert len(ledger.acked) > 30, "the load was none"
