"""`reports/past/index.html`: which reports are kept, newest first, with what each concluded."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hologram_dagster.reports.reading import is_red, mapping_of, mappings_of, text_of
from hologram_dagster.reports.tables import Cell, Cells, Limits, Table, first, headings
from hologram_dagster.reports.templating import page_parts, template_of
from hologram_dagster.secrets.redactor import redact_tree

_LIMITS = Limits(rows=1000, characters=200)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*\.html")
_TONES = {"pass": "passed", "fail": "failed", "inconclusive": "doubtful"}


def summary_of(verdict: Mapping[str, Any], file: str) -> dict[str, Any]:
    """What the index tells of the report in `file`, which is of a verdict document; redacted."""
    revision, reasons = mapping_of(verdict.get("revision")), mappings_of(verdict.get("reasons"))
    summary: dict[str, Any] = redact_tree(
        {
            "file": file,
            **{name: verdict.get(name) for name in ("verdict", "run_id", "profile", "environment")},
            **{name: revision.get(name) for name in ("commit", "ref", "dirty")},
            "finished_at": verdict.get("finished_at"),
            "red": sum(is_red(reason) for reason in reasons),
            "checks": len(reasons),
        }
    )
    return summary


def past_page(summaries: Sequence[Mapping[str, Any]]) -> str:
    """The index of the reports that `summaries` tell of, in their order."""
    cells = Cells(_LIMITS)

    def row(summary: Mapping[str, Any]) -> tuple[Cell, ...]:
        word, dirty = text_of(summary.get("verdict"), longest=40), summary.get("dirty")
        return (
            Cell(word, form="status", tone=_TONES.get(word, "error")),
            cells.time(summary.get("finished_at")),
            cells.text(summary.get("profile")),
            cells.text(summary.get("environment")),
            cells.code(text_of(summary.get("commit"))[:12]),
            cells.text(f"{text_of(summary.get('ref'))}{' with uncommitted changes' if dirty else ''}"),
            cells.number(summary.get("red")),
            cells.number(summary.get("checks")),
            _link(summary, cells),
        )

    rows, left_out = first(summaries, cells.limits, row)
    columns = headings(
        *(
            "Verdict",
            "Finished",
            "Profile",
            "Environment",
            "Commit",
            "Ref",
            "#Red",
            "#Checks",
            "Report of run",
        ),
    )
    reports = Table("reports", "Kept reports", columns, rows, left_out=left_out, empty="None is kept yet.")
    return template_of("past.html.j2").render(title="Hologram Reports", reports=reports, **page_parts())


def _link(summary: Mapping[str, Any], cells: Cells) -> Cell:
    """The run, linked to its page where that is a file beside the index."""
    run, file = cells.code(summary.get("run_id")), summary.get("file")
    if isinstance(file, str) and _PLAIN_NAME.fullmatch(file):
        return Cell(run.text or file, form="link", href=file)
    return run
