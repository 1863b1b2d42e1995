"""Where a noisy series changed its level: E-divisive means with a permutation test.

The method is Matteson and James, "A Nonparametric Approach for Multiple Change Point
Analysis of Multivariate Data" (2014), for one dimension and exponent 1; Apache Otava and
MongoDB's tools descend from it. (Otava is no dependency: it pins numpy to one minor
version and brings clients of four services.) What differs, and why:

- Isolated outliers are replaced first (a Hampel filter): a single spike is no change of
  level, and must not hide one.
- A level lasts at least `LEAST_LEVEL` values, which a spike does not.
- A change smaller than the magnitude asked for is dropped afterwards, as Otava does.

What belongs here: pure functions over numbers. What does not: days and commits (`trend`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_LEVEL = 4
# Fewer values have too few arrangements for the permutation test to reach its level.
LEAST_VALUES = 16
PERMUTATIONS = 999
LEVEL = 0.002
_HALF_WINDOW = LEAST_LEVEL - 1
_SPIKE_DEVIATIONS = 4.0
_POSITION_MASS = 0.95
# A normal distribution's standard deviation over its median absolute deviation.
_NORMAL_OVER_MAD = 1.4826
_SEED = 96


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A change of level: `index` is the first value of the new one, most probably.

    The true index lies in `first..last` (both included) with a probability of about
    95 %. `before` and `after` are the medians of the levels.
    """

    index: int
    first: int
    last: int
    before: float
    after: float


def find(values: Floats, *, least_change: float = 0.0) -> list[ChangePoint]:
    """The changes of level in `values`, in order; those of at most `least_change` are left out.

    Deterministic: the permutations are drawn from a fixed seed.

    Raises:
        ValueError: fewer than `LEAST_VALUES` values, or one that is not finite.
    """
    if len(values) < LEAST_VALUES:
        raise ValueError(f"{len(values)} values are too few: at least {LEAST_VALUES} are needed")
    if not np.all(np.isfinite(values)):
        raise ValueError("a value is not finite")
    cleaned = without_spikes(values)
    bounds = sorted(_split(cleaned, 0, np.random.default_rng(_SEED)))
    bounds = _merge(cleaned, bounds, least_change)
    edges = [0, *bounds, len(cleaned)]
    return [
        _change(cleaned, start, at, end)
        for start, at, end in zip(edges[:-2], edges[1:-1], edges[2:], strict=True)
    ]


def without_spikes(values: Floats) -> Floats:
    """`values` with each outlier of its neighbourhood replaced by the neighbourhood's median.

    A neighbourhood is the `2 * LEAST_LEVEL - 1` values around one (at the ends: the
    outermost ones), so that fewer than `LEAST_LEVEL` values in a row can be outliers and
    a lasting change cannot.
    """
    width = 2 * _HALF_WINDOW + 1
    if len(values) < width:
        return values.copy()
    medians = np.median(np.lib.stride_tricks.sliding_window_view(values, width), axis=1)
    middles = np.pad(medians, _HALF_WINDOW, mode="edge")
    # Differences of neighbours see the noise, and of a change of level only one value.
    noise = _NORMAL_OVER_MAD * float(np.median(np.abs(np.diff(values)))) / np.sqrt(2)
    return np.where(np.abs(values - middles) > _SPIKE_DEVIATIONS * noise, middles, values)


def best_split(values: Floats) -> tuple[int, float]:
    """The index that divides `values` best into two levels, and the divergence there.

    The divergence is the paper's Q: the energy distance between the two sides, scaled
    by their sizes, at its maximum over the end of the right side, too. Returns
    `(0, 0.0)` where there is no room for two levels.
    """
    count = len(values)
    if count < 2 * LEAST_LEVEL:
        return 0, 0.0
    sums = np.zeros((count + 1, count + 1))
    np.abs(values[:, None] - values[None, :]).cumsum(axis=0).cumsum(axis=1, out=sums[1:, 1:])
    diagonal = np.diagonal(sums)
    splits = np.arange(LEAST_LEVEL, count - LEAST_LEVEL + 1)
    ends = np.arange(2 * LEAST_LEVEL, count + 1)
    left = splits[:, None].astype(float)
    right = np.maximum(ends[None, :] - left, 2.0)
    # Sums over ordered pairs: within the left side, across, within the right side.
    within_left = diagonal[splits][:, None]
    to_end = sums[np.ix_(splits, ends)]
    across = to_end - within_left
    within_right = diagonal[ends][None, :] - 2 * to_end + within_left
    energy = (
        2 * across / (left * right) - within_left / (left * (left - 1)) - within_right / (right * (right - 1))
    )
    divergence = left * right / (left + right) * energy
    divergence[ends[None, :] - splits[:, None] < LEAST_LEVEL] = -np.inf
    row = int(np.argmax(divergence.max(axis=1)))
    return int(splits[row]), float(divergence[row].max())


def _split(values: Floats, offset: int, random: np.random.Generator) -> Iterator[int]:
    """The indices (from `offset`) of the significant changes in `values`, by repeated division."""
    index, divergence = best_split(values)
    if divergence <= 0 or not _significant(values, divergence, random):
        return
    yield offset + index
    yield from _split(values[:index], offset, random)
    yield from _split(values[index:], offset + index, random)


def _significant(values: Floats, divergence: float, random: np.random.Generator) -> bool:
    """Whether at most `LEVEL` of the arrangements of `values` divide as well by chance."""
    allowed = LEVEL * (PERMUTATIONS + 1) - 1
    as_good = 0
    for _ in range(PERMUTATIONS):
        as_good += best_split(random.permutation(values))[1] >= divergence
        if as_good > allowed:
            return False
    return True


def _merge(values: Floats, bounds: list[int], least_change: float) -> list[int]:
    """`bounds` without the changes of at most `least_change`, the smallest removed first."""
    while bounds:
        edges = [0, *bounds, len(values)]
        levels = [float(np.median(values[a:b])) for a, b in pairwise(edges)]
        changes = np.abs(np.diff(levels))
        smallest = int(np.argmin(changes))
        if changes[smallest] > least_change:
            break
        bounds = bounds[:smallest] + bounds[smallest + 1 :]
    return bounds


def _change(values: Floats, start: int, at: int, end: int) -> ChangePoint:
    first, last = _positions(values[start:end], at - start)
    return ChangePoint(
        index=at,
        first=start + first,
        last=start + last,
        before=float(np.median(values[start:at])),
        after=float(np.median(values[at:end])),
    )


def _positions(values: Floats, at: int) -> tuple[int, int]:
    """The first and last index at which the one change in `values` may lie.

    Of all indices, taken as equally likely beforehand and the noise as normal, the most
    probable ones that together have `_POSITION_MASS`, and `at`.
    """
    count = len(values)
    indices = np.arange(1, count)
    sums, squares = np.cumsum(values), np.cumsum(values**2)
    left = squares[:-1] - sums[:-1] ** 2 / indices
    right = squares[-1] - squares[:-1] - (sums[-1] - sums[:-1]) ** 2 / (count - indices)
    errors = left + right
    variance = max(float(errors[at - 1]) / (count - 2), np.finfo(float).tiny)
    weights = np.exp(-(errors - errors.min()) / (2 * variance))
    order = np.argsort(-weights, kind="stable")
    mass = np.cumsum(weights[order]) / weights.sum()
    likely = [*indices[order[: int(np.searchsorted(mass, _POSITION_MASS)) + 1]], at]
    return int(min(likely)), int(max(likely))
