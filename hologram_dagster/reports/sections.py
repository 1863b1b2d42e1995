"""The tables of a verdict document: its checks, overrides, evidence, and where it ran."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from hologram_dagster.reports.links import evidence_link, run_link
from hologram_dagster.reports.reading import (
    duration_text,
    mapping_of,
    mappings_of,
    text_of,
    with_unit,
    worst_first,
)
from hologram_dagster.reports.tables import Cell, Cells, Limits, Table, first, headings

# As a record's (`evidence.record`): others are named, and not linked to.
_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}")

Documents = Sequence[Mapping[str, Any]]


def checks(verdict: Mapping[str, Any], cells: Cells) -> Table:
    """All checks with figure and limit, worst first."""

    def row(reason: Mapping[str, Any]) -> tuple[Cell, ...]:
        unit = reason.get("unit")
        share = cells.share(reason.get("value"), reason.get("limit")) if unit == "ms" else Cell("")
        return (
            cells.status(reason.get("status")),
            cells.kind(reason.get("kind")),
            cells.code(reason.get("check")),
            Cell(with_unit(reason.get("value"), unit), form="number"),
            Cell(with_unit(reason.get("limit"), unit), form="number"),
            share,
            cells.text(reason.get("message")),
        )

    rows, left_out = first(worst_first(mappings_of(verdict.get("reasons"))), cells.limits, row)
    columns = headings("Status", "Evidence", "Check", "#Figure", "#Limit", "Of the limit", "What was found")
    return Table(
        "checks", "All checks", columns, rows, left_out=left_out, empty="No check has been judged yet."
    )


def earlier(verdict: Mapping[str, Any], cells: Cells) -> Table:
    """The verdicts that other runs gave of the same revision, newest first."""

    def row(item: Mapping[str, Any]) -> tuple[Cell, ...]:
        return (
            cells.text(item.get("verdict")),
            cells.time(item.get("finished_at")),
            cells.code(item.get("run_id")),
        )

    rows, left_out = first(mappings_of(verdict.get("earlier")), cells.limits, row)
    columns = headings("Verdict", "Finished", "Run")
    title = "Earlier verdicts of this revision"
    return Table("earlier", title, columns, rows, left_out=left_out, narrow=True)


def anchors(verdict: Mapping[str, Any], limits: Limits) -> dict[str, str]:
    """Kind -> name of its row in the table of records, of those that the table shows."""
    kinds = (item.get("kind") for item in mappings_of(verdict.get("evidence"))[: limits.rows])
    return {kind: f"record-{kind}" for kind in kinds if isinstance(kind, str) and _KIND.fullmatch(kind)}


def evidence(verdict: Mapping[str, Any], cells: Cells, folder: PurePath | None) -> Table:
    """The records that the verdict rests on, with digest and link."""

    # Of two records of a kind the first one is linked to.
    anchors = dict(cells.anchors)

    def row(item: Mapping[str, Any]) -> tuple[Cell, ...]:
        uri = cells.code(item.get("uri"))
        href = evidence_link(item.get("uri"), folder)
        return (
            replace(cells.status(item.get("status")), anchor=anchors.pop(str(item.get("kind")), "")),
            cells.code(item.get("kind")),
            cells.code(item.get("sha256")),
            Cell(uri.text, form="link", href=href) if href else uri,
        )

    rows, left_out = first(mappings_of(verdict.get("evidence")), cells.limits, row)
    columns = headings("Status", "Kind", "sha256", "Record")
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
    return Table("run", "This run", headings("What", "Value"), rows, narrow=True)


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
    columns = headings("Variable", "#Profile", "#In force", "Compared")
    empty = "None: the profile as it is."
    return Table("overrides", "Overrides", columns, rows, left_out=left_out, empty=empty, narrow=True)


def _linked(cell: Cell, href: str) -> Cell:
    return Cell(cell.text, form="link", href=href) if href else cell


def notes(lines: Iterable[str], cells: Cells) -> tuple[list[str], int]:
    """The notes that are shown, and how many are not."""
    everything = list(lines)
    shown = [text_of(line, longest=cells.limits.characters) for line in everything[: cells.limits.rows]]
    return shown, len(everything) - len(shown)
