"""Do tests flake more than they did? Today's rate beside that of the days before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from hologram_dagster.flakes.judgement import Occasion
from hologram_dagster.flakes.score import Score


@dataclass(frozen=True, slots=True)
class Day:
    """The flakes of one day (UTC) among the runs of tests that could tell."""

    day: date
    score: Score


@dataclass(frozen=True, slots=True)
class FlakeTrend:
    """The newest day beside all before it; `rising` only where chance alone hardly explains it."""

    days: tuple[Day, ...]
    rising: bool | None
    message: str


def flake_trend(occasions: Sequence[Occasion]) -> FlakeTrend:
    """The trend of `occasions`: rising when the newest day's 95 % interval lies above the rate before."""
    days = _days(occasions)
    if len(days) < 2:
        return FlakeTrend(days, None, f"too few days for a trend of flakes: {len(days)} of at least 2")
    today = days[-1].score
    before = Score(sum(day.score.flakes for day in days[:-1]), sum(day.score.runs for day in days[:-1]))
    low, high = today.interval()
    rising = low > before.mean
    message = (
        f"{today.flakes} of {today.runs} runs flaked on {days[-1].day} "
        f"({100 * low:.2g} to {100 * high:.2g} %), "
        f"{before.flakes} of {before.runs} on the {len(days) - 1} days before ({100 * before.mean:.2g} %)"
    )
    return FlakeTrend(days, rising, f"{message}: {'more than before' if rising else 'no more than before'}")


def _days(occasions: Sequence[Occasion]) -> tuple[Day, ...]:
    passed_on = {(seen.test, seen.revision) for seen in occasions if seen.passes}
    flakes: dict[date, int] = {}
    runs: dict[date, int] = {}
    for seen in occasions:
        if (seen.test, seen.revision) not in passed_on:
            continue
        day = seen.at.date()
        runs[day] = runs.get(day, 0) + 1
        flakes[day] = flakes.get(day, 0) + bool(seen.failures)
    return tuple(Day(day, Score(flakes[day], count)) for day, count in sorted(runs.items()))
