"""The verdict of procedure H: a pure function of the launches measured so far.

What belongs here: limits, first-to-three, what is weak and what is a warning. What does
not: how a launch's values come about (`samples`), who measures (`compare`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import fmean, median

import numpy as np

from hologram_dagster.perf.paired.statistics import Estimate, Floats, estimate

MOST_LAUNCHES = 5
_DECIDING = 3
TAIL_LIMIT = 0.04
# A launch's chance is at 99 %; all launches of a tail together must exceed it at 99.9 % (normal quantiles).
_ALL_LAUNCHES = 3.090 / 2.326
_TAIL_EARLY = 0.01
_SPREAD_LIMIT = math.log(2)


class Check(StrEnum):
    """What is compared, each as candidate against baseline.

    `wall` and `cpu`: ln of the ratio of the middles. `tail_wall` and `tail_cpu`: share of
    slow calls, difference. `spread`: ln of the ratio of the spreads of the wall time.
    """

    WALL = "wall"
    CPU = "cpu"
    TAIL_WALL = "tail_wall"
    TAIL_CPU = "tail_cpu"
    SPREAD = "spread"


_TAILS = frozenset({Check.TAIL_WALL, Check.TAIL_CPU})


class Verdict(StrEnum):
    """How a check, or the gate of all checks, stands after the launches given."""

    PASS = "pass"
    FAIL = "fail"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that follow from `threshold_pct` (`REGRESSION_THRESHOLD_PCT`, contract 2.5).

    The margin is half the threshold, so that a true slowdown of the threshold is caught
    and none is not. Tails and spread have limits of their own.
    """

    threshold_pct: float = 10.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.threshold_pct) and self.threshold_pct > 0):
            raise ValueError(f"a threshold is a positive percentage, not {self.threshold_pct}")

    @property
    def margin_pct(self) -> float:
        """Half the threshold, percent."""
        return self.threshold_pct / 2

    @property
    def slow_factor(self) -> float:
        """A call is slow above this multiple of the baseline's median: 1.5 at a margin of 5 %.

        It grows with the margin, so that a shift within a wide margin is not taken for a tail.
        """
        return 1.5 * (1 + self.margin_pct / 100) / 1.05

    def limit(self, check: Check) -> float:
        """A launch above this counts against the candidate."""
        match check:
            case Check.WALL | Check.CPU:
                return math.log1p(self.margin_pct / 100)
            case Check.TAIL_WALL | Check.TAIL_CPU:
                return TAIL_LIMIT
            case Check.SPREAD:
                return _SPREAD_LIMIT

    def early(self, check: Check) -> float:
        """A first launch at or below this passes the check alone; a pass above it is a warning."""
        match check:
            case Check.WALL | Check.CPU:
                return math.log1p(self.margin_pct / 200)
            case Check.TAIL_WALL | Check.TAIL_CPU:
                return _TAIL_EARLY
            case Check.SPREAD:
                return _SPREAD_LIMIT / 2


