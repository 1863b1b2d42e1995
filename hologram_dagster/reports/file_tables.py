"""The tables of contract section 7.4: perf rows and e2e events, as the files hold them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hologram_dagster.reports import panels
from hologram_dagster.reports.reading import text_of
from hologram_dagster.reports.tables import Cell, Cells, Column, Table, first, headings, latest
from hologram_dagster.secrets.redactor import redact_tree

_FIGURES = ("p50_ms", "p95_ms", "p99_ms", "avg_ms", "n")
_RAW_EVENTS = 50

Documents = Sequence[Mapping[str, Any]]


def perf_tables(rows: Documents, cells: Cells) -> tuple[Table, Table]:
    """The two perf tables of contract section 7.4."""
    columns = tuple(Column(name, numeric=name in _FIGURES) for name in panels.PERF_COLUMNS)

    def row(item: Mapping[str, Any]) -> tuple[Cell, ...]:
        return tuple(
            cells.number(item.get(name), decimals=3 if name != "n" else None)
            if name in _FIGURES
            else cells.text(item.get(name))
            for name in panels.PERF_COLUMNS
        )

    best, more = first(panels.best_p95(rows), cells.limits, row)
    everything, earlier = latest(rows, cells.limits, row)
    note = "The lowest p95 in the CSV files, whichever run wrote it. The verdict does not read these rows."
    return (
        Table("best-p95", "Perf – Best p95 per metric", columns, best, note=note, left_out=more),
        Table("all-rows", "Perf – All rows", columns, everything, left_out=earlier, tall=True),
    )


def event_tables(events: Documents, cells: Cells) -> tuple[Table, Table, Table]:
    """The three event tables of contract section 7.4."""

    def count_row(item: tuple[str, str, int]) -> tuple[Cell, ...]:
        suite, event, count = item
        return cells.text(suite), cells.text(event), cells.number(count)

    def last_row(event: Mapping[str, Any]) -> tuple[Cell, ...]:
        return (
            *(cells.text(event.get(name)) for name in ("suite", "event")),
            cells.time(event.get("ts")),
            cells.code(event.get("cid")),
            *(cells.text(event.get(name)) for name in ("name", "variant")),
        )

    def raw_row(event: Mapping[str, Any]) -> tuple[Cell, ...]:
        rest = redact_tree(
            {name: item for name, item in event.items() if name not in {"ts", "suite", "event"}}
        )
        raw = json.dumps(rest, ensure_ascii=False, default=text_of, separators=(", ", ": "))
        return (
            cells.time(event.get("ts")),
            cells.text(event.get("suite")),
            cells.text(event.get("event")),
            cells.code(raw),
        )

    counts, more_counts = first(panels.event_counts(events), cells.limits, count_row)
    last, more_last = first(panels.last_events(events), cells.limits, last_row)
    raw, earlier = latest(events, cells.limits, raw_row, most=_RAW_EVENTS)
    count_columns = headings("suite", "event", "#count")
    last_columns = headings(*panels.EVENT_COLUMNS)
    raw_columns = headings("ts", "suite", "event", "fields")
    return (
        Table("event-counts", "E2E – Event counts", count_columns, counts, left_out=more_counts, narrow=True),
        Table("last-events", "E2E – Last events (per type)", last_columns, last, left_out=more_last),
        Table("raw-events", "E2E – Raw events (latest 50)", raw_columns, raw, left_out=earlier, tall=True),
    )
