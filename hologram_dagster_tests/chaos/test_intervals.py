"""Intervals hold the true quantile as often as they claim, and claim nothing that few samples cannot."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.chaos.intervals import quantile

pytestmark = pytest.mark.phase9_chaos

samples = st.lists(st.floats(0, 1e6), min_size=1, max_size=60)


@given(samples, st.floats(0.01, 0.99))
def test_the_value_lies_within_its_interval(seen: list[float], share: float) -> None:
    found = quantile(seen, share)
    assert found.low <= found.value <= found.high
    wider = quantile(seen, share, confidence=0.99)
    assert wider.low <= found.low
    assert wider.high >= found.high


@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize("count", [10, 30, 100])
def test_intervals_hold_the_true_quantile_as_often_as_they_claim(share: float, count: int) -> None:
    random = Random(5)
    held = 0
    for _ in range(1000):
        found = quantile([random.random() for _ in range(count)], share)
        held += found.low <= share <= found.high
    assert held >= 930


def test_few_samples_bound_no_high_quantile_from_above() -> None:
    ten = quantile([float(number) for number in range(10)], 0.95)
    assert (ten.value, ten.high) == (9, math.inf)
    assert quantile([1.0, 2.0, 3.0], 0.5).high == math.inf
    median = quantile([float(number) for number in range(10)], 0.5)
    assert (median.low, median.value, median.high) == (1, 4, 8)
    with pytest.raises(ValueError):
        quantile([], 0.5)
