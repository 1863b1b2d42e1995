"""What the page shows of chaos experiments: how each ended, what it promised, and its course as a picture.

What belongs here: reading what `chaos_*` records hold, and the words beside a picture. What does not: where
things are drawn (`courses`), the experiments (`chaos`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hologram_dagster.profiles import CHAOS
from hologram_dagster.reports.reading import PASSED, mapping_of, mappings_of, number_of, number_text
from hologram_dagster.reports.record_tables import figures_table, findings_table
from hologram_dagster.reports.tables import Cell, Cells, Table, first, headings

KINDS = CHAOS
_SHOWN = ("chaos_events", "recovery_p50_ms", "recovery_time_ms", "success_rate", "success_rate_overall")


def tables(records: Sequence[Mapping[str, Any]], cells: Cells) -> tuple[Table, ...]:
    """Outcomes, promises and figures of the chaos records among `records`."""
    own = [record for record in records if record.get("kind") in KINDS]
    return (
        _outcomes(own, cells),
        findings_table("chaos-promises", "What had to hold", own, cells, what="Promise"),
        figures_table("chaos-figures", "Other figures of chaos", own, cells, shown=_SHOWN),
    )


def percent(share: object) -> str:
    """A share of 1 as `97.5 %`; empty for none."""
    number = number_of(share)
    return "" if number is None else f"{number_text(100 * number, decimals=1)} %"


def _outcomes(records: Sequence[Mapping[str, Any]], cells: Cells) -> Table:
    def row(record: Mapping[str, Any]) -> tuple[Cell, ...]:
        values, facts = mapping_of(record.get("values")), mapping_of(record.get("facts"))
        worst = next((f for f in mappings_of(record.get("findings")) if f.get("status") != PASSED), {})
        return (
            cells.status(record.get("status")),
            cells.kind(record.get("kind")),
            cells.number(values.get("chaos_events")),
            cells.number(values.get("recovery_p50_ms"), decimals=1),
            cells.number(values.get("recovery_time_ms"), decimals=1),
            Cell(percent(values.get("success_rate")), form="number"),
            Cell(percent(values.get("success_rate_overall")), form="number"),
            cells.number(facts.get("tries")),
            cells.text("" if record.get("status") == PASSED else worst.get("message")),
        )

    rows, left_out = first(records, cells.limits, row)
    columns = headings(
        *("Outcome", "Experiment", "#Faults", "#MTTR ms, median", "#worst", "#Success outside faults"),
        *("#in all", "#Tries", "Why"),
    )
    note = "MTTR: from when a fault was brought about until everything was steady again."
    return Table("chaos-outcomes", "Experiments", columns, rows, note=note, left_out=left_out)
