# SPDX-License-Identifier: Apache-2.0
"""check.py BUILD_DIR: the page keeps its budgets of bytes, and the lock file names no host to fetch from."""

import gzip
import json
import pathlib
import sys

WEB = pathlib.Path(__file__).resolve().parent.parent
BUDGET_KB = {"app.js": 60, "app.css": 12}
REPORT_KB = 25


def packed_kb(path):
    return len(gzip.compress(path.read_bytes(), 9)) / 1024


def main():
    build, failures = pathlib.Path(sys.argv[1]), []
    for name, budget in BUDGET_KB.items():
        size = packed_kb(build / name)
        print(f"{name}: {size:.1f} KB gzipped, budget {budget}")
        if size > budget:
            failures.append(f"{name} is over its budget")
    report = packed_kb(build / "standalone.js") + packed_kb(build / "standalone.css")
    print(f"report without data: {report:.1f} KB gzipped, budget {REPORT_KB}")
    if report > REPORT_KB:
        failures.append("the report's viewer is over its budget")
    for name, package in json.loads((WEB / "package-lock.json").read_text())["packages"].items():
        if name and "integrity" not in package:
            failures.append(f"{name} has no checksum in the lock file")
        if "resolved" in package:
            failures.append(f"{name} names the host it came from in the lock file")
    package = json.loads((WEB / "package.json").read_text())
    for name, version in {**package["dependencies"], **package["devDependencies"]}.items():
        if not version[0].isdigit():
            failures.append(f"{name} has no exact version in package.json")
    sys.exit("\n".join(failures) or 0)


main()
