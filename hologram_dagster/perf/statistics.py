"""Percentiles of samples: the standard nearest rank, and the contract's old rule beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def percentile(samples: Sequence[float], p: float) -> float:
    """The smallest sample that at least the share `p` (0 to 1) of all do not exceed: nearest rank.

    Never interpolates: `numpy.quantile(method="inverted_cdf")`.

    Raises:
        ValueError: no samples, or `p` is no share.
    """
    _require(samples, p)
    return float(np.quantile(samples, p, method="inverted_cdf"))


def legacy_percentile(samples: Sequence[float], p: float) -> float:
    """The rule of contract section 2.3, biased low: rank 28 of 30 for p95, where 29 is right.

    For comparing with figures of the present tools during a migration; nothing is judged by it.

    Raises:
        ValueError: no samples, or `p` is no share.
    """
    _require(samples, p)
    n = len(samples)
    return float(sorted(samples)[min(max(int(n * p) - 1, 0), n - 1)])


def _require(samples: Sequence[float], p: float) -> None:
    if not len(samples):
        raise ValueError("no samples have no percentile")
    if not 0 <= p <= 1:
        raise ValueError(f"{p} is no share between 0 and 1")


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one launch: milliseconds over `n` samples."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    avg_ms: float
    n: int


def summarize(samples_ms: Sequence[float]) -> Summary:
    """The summary of `samples_ms`, in ms.

    Raises:
        ValueError: no samples.
    """
    return Summary(
        p50_ms=percentile(samples_ms, 0.50),
        p95_ms=percentile(samples_ms, 0.95),
        p99_ms=percentile(samples_ms, 0.99),
        avg_ms=float(np.mean(samples_ms)),
        n=len(samples_ms),
    )
