"""A baseline in force, for rules that ask about one."""

from pathlib import Path

import pytest

from hologram_dagster.history.baseline import Baseline
from hologram_dagster_tests.history.helpers import baselines, candidate


@pytest.fixture
def in_force(tmp_path: Path) -> Baseline:
    """The baseline of commit 7."""
    return baselines(tmp_path).roll_forward(candidate(7)).baseline
