"""Has an operation become slower over the days? Change points in its daily paired ratios.

A ratio (candidate's time over its baseline's, both measured now, side by side) does not
move with the host, so its days can be compared; absolute times cannot. What belongs
here: days, the commits of a change, and the words for it. What does not: the numeric
method (`changepoints`), the figures (`index`).

A trend warns and never fails a gate: the paired comparison of each run does that.
"""

import math
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from hologram_dagster.history import changepoints
from hologram_dagster.history.changepoints import LEAST_VALUES, ChangePoint
from hologram_dagster.observation import Status

if TYPE_CHECKING:
    # pandas takes longer to load than most verbs take altogether.
    import pandas as pd

# Smaller changes are within what the placing of memory and code does to a build.
LEAST_CHANGE_PCT = 2.0
# More days cost much time (it grows with their square) and say little of today.
MOST_DAYS = 120


class Direction(StrEnum):
    """Which way a ratio changed."""

    SLOWER = "slower"
    FASTER = "faster"


class TrendStatus(StrEnum):
    """What there is to say of a trend."""

    STEADY = "steady"
    CHANGED = "changed"
    INSUFFICIENT = "insufficient"


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC): the median of its ratios, and the first and last commit measured."""

    day: date
    ratio: float
    first_commit: str
    last_commit: str


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the level, and the commits it came with.

    `after` is the last commit surely before it, `upto` the first surely with it: the
    range `after..upto` of git holds its cause with a probability of about 95 %. `day` is
    its most probable first day; `magnitude_pct` the change of the median, positive for
    slower. `standing`: slower, and not made good since.
    """

    direction: Direction
    magnitude_pct: float
    day: date
    after: str
    upto: str
    standing: bool

    @property
    def commits(self) -> str:
        """The range as git takes it."""
        return f"{self.after}..{self.upto}"


@dataclass(frozen=True, slots=True)
class Trend:
    """What the days of one series say.

    `warn`: a slower level stands. `days` were looked at, all compared with the commit
    `baseline`. `notes` name what was left out.
    """

    name: str
    status: TrendStatus
    days: tuple[Day, ...]
    changes: tuple[Change, ...]
    baseline: str | None
    message: str
    notes: tuple[str, ...]

    @property
    def warn(self) -> bool:
        """Whether a person should look: something became slower and stayed so."""
        return any(change.standing for change in self.changes)


def find_trend(
    points: "pd.DataFrame",
    *,
    name: str,
    baseline: str | None = None,
    least_change_pct: float = LEAST_CHANGE_PCT,
) -> Trend:
    """The trend of `points`, the end of a series of ratios as `History.read` returns it.

    Ratios to different baselines are not comparable, so only those to `baseline` count,
    by default the one of the newest point. A roll-forward thus begins a new trend: it is
    how a change of level is accepted on purpose.
    """
    usable, notes = _usable(points)
    if baseline is None and len(usable):
        baseline = _text_or_none(usable["baseline"].iloc[-1])
    same = usable["baseline"].isna() if baseline is None else usable["baseline"] == baseline
    if others := int((~same).sum()):
        commits = usable.loc[~same, "baseline"].nunique(dropna=False)
        notes.append(f"left out, against another baseline ({commits} of them): {_times(others)}")
    days = _days(usable[same])[-MOST_DAYS:]
    if len(days) < LEAST_VALUES:
        message = (
            f"{name}: too few days for a trend: {len(days)} of at least {LEAST_VALUES}"
            f"{_against(baseline)}{'; ' + '; '.join(notes) if notes else ''}."
        )
        return Trend(name, TrendStatus.INSUFFICIENT, days, (), baseline, message, tuple(notes))
    logs = np.log([day.ratio for day in days])
    found = changepoints.find(logs, least_change=math.log1p(least_change_pct / 100))
    changes = tuple(_change(point, found[-1].after, days, least_change_pct) for point in found)
    status = TrendStatus.CHANGED if changes else TrendStatus.STEADY
    message = _message(name, days, changes, baseline)
    return Trend(name, status, days, changes, baseline, message, tuple(notes))


def _usable(points: "pd.DataFrame") -> "tuple[pd.DataFrame, list[str]]":
    """The points that are ratios, and notes on the others."""
    # What failed was measured; what erred or was not decided was not.
    measured = points["status"].isin([str(Status.PASSED), str(Status.FAILED)])
    ratio = np.isfinite(points["value"]) & (points["value"] > 0)
    notes = []
    if unmeasured := int((~measured).sum()):
        notes.append(f"left out, not measured: {_times(unmeasured)}")
    if wrong := int((measured & ~ratio).sum()):
        notes.append(f"left out, no ratio: {_times(wrong)}")
    return points[measured & ratio], notes


def _days(points: "pd.DataFrame") -> tuple[Day, ...]:
    ordered = points.sort_values("finished_at", kind="stable")
    return tuple(
        Day(
            day=day,
            ratio=float(group["value"].median()),
            first_commit=str(group["commit"].iloc[0]),
            last_commit=str(group["commit"].iloc[-1]),
        )
        for day, group in ordered.groupby(ordered["finished_at"].dt.date)
    )


def _change(point: ChangePoint, level_now: float, days: tuple[Day, ...], least_change_pct: float) -> Change:
    slower = point.after > point.before
    return Change(
        direction=Direction.SLOWER if slower else Direction.FASTER,
        magnitude_pct=100 * math.expm1(point.after - point.before),
        day=days[point.index].day,
        # A day's median can hide a commit of its evening, so the range begins at its morning.
        after=days[point.first - 1].first_commit,
        upto=days[point.last].last_commit,
        standing=slower and level_now - point.before > math.log1p(least_change_pct / 100),
    )


def _message(name: str, days: tuple[Day, ...], changes: tuple[Change, ...], baseline: str | None) -> str:
    if not changes:
        return f"{name}: steady over {len(days)} days{_against(baseline)}."
    said = "; ".join(
        f"{change.direction} by {abs(change.magnitude_pct):.1f} % since {change.day}, {_cause(change)}"
        f"{'' if change.standing else _SETTLED[change.direction]}"
        for change in changes
    )
    return f"{name}: {said} ({len(days)} days{_against(baseline)})."


def _cause(change: Change) -> str:
    if change.after == change.upto:
        return f"at commit {change.upto[:12]} all the while: not a commit, but the host or its surroundings"
    return f"commits {change.after[:12]}..{change.upto[:12]}"


_SETTLED = {Direction.SLOWER: " (made good since)", Direction.FASTER: ""}


def _times(count: int) -> str:
    return "1 measurement" if count == 1 else f"{count} measurements"


def _against(baseline: str | None) -> str:
    return "" if baseline is None else f" against baseline {baseline[:12]}"


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
