"""The plugin, in real pytest runs: what is quarantined does not fail the run, everything else does."""

import json
from pathlib import Path

import pytest

from hologram_dagster.flakes.attempts import Outcome
from hologram_dagster.flakes.junit import read_junit
from hologram_dagster.flakes.reportlog import read_reportlog
from hologram_dagster_tests.flakes.suites import run_of, run_pytest
from hologram_dagster_tests.gate.bench import git

pytestmark = pytest.mark.phase9_chaos

SUITE = """
import pytest
@pytest.fixture
def gone():
    raise OSError("no such service")
@pytest.fixture
def stuck():
    yield
    raise OSError("stuck")
def test_flaky(): assert False, "the race"
def test_set_up(gone): pass
def test_torn_down(stuck): assert False
def test_sound(): pass
class TestMore:
    @pytest.mark.parametrize("value", [1, 2])
    def test_value(self, value): assert value == 1
"""
FAILING = ["test_flaky", "test_set_up", "test_torn_down", "TestMore::test_value[2]"]


def quarantine(folder: Path, *tests: str) -> None:
    (folder / "reports").mkdir(exist_ok=True)
    names = {"quarantined": [f"test_suite.py::{test}" for test in tests]}
    (folder / "reports" / "quarantined_tests.json").write_text(json.dumps(names))


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    return tmp_path


def test_quarantined_tests_run_are_told_and_do_not_fail_the_run(suite: Path) -> None:
    assert run_pytest(suite).returncode == 1
    quarantine(suite, *FAILING)
    done = run_pytest(suite, "--report-log=log.jsonl", "--junitxml=junit.xml", "-x")
    assert done.returncode == 0, done.stdout
    assert "5 quarantined" in done.stdout
    assert "QUARANTINED test_suite.py::test_flaky - AssertionError: the race" in done.stdout
    # What happened stays what it was, for whoever reads the results.
    for results in (
        read_reportlog(suite / "log.jsonl", run_of()),
        read_junit(suite / "junit.xml", run_of()),
    ):
        assert sum(attempt.outcome is Outcome.FAILED for attempt in results.attempts) == len(FAILING)
    properties = [line for line in (suite / "log.jsonl").read_text().splitlines() if '"quarantined"' in line]
    assert properties


@pytest.mark.parametrize("left_out", FAILING)
def test_one_failure_outside_fails_the_run(suite: Path, left_out: str) -> None:
    quarantine(suite, *(test for test in FAILING if test != left_out))
    assert run_pytest(suite).returncode == 1


def test_other_forms_of_a_name_and_another_file(suite: Path) -> None:
    names = ["test_suite::test_flaky", "test_suite.py::test_set_up", "test_suite::test_torn_down"]
    names.append("test_suite.TestMore::test_value")
    (suite / "names.json").write_text(json.dumps({"quarantined": names}))
    assert run_pytest(suite, "--quarantined=names.json").returncode == 0
    assert run_pytest(suite, "--quarantined=names.json", "-m", "not quarantined").returncode == 0


def test_a_rerun_that_fails_in_the_end_is_still_quarantined(suite: Path) -> None:
    quarantine(suite, *FAILING)
    done = run_pytest(suite, "--reruns=1", "-n2", plugins=("xdist",))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("content", ["{", "[]", '{"quarantined": "all"}', '{"quarantined": [1]}'])
def test_a_malformed_quarantine_stops_the_run_by_name(suite: Path, content: str) -> None:
    quarantine(suite)
    (suite / "reports" / "quarantined_tests.json").write_text(content)
    done = run_pytest(suite)
    assert done.returncode == 4
    assert "quarantined_tests.json: not of the form" in done.stderr
    assert run_pytest(suite, "--quarantined=missing.json").returncode == 4


def repeated(folder: Path, *arguments: str) -> dict[str, int]:
    done = run_pytest(folder, "--report-log=log.jsonl", "--junitxml=junit.xml", *arguments)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    counts: dict[str, int] = {}
    for attempt in read_reportlog(folder / "log.jsonl", run_of()).attempts:
        counts[attempt.test.partition("::")[2]] = attempt.number + 1
    from_junit = read_junit(folder / "junit.xml", run_of()).attempts
    assert len(from_junit) == sum(counts.values())
    return counts


def test_new_and_changed_tests_are_repeated_and_one_failure_of_them_fails_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    old = "import pytest\n\ndef test_old():\n    pass\n\n@pytest.fixture\ndef one():\n    return 1\n\n"
    changing = "def test_changing(one):\n    assert one == {}\n"
    (folder / "test_some.py").write_text(old + changing.format("one"))
    (folder / "test_other.py").write_text("def test_untouched(): pass\n")
    git(folder, "init", "-q", ".")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    assert repeated(folder, "--repeat-changed=4") == {"test_old": 1, "test_changing": 1, "test_untouched": 1}
    git(folder, "switch", "-qc", "change")
    # Committed on the branch, and not committed yet.
    (folder / "test_some.py").write_text(old + changing.format("1"))
    git(folder, "commit", "-qam", "second")
    flaky = (
        "import itertools\ncalls = itertools.count()\n\nclass TestNew:\n    def test_new(self):\n"
        "        assert next(calls) != 2\n"
    )
    (folder / "test_new.py").write_text(flaky)
    counts = {"test_old": 1, "test_changing": 4, "test_untouched": 1, "TestNew::test_new": 4}
    assert repeated(folder, "--repeat-changed=4", "--reruns=2") == counts
    # A rerun would hide it.
    assert run_pytest(folder, "--repeat-changed=4", "--reruns=2").returncode == 1
    assert run_pytest(folder, "--repeat-changed=2").returncode == 0
    # A changed fixture may change every test of its file.
    (folder / "test_some.py").write_text(old.replace("return 1", "return  1") + changing.format("1"))
    assert repeated(folder, "--repeat-changed=3", "--changed-since=HEAD") == {
        "test_old": 3,
        "test_changing": 3,
        "test_untouched": 1,
        "TestNew::test_new": 3,
    }
    refused = run_pytest(folder, "--repeat-changed=3", "--changed-since=nowhere")
    assert refused.returncode == 4
    assert "no commit named 'nowhere'" in refused.stderr
