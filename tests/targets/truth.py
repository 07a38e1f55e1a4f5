# SPDX-License-Identifier: Apache-2.0
"""What the truth programs share: they say on their first line which stacks are possible, then run until killed.

A stack is possible when its function names from "<module>" on are a prefix of one of the paths.
"""
import json
import sys


def begin(paths):
    sys.stdout.write(json.dumps(paths) + "\n")
    sys.stdout.flush()
