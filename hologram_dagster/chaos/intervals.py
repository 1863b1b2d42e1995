"""Quantiles of few repeats, with the interval that so few allow.

By order statistics: how many of n samples lie below the true quantile is binomial, so the interval
assumes nothing of the distribution (Conover, Practical Nonparametric Statistics, section 3.2).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hologram_dagster.perf.statistics import percentile


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of samples, and the interval that holds the true one with the confidence asked for.

    `high` is infinite where there are too few samples to bound it from above, `low` is 0 where from
    below.
    """

    value: float
    low: float
    high: float


def quantile(samples: Sequence[float], share: float, *, confidence: float = 0.95) -> Quantile:
    """The `share` quantile (0 to 1) of non-negative `samples`, by nearest rank.

    Raises:
        ValueError: no samples.
    """
    ordered = sorted(samples)
    count = len(ordered)
    # P(at most k samples are below the true quantile), for k from 0 on.
    cumulative = 0.0
    below: list[float] = []
    for k in range(count + 1):
        cumulative += math.comb(count, k) * share**k * (1 - share) ** (count - k)
        below.append(cumulative)
    tail = (1 - confidence) / 2
    # The true quantile is under the kth smallest sample when fewer than k lie below it.
    low = max((k for k in range(1, count + 1) if below[k - 1] <= tail), default=0)
    high = min((k for k in range(1, count + 1) if below[k - 1] >= 1 - tail), default=0)
    return Quantile(
        percentile(samples, share),
        ordered[low - 1] if low else 0.0,
        ordered[high - 1] if high else math.inf,
    )
