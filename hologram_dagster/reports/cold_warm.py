"""The first call of a freshly started process beside those after it, as `perf_cold_warm` holds them."""

from collections.abc import Mapping, Sequence
from typing import Any

from hologram_dagster.reports.reading import mapping_of, mappings_of, number_of, number_text
from hologram_dagster.reports.tables import Cell, Cells, Table, first, headings

KIND = "perf_cold_warm"
_FIGURES = ("cold_ms", "warm_ms", "ratio", "start_ms")


def cold_warm(records: Sequence[Mapping[str, Any]], cells: Cells) -> Table:
    """Each operation of the record with its cold and its warm time; empty without one."""
    found = [
        (finding, mapping_of(record.get("values")))
        for record in records
        if record.get("kind") == KIND
        for finding in mappings_of(record.get("findings"))
    ]

    def row(item: tuple[Mapping[str, Any], Mapping[str, Any]]) -> tuple[Cell, ...]:
        finding, values = item
        cold, warm, ratio, start = (values.get(f"{finding.get('name')}_{name}") for name in _FIGURES)
        return (
            cells.status(finding.get("status")),
            cells.code(finding.get("name")),
            cells.number(cold, decimals=3),
            cells.number(warm, decimals=3),
            Cell("" if number_of(ratio) is None else f"x{number_text(ratio, decimals=2)}", form="number"),
            cells.number(start, decimals=1),
            cells.text(finding.get("message")),
        )

    rows, left_out = first(found, cells.limits, row)
    columns = headings(
        "Status", "Operation", "#Cold ms", "#Warm ms", "#Cold over warm", "#Start ms", "What was seen"
    )
    note = "Cold: the first call of a process that was just started. Shown only; no rule limits it."
    return Table("cold-warm", "Cold against warm", columns, rows, note=note, left_out=left_out)


def shown(record: Mapping[str, Any]) -> frozenset[str]:
    """The names of the values that the table shows of `record`."""
    names = (finding.get("name") for finding in mappings_of(record.get("findings")))
    return frozenset(f"{name}_{figure}" for name in names for figure in _FIGURES)
