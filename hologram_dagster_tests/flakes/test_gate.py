"""The gate's evidence of flaky tests: green, and red for each thing it guards."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hologram_dagster.evidence.judge import judge
from hologram_dagster.evidence.record import Record
from hologram_dagster.flakes.judgement import Occasion
from hologram_dagster.flakes.trend import flake_trend
from hologram_dagster.gate.flake_trend import judge_flake_trend
from hologram_dagster.gate.flakes import (
    observe_attempts,
    observe_database,
    observe_detection,
    observe_quarantine,
)
from hologram_dagster.gate.run import GateRun, open_gate_run
from hologram_dagster.observation import Observation, Status
from hologram_dagster.profiles import ProfileName, required_kinds
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.flakes.suites import NOW
from hologram_dagster_tests.gate.bench import Bench, MakeBench, git

pytestmark = pytest.mark.phase9_chaos

TARGET = """
[target]
name = "shop"
[target.tests]
command = [
  {python!r}, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--report-log={{results}}/a.jsonl",
  "--disable-plugin-autoload", "-p", "pytest_reportlog.plugin",
]
runs = {runs}
timeout_s = {timeout}
"""
SOUND = """
import pytest
@pytest.mark.parametrize("number", range(60))
def test_sound(number): pass
"""
# Fails in all runs but every third.
FLAKY = """
from pathlib import Path
def test_flaky():
    counter = Path({counter!r})
    tried = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(tried + 1))
    assert tried % 3 == 2, "the race"
"""
FLAKY_TEST = "test_flaky.py::test_flaky"


@pytest.fixture
def place(tmp_path: Path) -> Bench:
    """A repository without a target of its own."""
    return Bench.make(tmp_path / "repository")


def target(bench: Bench, *, runs: int = 1, timeout: int = 200, **files: str) -> None:
    """A target whose tests are `files`, and a commit on top: what is done with a target its baseline says."""
    text = TARGET.format(python=sys.executable, runs=runs, timeout=timeout)
    (bench.folder / "hologram.toml").write_text(text)
    for name, content in files.items():
        (bench.folder / f"{name}.py").write_text(content)
    commit(bench, "tests")
    (bench.folder / "more.txt").write_text("more")
    commit(bench, "more")


def commit(bench: Bench, what: str) -> None:
    git(bench.folder, "add", ".")
    git(bench.folder, "commit", "-qm", what, "--allow-empty")


def flaky(bench: Bench) -> str:
    return FLAKY.format(counter=str(bench.folder.parent / "tried"))


def open_run(bench: Bench, profile: str = "nightly") -> GateRun:
    settings = load_settings(
        repository=bench.folder, state_dir=bench.folder / ".hologram", reports_dir=bench.reports
    )
    return open_gate_run(settings, run_id=f"run-{datetime.now(UTC).timestamp()}", profile_tag=profile)


def red(run: GateRun, seen: Observation) -> dict[str, str]:
    """The red checks of what was seen, as a gate of the run judges it."""
    record = Record.from_observation(seen, run.identity, run.signer, now=datetime.now(UTC))
    return {result.check: result.message for result in judge(record, run.plan) if result.red}


def night(bench: Bench) -> dict[str, str]:
    """The red checks of a night's evidence, in the order of its steps."""
    run = open_run(bench)
    found: dict[str, str] = {}
    for observe in (observe_attempts, observe_database, observe_detection, observe_quarantine):
        found.update(red(run, observe(run)))
    return found


def entry(test: str, **changes: Any) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    whole = {"test": test, "owner": "ann", "reason": "races", "ticket": "SHOP-7"}
    dates = {"since": today.isoformat(), "expires": (today + timedelta(days=30)).isoformat()}
    return {**whole, **dates, **changes}


def quarantine(bench: Bench, *entries: dict[str, Any], tests: int | None = None) -> None:
    content = {"schema_version": 1, "tests": tests, "quarantined": list(entries)}
    (bench.folder / "quarantine.json").write_text(json.dumps(content))


def test_a_night_detects_flakes_and_every_gate_of_changes_has_the_quarantine() -> None:
    # Contract trap 25: the nightly of the tools before never looked for flakes.
    assert {"test_attempts", "flake_database", "flake_detection"} <= set(required_kinds(ProfileName.NIGHTLY))
    for profile in (ProfileName.PR, ProfileName.MAIN, ProfileName.NIGHTLY):
        assert "quarantine" in required_kinds(profile)


def test_a_night_of_sound_tests_is_green_and_leaves_the_files_users_know(place: Bench) -> None:
    target(place, runs=2, test_shop=SOUND)
    assert night(place) == {}
    run = open_run(place)
    seen = observe_detection(run)
    assert (seen.values["runs"], seen.values["tests"], seen.values["flake_rate_pct"]) == (120, 60, 0)
    assert "with 2 runs we could not have seen a flake rarer than 78 %" in seen.facts["power"]
    assert json.loads((place.reports / "quarantined_tests.json").read_text()) == {"quarantined": []}
    database = json.loads((place.reports / "flake_database.json").read_text())
    assert len(database["test_results"]) == 60
    assert database["flake_counts"] == {}
    assert judge_flake_trend(run).result.status is Status.INCONCLUSIVE


