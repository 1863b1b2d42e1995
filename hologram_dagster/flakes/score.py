"""How flaky a test is, with how sure we are of it.

The rate of flakes is the mean of a Beta posterior over a uniform prior. Of such a posterior
the parameters are whole numbers, so its distribution is a binomial tail (Abramowitz and
Stegun, 26.5.24) and needs no special functions.
"""

import math
from dataclasses import dataclass

CONFIDENCE = 0.95
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Score:
    """`flakes` of `runs` runs that could tell: a run that failed on a revision that never passed cannot."""

    flakes: int
    runs: int

    @property
    def mean(self) -> float:
        """The mean of the posterior, 0 to 1."""
        return (1 + self.flakes) / (2 + self.runs)

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """The bounds between which the rate lies with `confidence`; equal shares lie beyond each."""
        a, b, tail = 1 + self.flakes, 1 + self.runs - self.flakes, (1 - confidence) / 2
        return _lower_quantile(a, b, tail), 1 - _lower_quantile(b, a, tail)


def _lower_quantile(a: int, b: int, share: float) -> float:
    """Below what the share `share` (well under one half) of Beta(a, b) lies."""
    if a == 1:
        return -math.expm1(math.log1p(-share) / b)
    low, high = 0.0, a / (a + b)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if _at_least(a, a + b - 1, middle) > share else (middle, high)
    return (low + high) / 2


def _at_least(k: int, n: int, rate: float) -> float:
    """The chance of `k` or more in `n`, each with the chance `rate`; for `k` beyond the mean, or near it."""
    log_term = (
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(rate)
        + (n - k) * math.log1p(-rate)
    )
    total = term = math.exp(log_term)
    odds = rate / (1 - rate)
    while k < n and term > total * 1e-15:
        term *= odds * (n - k) / (k + 1)
        total += term
        k += 1
    return total


def seen_from(runs: int, confidence: float = CONFIDENCE) -> float:
    """The least rate of flakes that `runs` runs show at least once with `confidence`; 1 without any."""
    return -math.expm1(math.log(1 - confidence) / runs) if runs else 1.0


def power(runs: int) -> str:
    """What `runs` runs could not have seen, in words."""
    if not runs:
        return "nothing was run, so no flake could have been seen"
    return (
        f"with {runs} {'run' if runs == 1 else 'runs'} we could not have seen a flake rarer than "
        f"{100 * seen_from(runs):.2g} %"
    )
