"""Every statistic against scipy (or its definition) on the same numbers."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.perf.paired import statistics

pytestmark = pytest.mark.phase6_perf

_values = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30).map(np.array)
_distinct = st.lists(st.floats(-1, 1).map(lambda x: round(x, 6)), min_size=8, max_size=24, unique=True).map(
    np.array
)
_times = st.lists(st.lists(st.floats(0.1, 100), min_size=10, max_size=10), min_size=5, max_size=20).map(
    np.array
)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.sampled_from([0.05, 0.25, 0.5, 0.75, 0.95, 1])
)
def test_quantile_is_the_nearest_rank(values: list[float], share: float) -> None:
    ours = float(statistics.quantile(np.array(values), share))
    assert ours == np.quantile(values, share, method="inverted_cdf")
    steps = scipy.stats.ecdf(values).cdf
    assert ours == steps.quantiles[np.argmax(steps.probabilities >= share - 1e-9)]


def test_lower_quartile_of_ten_is_the_third_smallest() -> None:
    assert float(statistics.quantile(np.arange(10.0)[::-1], 0.25)) == 2


def test_no_samples_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no samples"):
        statistics.quantile(np.array([]), 0.25)


@given(_values)
def test_hodges_lehmann_is_the_median_of_all_pairs(values: np.ndarray) -> None:
    pairs = [(values[i] + values[j]) / 2 for i in range(len(values)) for j in range(i, len(values))]
    assert statistics.estimate(values).middle == pytest.approx(np.median(pairs))


@given(_distinct)
def test_hodges_lehmann_is_where_the_signed_ranks_balance(values: np.ndarray) -> None:
    middle = statistics.estimate(values).middle
    below = scipy.stats.wilcoxon(values - middle + 1e-7, alternative="two-sided").statistic
    total = len(values) * (len(values) + 1) / 2
    # The statistic is the smaller rank sum; at the middle it is about half of all ranks.
    assert total / 2 - below <= len(values)


@pytest.mark.parametrize("count", [1, 6, 7, 8, 12, 20, 40, 60])
@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_exact_quantile_is_that_of_scipys_exact_test(count: int, alpha: float) -> None:
    cut = statistics.signed_rank_quantile(count, alpha)

    def tail(rank_sum: int) -> float:
        """P(W <= rank_sum), read from scipy's exact test of differences with that sum."""
        signs, left = np.full(count, -1.0), rank_sum
        for rank in range(count, 0, -1):
            if left >= rank:
                signs[rank - 1], left = 1.0, left - rank
        differences = signs * np.arange(1, count + 1)
        return float(scipy.stats.wilcoxon(differences, alternative="less", method="exact").pvalue)

    if cut >= 0:
        assert tail(cut) <= alpha
    assert tail(cut + 1) > alpha


def test_normal_quantile_continues_the_exact_one() -> None:
    count = statistics._EXACT_UP_TO
    exact = statistics.signed_rank_quantile(count, 0.01)
    normal = math.floor(
        count * (count + 1) / 4
        + scipy.stats.norm.ppf(0.01) * math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
        - 0.5
    )
    assert abs(exact - normal) <= 0.01 * exact
    assert statistics.signed_rank_quantile(count + 1, 0.01) > exact


@given(_distinct)
def test_bounds_are_where_scipys_one_sided_test_turns(values: np.ndarray) -> None:
    bounds = statistics.estimate(values, alpha=0.05)

    def p_value(middle: float) -> float:
        return float(scipy.stats.wilcoxon(values - middle, alternative="greater", method="exact").pvalue)

    assert p_value(bounds.lower - 1e-9) <= 0.05
    assert p_value(bounds.lower + 1e-9) > 0.05


@given(_values)
def test_estimate_and_bounds_negate_under_swap(values: np.ndarray) -> None:
    ours, theirs = statistics.estimate(values), statistics.estimate(-values)
    assert ours.middle == pytest.approx(-theirs.middle)
    assert ours.lower == pytest.approx(-theirs.upper)
    assert ours.upper == pytest.approx(-theirs.lower)
    assert ours.lower <= ours.middle <= ours.upper


def test_bounds_agree_with_the_bootstrap() -> None:
    values = np.random.default_rng(1).normal(0.05, 0.02, 100)
    bounds = statistics.estimate(values)
    boot = scipy.stats.bootstrap(
        (values,), np.median, confidence_level=0.98, rng=np.random.default_rng(2), n_resamples=2000
    ).confidence_interval
    assert bounds.lower == pytest.approx(boot.low, abs=0.005)
    assert bounds.upper == pytest.approx(boot.high, abs=0.005)


