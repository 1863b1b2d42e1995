"""`hologram flakes` with the names and files that users know: installed, and its cases in process."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hologram_dagster.cli.app import app
from hologram_dagster_tests.flakes.test_database_file import OLD
from hologram_dagster_tests.gate.bench import Bench, git

pytestmark = pytest.mark.phase9_chaos

TESTS = """
from pathlib import Path
import pytest
pytestmark = pytest.mark.phase1_core
def test_flaky():
    counter = Path(__file__).parent.parent / "tried"
    tried = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(tried + 1))
    assert tried % 2, "the race"
@pytest.mark.parametrize("number", range(25))
def test_sound(number): pass
"""
FLAKY = "tests/test_shop.py::test_flaky"
Call = Callable[..., Any]


@pytest.fixture
def place(tmp_path: Path) -> Bench:
    """A repository with a suite of which one test fails every other time."""
    bench = Bench.make(tmp_path / "repository")
    (bench.folder / "tests").mkdir()
    (bench.folder / "tests" / "test_shop.py").write_text(TESTS)
    (bench.folder / "pytest.ini").write_text("[pytest]\nmarkers = phase1_core: core\n")
    (bench.folder / ".gitignore").write_text("/.hologram/\n/reports/\n/tried\n__pycache__/\n.pytest_cache/\n")
    git(bench.folder, "add", ".")
    git(bench.folder, "commit", "-qm", "a shop")
    return bench


@pytest.fixture
def call(place: Bench, monkeypatch: pytest.MonkeyPatch) -> Call:
    """`hologram flakes` in this process."""
    monkeypatch.chdir(place.folder)
    return lambda *arguments: CliRunner().invoke(app, ["flakes", *arguments])


def in_days(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def installed(place: Bench, *arguments: str) -> str:
    done = place.hologram("flakes", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_from_a_run_to_the_quarantine_and_out_again(place: Bench, call: Call) -> None:
    # Fails, is run again, passes: a flake; and once more.
    assert "27 attempts of 26 tests kept" in installed(place, "run", "phase1_core")
    call("run", "phase1_core")
    told: dict[str, Any] = json.loads(installed(place, "report", "--json"))
    assert (told["total_tests"], told["quarantined_tests"]) == (26, 0)
    (flaky,) = told["flaky_tests"]
    assert (flaky["test_name"], flaky["flake_count"], flaky["total_runs"]) == (FLAKY, 2, 2)
    assert (flaky["pass_rate"], flaky["fingerprint"]) == (0, "AssertionError: the race")
    assert flaky["score_95"][0] > 0.2
    assert "with 2 runs" in told["flake_stats"]["power"]

    shown = installed(place, "detect")
    assert f"quarantined until {in_days(7)}: {FLAKY}: 2 flakes in 7 days" in shown
    assert "26 tests, 1 flaky, 0 in quarantine (at most 1)" in shown
    (entry,) = json.loads((place.folder / "quarantine.json").read_text())["quarantined"]
    assert (entry["owner"], entry["ticket"], entry["expires"]) == ("unassigned", "unassigned", in_days(7))
    names = json.loads((place.reports / "quarantined_tests.json").read_text())
    assert names == {"quarantined": [FLAKY]}
    # What tools written for the contract read.
    database = json.loads((place.reports / "flake_database.json").read_text())
    assert database["flake_counts"] == {FLAKY: 2}
    assert [each["passed"] for each in database["test_results"][FLAKY]] == [False, True, False, True]

    # In quarantine it runs, is kept, and does not fail the run.
    assert call("run", "", "--reruns", "0").exit_code == 0
    shown = installed(place, "quarantine", FLAKY, "--owner", "ann", "--ticket", "SHOP-7")
    assert shown.startswith(f"quarantined until {in_days(30)}: {FLAKY} (ann, SHOP-7): 2 flakes")
    shown = installed(place, "unquarantine", FLAKY)
    assert shown.startswith(
        f"no longer quarantined: {FLAKY} (0 greens in a row since {in_days(0)}, of the 10"
    )
    # It passes every other time.
    codes = {call("run", "", "--reruns", "0").exit_code for _ in range(2)}
    assert codes == {0, 1}


def test_results_of_other_runners_and_an_old_database_are_read_once(place: Bench, call: Call) -> None:
    (place.folder / "TEST-Shop.xml").write_text(
        "<testsuite><testcase name='pay' classname='Shop'><flakyFailure message='late' type='T'/></testcase>"
        "<testcase name='gone' classname='Shop'><failure message='no'/></testcase></testsuite>"
    )
    place.reports.mkdir()
    recent = json.dumps(OLD).replace("2026-03-0", in_days(-5)[:-1])
    (place.reports / "flake_database.json").write_text(recent)
    for _ in range(2):
        done = call("detect", "TEST-Shop.xml", "--commit", "HEAD", "--json")
        assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    # Contract trap 23: of the old results, failures are not called flakes.
    flaky = {each["test_name"]: each["flake_count"] for each in told["flaky_tests"]}
    assert flaky == {"Shop::pay": 1, "test_flaky": 1}
    assert "Shop::gone" in told["flake_stats"]["broken"]
    assert "Shop::gone\n    fails every time: no" in call("report").stdout
    refused = call("quarantine", "Shop::gone")
    assert "broken, not flaky, and is never quarantined" in str(refused.exception)


def test_a_corrupt_database_is_kept_aside_and_told(place: Bench, call: Call) -> None:
    place.reports.mkdir()
    (place.reports / "flake_database.json").write_text("{oops")
    done = call("report")
    assert done.exit_code == 0
    assert "flake_database.json.damaged-1" in done.stderr
    assert (place.reports / "flake_database.json.damaged-1").read_text() == "{oops"


def test_the_quarantine_is_refused_what_is_against_its_rules(place: Bench, call: Call) -> None:
    assert "at most 7" in str(call("quarantine", "a", "--days", "8").exception)
    assert "has a name" in str(call("quarantine", " ").exception)
    quarantined = call("quarantine", "a", "--reason", "see token=Xu4-Qwerty-0-sesame")
    assert (quarantined.exit_code, "sesame" in quarantined.stdout) == (0, False)
    assert "sesame" not in (place.folder / "quarantine.json").read_text()
    full = call("quarantine", "b", "--owner", "ann", "--ticket", "SHOP-7")
    assert "at most 1 may be" in str(full.exception)
    assert "not in quarantine" in str(call("unquarantine", "b").exception)
    assert call("report", "--check").exit_code == 0
    path = place.folder / "quarantine.json"
    document = json.loads(path.read_text())
    document["quarantined"][0].update(since=in_days(-9), expires=in_days(-2))
    path.write_text(json.dumps(document))
    checked = call("report", "--check")
    assert checked.exit_code == 1
    assert "a expired on" in checked.stderr
    path.write_text("{}")
    assert "quarantine.json: schema_version: Field required" in str(call("report").exception)


def test_exit_codes_of_a_run(place: Bench, call: Call) -> None:
    (place.folder / "tests" / "test_broken.py").write_text("def test_broken(): assert False\n")
    (place.folder / "tests" / "test_hangs.py").write_text("import time\ndef test_hangs(): time.sleep(600)\n")
    assert call("run", "no_such_marker_here").exit_code == 2
    broken = call("run", "", "--path", "tests/test_broken.py")
    assert (broken.exit_code, "2 attempts of 1 tests" in broken.stdout) == (1, True)
    hangs = call("run", "", "--path", "tests/test_hangs.py", "--timeout", "4")
    assert (hangs.exit_code, "took longer than 4 s" in hangs.stderr) == (3, True)


def test_a_mistake_is_one_line_and_exit_2(place: Bench) -> None:
    (place.folder / "bad.xml").write_text("<nothing/>")
    done = place.hologram("flakes", "detect", "bad.xml")
    assert done.returncode == 2
    assert done.stderr == (
        "hologram: bad.xml line 1: the root is <nothing>, of JUnit XML it is <testsuites> or <testsuite>\n"
    )


@pytest.mark.parametrize(("name", "why"), [("missing.xml", "cannot read"), ("pytest.ini", "name JUnit XML")])
def test_a_file_that_is_no_result_is_named(call: Call, name: str, why: str) -> None:
    assert why in str(call("detect", name).exception)
    assert name in str(call("detect", name).exception)


def test_a_test_is_judged_over_a_change_of_the_quarantine(place: Bench, call: Call, tmp_path: Path) -> None:
    results = []
    for number, inside in enumerate(('<failure message="the race"/>', "")):
        path = tmp_path / f"r{number}.xml"
        path.write_text(
            f'<testsuite name="k"><testcase classname="k" name="t1">{inside}</testcase></testsuite>'
        )
        results.append(str(path))
    assert call("detect", results[0]).exit_code == 0
    assert call("quarantine", "another::test").exit_code == 0
    # The same file again is nothing new, and a pass of the same revision makes a flake.
    assert call("detect", results[0]).exit_code == 0
    assert call("detect", results[1]).exit_code == 0
    told = json.loads(call("report", "--json").stdout)
    (flaky,) = told["flaky_tests"]
    assert (flaky["test_name"], flaky["total_runs"], flaky["flake_count"]) == ("k::t1", 2, 1)
