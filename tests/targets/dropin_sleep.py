# SPDX-License-Identifier: Apache-2.0
"""Waits in one function, for ever."""
import time


def rest():
    time.sleep(10 ** 6)  # line 7


if __name__ == "__main__":
    rest()  # line 11
