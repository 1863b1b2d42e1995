"""The page's tables, one function each: from verdict, records, rows and events to cells."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from hologram_dagster.reports import panels
from hologram_dagster.reports.links import evidence_link, run_link
from hologram_dagster.reports.paired import Paired, comparisons
from hologram_dagster.reports.reading import (
    duration_text,
    mapping_of,
    mappings_of,
    of_kind,
    text_of,
    with_unit,
    worst_first,
)
from hologram_dagster.reports.tables import Cell, Cells, Column, Table, first, latest, tone_of
from hologram_dagster.secrets.redactor import redact_tree

_FIGURES = ("p50_ms", "p95_ms", "p99_ms", "avg_ms", "n")
# What the table of p95 and budget shows of a record.
_BUDGETED = frozenset({*_FIGURES, "budget_ms", "launches"})
_RAW_EVENTS = 50

Documents = Sequence[Mapping[str, Any]]


def checks(verdict: Mapping[str, Any], cells: Cells) -> Table:
    """All checks with figure and limit, worst first."""

    def row(reason: Mapping[str, Any]) -> tuple[Cell, ...]:
        unit = reason.get("unit")
        share = cells.share(reason.get("value"), reason.get("limit")) if unit == "ms" else Cell("")
        return (
            cells.status(reason.get("status")),
            cells.code(reason.get("kind")),
            cells.code(reason.get("check")),
            Cell(with_unit(reason.get("value"), unit), form="number"),
            Cell(with_unit(reason.get("limit"), unit), form="number"),
            share,
            cells.text(reason.get("message")),
        )

    rows, left_out = first(worst_first(mappings_of(verdict.get("reasons"))), cells.limits, row)
    columns = _columns("Status", "Evidence", "Check", "#Figure", "#Limit", "Of the limit", "What was found")
    return Table(
        "checks", "All checks", columns, rows, left_out=left_out, empty="No check has been judged yet."
    )


def compared(records: Documents, cells: Cells) -> Table:
    """Every operation beside its baseline, as the comparison recorded it."""

    def row(paired: Paired) -> tuple[Cell, ...]:
        return (
            verdict_of(paired),
            cells.code(paired.kind),
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
    columns = _columns(
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
            cells.code(record.get("kind")),
            cells.number(p95, decimals=3),
            cells.number(budget),
            cells.share(p95, budget),
            *(cells.number(values.get(name), decimals=3) for name in ("p50_ms", "p99_ms", "avg_ms")),
            cells.number(values.get("n")),
            cells.number(values.get("launches")),
        )

    measured = [record for record in records if of_kind(record, "perf_") and _has_p95(record)]
    rows, left_out = first(measured, cells.limits, row)
    columns = _columns(
        *("Operation", "#p95 ms", "#Budget ms", "p95 of the budget", "#p50 ms", "#p99 ms", "#avg ms", "#n"),
        "#Launches",
    )
    note = "A breach is measured again, up to three launches in all; the best launch is shown."
    return Table("performance", "p95 against the budget", columns, rows, note=note, left_out=left_out)


def figures(records: Documents, cells: Cells) -> Table:
    """Every figure of perf and e2e records that no other table shows."""
    found = [
        (record, name, value)
        for record in records
        if of_kind(record, "perf_") or of_kind(record, "e2e_")
        for name, value in mapping_of(record.get("values")).items()
        if not (_has_p95(record) and name in _BUDGETED)
    ]

    def row(item: tuple[Mapping[str, Any], str, object]) -> tuple[Cell, ...]:
        record, name, value = item
        return cells.code(record.get("kind")), cells.code(name), cells.number(value)

    rows, left_out = first(found, cells.limits, row)
    columns = _columns("Evidence", "Figure", "#Value")
    return Table("figures", "Other figures", columns, rows, left_out=left_out, tall=True, narrow=True)


def _has_p95(record: Mapping[str, Any]) -> bool:
    return "p95_ms" in mapping_of(record.get("values"))


def earlier(verdict: Mapping[str, Any], cells: Cells) -> Table:
    """The verdicts that other runs gave of the same revision, newest first."""

    def row(item: Mapping[str, Any]) -> tuple[Cell, ...]:
        return (
            cells.text(item.get("verdict")),
            cells.time(item.get("finished_at")),
            cells.code(item.get("run_id")),
        )

    rows, left_out = first(mappings_of(verdict.get("earlier")), cells.limits, row)
    columns = _columns("Verdict", "Finished", "Run")
    title = "Earlier verdicts of this revision"
    return Table("earlier", title, columns, rows, left_out=left_out, narrow=True)


def steps(records: Documents, cells: Cells) -> Table:
    """Every step of the end-to-end records with how it ended."""
    findings = [
        (record, finding)
        for record in records
        if of_kind(record, "e2e_")
        for finding in mappings_of(record.get("findings"))
    ]

    def row(item: tuple[Mapping[str, Any], Mapping[str, Any]]) -> tuple[Cell, ...]:
        record, finding = item
        return (
            cells.status(finding.get("status")),
            cells.code(record.get("kind")),
            cells.code(finding.get("name")),
            cells.text(finding.get("message")),
        )

    rows, left_out = first(findings, cells.limits, row)
    return Table(
        "steps", "Publish, install, use", _columns("Status", "Evidence", "Step", "What was seen"), rows,
        left_out=left_out,
    )  # fmt: skip


def evidence(verdict: Mapping[str, Any], cells: Cells, folder: PurePath | None) -> Table:
    """The records that the verdict rests on, with digest and link."""

    def row(item: Mapping[str, Any]) -> tuple[Cell, ...]:
        uri = cells.code(item.get("uri"))
        href = evidence_link(item.get("uri"), folder)
        return (
            cells.status(item.get("status")),
            cells.code(item.get("kind")),
            cells.code(item.get("sha256")),
            Cell(uri.text, form="link", href=href) if href else uri,
        )

    rows, left_out = first(mappings_of(verdict.get("evidence")), cells.limits, row)
    columns = _columns("Status", "Kind", "sha256", "Record")
    return Table("evidence", "Signed records", columns, rows, left_out=left_out, empty="No evidence yet.")


def this_run(verdict: Mapping[str, Any], cells: Cells, dagster_url: str | None) -> Table:
    """What ran, where and when."""
    revision, machine = mapping_of(verdict.get("revision")), mapping_of(verdict.get("machine"))
    run_id, commit = cells.code(verdict.get("run_id")), cells.code(revision.get("commit"))
    memory, baseline = machine.get("memory_class_gib"), mapping_of(verdict.get("baseline"))
    duration = duration_text(verdict.get("started_at"), verdict.get("finished_at"))
    facts: list[tuple[str, Cell]] = [
        ("Dagster run", _linked(run_id, run_link(dagster_url, run_id=run_id.text))),
        ("Commit", _linked(commit, run_link(dagster_url, commit=commit.text))),
        ("Tree", cells.code(revision.get("tree"))),
        ("Working tree", cells.text("with uncommitted changes" if revision.get("dirty") else "clean")),
        ("Ref", cells.code(revision.get("ref"))),
        ("Baseline", cells.code(baseline.get("commit"))),
        ("Why that baseline", cells.text(baseline.get("rule"))),
        ("Profile", cells.text(verdict.get("profile"))),
        ("Environment", cells.text(verdict.get("environment"))),
        ("Started", cells.time(verdict.get("started_at"))),
        ("Finished", cells.time(verdict.get("finished_at"))),
        ("Duration", cells.text(duration)),
        ("CPU", cells.text(machine.get("cpu"))),
        ("Cores", cells.text(machine.get("cores"))),
        ("Memory class", cells.text("" if memory is None else f"{memory} GiB")),
        ("Kernel", cells.text(machine.get("kernel"))),
        ("Python", cells.text(machine.get("python"))),
        ("Machine", cells.code(machine.get("fingerprint"))),
        ("Ledger head", cells.code(verdict.get("ledger_head"))),
        ("Signing key", cells.code(verdict.get("key_id"))),
    ]
    rows = tuple((Cell(name, form="head"), cell) for name, cell in facts if cell.text)
    return Table("run", "This run", _columns("What", "Value"), rows, narrow=True)


def overrides(verdict: Mapping[str, Any], cells: Cells) -> Table:
    """Every figure that the environment changed."""

    def row(item: Mapping[str, Any]) -> tuple[Cell, ...]:
        return (
            cells.code(item.get("variable")),
            cells.number(item.get("profile_value")),
            cells.number(item.get("value")),
            cells.text("looser" if item.get("looser") else "not looser"),
        )

    rows, left_out = first(mappings_of(verdict.get("overrides")), cells.limits, row)
    columns = _columns("Variable", "#Profile", "#In force", "Compared")
    empty = "None: the profile as it is."
    return Table("overrides", "Overrides", columns, rows, left_out=left_out, empty=empty, narrow=True)


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
    count_columns = _columns("suite", "event", "#count")
    last_columns = _columns(*panels.EVENT_COLUMNS)
    raw_columns = _columns("ts", "suite", "event", "fields")
    return (
        Table("event-counts", "E2E – Event counts", count_columns, counts, left_out=more_counts, narrow=True),
        Table("last-events", "E2E – Last events (per type)", last_columns, last, left_out=more_last),
        Table("raw-events", "E2E – Raw events (latest 50)", raw_columns, raw, left_out=earlier, tall=True),
    )


def _columns(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title.removeprefix("#"), numeric=title.startswith("#")) for title in titles)


def _linked(cell: Cell, href: str) -> Cell:
    return Cell(cell.text, form="link", href=href) if href else cell


def notes(lines: Iterable[str], cells: Cells) -> tuple[list[str], int]:
    """The notes that are shown, and how many are not."""
    everything = list(lines)
    shown = [text_of(line, longest=cells.limits.characters) for line in everything[: cells.limits.rows]]
    return shown, len(everything) - len(shown)