def test_too_few_values_bound_nothing() -> None:
    bounds = statistics.estimate(np.array([0.1, 0.2, 0.3]))
    assert (bounds.lower, bounds.upper) == (-math.inf, math.inf)


def test_bounds_hold_their_level() -> None:
    draw = np.random.default_rng(3)
    missed = sum(statistics.estimate(draw.standard_cauchy(20)).lower > 0 for _ in range(2000))
    # 1 % of 2,000 is 20; 45 or more would come once in a million.
    assert missed < 45


@given(_times, st.floats(0.5, 2))
def test_cycle_ratios_see_a_factor_and_negate(times: np.ndarray, factor: float) -> None:
    ratios = statistics.cycle_log_ratios(times, times * factor)
    assert ratios == pytest.approx(np.full(len(times), math.log(factor)))
    assert statistics.cycle_log_ratios(times * factor, times) == pytest.approx(-ratios)


def test_tail_is_the_difference_of_shares() -> None:
    baseline, candidate = np.ones((10, 10)), np.ones((10, 10))
    candidate[:, 0] = 1.6
    assert statistics.tail(baseline, candidate, factor=1.5).difference == pytest.approx(0.1)
    assert statistics.tail(baseline, candidate, factor=1.7).difference == 0
    assert statistics.tail(candidate, baseline, factor=1.5).difference == pytest.approx(-0.1)


def test_chance_of_an_even_tail_is_scipys_binomial() -> None:
    baseline, candidate = np.ones((20, 10)), np.ones((20, 10))
    baseline[:, 0], candidate[:, 0], candidate[::2, 1] = 2, 2, 2
    error = scipy.stats.norm.ppf(0.99) * math.sqrt(2 * scipy.stats.bernoulli.var(50 / 400) / 200)
    assert statistics.tail(baseline, candidate, factor=1.5).chance == pytest.approx(error)


def test_chance_of_a_tail_in_bursts_is_that_of_scipys_t_test() -> None:
    even, burst, baseline = np.ones((20, 10)), np.ones((20, 10)), np.ones((20, 10))
    even[:, 0], burst[:2, :] = 2, 2
    seen = statistics.tail(baseline, burst, factor=1.5)
    assert seen.difference == pytest.approx(0.1) == statistics.tail(baseline, even, factor=1.5).difference
    # Two bad moments are no tail; one slow call in ten, all the time, is one.
    assert seen.difference < seen.chance
    assert statistics.tail(baseline, even, factor=1.5).chance < 0.1
    of_cycles = np.mean(burst > 1.5, axis=1)
    bound = scipy.stats.t.ppf(0.99, 19) * scipy.stats.sem(of_cycles)
    assert seen.chance == pytest.approx(bound, rel=0.03)


@given(_times, st.floats(0.5, 2))
def test_spread_ignores_the_middle_and_negates(times: np.ndarray, factor: float) -> None:
    assert statistics.cycle_spread_log_ratios(times, times * factor) == pytest.approx(
        np.zeros(len(times)), abs=1e-9
    )
    other = times[::-1]
    ratios = statistics.cycle_spread_log_ratios(times, other)
    assert statistics.cycle_spread_log_ratios(other, times) == pytest.approx(-ratios)


def test_spread_sees_what_the_middle_does_not() -> None:
    steady = np.tile(np.linspace(0.95, 1.05, 10), (20, 1))
    wide = np.tile(np.linspace(0.85, 1.15, 10), (20, 1))
    assert np.all(statistics.cycle_spread_log_ratios(steady, wide) > math.log(2))
    iqr = [
        scipy.stats.iqr(side[0], interpolation="inverted_cdf") / np.sort(side[0])[2]
        for side in (steady, wide)
    ]
    assert statistics.cycle_spread_log_ratios(steady, wide)[0] == pytest.approx(math.log(iqr[1] / iqr[0]))


def test_steady_calls_have_no_spread_to_compare() -> None:
    steady, steadier = np.full((5, 10), 1.0), np.full((5, 10), 1.0)
    steady[:, 5:] = 1.02
    assert np.all(statistics.cycle_spread_log_ratios(steadier, steady) == 0)
