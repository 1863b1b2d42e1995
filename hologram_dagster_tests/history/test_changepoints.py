"""Changes of level are found where they are, and noise and spikes are none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.history.changepoints import (
    LEAST_LEVEL,
    LEAST_VALUES,
    Floats,
    best_split,
    find,
    without_spikes,
)

pytestmark = pytest.mark.phase6_perf

# The spread of a paired ratio's launches on a quiet host, and the least change that is shown.
NOISE = 0.015
LEAST = np.log(1.02)
STEP = np.log(1.05)


def noise(seed: int, count: int = 60, spread: float = NOISE) -> Floats:
    return np.random.default_rng(seed).normal(0, spread, count)


def stepped(seed: int, at: int = 40, count: int = 60, spread: float = NOISE) -> Floats:
    values = noise(seed, count, spread)
    values[at:] += STEP
    return values


@pytest.mark.parametrize("spread", [NOISE, 0.025])
def test_noise_is_steady(spread: float) -> None:
    """False alarms in 200 seeded series of 60 days without a change: none, at 1.5 % and at 2.5 % noise.

    That bounds the rate at 1.5 % (95 %) a look. Measured besides, not run here: 0 of 200
    with 30 days and 1 of 200 with 120 days at both; 0 of 100 with Student's t of 3
    degrees (sd 2.1 %); 7 of 100 with days correlated by 0.4, which paired ratios are not.
    """
    alarms = sum(bool(find(noise(seed, spread=spread), least_change=LEAST)) for seed in range(200))
    assert alarms == 0


def test_a_step_of_five_percent_is_found() -> None:
    """In all of 20 seeded series; exactly there in at least 16, in the stated range in at least 18."""
    found = [find(stepped(seed), least_change=LEAST) for seed in range(20)]
    assert [len(points) for points in found] == [1] * 20
    points = [points[0] for points in found]
    assert sum(point.index == 40 for point in points) >= 16
    assert sum(point.first <= 40 <= point.last for point in points) >= 18
    assert max(point.last - point.first for point in points) <= 8
    for point in points:
        assert point.after - point.before == pytest.approx(STEP, abs=0.01)


def test_a_fresh_step_is_found_within_a_week() -> None:
    """Six days after it, in at least 9 of 10 seeded series."""
    found = [find(stepped(seed, at=54), least_change=LEAST) for seed in range(10)]
    assert sum(len(points) == 1 and abs(points[0].index - 54) <= 1 for points in found) >= 9


def test_the_published_tool_finds_the_same() -> None:
    """Apache Otava 0.8.0 (window 50, p 0.001, magnitude 2 %) says 40 on `exp` of these series, too.

    Of the first 20 seeds it differs at 0 and 13 (41), 15 (42), and 12, where it finds two.
    """
    for seed in (1, 2, 3, 4, 5, 6):
        assert [point.index for point in find(stepped(seed), least_change=LEAST)] == [40]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 59),
    st.floats(0.05, 5),
    st.sampled_from([-1, 1]),
    st.integers(0, 5),
    st.sampled_from([1, 2]),
)
def test_a_spike_is_no_change(at: int, height: float, sign: int, seed: int, width: int) -> None:
    values = noise(seed)
    values[at : at + width] += sign * height
    assert find(values, least_change=LEAST) == []


def test_spikes_do_not_hide_a_step() -> None:
    values = stepped(3)
    values[[20, 50]] += 0.3
    (point,) = find(values, least_change=LEAST)
    assert point.first <= 40 <= point.last


def test_up_and_down_are_two_changes() -> None:
    values = noise(1)
    values[25:40] += STEP
    up, down = find(values, least_change=LEAST)
    assert (abs(up.index - 25), abs(down.index - 40)) <= (1, 1)
    assert up.after > up.before
    assert down.after < down.before


def test_small_changes_are_left_out() -> None:
    values = noise(1, spread=0.001)
    values[30:] += 0.01
    assert len(find(values)) == 1
    assert find(values, least_change=LEAST) == []


def test_it_says_the_same_twice() -> None:
    assert find(stepped(9)) == find(stepped(9))


def test_levels_without_noise() -> None:
    values = np.zeros(30)
    assert find(values) == []
    values[20:] = 0.05
    (point,) = find(values)
    assert (point.index, point.first, point.last) == (20, 20, 20)


@pytest.mark.parametrize(
    "values", [np.zeros(LEAST_VALUES - 1), np.full(30, np.nan), np.append(np.zeros(29), np.inf)]
)
def test_what_cannot_be_judged_is_refused(values: Floats) -> None:
    with pytest.raises(ValueError, match=r"too few|not finite"):
        find(values)


@settings(deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=2 * LEAST_LEVEL, max_size=14))
def test_the_divergence_is_the_papers(numbers: list[int]) -> None:
    values = np.array(numbers, dtype=float)
    splits = [
        (_divergence(values[:at], values[at:end]), at)
        for at in range(LEAST_LEVEL, len(values) - LEAST_LEVEL + 1)
        for end in range(at + LEAST_LEVEL, len(values) + 1)
    ]
    best = max(divergence for divergence, _ in splits)
    index, divergence = best_split(values)
    assert divergence == pytest.approx(best, abs=1e-6)
    assert any(at == index and found == pytest.approx(best, abs=1e-6) for found, at in splits)


def _divergence(left: Floats, right: Floats) -> float:
    """Q of Matteson and James, term by term."""
    n, m = len(left), len(right)
    across = sum(abs(x - y) for x in left for y in right)
    within_left = sum(abs(left[i] - left[k]) for k in range(n) for i in range(k))
    within_right = sum(abs(right[i] - right[k]) for k in range(m) for i in range(k))
    energy = 2 * across / (n * m) - within_left / (n * (n - 1) / 2) - within_right / (m * (m - 1) / 2)
    return float(n * m / (n + m) * energy)


@given(st.lists(st.floats(-1e3, 1e3), min_size=7, max_size=40))
def test_cleaning_invents_nothing(numbers: list[float]) -> None:
    values = np.array(numbers)
    cleaned = without_spikes(values)
    assert cleaned.min() >= values.min()
    assert cleaned.max() <= values.max()
    # What is replaced comes from the values around it.
    assert set(cleaned) <= set(values)


@given(st.integers(LEAST_LEVEL, 20), st.integers(LEAST_LEVEL, 20), st.floats(0.01, 10))
def test_cleaning_leaves_a_level_of_four(left: int, right: int, step: float) -> None:
    values = np.append(np.zeros(left), np.full(right, step))
    assert without_spikes(values).tolist() == values.tolist()
