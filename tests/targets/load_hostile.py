# SPDX-License-Identifier: Apache-2.0
"""Names that would move a cursor, set a title, turn the reading direction or end a line."""

import threading
import time

NASTY = "\x1b]0;owned\x07\x1b[31mRED\x1b[2J\x9b5A\r\n\t\x08\x7f\u202edlrow\u200b\u2066 \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u65e5\u672c\u8a9e e\u0301"


def nasty_function():
    """A function, a file and a thread of that name, busy."""
    code = compile("def spin():\n    while True:\n        sum(range(1000))\n", NASTY + ".py", "exec")
    names = {}
    exec(code, names)
    spin = names["spin"]
    if hasattr(spin.__code__, "replace"):
        spin.__code__ = spin.__code__.replace(co_name=NASTY)
    return spin


threading.Thread(target=nasty_function(), name=NASTY, daemon=True).start()
print("ready")
time.sleep(3600)