@dataclass(frozen=True, slots=True)
class LaunchResult:
    """One launch: the value of each check and, for `wall` and `cpu`, the log ratio of each cycle.

    `chance`: what the value must also exceed to count against the candidate: what a busy
    host does to both sides can scatter more than the limits.
    """

    values: Mapping[Check, float]
    cycles: Mapping[Check, Floats] = field(default_factory=dict)
    chance: Mapping[Check, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckDecision:
    """One check: `launches_over` of `launches` were above `limit`; `middle` is their median.

    `early`: the first launch alone decided. `weak`: decided 3 : 2. `warn`: passed, with a
    middle above the early limit.
    """

    check: Check
    verdict: Verdict
    launches: int
    launches_over: int
    limit: float
    middle: float
    early: bool = False
    weak: bool = False
    warn: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """All checks together: FAIL if any fails, PASS if all pass.

    `estimates` holds, for `wall` and `cpu`, the middle and bounds over the cycles of all
    launches; `ratio` and `interval` are the wall's, as plain ratios.
    """

    verdict: Verdict
    checks: Mapping[Check, CheckDecision]
    estimates: Mapping[Check, Estimate]
    launches: int

    @property
    def ratio(self) -> float:
        """Candidate's time over the baseline's."""
        return math.exp(self.estimates[Check.WALL].middle)

    @property
    def interval(self) -> tuple[float, float]:
        """The one-sided 99 % bounds of `ratio`, over the cycles measured."""
        wall = self.estimates[Check.WALL]
        return math.exp(wall.lower), math.exp(wall.upper)

    @property
    def weak(self) -> bool:
        """Whether the verdict hangs on a check that went 3 : 2."""
        return any(check.weak and check.verdict is self.verdict for check in self.checks.values())

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check.check for check in self.checks.values() if check.verdict is Verdict.FAIL)

    @property
    def warnings(self) -> tuple[Check, ...]:
        """The checks that passed above their early limit."""
        return tuple(check.check for check in self.checks.values() if check.warn)


def decide(launches: Sequence[LaunchResult], limits: Limits) -> Decision:
    """The verdict on `launches`, in the order they were measured.

    A check is decided by its third launch above the limit and above chance (FAIL) or not
    (PASS), or passed by the first launch alone at or below the early limit; launches
    after that do not count for it. Five launches decide everything. Only checks that
    every launch has are judged. A launch has too few slow calls to say much by itself, so a
    tail's third launch above the limit decides once all launches together exceed chance.

    Raises:
        ValueError: no launch, one without a wall time, or a value that is no number.
    """
    judged = [check for check in Check if all(check in launch.values for launch in launches)]
    if not launches or Check.WALL not in judged:
        raise ValueError("nothing to decide on: no launch, or a launch without a wall time")
    checks = {
        check: _decide_check(
            check,
            [launch.values[check] for launch in launches],
            [launch.chance.get(check, 0.0) for launch in launches],
            limits,
        )
        for check in judged
    }
    verdicts = {decision.verdict for decision in checks.values()}
    if Verdict.FAIL in verdicts:
        verdict = Verdict.FAIL
    elif verdicts == {Verdict.PASS}:
        verdict = Verdict.PASS
    else:
        verdict = Verdict.UNDECIDED
    estimates = {
        check: estimate(np.concatenate([launch.cycles[check] for launch in launches]))
        for check in judged
        if all(check in launch.cycles for launch in launches)
    }
    return Decision(verdict, checks, estimates, len(launches))


def _decide_check(
    check: Check, values: Sequence[float], chance: Sequence[float], limits: Limits
) -> CheckDecision:
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"{check}: a launch's value is no number: {values}")
    limit, early = limits.limit(check), limits.early(check)
    if values[0] <= early:
        return CheckDecision(check, Verdict.PASS, 1, 0, limit, values[0], early=True)
    over = 0
    for number, (value, least) in enumerate(zip(values, chance, strict=True), start=1):
        if check in _TAILS:
            over += value > limit
            failed = over >= _DECIDING and _beyond_chance(values[:number], chance[:number])
        else:
            over += value > max(limit, least)
            failed = over == _DECIDING
        if failed or number - over == _DECIDING or number == MOST_LAUNCHES:
            middle = median(values[:number])
            return CheckDecision(
                check=check,
                verdict=Verdict.FAIL if failed else Verdict.PASS,
                launches=number,
                launches_over=over,
                limit=limit,
                middle=middle,
                weak=number == MOST_LAUNCHES,
                warn=not failed and middle > early,
            )
    return CheckDecision(check, Verdict.UNDECIDED, len(values), over, limit, median(values))


def _beyond_chance(values: Sequence[float], chance: Sequence[float]) -> bool:
    """Whether the mean of independent launches exceeds what chance explains of it."""
    return fmean(values) > _ALL_LAUNCHES * math.hypot(*chance) / len(values)
