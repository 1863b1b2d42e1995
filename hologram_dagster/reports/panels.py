"""What the panels of contract section 7.4 show, from perf rows and e2e events; no markup.

These show what the files hold. The verdict never reads them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hologram_dagster.reports.reading import number_of

PERF_COLUMNS = ("suite", "metric", "p50_ms", "p95_ms", "p99_ms", "avg_ms", "n", "_file", "note")
EVENT_COLUMNS = ("suite", "event", "ts", "cid", "name", "variant")


def best_p95(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The row with the lowest p95 of each suite and metric, by suite and metric."""
    best: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in rows:
        p95 = number_of(row.get("p95_ms"))
        if p95 is None:
            continue
        key = (str(row.get("suite", "")), str(row.get("metric", "")))
        known = number_of(best[key].get("p95_ms")) if key in best else None
        if known is None or p95 < known:
            best[key] = row
    return [best[key] for key in sorted(best)]


def file_names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of the CSV files that `rows` are of."""
    return sorted({str(row["_file"]) for row in rows if row.get("_file")})


def event_counts(events: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, int]]:
    """Suite, event and how often it stands in the log, by suite and event."""
    counts = Counter((str(event.get("suite", "")), str(event.get("event", ""))) for event in events)
    return [(suite, event, count) for (suite, event), count in sorted(counts.items())]


def last_events(events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The last event of each suite and type in the log, by suite and type."""
    last = {(str(event.get("suite", "")), str(event.get("event", ""))): event for event in events}
    return [last[key] for key in sorted(last)]