def test_what_fails_every_time_is_broken_and_a_night_of_flakes_is_over_the_rate(place: Bench) -> None:
    target(place, runs=3, test_shop="def test_broken(): assert 1 == 2\n", test_flaky=flaky(place))
    found = night(place)
    assert set(found) == {"no_new_flake", "flake_rate_within_limit", "nothing_broken"}
    assert found["nothing_broken"] == "test_shop.py::test_broken: assert N == N: broken, not flaky: fix it"
    assert found["flake_rate_within_limit"].startswith("66.7 % of 3 runs in 7 days flaked")


def test_by_dagster_a_new_flake_is_red_until_the_baseline_has_it_in_quarantine(make_bench: MakeBench) -> None:
    bench = make_bench(HOLOGRAM_PROFILE="nightly")
    target(bench, runs=3, test_shop=SOUND, test_flaky=flaky(bench))
    done = bench.materialize("revision,test_attempts,flake_database,flake_detection,quarantine")
    assert done.returncode == 1
    # Two of 183 runs flaked: the rate is kept, the rule of two flakes in seven days is not.
    told = (
        f"GateFailed: flake_detection: 1 of 4 checks failed: no_new_flake: {FLAKY_TEST} (2 flakes in 7 days"
    )
    assert told in done.stderr
    quarantine(bench, entry(FLAKY_TEST))
    commit(bench, "quarantine")
    # A change cannot excuse its own flake: it stands in the candidate's quarantine, not in the baseline's.
    assert set(night(bench)) == {"no_new_flake"}
    assert observe_quarantine(open_run(bench)).values["in_force"] == 0
    commit(bench, "next")
    assert night(bench) == {}
    assert observe_quarantine(open_run(bench)).values["in_force"] == 1
    assert json.loads((bench.reports / "quarantined_tests.json").read_text()) == {"quarantined": [FLAKY_TEST]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("import os\ndef test_dies(): os._exit(7)\n", "exit code 7, and no test that failed accounts for it"),
        ("", "exit code 5, and no test that failed accounts for it"),
        ("import time\ndef test_hangs(): time.sleep(600)\n", "took longer than 5 s"),
    ],
)
def test_tests_that_cannot_be_run_are_an_error_and_no_green(place: Bench, content: str, why: str) -> None:
    target(place, timeout=5, test_shop=content)
    run = open_run(place)
    seen = observe_attempts(run)
    assert seen.status is Status.ERROR
    assert why in red(run, seen)["observed"]
    # What was never seen on this revision cannot be said to be free of flakes.
    assert "no_new_flake" in red(run, observe_detection(run))


def test_a_target_that_names_no_tests_is_told_so_at_night_and_needs_no_quarantine(place: Bench) -> None:
    assert night(place) == {}
    run = open_run(place)
    for observe in (observe_attempts, observe_database, observe_detection):
        seen = observe(run)
        assert seen.status is Status.NOT_APPLICABLE
        assert "[target.tests]" in seen.why
    seen = observe_quarantine(run)
    assert (seen.status, seen.values["quarantined"]) == (Status.PASSED, 0)


def test_a_quarantine_against_its_rules_is_red_on_a_pull_request(place: Bench) -> None:
    today = datetime.now(UTC).date()
    past = {"since": str(today - timedelta(days=9)), "expires": str(today - timedelta(days=2))}

    def judged(*entries: dict[str, Any], tests: int | None = None) -> dict[str, str]:
        quarantine(place, *entries, tests=tests)
        run = open_run(place, "pr")
        return red(run, observe_quarantine(run))

    assert judged(entry("a")) == {}
    assert judged(entry("a", **past))["nothing_expired"].startswith(
        f"a (ann, {past['expires']}): fix the test"
    )
    three = [entry(name) for name in "abc"]
    assert judged(*three, tests=40) == {"quarantine_within_limits": "3 of 40 tests in quarantine, at most 2"}
    assert judged(*three, tests=60) == {}
    assert "how many tests there are is unknown" in judged(*three)["quarantine_within_limits"]
    assert "owner" in judged(entry("a", owner=""))["well_formed"]
    # A malformed quarantine of the baseline is the next change's to mend.
    commit(place, "malformed")
    assert judged(entry("a")) == {}
    assert observe_quarantine(open_run(place, "pr")).values["in_force"] == 0


def test_a_broken_test_in_quarantine_is_red(place: Bench) -> None:
    target(place, test_shop="def test_broken(): assert 1 == 2\n")
    quarantine(place, entry("test_shop.py::test_broken"))
    commit(place, "quarantine")
    assert set(night(place)) == {"nothing_broken", "no_broken_entry"}


def _days(*patterns: str) -> list[Occasion]:
    """Runs of sound tests; each day of `patterns` has a run for each letter, `F` of a flake."""
    return [
        Occasion("t", f"{day}-{place}", f"c{day}", "", NOW + timedelta(days=day), 1, letter == "F")
        for day, pattern in enumerate(patterns)
        for place, letter in enumerate(pattern)
    ]


@pytest.mark.parametrize(
    ("patterns", "rising"),
    [
        (("." * 40, "." * 40, "F" * 6 + "." * 14), True),
        (("." * 40, "." * 40, "F" + "." * 19), False),
        (("F" * 6 + "." * 14, "." * 20), False),
        (("F" * 20,), None),
        ((), None),
    ],
)
def test_the_trend_rises_only_where_chance_hardly_explains_it(
    patterns: tuple[str, ...], rising: bool | None
) -> None:
    trend = flake_trend(_days(*patterns))
    assert trend.rising is rising
    assert trend.message
