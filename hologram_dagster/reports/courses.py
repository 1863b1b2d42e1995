"""The course of an experiment as a small chart: latency over time, the faults' windows shaded.

What belongs here: where things are drawn, and the words beside them. What does not: what a journal holds
(`chaos.journal`), the style (the page's). As in `trends`, the chart is stretched, so texts stand beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from hologram_dagster.chaos.journal import MOST_POINTS
from hologram_dagster.reports.chaos import percent
from hologram_dagster.reports.experiment import Experiment, Point, Window
from hologram_dagster.reports.reading import number_text, time_text
from hologram_dagster.reports.tables import Cell, Cells, Table, first, headings
from hologram_dagster.reports.trends import HEIGHT, WIDTH, Level

# What lies beyond is drawn at the edge, ms.
_ENDS_MS = (0.01, 10_000_000.0)
# As percent of the height: labels that are nearer to each other overlap.
_LEAST_BETWEEN = 11
# So that one that was over at once is seen, of WIDTH.
_LEAST_WIDTH = 3.0


@dataclass(frozen=True, slots=True)
class Area:
    """A shaded stretch of the chart; `tone` is `fault` or `recovering`."""

    x: float
    width: float
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Course:
    """A drawn journal. `dots` and `red` (not done) are SVG paths in a box of WIDTH by HEIGHT.

    `said` are sentences, `desc` what the picture shows to who does not see it, `steps` every step as a table;
    without operations to draw, `dots` and `red` are empty.
    """

    key: str
    title: str
    outcome: Cell
    said: tuple[str, ...]
    desc: str
    dots: str
    red: str
    areas: tuple[Area, ...]
    levels: tuple[Level, ...]
    budget: str
    end: str
    steps: Table


def courses(experiments: Sequence[Experiment], cells: Cells) -> tuple[Course, ...]:
    """A course of each of `experiments`."""
    return tuple(_course(one, f"course-{number}", cells) for number, one in enumerate(experiments))


def _course(of: Experiment, key: str, cells: Cells) -> Course:
    points, windows = of.points[:MOST_POINTS], of.windows[: cells.limits.rows]
    span = max([point.due_s for point in points] + [w.end_s for w in windows], default=0.0) or 1.0
    latencies = [point.latency_ms for point in points] + ([of.budget_ms] if of.budget_ms is not None else [])
    y = _heights(latencies)
    places = [(f"M{p.due_s / span * WIDTH:.1f} {y(p.latency_ms):.1f}h0", p.done) for p in points]
    areas = tuple(area for window in windows for area in _areas(window, span, cells))
    return Course(
        key=key,
        title=cells.text(of.title).text,
        outcome=cells.status(of.outcome),
        said=tuple(_said(of, cells)),
        desc=_described(of, points, windows, span, cells),
        dots="".join(place for place, done in places if done),
        red="".join(place for place, done in places if not done),
        areas=areas,
        levels=tuple(_levels(latencies, of.budget_ms, y)) if points else (),
        budget="" if of.budget_ms is None else ms_text(of.budget_ms),
        end=f"{number_text(span, decimals=1)} s",
        steps=_steps(of, key, cells),
    )


def ms_text(value: float) -> str:
    """A duration as `12.5 ms`, or from a second on as `1.2 s`."""
    return f"{number_text(value / 1000)} s" if value >= 1000 else f"{number_text(value)} ms"


def _said(of: Experiment, cells: Cells) -> list[str]:
    sentences = []
    if not of.of_run:
        sentences.append(f"Not evidence of this run: begun {time_text(of.started_at)}.")
    if not of.final:
        sentences.append("It has not come to its end.")
    if of.told:
        sentences.append(f"{cells.text(of.told).text.rstrip('.')}.")
    median, worst = of.values.get("recovery_p50_ms"), of.values.get("recovery_time_ms")
    if median is not None and worst is not None:
        figures = [number_text(value, decimals=1) for value in (median, worst)]
        sentences.append(f"MTTR {figures[0]} ms at the median, {figures[1]} ms at worst.")
    if rate := percent(of.values.get("success_rate")):
        sentences.append(f"{rate} of the operations outside the faults succeeded.")
    if not of.points:
        sentences.append("No load ran beside it, so there is no latency to draw.")
    return sentences


def _described(
    of: Experiment, points: Sequence[Point], windows: Sequence[Window], span: float, cells: Cells
) -> str:
    if not points:
        return ""
    low, high = (ms_text(end(point.latency_ms for point in points)) for end in (min, max))
    failed = sum(not point.done for point in points)
    told = [
        f"{len(points)} operations over {number_text(span, decimals=1)} s, from {low} to {high}; "
        f"{failed} failed.",
        *([f"Budget {ms_text(of.budget_ms)}."] if of.budget_ms is not None else []),
        *(_window_text(window, cells) for window in windows),
    ]
    return " ".join(told)


def _window_text(window: Window, cells: Cells) -> str:
    parts = [f"{cells.text(window.fault).text}: in force from {number_text(window.applied_s, decimals=2)} s"]
    if window.undone_s is not None:
        parts.append(f"to {number_text(window.undone_s, decimals=2)} s")
    if window.recovered_s is not None:
        parts.append(f"steady again at {number_text(window.recovered_s, decimals=2)} s")
    return f"{', '.join(parts)}."


def _areas(window: Window, span: float, cells: Cells) -> list[Area]:
    text = _window_text(window, cells)

    def area(begin_s: float, end_s: float, tone: str) -> Area:
        begin, end = (min(at / span, 1) * WIDTH for at in (begin_s, end_s))
        return Area(round(begin, 1), round(max(end - begin, _LEAST_WIDTH), 1), text, tone)

    if window.undone_s is None:
        return [area(window.applied_s, span, "fault")]
    areas = [area(window.applied_s, window.undone_s, "fault")]
    end_s = span if window.recovered_s is None else window.recovered_s
    return [*areas, area(window.undone_s, end_s, "recovering")]


def _heights(latencies: Sequence[float]) -> Callable[[float], float]:
    """Where a latency (ms) is drawn, percent from above: logarithmic, over a power of ten at least."""
    least, most = (_inside(end(latencies, default=1.0)) for end in (min, max))
    low, high = log10(min(least, most / 10)), log10(most)
    return lambda value: HEIGHT * (0.93 - 0.86 * (log10(max(_inside(value), 10**low)) - low) / (high - low))


def _inside(value: float) -> float:
    return min(max(value, _ENDS_MS[0]), _ENDS_MS[1])


def _levels(latencies: Sequence[float], budget: float | None, y: Callable[[float], float]) -> list[Level]:
    """The budget, and each power of ten that is in the picture and whose label has room."""
    levels = [] if budget is None else [Level(y(budget), ms_text(budget), "limit")]
    for power in range(round(log10(_ENDS_MS[0])), round(log10(_ENDS_MS[1])) + 1):
        value = 10.0**power
        shown = _inside(min(min(latencies), max(latencies) / 10)) <= value <= _inside(max(latencies))
        if shown and all(abs(level.y - y(value)) >= _LEAST_BETWEEN for level in levels):
            levels.append(Level(y(value), ms_text(value), "one"))
    return levels


def _steps(of: Experiment, key: str, cells: Cells) -> Table:
    def row(entry: Any) -> tuple[Cell, ...]:
        return (
            cells.status(entry.get("status")),
            cells.text(entry.get("step")),
            cells.text(entry.get("name")),
            cells.number(entry.get("began_s"), decimals=2),
            cells.number(entry.get("ended_s"), decimals=2),
            cells.text(entry.get("told")),
        )

    rows, left_out = first(of.entries, cells.limits, row)
    columns = headings("Status", "Step", "Of", "#Began s", "#Ended s", "What was seen")
    return Table(f"{key}-steps", f"{cells.text(of.title).text}: its steps", columns, rows, left_out=left_out)
