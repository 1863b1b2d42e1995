"""The journal of an experiment as the page reads it, whatever its file holds (`chaos.journal_file`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hologram_dagster.reports.reading import mapping_of, mappings_of, number_of, text_of


@dataclass(frozen=True, slots=True)
class Point:
    """An operation of the load: when it was due (s), its latency (ms), whether it was done."""

    due_s: float
    latency_ms: float
    done: bool


@dataclass(frozen=True, slots=True)
class Window:
    """When a fault was in force, s since the start; None where it did not come to that."""

    fault: str
    applied_s: float
    undone_s: float | None
    recovered_s: float | None

    @property
    def end_s(self) -> float:
        """The last time that is known of it."""
        return max(self.applied_s, self.undone_s or 0.0, self.recovered_s or 0.0)


@dataclass(frozen=True, slots=True)
class Experiment:
    """What the page shows of a journal; `of_run` is false for one that is no evidence of the run."""

    title: str
    outcome: str
    told: str
    final: bool
    started_at: object
    values: Mapping[str, Any]
    budget_ms: float | None
    points: Sequence[Point]
    windows: Sequence[Window]
    entries: Sequence[Mapping[str, Any]]
    of_run: bool


def experiment_of(journal: Mapping[str, Any], *, of_run: bool) -> Experiment:
    """`journal` (in JSON's form) as the page reads it; what in it is none of a journal is passed over."""
    budget = number_of(journal.get("budget_ms"))
    return Experiment(
        title=f"{text_of(journal.get('experiment'), longest=80)}: {text_of(journal.get('title'))}",
        outcome=text_of(journal.get("outcome"), longest=40),
        told=text_of(journal.get("told")),
        final=journal.get("state") == "final",
        started_at=journal.get("started_at"),
        values=mapping_of(journal.get("values")),
        budget_ms=budget if budget is not None and budget > 0 else None,
        points=_points(journal.get("timeline")),
        windows=_windows(journal.get("windows")),
        entries=mappings_of(journal.get("entries")),
        of_run=of_run,
    )


def _points(timeline: object) -> list[Point]:
    points = []
    for item in timeline if isinstance(timeline, list) else ():
        if isinstance(item, list) and len(item) == len(Point.__slots__):
            due, latency = number_of(item[0]), number_of(item[1])
            if due is not None and latency is not None and due >= 0:
                points.append(Point(due, latency, item[2] is True))
    return points


def _windows(windows: object) -> list[Window]:
    found = []
    for item in mappings_of(windows):
        times = [_time(item.get(name)) for name in ("applied_s", "undone_s", "recovered_s")]
        if times[0] is not None:
            found.append(Window(text_of(item.get("fault"), longest=200), times[0], times[1], times[2]))
    return found


def _time(value: object) -> float | None:
    number = number_of(value)
    return number if number is not None and number >= 0 else None
