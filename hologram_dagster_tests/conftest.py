"""What all tests share: the rule for tests marked `system`, and an environment without surprises."""

import os
import shutil

import pytest

from hologram_dagster_tests.gate.bench import SURPRISES
from hologram_dagster_tests.postgres import programs

NEEDS = {
    "chromium": lambda: shutil.which("chromium") is not None,
    "root": lambda: os.geteuid() == 0,
    "node": lambda: shutil.which("node") is not None,
    "postgresql": lambda: programs() is not None,
}


def in_ci() -> bool:
    """Whether every test must run, whatever it needs."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Outside CI, name what a `system` test lacks here instead of failing it."""
    if in_ci():
        return
    for item in items:
        for marker in item.iter_markers("system"):
            missing = [need for need in marker.args if not NEEDS[need]()]
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"not run: needs {', '.join(missing)}"))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*SURPRISES, *(name for name in os.environ if name.startswith("HOLOGRAM_"))]:
        monkeypatch.delenv(name, raising=False)
