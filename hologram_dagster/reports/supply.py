"""What the page shows of the supply chain: hashed components, known vulnerabilities, provenance.

What belongs here: reading what `sbom`, `vulnerabilities` and `provenance` records hold. What does not: making
and checking them (`supply_chain`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hologram_dagster.reports.reading import PASSED, mapping_of, mappings_of, number_text
from hologram_dagster.reports.record_tables import figures_table, findings_table
from hologram_dagster.reports.tables import Cell, Cells, Table, first, headings

KINDS = ("sbom", "vulnerabilities", "provenance")
_SIDES = ("target", "gate")
_SHOWN = frozenset(
    (
        *(f"{side}_{name}" for side in _SIDES for name in ("components", "hashed_pct")),
        *(f"{side}_{name}" for side in _SIDES for name in ("audited", "vulnerabilities")),
        *("evidence", "locks", "locked_packages"),
    )
)

Rows = Iterator[tuple[Cell, ...]]


def tables(records: Sequence[Mapping[str, Any]], cells: Cells) -> tuple[Table, ...]:
    """An overview, the rules and the figures of the supply-chain records among `records`."""
    own = [record for record in records if record.get("kind") in KINDS]
    found = [row for record in own for row in _READERS[str(record.get("kind"))](record, cells)]
    rows, left_out = first(found, cells.limits, tuple)
    columns = headings("Status", "Evidence", "What", "#Figure", "Of what")
    overview = "Components, vulnerabilities, provenance"
    figures = figures_table("supply-figures", "Other figures", own, cells, shown=_SHOWN)
    return (
        Table("supply-overview", overview, columns, rows, left_out=left_out),
        findings_table("supply-rules", "Rules of the supply chain", own, cells, what="Rule"),
        *([figures] if figures.rows else []),
    )


def _bills(record: Mapping[str, Any], cells: Cells) -> Rows:
    values = mapping_of(record.get("values"))
    for side in _SIDES:
        count, share = (values.get(f"{side}_{name}") for name in ("components", "hashed_pct"))
        if count is not None:
            yield (
                # A share is neither passed nor failed here: its check warns.
                Cell(""),
                cells.kind(record.get("kind")),
                Cell(f"Components of the {side} with their artifact's hash"),
                Cell(
                    "" if share is None else f"{number_text(share, decimals=1, longest=60)} %", form="number"
                ),
                cells.text(f"of {number_text(count)}"),
            )


def _vulnerabilities(record: Mapping[str, Any], cells: Cells) -> Rows:
    values, source = mapping_of(record.get("values")), mapping_of(record.get("facts")).get("source")
    findings = {finding.get("name"): finding for finding in mappings_of(record.get("findings"))}
    kind = cells.kind(record.get("kind"))
    if record.get("status") == PASSED and source == "none":
        # Nothing was asked, so nothing passed.
        state = Cell("not audited", form="status", tone="doubtful")
        yield state, kind, Cell("No source is configured"), Cell(""), Cell("")
    for side in _SIDES:
        known, audited = (values.get(f"{side}_{name}") for name in ("vulnerabilities", "audited"))
        if known is not None:
            yield (
                cells.status(mapping_of(findings.get(f"{side}_not_vulnerable")).get("status")),
                kind,
                Cell(f"Known against packages of the {side}"),
                cells.number(known),
                cells.text(f"of {number_text(audited)}, asked at {source}"),
            )


def _provenance(record: Mapping[str, Any], cells: Cells) -> Rows:
    facts, values = mapping_of(record.get("facts")), mapping_of(record.get("values"))
    what = [
        f"{number_text(values[name])} {words}"
        for name, words in (("evidence", "records"), ("locks", "lock files"), ("locked_packages", "packages"))
        if name in values
    ]
    yield (
        cells.status(record.get("status")),
        cells.kind(record.get("kind")),
        cells.text(f"{facts.get('level', 'no level')}, signed by {facts.get('signed_by', 'nobody')}"),
        Cell(""),
        cells.text(f"materials: {', '.join(what)}" if what else ""),
    )


_READERS = {"sbom": _bills, "vulnerabilities": _vulnerabilities, "provenance": _provenance}
