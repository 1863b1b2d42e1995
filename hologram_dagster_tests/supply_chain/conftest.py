"""What the supply-chain tests share."""

from pathlib import Path

import pytest

from hologram_dagster_tests.gate.bench import Bench


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with one commit."""
    return Bench.make(tmp_path / "repository").folder
