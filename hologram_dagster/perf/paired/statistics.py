"""The numbers of procedure H: pure functions of samples, numpy only.

Ratios are natural logarithms throughout, so that swapping the sides negates them.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Up to here the distribution of the signed-rank sum is counted; above, it is normal enough.
_EXACT_UP_TO = 60
# A call whose spread is below this share of its time is a steady call: ratios of two such
# spreads say nothing a user could notice.
STEADY_SPREAD = 0.05

_NORMAL_99 = NormalDist().inv_cdf(0.99)


def quantile(samples: Floats, share: float) -> Floats:
    """Nearest-rank quantile along the last axis (numpy's `inverted_cdf`).

    Raises:
        ValueError: no samples.
    """
    count = samples.shape[-1]
    if count == 0:
        raise ValueError("a quantile of no samples")
    rank = max(0, math.ceil(share * count - 1e-9) - 1)
    return np.asarray(np.partition(samples, rank, axis=-1)[..., rank], dtype=np.float64)


def cycle_log_ratios(baseline: Floats, candidate: Floats) -> Floats:
    """ln(q25 candidate / q25 baseline) of each cycle; rows are cycles, columns its samples.

    The lower quartile (third smallest of ten) is the call undisturbed by the host.
    """
    return np.log(quantile(candidate, 0.25) / quantile(baseline, 0.25))


def walsh_averages(values: Floats) -> Floats:
    """The sorted means of all pairs of `values`, each value with itself included."""
    first, second = np.triu_indices(len(values))
    return np.sort((values[first] + values[second]) / 2)


@lru_cache(maxsize=128)
def _signed_rank_counts(count: int) -> tuple[int, ...]:
    """How many of the 2**count sign patterns give each signed-rank sum (exact integers)."""
    ways = [1]
    for rank in range(1, count + 1):
        longer = ways + [0] * rank
        for total, number in enumerate(ways):
            longer[total + rank] += number
        ways = longer
    return tuple(ways)


def signed_rank_quantile(count: int, alpha: float) -> int:
    """The largest w with P(W <= w) <= `alpha` for the signed-rank sum of `count` differences, or -1."""
    if count <= _EXACT_UP_TO:
        budget = alpha * 2.0**count
        total = 0
        for rank_sum, number in enumerate(_signed_rank_counts(count)):
            total += number
            if total > budget:
                return rank_sum - 1
        return count * (count + 1) // 2
    mean = count * (count + 1) / 4
    deviation = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    return math.floor(mean + NormalDist().inv_cdf(alpha) * deviation - 0.5)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A middle with its one-sided confidence bounds, all logarithms of a ratio.

    The bounds cover the cycles they were computed from, not the bias a launch brings
    along (1 to 2 %): that is what more launches are for.
    """

    middle: float
    lower: float
    upper: float


def estimate(values: Floats, *, alpha: float = 0.01) -> Estimate:
    """Hodges-Lehmann middle of `values` with one-sided signed-rank bounds at level `alpha`.

    Too few values for the level give infinite bounds.
    """
    averages = walsh_averages(values)
    cut = signed_rank_quantile(len(values), alpha)
    if cut < 0:
        return Estimate(float(np.median(averages)), -math.inf, math.inf)
    return Estimate(float(np.median(averages)), float(averages[cut]), float(averages[-1 - cut]))


@dataclass(frozen=True, slots=True)
class Tail:
    """Share of slow candidate calls minus that of the baseline, and how much of it chance explains.

    `chance` is what two equal sides stay below in 99 of 100 launches, whether slow calls come
    independently (standard errors at the share that both have together) or in bursts, as beside
    a busy neighbour (those of the difference from cycle to cycle): the larger of both.
    """

    difference: float
    chance: float


def tail(baseline: Floats, candidate: Floats, *, factor: float) -> Tail:
    """Compare the shares of slow calls, over `factor` times the baseline's median; rows are cycles."""
    slow = factor * float(np.median(baseline))
    ours, theirs = float(np.mean(candidate > slow)), float(np.mean(baseline > slow))
    both = (ours * candidate.size + theirs * baseline.size) / (candidate.size + baseline.size)
    error = math.sqrt(both * (1 - both) * (1 / candidate.size + 1 / baseline.size))
    of_cycles = np.mean(candidate > slow, axis=1) - np.mean(baseline > slow, axis=1)
    bursts = float(np.std(of_cycles, ddof=1)) / math.sqrt(len(of_cycles)) if len(of_cycles) > 1 else 0.0
    return Tail(
        difference=ours - theirs, chance=max(_NORMAL_99 * error, _student_99(len(of_cycles) - 1) * bursts)
    )


def _student_99(freedom: int) -> float:
    """The 99 % quantile of Student's t, to 3 % from 9 degrees of freedom on (Cornish-Fisher, first term)."""
    return _NORMAL_99 + (_NORMAL_99**3 + _NORMAL_99) / (4 * max(1, freedom))


def cycle_spread_log_ratios(baseline: Floats, candidate: Floats, *, processes: int = 1) -> Floats:
    """ln(spread candidate / spread baseline) of each cycle; rows are cycles.

    The spread is the distance of the quartiles as a share of the lower one, and at least
    `STEADY_SPREAD`: within a cycle the host's slow drifts cancel. Where a row holds the calls of
    several `processes`, one after the other, it is the mean of theirs: how far apart they are is luck.
    """
    theirs, ours = (
        np.maximum(
            STEADY_SPREAD, np.mean([_spread(each) for each in np.split(side, processes, axis=1)], axis=0)
        )
        for side in (baseline, candidate)
    )
    return np.asarray(np.log(ours / theirs), dtype=np.float64)


def _spread(rows: Floats) -> Floats:
    return quantile(rows, 0.75) / quantile(rows, 0.25) - 1
