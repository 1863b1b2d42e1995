"""The end-to-end evidence of a run on one time axis, with the events that were logged meanwhile.

What belongs here: when things were, as the records and the log say. What does not: the steps of each record,
which have no times of their own (`record_tables.steps`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hologram_dagster.reports.reading import number_text, of_kind, time_of
from hologram_dagster.reports.tables import Cell, Cells, Table, first, headings

# The log knows whole seconds (contract section 3.1).
_EVENT = timedelta(seconds=1)
# As percent of the axis, so that what was over at once is seen.
_LEAST_WIDTH = 1.0


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A record, or an event of `suite`, with the time in which it was."""

    status: Cell
    name: object
    suite: object
    begin: datetime
    end: datetime
    took_s: float | None


def timeline(
    records: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]], cells: Cells
) -> Table:
    """The `e2e_*` records by their times, and the events between the first and the last of these."""
    walked = sorted(_walked(records, cells), key=lambda stretch: stretch.begin)
    columns = headings("Status", "Step or event", "Suite", "#Began s", "#Took s", "When")
    if not walked:
        return Table("timeline", "Timeline", columns, ())
    begin, end = walked[0].begin, max(stretch.end for stretch in walked)
    # An event's second may have begun before the step that wrote it.
    logged = [each for each in _logged(events, cells) if begin - _EVENT < each.begin <= end]
    stretches = sorted([*walked, *logged], key=lambda each: each.end if each.took_s is None else each.begin)
    whole_s = (end - begin).total_seconds()

    def row(of: _Stretch) -> tuple[Cell, ...]:
        offset_s, end_s = ((at - begin).total_seconds() for at in (of.begin, of.end))
        return (
            of.status,
            cells.kind(of.name) if of.took_s is not None else cells.code(of.name),
            cells.text(of.suite),
            cells.number(max(offset_s, 0.0), decimals=3 if of.took_s is not None else 0),
            cells.number(of.took_s, decimals=3),
            Cell("", form="span", tone=of.status.tone, span=_place(offset_s, end_s, whole_s)),
        )

    rows, left_out = first(stretches, cells.limits, row)
    note = f"From the first step to the end of the last {number_text(whole_s, decimals=1)} s."
    if logged:
        note += " Of an event the log knows the second only."
    return Table("timeline", "Timeline", columns, rows, note=note, left_out=left_out, tall=True)


def _walked(records: Sequence[Mapping[str, Any]], cells: Cells) -> list[_Stretch]:
    found = []
    for record in records:
        begin, end = time_of(record.get("started_at")), time_of(record.get("finished_at"))
        if of_kind(record, "e2e_") and begin and end and begin <= end:
            took_s = (end - begin).total_seconds()
            found.append(
                _Stretch(cells.status(record.get("status")), record.get("kind"), "", begin, end, took_s)
            )
    return found


def _logged(events: Sequence[Mapping[str, Any]], cells: Cells) -> list[_Stretch]:
    found = []
    for event in events:
        begin = time_of(event.get("ts"))
        if begin is not None and begin.year < datetime.max.year:
            found.append(
                _Stretch(
                    cells.text("event"), event.get("event"), event.get("suite"), begin, begin + _EVENT, None
                )
            )
    return found


def _place(begin_s: float, end_s: float, whole_s: float) -> tuple[float, float]:
    """Begin and width as percent of the axis."""
    if whole_s <= 0:
        return 0.0, 100.0
    begin, end = (min(max(100 * at / whole_s, 0.0), 100.0) for at in (begin_s, end_s))
    width = max(end - begin, _LEAST_WIDTH)
    return round(min(begin, 100 - width), 1), round(width, 1)
