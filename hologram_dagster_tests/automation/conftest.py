"""A remote repository to push to."""

from pathlib import Path

import pytest

from hologram_dagster_tests.automation.remotes import Remote


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """An empty one."""
    return Remote.make(tmp_path / "there")
