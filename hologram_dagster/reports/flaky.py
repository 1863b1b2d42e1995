"""What the page shows of flaky tests: which flaked, how often, and what the quarantine excuses.

What belongs here: reading what the records of flaky tests hold. What does not: judging tests (`flakes`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hologram_dagster.reports.reading import mapping_of, number_text
from hologram_dagster.reports.record_tables import figures_table, findings_table
from hologram_dagster.reports.tables import Cell, Cells, Table, first, headings

KINDS = ("test_attempts", "flake_database", "flake_detection", "quarantine")
# Kind, name of the count and of the fact that names the tests, and what they are.
_NAMED = (
    ("flake_detection", "new_flakes", "Flaked twice in 7 days, not in quarantine"),
    ("flake_detection", "broken", "Fails every time on this revision"),
    ("quarantine", "quarantined", "In quarantine"),
    ("quarantine", "expired", "In quarantine for too long"),
    ("quarantine", "broken", "In quarantine, and fails every time"),
)
_RATE = ("flake_rate_pct", "flake_rate_low_pct", "flake_rate_high_pct")


def tables(records: Sequence[Mapping[str, Any]], cells: Cells) -> tuple[Table, ...]:
    """Tests by name, rules and figures of the records of flaky tests among `records`."""
    own = [record for record in records if record.get("kind") in KINDS]
    rows, left_out = first([*_named(own, cells), *_rate(own), *_power(own, cells)], cells.limits, tuple)
    columns = headings("Evidence", "What", "#Figure", "Which tests")
    named = Table("flakes-named", "Tests", columns, rows, left_out=left_out)
    return (
        *([named] if rows else []),
        findings_table("flakes-rules", "Rules of flaky tests", own, cells, what="Rule"),
        figures_table("flakes-figures", "Figures of flaky tests", own, cells, shown=_RATE),
    )


def _named(records: Sequence[Mapping[str, Any]], cells: Cells) -> Iterator[tuple[Cell, ...]]:
    for kind, name, what in _NAMED:
        for record in records:
            count = mapping_of(record.get("values")).get(name)
            if record.get("kind") == kind and count is not None:
                which = mapping_of(record.get("facts")).get(name)
                yield cells.kind(kind), Cell(what), cells.number(count), cells.text(which)


def _rate(records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Cell, ...]]:
    for record in records:
        values = mapping_of(record.get("values"))
        if record.get("kind") == "flake_detection" and all(name in values for name in _RATE):
            rate, low, high = (number_text(values[name], decimals=1, longest=60) for name in _RATE)
            bounds = Cell(f"all outside the quarantine; 95 % bounds {low} to {high} %")
            yield (
                Cell("flake_detection", form="code"),
                Cell("Flake rate of 7 days"),
                Cell(f"{rate} %", form="number"),
                bounds,
            )


def _power(records: Sequence[Mapping[str, Any]], cells: Cells) -> Iterator[tuple[Cell, ...]]:
    for record in records:
        if power := mapping_of(record.get("facts")).get("power"):
            yield cells.kind(record.get("kind")), Cell("What could be seen"), Cell(""), cells.text(power)
