"""The trend names the commits of a change, and says what it did not look at."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from hologram_dagster.history.changepoints import LEAST_VALUES
from hologram_dagster.history.index import Series
from hologram_dagster.history.trend import MOST_DAYS, Direction, TrendStatus, find_trend
from hologram_dagster_tests.evidence.helpers import MACHINE
from hologram_dagster_tests.history.helpers import commit, record, temporary_history

pytestmark = pytest.mark.phase6_perf

FIRST = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)
BASELINE = commit(0xBA5E)


def ratios(seed: int = 1, days: int = 60) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.exp(np.random.default_rng(seed).normal(0, 0.015, days))


def frame(
    values: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]],
    **columns: str | Sequence[str] | None,
) -> pd.DataFrame:
    """One measurement a day; the commit of day `n` is `commit(n)`."""
    made = pd.DataFrame(
        {
            "run_id": [f"run-{day}" for day in range(len(values))],
            "value": np.asarray(values, dtype=float),
            "commit": [commit(day) for day in range(len(values))],
            "baseline": BASELINE,
            "status": "passed",
            "finished_at": pd.to_datetime([FIRST + timedelta(days=day) for day in range(len(values))]),
        }
    )
    return made.assign(**columns)


def numbers(start: str, end: str) -> range:
    """The commits of git's range `start..end`."""
    return range(int(start, 16) + 1, int(end, 16) + 1)


def test_a_step_is_a_warning_with_its_commits() -> None:
    values = ratios()
    values[40:] *= 1.05
    trend = find_trend(frame(values), name="encode")
    (change,) = trend.changes
    assert trend.status is TrendStatus.CHANGED
    assert trend.warn
    assert change.direction is Direction.SLOWER
    assert change.magnitude_pct == pytest.approx(5, abs=1)
    assert change.day == (FIRST + timedelta(days=40)).date()
    assert 40 in numbers(change.after, change.upto)
    assert len(numbers(change.after, change.upto)) <= 3
    assert change.commits == f"{change.after}..{change.upto}"
    assert trend.baseline == BASELINE
    assert "slower by" in trend.message
    assert f"{change.after[:12]}..{change.upto[:12]}" in trend.message


@pytest.mark.parametrize("seed", range(8))
def test_the_right_commit_is_in_the_range(seed: int) -> None:
    values = ratios(seed)
    values[45:] *= 1.05
    (change,) = find_trend(frame(values), name="encode").changes
    assert 45 in numbers(change.after, change.upto)


def test_no_step_is_no_warning() -> None:
    trend = find_trend(frame(ratios()), name="encode")
    assert (trend.status, trend.changes, trend.warn) == (TrendStatus.STEADY, (), False)
    assert trend.message == f"encode: steady over 60 days against baseline {BASELINE[:12]}."


def test_a_spike_is_no_warning() -> None:
    values = ratios()
    values[30] *= 1.5
    assert find_trend(frame(values), name="encode").status is TrendStatus.STEADY


def test_faster_is_told_and_no_warning() -> None:
    values = ratios()
    values[40:] /= 1.05
    trend = find_trend(frame(values), name="encode")
    assert [change.direction for change in trend.changes] == [Direction.FASTER]
    assert not trend.warn


def test_what_was_made_good_is_told_and_no_warning() -> None:
    values = ratios()
    values[25:40] *= 1.06
    trend = find_trend(frame(values), name="encode")
    assert [change.direction for change in trend.changes] == [Direction.SLOWER, Direction.FASTER]
    assert not trend.warn
    assert "made good since" in trend.message


def test_half_made_good_still_warns() -> None:
    values = ratios()
    values[20:40] *= 1.12
    values[40:] *= 1.06
    trend = find_trend(frame(values), name="encode")
    assert [change.standing for change in trend.changes] == [True, False]
    assert trend.warn


@pytest.mark.parametrize("days", [0, 1, LEAST_VALUES - 1])
def test_too_few_days_are_said_to_be(days: int) -> None:
    trend = find_trend(frame(ratios(days=days)), name="encode")
    assert trend.status is TrendStatus.INSUFFICIENT
    assert f"{days} of at least {LEAST_VALUES}" in trend.message
    assert not trend.warn


