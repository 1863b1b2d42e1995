"""One real run of the suite of all kinds, shared by the tests of the readers."""

from pathlib import Path

import pytest

from hologram_dagster_tests.flakes.suites import SUITE, run_pytest


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `log.jsonl` and `junit.xml` of the suite, run with two reruns."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_kinds.py").write_text(SUITE)
    done = run_pytest(folder, "--reruns=2", "--report-log=log.jsonl", "--junitxml=junit.xml")
    assert done.returncode == 1, done.stdout + done.stderr
    return folder
