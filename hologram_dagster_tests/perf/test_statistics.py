import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.perf.statistics import legacy_percentile, percentile, summarize

pytestmark = pytest.mark.phase6_perf

samples = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=200)
shares = st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0])


@given(samples, shares)
def test_it_is_numpy_inverted_cdf(values: list[float], p: float) -> None:
    assert percentile(values, p) == np.percentile(values, 100 * p, method="inverted_cdf")


@given(samples, st.floats(0, 1))
def test_at_least_the_share_does_not_exceed_it_and_no_smaller_sample_does(
    values: list[float], p: float
) -> None:
    found = percentile(values, p)
    assert found in values
    covered = sum(value <= found for value in values) / len(values)
    below = sum(value < found for value in values) / len(values)
    assert covered >= p - 1e-9
    assert below < p + 1e-9


@pytest.mark.parametrize(
    ("n", "standard", "legacy"),
    [
        # Ranks of p50, p95, p99; the old ones are those of contract section 2.3.
        (5, (3, 5, 5), (2, 4, 4)),
        (20, (10, 19, 20), (10, 19, 19)),
        (30, (15, 29, 30), (15, 28, 29)),
        (40, (20, 38, 40), (20, 38, 39)),
        (60, (30, 57, 60), (30, 57, 59)),
        (100, (50, 95, 99), (50, 95, 99)),
    ],
)
def test_the_ranks(n: int, standard: tuple[int, ...], legacy: tuple[int, ...]) -> None:
    values = list(range(n, 0, -1))
    shares = (0.50, 0.95, 0.99)
    assert tuple(percentile(values, p) for p in shares) == standard
    assert tuple(legacy_percentile(values, p) for p in shares) == legacy


def test_a_summary() -> None:
    summary = summarize([4.0, 1.0, 2.0, 3.0])
    assert (summary.p50_ms, summary.p95_ms, summary.p99_ms, summary.avg_ms, summary.n) == (2, 4, 4, 2.5, 4)


def test_nothing_and_no_share_are_refused() -> None:
    for compute in (percentile, legacy_percentile):
        with pytest.raises(ValueError, match="no samples"):
            compute([], 0.5)
        with pytest.raises(ValueError, match="no share"):
            compute([1.0], 95)
    with pytest.raises(ValueError, match="no samples"):
        summarize([])
