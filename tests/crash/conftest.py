# SPDX-License-Identifier: Apache-2.0
import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def pyrometer():
    """Path of the binary under test."""
    path = pathlib.Path(os.environ.get("PYROMETER_BIN", ROOT / "build" / "src" / "cmd" / "pyrometer"))
    if not path.exists():
        pytest.fail(f"{path} is not built: run ./dev build")
    return str(path)
