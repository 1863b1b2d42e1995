"""Each check of flaky tests and of the quarantine sees its red."""

from dataclasses import replace

import pytest

from hologram_dagster.evidence.check import CheckResult
from hologram_dagster.evidence.judge import judge
from hologram_dagster.evidence.record import Record
from hologram_dagster.observation import Observation, Status
from hologram_dagster.profiles import ProfileName
from hologram_dagster_tests.evidence.helpers import (
    FLAKES,
    NOW,
    identity,
    observation,
    plan_of,
    signer,
    with_finding,
)

pytestmark = pytest.mark.phase9_chaos


def red(seen: Observation, profile: ProfileName = ProfileName.NIGHTLY) -> dict[str, CheckResult]:
    record = Record.from_observation(seen, identity(), signer(), now=NOW)
    return {result.check: result for result in judge(record, plan_of(profile)) if result.red}


def with_values(kind: str, **changes: float) -> Observation:
    return replace(observation(kind), values={**FLAKES[kind], **changes})


@pytest.mark.parametrize(
    ("kind", "check", "green", "broken"),
    [
        ("test_attempts", "attempts_recorded", {"runs": 3}, {"runs": 2}),
        ("test_attempts", "attempts_recorded", {"attempts": 1}, {"attempts": 0}),
        ("flake_detection", "no_new_flake", {"new_flakes": 0}, {"new_flakes": 1}),
        ("flake_detection", "nothing_broken", {"broken": 0}, {"broken": 1}),
        ("flake_detection", "flake_rate_within_limit", {"flake_rate_pct": 1.99}, {"flake_rate_pct": 2.0}),
        ("quarantine", "nothing_expired", {"expired": 0}, {"expired": 1}),
        ("quarantine", "no_broken_entry", {"broken": 0}, {"broken": 1}),
        ("quarantine", "quarantine_within_limits", {"quarantined": 5}, {"quarantined": 6}),
        (
            "quarantine",
            "quarantine_within_limits",
            {"quarantined": 1, "tests": 3},
            {"quarantined": 2, "tests": 3},
        ),
    ],
)
def test_a_figure_beyond_its_limit_is_red_and_one_at_it_is_not(
    kind: str, check: str, green: dict[str, float], broken: dict[str, float]
) -> None:
    assert not red(with_values(kind, **green))
    result = red(with_values(kind, **broken))
    assert set(result) == {check}
    assert result[check].status is Status.FAILED


def test_a_red_check_says_which_tests_and_what_to_do() -> None:
    facts = {"new_flakes": "a::b (2 flakes in 7 days)"}
    seen = replace(with_values("flake_detection", new_flakes=1), facts=facts)
    message = red(seen)["no_new_flake"].message
    assert message.startswith("a::b (2 flakes in 7 days): not in quarantine: fix them, or run `hologram")


@pytest.mark.parametrize("lost", ["tests", "runs", "new_flakes", "broken", "flake_rate_pct"])
def test_detection_without_a_figure_is_red(lost: str) -> None:
    values = {name: value for name, value in FLAKES["flake_detection"].items() if name != lost}
    assert red(replace(observation("flake_detection"), values=values))


def test_detection_on_a_revision_whose_tests_never_ran_is_red_in_every_check() -> None:
    assert len(red(with_values("flake_detection", tests=0))) == 3


@pytest.mark.parametrize("lost", ["quarantined", "expired", "broken"])
def test_a_quarantine_without_a_figure_is_red(lost: str) -> None:
    values = {name: value for name, value in FLAKES["quarantine"].items() if name != lost}
    assert red(replace(observation("quarantine"), values=values), ProfileName.PR)


def test_the_share_of_an_unknown_number_of_tests_is_inconclusive_but_one_is_always_allowed() -> None:
    values = {name: value for name, value in FLAKES["quarantine"].items() if name != "tests"}
    one = replace(observation("quarantine"), values=values)
    assert not red(one, ProfileName.PR)
    two = replace(one, values={**values, "quarantined": 2})
    assert red(two, ProfileName.PR)["quarantine_within_limits"].status is Status.INCONCLUSIVE


def test_a_malformed_quarantine_is_red_once() -> None:
    seen = replace(with_finding(observation("quarantine"), "well_formed", Status.FAILED, "line 3"), values={})
    assert {name: result.message for name, result in red(seen, ProfileName.PR).items()} == {
        "well_formed": "line 3"
    }


def test_tests_that_could_not_be_run_are_an_error_and_no_green() -> None:
    seen = replace(
        with_finding(observation("test_attempts"), "tests", Status.ERROR, "took longer than 300 s"), values={}
    )
    assert red(seen)["observed"].status is Status.ERROR


@pytest.mark.parametrize("kind", ["test_attempts", "flake_database", "flake_detection"])
def test_a_target_without_tests_is_not_applicable_which_nightly_accepts_and_shows(kind: str) -> None:
    seen = with_finding(observation(kind), "tests", Status.NOT_APPLICABLE, "names no test command")
    seen = replace(seen, status=Status.NOT_APPLICABLE, values={}, findings=seen.findings[-1:])
    assert not red(seen)
    assert red(seen, ProfileName.MAIN)
    assert red(replace(observation("quarantine"), status=Status.NOT_APPLICABLE, values={}))
