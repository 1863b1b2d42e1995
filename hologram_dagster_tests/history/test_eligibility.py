"""Each condition of a roll-forward, seen red."""

from dataclasses import replace

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.record import Record
from hologram_dagster.history import eligibility
from hologram_dagster.history.baseline import Baseline, Place
from hologram_dagster.history.eligibility import Candidate
from hologram_dagster.observation import Status
from hologram_dagster.profiles import Override
from hologram_dagster_tests.evidence.helpers import OTHER_MACHINE, signer
from hologram_dagster_tests.history.helpers import (
    HERE,
    METRICS,
    P95,
    candidate,
    compare,
    measurements,
    record,
    revision,
    verdict_of,
)

pytestmark = pytest.mark.phase6_perf

GREEN = candidate(1)


def test_a_green_candidate_is_eligible() -> None:
    eligibility.must_be_main(GREEN)
    eligibility.must_be_green(GREEN, HERE)
    numbers = eligibility.numbers_of(GREEN, HERE)
    assert numbers == {METRICS[kind]: P95[kind] for kind in METRICS}


@pytest.mark.parametrize("ref", ["refs/heads/topic", "refs/heads/main2", "refs/tags/main", "main", "", None])
def test_only_main_is(ref: str | None) -> None:
    with pytest.raises(HologramError, match="on main only"):
        eligibility.must_be_main(replace(GREEN, ref=ref))


def test_uncommitted_changes_are_not() -> None:
    measured = measurements(1)
    dirty = replace(GREEN, verdict=verdict_of(measured, 1, revision=revision(1, dirty=True)))
    with pytest.raises(HologramError, match="uncommitted"):
        eligibility.must_be_main(dirty)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PASSED])
def test_only_a_passed_gate_is_green(status: Status) -> None:
    red = replace(GREEN, verdict=verdict_of(measurements(1), 1, status=status))
    with pytest.raises(HologramError, match=f"is {status}, not passed"):
        eligibility.must_be_green(red, HERE)


@pytest.mark.parametrize("profile", ["dev", "pr", "nightly"])
def test_only_a_main_gate_counts(profile: str) -> None:
    other = replace(GREEN, verdict=verdict_of(measurements(1), 1, profile=profile))
    with pytest.raises(HologramError, match=f"profile {profile}"):
        eligibility.must_be_green(other, HERE)


def test_another_record_is_no_verdict() -> None:
    other = replace(GREEN, verdict=replace(GREEN.verdict, record=measurements(1)[0]))
    with pytest.raises(HologramError, match="not perf_verify"):
        eligibility.must_be_green(other, HERE)


def test_a_changed_verdict_is_refused() -> None:
    failed = verdict_of(measurements(1), 1, status=Status.FAILED)
    forged = replace(failed, record=replace(failed.record, status=Status.PASSED))
    with pytest.raises(HologramError, match="not what was signed"):
        eligibility.must_be_green(replace(GREEN, verdict=forged), HERE)


def test_a_verdict_under_anothers_digest_is_refused() -> None:
    swapped = replace(GREEN, verdict=replace(GREEN.verdict, sha256=candidate(2).verdict.sha256))
    with pytest.raises(HologramError, match="digest"):
        eligibility.must_be_green(swapped, HERE)


def test_a_strangers_verdict_is_refused() -> None:
    eligibility.must_be_green(GREEN, HERE, [signer(1).key_id])
    with pytest.raises(HologramError, match="not trusted"):
        eligibility.must_be_green(GREEN, HERE, [signer(2).key_id])


def test_a_gate_with_a_looser_budget_is_not_mains() -> None:
    stricter = Override("SLO_VERIFY_P95_MS", 8, 6, looser=False)
    eligibility.must_be_green(replace(GREEN, overrides=[stricter]), HERE)
    looser = Override("SLO_ENCODE_P95_MS", 80, 999, looser=True)
    with pytest.raises(HologramError, match="SLO_ENCODE_P95_MS looser"):
        eligibility.must_be_green(replace(GREEN, overrides=[stricter, looser]), HERE)


@pytest.mark.parametrize("place", [Place("staging", HERE.machine), Place("local", OTHER_MACHINE.fingerprint)])
def test_a_gate_elsewhere_is_none_here(place: Place) -> None:
    with pytest.raises(HologramError, match="run the gate here"):
        eligibility.must_be_green(GREEN, place)


def _with(measured: list[Record]) -> Candidate:
    return replace(GREEN, verdict=verdict_of(measured, 1), measurements=measured)


def test_measurements_are_those_of_the_verdict() -> None:
    with pytest.raises(HologramError, match="does not rest on"):
        eligibility.numbers_of(replace(GREEN, measurements=measurements(1, run_id="run-2")), HERE)


def test_every_operation_is_measured() -> None:
    with pytest.raises(HologramError, match="perf_gql was not measured"):
        eligibility.numbers_of(_with(measurements(1)[:2]), HERE)


def test_once() -> None:
    with pytest.raises(HologramError, match="two measurements of perf_verify"):
        eligibility.numbers_of(_with([*measurements(1), measurements(1, run_id="run-2")[0]]), HERE)


def test_here() -> None:
    with pytest.raises(HologramError, match="measured elsewhere"):
        eligibility.numbers_of(_with(measurements(1, machine=OTHER_MACHINE)), HERE)


@pytest.mark.parametrize(
    "broken",
    [
        record("perf_verify", {"p95_ms": 2.0}, status=Status.ERROR, facts={"metric": "core.verify_ms"}),
        record("perf_verify", {"p50_ms": 2.0}, facts={"metric": "core.verify_ms"}),
        record("perf_verify", {"p95_ms": 2.0}),
    ],
)
def test_with_a_figure(broken: Record) -> None:
    with pytest.raises(HologramError, match="has no p95"):
        eligibility.numbers_of(_with([broken, *measurements(1)[1:]]), HERE)


def test_comparisons_are_needed_only_where_there_is_something_to_compare() -> None:
    eligibility.must_not_regress(GREEN, None)


def test_regressions_against_the_baseline_in_force(in_force: Baseline) -> None:
    same = candidate(7)
    eligibility.must_not_regress(same, in_force)
    eligibility.must_not_regress(candidate(8, against=7), in_force)
    with pytest.raises(HologramError, match=r"slower than the baseline .*encode: x1\.2"):
        eligibility.must_not_regress(candidate(8, comparisons=compare(7, regressed="encode")), in_force)
    with pytest.raises(HologramError, match="verify, encode, gql was not compared"):
        eligibility.must_not_regress(candidate(8, against=6), in_force)
    with pytest.raises(HologramError, match="gql was not compared"):
        eligibility.must_not_regress(candidate(8, comparisons=compare(7)[:2]), in_force)
