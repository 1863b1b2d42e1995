"""The trend of an operation as a small chart: inline SVG without script, font or colour of its own.

What belongs here: where things are drawn, and the words beside them. What does not: the
figures (`history.index`), what changed (`history.trend`), the style (the page's).

The chart is stretched to the page's width, so it holds lines and dots only, whose strokes
are not stretched; texts stand beside it.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hologram_dagster.history.baseline import Baseline
from hologram_dagster.history.trend import Change, Trend
from hologram_dagster.reports.reading import FAILED, number_text, text_of, time_text
from hologram_dagster.reports.tables import Cell, Cells, Column, Limits, Table, latest

if TYPE_CHECKING:
    # pandas takes longer to load than most verbs take altogether.
    import pandas as pd

WIDTH, HEIGHT = 1000, 100
_MOST_ROWS = 10
_MOST_BASELINES = 10
# Around 1 there is room for the limit; what lies beyond `_ENDS` is drawn at the edge.
_LEAST_RANGE = (0.92, 1.08)
_ENDS = (0.5, 2.0)


@dataclass(frozen=True, slots=True)
class Ratios:
    """The ratios of one kind of evidence, as `History.read` returns them, and what is known of them.

    `baselines` are those that were in force here, oldest first; `margin_pct` is the limit
    of this run's comparison, None where there was none.
    """

    kind: str
    points: "pd.DataFrame"
    trend: Trend
    baselines: Sequence[Baseline] = ()
    margin_pct: float | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line at `y` (percent from above) with its text; `tone` is `one` or `limit`."""

    y: float
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at `x` with its text; `tone` is `change` or `baseline`."""

    x: float
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn trend. `line`, `dots` and `red` are SVG paths in a box of WIDTH by HEIGHT.

    `said` is the trend's sentence, `desc` what the picture shows to who does not see it,
    `last` the newest points as a table.
    """

    key: str
    title: str
    said: str
    desc: str
    line: str
    dots: str
    red: str
    levels: tuple[Level, ...]
    marks: tuple[Mark, ...]
    begin: str
    end: str
    last: Table


def charts(ratios: Sequence[Ratios], cells: Cells) -> list[Chart]:
    """A chart of each of `ratios` that has points."""
    return [_chart(one, cells) for one in ratios if len(one.points)]


def _chart(of: Ratios, cells: Cells) -> Chart:
    kind = text_of(of.kind, longest=60)
    ratios = [float(value) for value in of.points["value"]]
    moments = [moment.to_pydatetime() for moment in of.points["finished_at"]]
    red = [status == FAILED for status in of.points["status"]]
    limit = None if of.margin_pct is None else 1 + of.margin_pct / 100
    y = _heights([*ratios, *_LEAST_RANGE, *([] if limit is None else [limit])])
    xs = [WIDTH * (index + 0.5) / len(ratios) for index in range(len(ratios))]
    places = [f"{x:.1f} {y(ratio):.1f}" for x, ratio in zip(xs, ratios, strict=True)]
    marks = _marks(of, moments, cells)
    levels = [Level(y(1.0), "x1", "one")]
    if limit is not None:
        levels.append(Level(y(limit), f"x{number_text(limit)}", "limit"))
    newest = f"x{number_text(ratios[-1], decimals=3)}"
    count = f"{len(ratios)} {'comparison' if len(ratios) == 1 else 'comparisons'}"
    low, high = (f"x{number_text(end(ratios), decimals=3)}" for end in (min, max))
    begin, end = time_text(moments[0].isoformat())[:10], time_text(moments[-1].isoformat())[:10]
    return Chart(
        key=f"trend-{kind}",
        title=f"{kind}: the candidate's time over the baseline's",
        said=text_of(of.trend.message, longest=cells.limits.characters),
        desc=(
            f"{count} from {begin} to {end}, oldest first; from {low} to {high}, the newest {newest}; "
            f"{sum(red)} failed. {' '.join(mark.text for mark in marks)}"
        ).strip(),
        line=f"M{'L'.join(places)}",
        dots="".join(f"M{place}h0" for place, failed in zip(places, red, strict=True) if not failed),
        red="".join(f"M{place}h0" for place, failed in zip(places, red, strict=True) if failed),
        levels=tuple(levels),
        marks=marks,
        begin=f"{begin}, {count}",
        end=f"{end}, {newest}",
        last=_table(of, kind, cells),
    )


def _heights(values: Sequence[float]) -> Callable[[float], float]:
    """Where a ratio is drawn (percent from above), so that all of `values` are in the picture."""
    least, most = (min(max(end(values), _ENDS[0]), _ENDS[1]) for end in (min, max))

    def height(value: float) -> float:
        inside = min(max(value, least), most)
        # A tenth stays free above and below.
        return HEIGHT * (0.9 - 0.8 * (inside - least) / (most - least))

    return height


def _marks(of: Ratios, moments: Sequence[datetime], cells: Cells) -> tuple[Mark, ...]:
    """Changes of level, and the baselines set while the points came about."""

    def at(first: int) -> float:
        return round(WIDTH * first / len(moments), 1)

    def change(it: Change) -> Mark:
        first = next((i for i, moment in enumerate(moments) if moment.date() >= it.day), len(moments))
        commits = text_of(f"{it.after[:12]}..{it.upto[:12]}", longest=40)
        text = f"{it.day}: {it.direction} by {abs(it.magnitude_pct):.1f} %, commits {commits}."
        return Mark(at(first), text, "change")

    def baseline(it: Baseline) -> Mark:
        first = next((i for i, moment in enumerate(moments) if moment >= it.at), len(moments))
        what = str(it.action).replace("_", " ")
        reason = cells.text(it.reason).text
        return Mark(at(first), f"{it.at:%Y-%m-%d}: {what} to {it.commit[:12]}: {reason}", "baseline")

    changes = [change(it) for it in of.trend.changes]
    set_here = [baseline(it) for it in of.baselines[-_MOST_BASELINES:] if it.at >= moments[0]]
    return tuple(sorted([*changes, *set_here], key=lambda mark: mark.x))


def _table(of: Ratios, kind: str, cells: Cells) -> Table:
    def row(point: Mapping[Hashable, Any]) -> tuple[Cell, ...]:
        return (
            cells.time(str(point["finished_at"])),
            cells.number(point["value"], decimals=3),
            cells.status(point["status"]),
            cells.code(str(point["commit"])[:12]),
            cells.code(str(point["baseline"] or "")[:12]),
        )

    newest = of.points.tail(_MOST_ROWS).to_dict("records")
    rows, _ = latest(newest, Limits(_MOST_ROWS, cells.limits.characters), row)
    columns = tuple(
        Column(title, numeric=title == "Ratio")
        for title in ("Finished", "Ratio", "Status", "Commit", "Baseline")
    )
    return Table(f"points-{kind}", f"{kind}: the newest {len(rows)}", columns, rows)
