"""The rule as a pure function: what it decides, and what cannot change that."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.perf.paired.rule import Check, Decision, LaunchResult, Limits, Verdict, decide

pytestmark = pytest.mark.phase6_perf

LIMITS = Limits(10)
_CYCLES = np.zeros(20)
_RANK = {Verdict.PASS: 0, Verdict.UNDECIDED: 1, Verdict.FAIL: 2}


def launch(wall: float = 0.0, **values: float) -> LaunchResult:
    """A launch whose other checks are at zero; `wall` and `cpu` in log, tails as shares."""
    given_values = {Check(name): value for name, value in values.items()}
    everything = dict.fromkeys(Check, 0.0) | {Check.WALL: wall} | given_values
    return LaunchResult(
        values=everything, cycles={Check.WALL: _CYCLES + wall, Check.CPU: _CYCLES + everything[Check.CPU]}
    )


def on_wall(values: list[float]) -> Decision:
    return decide([launch(value) for value in values], LIMITS)


OVER, BETWEEN, UNDER = math.log(1.06), math.log(1.04), math.log(1.02)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([UNDER], Verdict.PASS),
        ([BETWEEN], Verdict.UNDECIDED),
        ([BETWEEN, UNDER], Verdict.UNDECIDED),
        ([BETWEEN, UNDER, UNDER], Verdict.PASS),
        ([OVER], Verdict.UNDECIDED),
        ([OVER, OVER], Verdict.UNDECIDED),
        ([OVER, OVER, OVER], Verdict.FAIL),
        ([OVER, UNDER, OVER, UNDER], Verdict.UNDECIDED),
        ([OVER, UNDER, OVER, UNDER, OVER], Verdict.FAIL),
        ([OVER, UNDER, OVER, UNDER, UNDER], Verdict.PASS),
        ([UNDER, OVER, OVER, OVER, OVER], Verdict.PASS),
    ],
)
def test_first_to_three_with_an_early_pass(values: list[float], verdict: Verdict) -> None:
    assert on_wall(values).verdict is verdict


@pytest.mark.parametrize("check", list(Check))
def test_every_check_can_fail_the_gate_alone(check: Check) -> None:
    over = LIMITS.limit(check) * 1.01
    decision = decide([launch(**{check.value: over})] * 3, LIMITS)
    assert decision.verdict is Verdict.FAIL
    assert [c.check for c in decision.checks.values() if c.verdict is Verdict.FAIL] == [check]


@pytest.mark.parametrize("check", list(Check))
def test_at_the_limit_passes(check: Check) -> None:
    assert decide([launch(**{check.value: LIMITS.limit(check)})] * 3, LIMITS).verdict is Verdict.PASS
    assert decide([launch(**{check.value: LIMITS.early(check)})], LIMITS).verdict is Verdict.PASS


def test_one_undecided_check_keeps_the_gate_undecided() -> None:
    assert decide([launch(tail_cpu=0.02)], LIMITS).verdict is Verdict.UNDECIDED


def test_three_to_two_is_weak_and_said_so() -> None:
    assert on_wall([OVER, UNDER, OVER, UNDER, OVER]).weak
    assert on_wall([OVER, UNDER, OVER, UNDER, UNDER]).weak
    assert not on_wall([OVER, OVER, OVER]).weak


def test_pass_above_half_the_margin_is_a_warning() -> None:
    assert on_wall([BETWEEN] * 3).warnings == (Check.WALL,)
    assert on_wall([BETWEEN, UNDER, UNDER]).warnings == ()
    assert decide([launch(spread=math.log(1.8))] * 3, LIMITS).warnings == (Check.SPREAD,)


def test_what_chance_explains_does_not_count() -> None:
    def tailed(chance: float) -> LaunchResult:
        return LaunchResult(
            {Check.WALL: 0.0, Check.TAIL_WALL: 0.06}, {Check.WALL: _CYCLES}, {Check.TAIL_WALL: chance}
        )

    # At 99.9 % three launches of 6 points each are beyond chance up to 7.8 points a launch, five up to 10.1.
    assert decide([tailed(0.078)] * 3, LIMITS).verdict is Verdict.FAIL
    assert decide([tailed(0.079)] * 3, LIMITS).verdict is Verdict.UNDECIDED
    assert decide([tailed(0.10)] * 5, LIMITS).verdict is Verdict.FAIL
    assert decide([tailed(0.102)] * 5, LIMITS).verdict is Verdict.PASS
    scattered = LaunchResult({Check.WALL: OVER}, {Check.WALL: _CYCLES + OVER}, {Check.WALL: 2 * OVER})
    assert decide([scattered] * 3, LIMITS).verdict is Verdict.PASS


def test_without_cpu_time_the_other_checks_decide() -> None:
    blind = LaunchResult({Check.WALL: OVER}, {Check.WALL: _CYCLES + OVER})
    assert decide([launch(OVER), blind, launch(OVER)], LIMITS).verdict is Verdict.FAIL
    assert Check.CPU not in decide([launch(), blind], LIMITS).checks


def test_nothing_to_decide_on_is_no_verdict() -> None:
    for launches in ([], [LaunchResult({Check.CPU: 0.0})]):
        with pytest.raises(ValueError, match="nothing to decide"):
            decide(launches, LIMITS)
    with pytest.raises(ValueError, match="no number"):
        on_wall([math.nan])


@pytest.mark.parametrize("threshold", [0, -1, math.nan, math.inf])
def test_a_threshold_is_positive(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        Limits(threshold)


def test_threshold_sets_the_margin() -> None:
    assert math.exp(LIMITS.limit(Check.WALL)) == pytest.approx(1.05)
    assert math.exp(LIMITS.early(Check.WALL)) == pytest.approx(1.025)
    assert Limits(20).margin_pct == 10
    assert LIMITS.slow_factor == pytest.approx(1.5)


def test_ratio_and_interval_are_the_walls() -> None:
    decision = on_wall([OVER, OVER, OVER])
    assert decision.ratio == pytest.approx(1.06)
    assert decision.interval == pytest.approx((1.06, 1.06))


_value = st.floats(-0.3, 0.3)
_sequence = st.lists(_value, min_size=1, max_size=5)


@given(_sequence, st.floats(0, 0.5), st.sampled_from([c.value for c in Check]))
def test_monotone_in_slowdown(values: list[float], more: float, check: str) -> None:
    before = decide([launch(**{check: value}) for value in values], LIMITS).verdict
    after = decide([launch(**{check: value + more}) for value in values], LIMITS).verdict
    assert _RANK[after] >= _RANK[before]


@given(_sequence, st.floats(5, 50), st.floats(1, 4))
def test_monotone_in_threshold(values: list[float], threshold: float, wider: float) -> None:
    launches = [launch(value) for value in values]
    strict = decide(launches, Limits(threshold)).verdict
    lenient = decide(launches, Limits(threshold * wider)).verdict
    assert _RANK[lenient] <= _RANK[strict]


@given(st.lists(_value, min_size=5, max_size=5))
def test_five_launches_always_decide(values: list[float]) -> None:
    assert on_wall(values).verdict is not Verdict.UNDECIDED


@given(st.lists(st.floats(0.03, 0.3), min_size=5, max_size=5))
def test_order_is_irrelevant_where_no_first_launch_passes_early(values: list[float]) -> None:
    verdicts = {on_wall(list(order)).verdict for order in itertools.permutations(values)}
    assert len(verdicts) == 1


@given(st.lists(_value, min_size=2, max_size=5))
def test_order_after_an_early_first_launch_is_irrelevant(values: list[float]) -> None:
    first = [UNDER]
    verdicts = {on_wall(first + list(order)).verdict for order in itertools.permutations(values)}
    assert verdicts == {Verdict.PASS}


@given(_sequence, _sequence)
def test_a_decision_is_not_revised(values: list[float], later: list[float]) -> None:
    verdict = on_wall(values).verdict
    if verdict is not Verdict.UNDECIDED:
        assert on_wall(values + later).verdict is verdict


@given(st.lists(_value, min_size=1, max_size=5))
def test_ratio_inverts_under_swap(values: list[float]) -> None:
    ours, theirs = on_wall(values), on_wall([-value for value in values])
    assert ours.ratio == pytest.approx(1 / theirs.ratio)
    assert ours.interval[0] == pytest.approx(1 / theirs.interval[1])
