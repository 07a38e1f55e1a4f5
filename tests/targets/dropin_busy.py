# SPDX-License-Identifier: Apache-2.0
"""Never waits, never gives up the GIL for longer than it must."""
import sys


def spin():
    while True:
        pass


sys.stdout.write("ready\n")
sys.stdout.flush()
spin()
