"""`reports/index.html`: the verdict with its reasons first, then the panels of contract section 7.4.

One file, no request: style, pictures and the script that sorts tables are in it, and its content
security policy lets a browser load nothing and run nothing else. Every value is escaped by the
template engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from hologram_dagster.reports import by_profile, file_tables, head, panels, record_tables, sections
from hologram_dagster.reports.cold_warm import cold_warm
from hologram_dagster.reports.experiment import Experiment
from hologram_dagster.reports.paired import worst_of_each
from hologram_dagster.reports.reading import size_text
from hologram_dagster.reports.tables import Cells, Limits
from hologram_dagster.reports.templating import page_parts, template_of
from hologram_dagster.reports.timeline import timeline
from hologram_dagster.reports.trends import HEIGHT, WIDTH, Ratios, charts

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
_MOST_GLANCES = 6


def render(
    verdict: Mapping[str, Any],
    *,
    records: Sequence[Mapping[str, Any]] = (),
    rows: Sequence[Mapping[str, Any]] = (),
    events: Sequence[Mapping[str, Any]] = (),
    event_bytes: int = 0,
    trends: Sequence[Ratios] = (),
    experiments: Sequence[Experiment] = (),
    notes: Sequence[str] = (),
    folder: PurePath | None = None,
    dagster_url: str | None = None,
    past: str = "",
) -> str:
    """The page for a verdict document, under 300 kB.

    `records` are the evidence records of the run, `rows` the CSV rows (the eight columns
    and `_file`), `events` the e2e events, both oldest first; `event_bytes` is the size of
    their file, `trends` the ratios of this and earlier runs, `experiments` the journals of
    chaos; `notes` are sentences on what could not be read. `folder` is where the page will
    be, for relative links; `dagster_url` is the web server's address, `past` that of the
    index of past reports. Nothing is read, judged or written.
    """
    sources = _Sources(
        *(verdict, records, rows, events, event_bytes, trends, experiments, notes, folder, dagster_url)
    )
    template, page = template_of("report.html.j2"), ""
    for limits in _LIMITS:
        page = template.render(
            past=past, **page_parts(), **_content(sources, Cells(limits, sections.anchors(verdict, limits)))
        )
        if len(page.encode()) < MAX_BYTES:
            break
    return page


@dataclass(frozen=True, slots=True)
class _Sources:
    verdict: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    event_bytes: int
    trends: Sequence[Ratios]
    experiments: Sequence[Experiment]
    notes: Sequence[str]
    folder: PurePath | None
    dagster_url: str | None


def _content(sources: _Sources, cells: Cells) -> dict[str, Any]:
    verdict = sources.verdict
    shown_notes, more_notes = sections.notes(sources.notes, cells)
    files = panels.file_names(sources.rows)
    optional = by_profile.sections(verdict, sources.records, sources.experiments, cells)
    return {
        "title": TITLE,
        "head": head.head(verdict, cells),
        "reasons": head.reasons(verdict, cells),
        "files": [cells.text(name).text for name in files[: cells.limits.rows]],
        "file_count": len(files),
        "event_count": len(sources.events),
        "event_size": size_text(sources.event_bytes),
        "glance": [head.at_a_glance(paired, cells) for paired in worst_of_each(sources.records)][
            :_MOST_GLANCES
        ],
        "checks": sections.checks(verdict, cells),
        "overrides": sections.overrides(verdict, cells),
        "compared": record_tables.compared(sources.records, cells),
        "charts": charts(sources.trends, cells),
        "box": (WIDTH, HEIGHT),
        "performance": record_tables.performance(sources.records, cells),
        "cold_warm": cold_warm(sources.records, cells),
        "figures": record_tables.figures(sources.records, cells),
        "perf_tables": file_tables.perf_tables(sources.rows, cells),
        "timeline": timeline(sources.records, sources.events, cells),
        "steps": record_tables.steps(sources.records, cells),
        "event_tables": file_tables.event_tables(sources.events, cells),
        "sections": optional,
        "unasked": by_profile.unasked(verdict, optional),
        "evidence": sections.evidence(verdict, cells, sources.folder),
        "run": sections.this_run(verdict, cells, sources.dagster_url),
        "earlier": sections.earlier(verdict, cells),
        "notes": shown_notes,
        "more_notes": more_notes,
    }
