"""What the page shows of security: each attack with what was to come of it beside what came, and each rule.

What belongs here: reading what `ctp96_replay`, `proof_chain`, `access_control` and `secrets_scan` records
hold. What does not: the attacks (`attack`, whose cells the facts are).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hologram_dagster.profiles import ATTACKS
from hologram_dagster.reports.reading import FAILED, PASSED, mapping_of
from hologram_dagster.reports.record_tables import figures_table, findings_table
from hologram_dagster.reports.tables import Cell, Cells, Table, first, headings

KINDS = (*ATTACKS, "secrets_scan")
# `attack.cases.Case.told` writes the cells so.
_CELL = re.compile(r"expected (?P<expected>.*), saw (?P<seen>.*)", re.DOTALL)


def tables(records: Sequence[Mapping[str, Any]], cells: Cells) -> tuple[Table, ...]:
    """Rules, attacks (wrong ones first) and figures of the security records among `records`."""
    own = [record for record in records if record.get("kind") in KINDS]
    rules = findings_table("security-rules", "Rules of security", own, cells, what="Rule")
    attacks = (_attacks(record, cells) for record in own)
    figures = figures_table("security-figures", "Looked at", own, cells)
    return (rules, *(table for table in attacks if table.rows), figures)


def _attacks(record: Mapping[str, Any], cells: Cells) -> Table:
    def row(item: tuple[str, str, str, str]) -> tuple[Cell, ...]:
        group, attack, expected, seen = item
        return (
            cells.status(PASSED if seen == expected else FAILED),
            cells.text(group),
            cells.text(attack),
            cells.code(expected),
            cells.code(seen),
        )

    tried = sorted(_cells_of(record), key=lambda cell: cell[2] == cell[3])
    rows, left_out = first(tried, cells.limits, row)
    note = "Passed: the registry did what it had to, which for a genuine operation is to carry it out."
    columns = headings("Status", "Group", "Attack", "Expected", "Seen")
    kind = str(record.get("kind"))
    return Table(
        f"attacks-{kind}", f"{kind}: attacks", columns, rows, note=note, left_out=left_out, tall=True
    )


def _cells_of(record: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Group, attack, expected and seen of each fact that has the form of a cell."""
    for name, told in mapping_of(record.get("facts")).items():
        if cell := _CELL.fullmatch(str(told)):
            group, colon, attack = str(name).partition(": ")
            # A name without a group is the attack's.
            yield *((group, attack) if colon else ("", group)), cell["expected"], cell["seen"]
