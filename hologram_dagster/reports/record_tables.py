"""The tables of the records that a verdict rests on: findings, figures, comparisons, budgets."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hologram_dagster.reports import cold_warm
from hologram_dagster.reports.paired import Paired, comparisons
from hologram_dagster.reports.reading import mapping_of, mappings_of, of_kind, worst_first
from hologram_dagster.reports.tables import Cell, Cells, Table, first, headings, tone_of

_FIGURES = ("p50_ms", "p95_ms", "p99_ms", "avg_ms", "n")
# What the table of p95 and budget shows of a record.
_BUDGETED = frozenset({*_FIGURES, "budget_ms", "launches"})

Documents = Sequence[Mapping[str, Any]]


def findings_table(
    key: str, title: str, records: Documents, cells: Cells, *, what: str, in_order: bool = False
) -> Table:
    """Every finding of `records`, `what` by its name, worst first unless `in_order`."""
    found = [(record, finding) for record in records for finding in mappings_of(record.get("findings"))]
    if not in_order:
        found = worst_first(found, status_of=lambda item: item[1].get("status"))

    def row(item: tuple[Mapping[str, Any], Mapping[str, Any]]) -> tuple[Cell, ...]:
        record, finding = item
        return (
            cells.status(finding.get("status")),
            cells.code(record.get("kind")),
            cells.code(finding.get("name")),
            cells.text(finding.get("message")),
        )

    rows, left_out = first(found, cells.limits, row)
    columns = headings("Status", "Evidence", what, "What was seen")
    return Table(key, title, columns, rows, left_out=left_out, tall=not in_order)


def figures_table(
    key: str, title: str, records: Documents, cells: Cells, *, shown: Collection[str] = ()
) -> Table:
    """Every figure of `records` but those that are `shown` elsewhere."""
    found = [
        (record, name, value)
        for record in records
        for name, value in mapping_of(record.get("values")).items()
        if name not in shown and not (_has_p95(record) and name in _BUDGETED)
    ]

    def row(item: tuple[Mapping[str, Any], str, object]) -> tuple[Cell, ...]:
        record, name, value = item
        return cells.code(record.get("kind")), cells.code(name), cells.number(value)

    rows, left_out = first(found, cells.limits, row)
    columns = headings("Evidence", "Figure", "#Value")
    return Table(key, title, columns, rows, left_out=left_out, tall=True, narrow=True)


def figures(records: Documents, cells: Cells) -> Table:
    """Every figure of perf and e2e records that no other table shows."""
    measured = [record for record in records if of_kind(record, "perf_") or of_kind(record, "e2e_")]
    beside = {
        name
        for record in measured
        if record.get("kind") == cold_warm.KIND
        for name in cold_warm.shown(record)
    }
    return figures_table("figures", "Other figures", measured, cells, shown=beside)


def steps(records: Documents, cells: Cells) -> Table:
    """Every step of the end-to-end records with how it ended."""
    walked = [record for record in records if of_kind(record, "e2e_")]
    return findings_table("steps", "Publish, install, use", walked, cells, what="Step", in_order=True)


def compared(records: Documents, cells: Cells) -> Table:
    """Every operation beside its baseline, as the comparison recorded it."""

    def row(paired: Paired) -> tuple[Cell, ...]:
        return (
            verdict_of(paired),
            cells.kind(paired.kind),
            Cell(paired.ratio_text, form="number"),
            Cell(paired.bounds_text, form="number"),
            cells.number(paired.launches),
            Cell(paired.threshold_text, form="number"),
            cells.text("3 : 2" if paired.weak else ""),
            cells.code(paired.baseline[:12]),
            cells.code(paired.seed),
            cells.text(paired.remark),
        )

    rows, left_out = first(comparisons(records), cells.limits, row)
    columns = headings(
        *("Verdict", "Evidence", "#Ratio", "#99 % bounds", "#Launches", "#Threshold, margin", "Weak"),
        *("Baseline", "Seed", "Remarks"),
    )
    note = "Ratio: the candidate's time over the baseline's, both measured in this run, side by side."
    empty = "Nothing was compared in this run."
    return Table("compared", "Against the baseline", columns, rows, note=note, left_out=left_out, empty=empty)


def verdict_of(paired: Paired) -> Cell:
    """A comparison's own word, in the colour of its status."""
    return Cell(paired.verdict, form="status", tone=tone_of(paired.status))


def performance(records: Documents, cells: Cells) -> Table:
    """The figures of this run's perf records against their budgets."""

    def row(record: Mapping[str, Any]) -> tuple[Cell, ...]:
        values = mapping_of(record.get("values"))
        p95, budget = values.get("p95_ms"), values.get("budget_ms")
        return (
            cells.kind(record.get("kind")),
            cells.number(p95, decimals=3),
            cells.number(budget),
            cells.share(p95, budget),
            *(cells.number(values.get(name), decimals=3) for name in ("p50_ms", "p99_ms", "avg_ms")),
            cells.number(values.get("n")),
            cells.number(values.get("launches")),
        )

    measured = [record for record in records if of_kind(record, "perf_") and _has_p95(record)]
    rows, left_out = first(measured, cells.limits, row)
    columns = headings(
        *("Operation", "#p95 ms", "#Budget ms", "p95 of the budget", "#p50 ms", "#p99 ms", "#avg ms", "#n"),
        "#Launches",
    )
    note = "A breach is measured again, up to three launches in all; the best launch is shown."
    return Table("performance", "p95 against the budget", columns, rows, note=note, left_out=left_out)


def _has_p95(record: Mapping[str, Any]) -> bool:
    return "p95_ms" in mapping_of(record.get("values"))
