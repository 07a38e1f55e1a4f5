# SPDX-License-Identifier: Apache-2.0
"""A case that this machine cannot have: what lacks is a reported skip, a program of ours that fails is not."""

import re

# What a program says of an interpreter that lacks something; any other last words are a fault of the program.
LACKS = re.compile(r"needs |ImportError|ModuleNotFoundError|OSError")


class Unfit(Exception):
    """It cannot be here; the text says what is missing."""


def last_words(said, what):
    """What a program that ended before its first line said, as an exception to raise."""
    reason = said.strip().splitlines()[-1] if said.strip() else "no reason given"
    return Unfit(reason) if LACKS.match(reason) else RuntimeError(f"{what}: {said}")
