# SPDX-License-Identifier: Apache-2.0
"""Names that attack the terminal and the formats: escapes, separators, markup."""

import threading
import time

SOURCE = """
def {name}():
    while True:
        time.sleep(0.001)
        sum(range(2000))
"""

for name, file in (("plain", "evil\x1b[31m;\n<script>.py"), ("naïve_名前", "ünï;code.py")):
    scope = {"time": time}
    exec(compile(SOURCE.format(name=name), file, "exec"), scope)
    threading.Thread(target=scope[name], name=f"\x1b]0;{name}\x07\"<b>", daemon=True).start()

print("ready", flush=True)
time.sleep(3600)
