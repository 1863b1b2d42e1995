"""A flake is a pass and a failure of the same test on the same revision, and nothing else is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hologram_dagster.flakes.judgement import Judged, State, judge, judge_test, rate_of
from hologram_dagster.flakes.score import Score, power, seen_from
from hologram_dagster_tests.flakes.suites import NOW, occasions

pytestmark = pytest.mark.phase9_chaos


def judged(*runs: tuple[str, str], days: float = 0.1) -> Judged:
    return judge_test(occasions("t", *runs, days=days), now=NOW)


def test_a_pass_after_a_failure_in_one_run_is_a_flake() -> None:
    seen = judged(("c1", "F."))
    assert (seen.state, seen.score.flakes, seen.greens) == (State.FLAKY, 1, ())


def test_a_pass_and_a_failure_in_two_runs_of_one_revision_are_a_flake() -> None:
    assert judged(("c1", "F"), ("c1", ".")).score.flakes == 1


def test_a_failure_on_one_revision_and_a_pass_on_the_next_are_none() -> None:
    fixed = judged(("c1", "FFF"), ("c2", "."))
    assert (fixed.state, fixed.score.flakes, fixed.undecided) == (State.HEALTHY, 0, 1)


def test_the_same_in_another_environment_is_none() -> None:
    linux, windows = occasions("t", ("c1", "."), ("c1", "F"))
    other = [linux, replace(windows, environment="windows")]
    assert judge_test(other, now=NOW).score.flakes == 0


def test_without_a_commit_two_runs_are_two_revisions() -> None:
    assert judged(("", "F"), ("", ".")).score.flakes == 0
    assert judged(("", "F."), ("", ".")).score.flakes == 1


def test_what_always_fails_is_broken_and_never_due_for_quarantine() -> None:
    assert judged(("c1", "F")).state is State.BROKEN
    always = judged(("c1", "FFF"), ("c2", "FFF"))
    assert (always.state, always.score.flakes, always.undecided) == (State.BROKEN, 0, 2)
    assert not always.quarantine_due


def test_a_flaky_test_that_a_change_broke_is_broken() -> None:
    history = [("c1", ".")] * 40 + [("c1", "F."), ("c1", "F.")]
    seen = judged(*history, ("c2", "FFF"))
    assert (seen.state, seen.recent_flakes) == (State.BROKEN, 2)
    assert not seen.quarantine_due


def test_one_red_run_of_a_flaky_test_on_a_new_revision_breaks_nothing() -> None:
    half = [("c1", "F."), ("c1", ".")] * 5
    assert judged(*half, ("c2", "FF")).state is State.FLAKY


def test_one_failure_of_a_sound_test_is_undecided() -> None:
    assert judged(*[("c1", ".")] * 10, ("c2", "F")).state is State.UNDECIDED


def test_two_flakes_in_seven_days_are_due_for_quarantine_and_older_ones_are_not() -> None:
    assert judged(("c1", "F."), ("c2", "F."), days=7).quarantine_due
    assert not judged(("c1", "F."), ("c2", "F."), days=7.1).quarantine_due
    assert not judged(("c1", "FFF.")).quarantine_due


def test_ten_greens_in_a_row_are_cured_whatever_was_before() -> None:
    flaked = [("c1", "F."), ("c1", "F.")]
    assert judged(*flaked, *[("c2", ".")] * 9).quarantine_due
    assert not judged(*flaked, *[("c2", ".")] * 10).quarantine_due


def test_greens_in_a_row_end_at_the_last_run_with_a_failure() -> None:
    greens = judged(("c1", "F."), ("c2", "."), ("c3", "..")).greens
    assert len(greens) == 2
    assert greens[0] == NOW


def test_tests_are_judged_each_by_its_own_runs() -> None:
    both = [*occasions("a", ("c1", "F.")), *occasions("b", ("c1", "."), ("c1", "."))]
    seen = list(judge(both, now=NOW))
    assert [(each.test, each.state) for each in seen] == [("a", State.FLAKY), ("b", State.HEALTHY)]
    rate = rate_of(seen)
    assert (rate.flakes, rate.runs, rate.tests) == (1, 3, 2)
    assert rate.pct == pytest.approx(100 / 3)
    assert rate_of(seen, without=["a"]).pct == 0
    assert rate_of([]).pct == 0


_RUNS = st.lists(
    st.tuples(st.sampled_from(["c1", "c2", ""]), st.text("F.", min_size=1, max_size=4)), min_size=1
)


@given(_RUNS)
def test_flakes_and_undecided_failures_are_the_runs_with_a_failure(runs: list[tuple[str, str]]) -> None:
    seen = judged(*runs)
    red = sum("F" in pattern for _, pattern in runs)
    assert seen.score.flakes + seen.undecided == red
    assert seen.passed == len(runs) - red
    assert seen.score.runs == seen.passed + seen.score.flakes
    if not any("." in pattern for _, pattern in runs):
        assert seen.state is State.BROKEN
    if not red:
        assert (seen.state, len(seen.greens)) == (State.HEALTHY, len(runs))


@given(st.integers(0, 5000), st.data())
def test_the_interval_is_that_of_the_beta_posterior(runs: int, data: st.DataObject) -> None:
    flakes = data.draw(st.integers(0, runs))
    score = Score(flakes, runs)
    posterior = stats.beta(1 + flakes, 1 + runs - flakes)
    assert score.mean == pytest.approx(posterior.mean())
    assert score.interval() == pytest.approx((posterior.ppf(0.025), posterior.ppf(0.975)), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("rate", "runs"), [(0.01, 299), (0.05, 59), (0.1, 29), (0.2, 14)])
def test_the_runs_needed_to_see_a_flake_are_the_known_ones(rate: float, runs: int) -> None:
    assert seen_from(runs) <= rate < seen_from(runs - 1)


def test_power_is_told_in_words() -> None:
    assert power(40) == "with 40 runs we could not have seen a flake rarer than 7.2 %"
    assert power(1).startswith("with 1 run we")
    assert power(0).startswith("nothing was run")