def test_a_new_baseline_begins_a_new_trend() -> None:
    values = ratios()
    values[:30] *= 1.05
    baselines = [BASELINE] * 30 + [commit(0xBA5F)] * 30
    trend = find_trend(frame(values, baseline=baselines), name="encode")
    assert (trend.status, len(trend.days)) == (TrendStatus.STEADY, 30)
    assert trend.notes == ("left out, against another baseline (1 of them): 30 measurements",)


def test_a_baseline_for_each_day_is_no_trend_and_says_why() -> None:
    trend = find_trend(frame(ratios(), baseline=[commit(day) for day in range(60)]), name="encode")
    assert trend.status is TrendStatus.INSUFFICIENT
    assert "against another baseline (59 of them): 59 measurements" in trend.message


def test_the_baseline_can_be_named() -> None:
    baselines = [BASELINE] * 59 + [commit(7)]
    trend = find_trend(frame(ratios(), baseline=baselines), name="encode", baseline=BASELINE)
    assert (trend.status, len(trend.days)) == (TrendStatus.STEADY, 59)


def test_ratios_without_a_baseline_are_compared_with_each_other() -> None:
    trend = find_trend(frame(ratios(), baseline=None), name="encode")
    assert (trend.status, trend.baseline) == (TrendStatus.STEADY, None)


def test_what_did_not_succeed_is_left_out_and_said() -> None:
    values = ratios()
    values[10], values[11] = 0.0, np.inf
    status = ["error" if day == 5 else "failed" if day == 6 else "passed" for day in range(60)]
    trend = find_trend(frame(values, status=status), name="encode")
    assert len(trend.days) == 57
    assert trend.notes == (
        "left out, not measured: 1 measurement",
        "left out, no ratio: 2 measurements",
    )


def test_a_day_counts_once_however_often_it_was_measured() -> None:
    values = ratios()
    # The last day was measured five times, on a host that was busy that hour.
    again = frame(values).iloc[[-1] * 5].assign(value=1.3)
    trend = find_trend(pd.concat([frame(values), again]), name="encode")
    assert (trend.status, len(trend.days)) == (TrendStatus.STEADY, 60)


def test_a_change_within_a_day_has_the_whole_day_in_its_range() -> None:
    values = ratios()
    values[40:] *= 1.08
    evening = (
        frame(values)
        .iloc[[39]]
        .assign(commit=commit(0xE), value=values[39] * 1.08, finished_at=FIRST + timedelta(days=39, hours=20))
    )
    (change,) = find_trend(pd.concat([frame(values), evening]), name="encode").changes
    # The commit of the evening lies between the morning's and the next day's.
    assert int(change.after, 16) <= 39
    assert change.after != commit(0xE)


def test_a_change_without_a_commit_is_the_hosts() -> None:
    values = ratios()
    values[40:] *= 1.08
    trend = find_trend(frame(values, commit=commit(5)), name="encode")
    assert trend.warn
    assert "not a commit, but the host" in trend.message


def test_only_the_latest_days_are_looked_at() -> None:
    assert len(find_trend(frame(ratios(days=150)), name="encode").days) == MOST_DAYS


def test_from_records_to_the_trend() -> None:
    values = ratios(days=30)
    values[20:] *= 1.06
    with temporary_history() as history:
        history.rebuild(
            record(
                "perf_regression_encode",
                {"ratio": value},
                run_id=f"run-{day}",
                number=day,
                at=FIRST + timedelta(days=day),
                facts={"baseline_commit": BASELINE},
            )
            for day, value in enumerate(values)
        )
        series = Series("perf_regression_encode", "ratio", "local", MACHINE.fingerprint, "dev")
        trend = find_trend(history.read(series), name="encode")
    (change,) = trend.changes
    assert 20 in numbers(change.after, change.upto)
    assert trend.baseline == BASELINE
