"""What all tests share: the rule for tests marked `system`, and an environment without surprises."""

import os
import shutil

import pytest

from hologram_dagster_tests.postgres import programs

NEEDS = {
    "chromium": lambda: shutil.which("chromium") is not None,
    "root": lambda: os.geteuid() == 0,
    "node": lambda: shutil.which("node") is not None,
    "postgresql": lambda: programs() is not None,
}

# Variables that would point the tests at somebody's services or change what they judge.
_OURS = (
    *("IPFS_API", "GRAPHQL_URL", "GRAPHQL_TOKEN", "GRAPHQL_TEST_NAME", "E2E_APP_NAME"),
    *("SLO_VERIFY_P95_MS", "SLO_ENCODE_P95_MS", "SLO_GQL_P95_MS", "ENC_MB", "GQL_SAMPLES", "GQL_WARMUP"),
    *("DAGSTER_HOME", "GITHUB_STEP_SUMMARY", "GITHUB_REF"),
)


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
    for name in [*_OURS, *(name for name in os.environ if name.startswith("HOLOGRAM_"))]:
        monkeypatch.delenv(name, raising=False)
    # The tests state their profile; a CI machine must not make them refuse.
    monkeypatch.delenv("CI", raising=False)
