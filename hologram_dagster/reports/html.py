"""`reports/index.html`: the verdict with its reasons first, then the panels of contract section 7.4.

One file, no script, no request: style and pictures are in it, and its content security
policy lets a browser load nothing. Every value is escaped by the template engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from hologram_dagster.reports import panels, sections
from hologram_dagster.reports.reading import (
    duration_text,
    is_red,
    mapping_of,
    mappings_of,
    text_of,
    time_text,
    worst_first,
)
from hologram_dagster.reports.tables import Cell, Cells, Limits

TITLE = "Hologram Reports"
MAX_BYTES = 300_000
# Tried from the first on, until the page is small enough; the last always is.
_LIMITS = (
    Limits(200, 600),
    Limits(100, 400),
    Limits(50, 300),
    Limits(25, 200),
    Limits(10, 120),
    Limits(5, 80),
)
_MOST_REASONS = 20
_HEADLINES = {
    "pass": ("Pass", "passed", "This revision may ship."),
    "fail": ("Fail", "failed", "This revision must not ship."),
    "inconclusive": ("Inconclusive", "doubtful", "The run could not tell whether this revision may ship."),
}


def render(
    verdict: Mapping[str, Any],
    *,
    records: Sequence[Mapping[str, Any]] = (),
    rows: Sequence[Mapping[str, Any]] = (),
    events: Sequence[Mapping[str, Any]] = (),
    notes: Sequence[str] = (),
    folder: PurePath | None = None,
    dagster_url: str | None = None,
) -> str:
    """The page for a verdict document, under 300 kB.

    `records` are the evidence records of the run, `rows` the CSV rows (the eight columns
    and `_file`), `events` the e2e events, both oldest first; `notes` are sentences on
    what could not be read. `folder` is where the page will be, for relative links;
    `dagster_url` is the web server's address. Nothing is read, judged or written.
    """
    sources = _Sources(verdict, records, rows, events, notes, folder, dagster_url)
    page = ""
    for limits in _LIMITS:
        page = _template().render(_content(sources, Cells(limits)))
        if len(page.encode()) < MAX_BYTES:
            break
    return page


@dataclass(frozen=True, slots=True)
class _Sources:
    verdict: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    notes: Sequence[str]
    folder: PurePath | None
    dagster_url: str | None


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("hologram_dagster.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _content(sources: _Sources, cells: Cells) -> dict[str, Any]:
    verdict = sources.verdict
    shown_notes, more_notes = sections.notes(sources.notes, cells)
    files = panels.file_names(sources.rows)
    return {
        "title": TITLE,
        "head": _head(verdict, cells),
        "reasons": _reasons(verdict, cells),
        "files": [cells.text(name).text for name in files[: cells.limits.rows]],
        "file_count": len(files),
        "event_count": len(sources.events),
        "checks": sections.checks(verdict, cells),
        "overrides": sections.overrides(verdict, cells),
        "performance": sections.performance(sources.records, cells),
        "perf_tables": sections.perf_tables(sources.rows, cells),
        "steps": sections.steps(sources.records, cells),
        "event_tables": sections.event_tables(sources.events, cells),
        "evidence": sections.evidence(verdict, cells, sources.folder),
        "run": sections.this_run(verdict, cells, sources.dagster_url),
        "notes": shown_notes,
        "more_notes": more_notes,
    }


def _head(verdict: Mapping[str, Any], cells: Cells) -> dict[str, Any]:
    word = text_of(verdict.get("verdict"), longest=40)
    headline, tone, answer = _HEADLINES.get(
        word, (word or "No verdict", "error", "This verdict is unknown here.")
    )
    running = verdict.get("state") != "final"
    if running:
        answer = "The run has started and not finished. If nothing is running any more, it was killed."
    waivers = mappings_of(verdict.get("waivers"))
    revision = mapping_of(verdict.get("revision"))
    when = verdict.get("finished_at") or verdict.get("started_at")
    return {
        "headline": headline,
        "tone": tone,
        "answer": answer,
        "running": running,
        "commit": text_of(revision.get("commit"), longest=100)[:12],
        "ref": text_of(revision.get("ref"), longest=100),
        "dirty": bool(revision.get("dirty")),
        "profile": text_of(verdict.get("profile"), longest=60),
        "environment": text_of(verdict.get("environment"), longest=60),
        "when": time_text(when),
        "duration": duration_text(verdict.get("started_at"), verdict.get("finished_at")),
        "looser": [
            (
                cells.code(o.get("variable")).text,
                cells.number(o.get("profile_value")).text,
                cells.number(o.get("value")).text,
            )
            for o in mappings_of(verdict.get("overrides"))
            if o.get("looser")
        ][: cells.limits.rows],
        "waivers": [
            (cells.text(w.get("who")).text, time_text(w.get("expires_at")), cells.text(w.get("why")).text)
            for w in waivers[: cells.limits.rows]
        ],
    }


def _reasons(verdict: Mapping[str, Any], cells: Cells) -> dict[str, Any]:
    reasons = mappings_of(verdict.get("reasons"))
    red = [reason for reason in worst_first(reasons) if is_red(reason)]
    most = min(_MOST_REASONS, cells.limits.rows)
    return {
        "red": [_reason(reason, cells) for reason in red[:most]],
        "left_out": max(0, len(red) - most),
        "red_count": len(red),
        "count": len(reasons),
        "passed": sum(reason.get("status") == "passed" for reason in reasons),
    }


def _reason(reason: Mapping[str, Any], cells: Cells) -> dict[str, Cell]:
    in_ms = reason.get("unit") == "ms"
    return {
        "status": cells.status(reason.get("status")),
        "kind": cells.code(reason.get("kind")),
        "check": cells.code(reason.get("check")),
        "message": cells.text(reason.get("message")),
        "share": cells.share(reason.get("value"), reason.get("limit")) if in_ms else Cell("", form="share"),
    }
