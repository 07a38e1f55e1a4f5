# SPDX-License-Identifier: Apache-2.0
"""Crashes aimed at each step of what the store does by itself; tests/bench/durability.py --steps walks through all."""

import os

import pytest

from .disk import recorder
from .steps import STORIES, walk

CRASHES = int(os.environ.get("CRASH_STEPS", 8))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return recorder(tmp_path_factory.mktemp("recorder"))


@pytest.mark.parametrize("story", STORIES)
def test_a_crash_at_any_step_leaves_nothing_half(story, library, pyrometer, tmp_path):
    assert walk(STORIES[story](), library, pyrometer, tmp_path, CRASHES) == CRASHES
