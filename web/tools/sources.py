# SPDX-License-Identifier: Apache-2.0
"""Print the files that the web bundle is made from, relative to web/, one a line."""

import pathlib

WEB = pathlib.Path(__file__).resolve().parent.parent

for path in sorted((WEB / "src").rglob("*")):
    if path.is_file():
        print(path.relative_to(WEB))
