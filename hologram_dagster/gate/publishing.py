"""What people and tools read of a run: report, JUnit, badge, job summary, all from its verdict.

What belongs here: collecting what the reports show, and writing the files. What does
not: how they look (`reports`). Nothing here can change a verdict.
"""

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from hologram_dagster.e2e.events import read_events
from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.document import State
from hologram_dagster.evidence.verdict import Verdict
from hologram_dagster.files import write_whole
from hologram_dagster.gate.announcing import announce
from hologram_dagster.gate.conclusion import begin, conclude_run, vouched_verdict
from hologram_dagster.gate.journals import experiments_of
from hologram_dagster.gate.past import FOLDER, INDEX, keep_report
from hologram_dagster.gate.remembering import ratios_of
from hologram_dagster.gate.run import GateRun
from hologram_dagster.gate.vouching import attest, withdraw_attestation
from hologram_dagster.perf.csv_rows import COLUMNS, read_rows
from hologram_dagster.reports.badge import badge_html, badge_json, badge_markdown, make_badge
from hologram_dagster.reports.html import render
from hologram_dagster.reports.junit import junit_xml
from hologram_dagster.reports.openmetrics import openmetrics
from hologram_dagster.reports.paired import worst_of_each
from hologram_dagster.reports.summary import append_summary, job_summary
from hologram_dagster.secrets.redactor import redact

_log = logging.getLogger(__name__)

# What the summary links to, from the reports folder.
_ARTIFACTS = {
    "report": "index.html",
    "verdict": "verdict.json",
    "JUnit": "junit.xml",
    "perf rows": "perf",
    "events": "e2e/events.jsonl",
}


def start_run(run: GateRun) -> None:
    """Begin `run`; all that the run before published says `running` now, should this one be killed."""
    begin(run)
    withdraw_attestation(run)
    publish_report(run)
    publish_badge(run)
    _write(run, {"summary.md": _summary(run)})


def publish_report(run: GateRun) -> dict[str, Path]:
    """Write `index.html`, `junit.xml` and `metrics.prom`; the report of a final verdict is kept, too."""
    verdict = vouched_verdict(run)
    document, (rows, events, notes) = verdict.to_json(), _material(run)
    records = records_of(run, verdict)
    margins = {r["kind"]: r["values"]["margin_pct"] for r in records if "margin_pct" in r["values"]}
    # A run that has just started has measured nothing yet.
    trends, trend_notes = ratios_of(run, verdict, margins) if verdict.state is State.FINAL else ([], [])
    experiments, chaos_notes = experiments_of(run, records)
    log, reports, final = _event_log(run), run.settings.reports_dir, verdict.state is State.FINAL
    page_in = partial(
        render,
        document,
        records=records,
        rows=rows,
        events=events,
        event_bytes=log.stat().st_size if log.exists() else 0,
        trends=trends,
        experiments=experiments,
        notes=[*notes, *trend_notes, *chaos_notes],
        dagster_url=run.settings.ui_url,
    )
    if final:
        keep_report(run.settings, document, lambda folder: page_in(folder=folder, past=INDEX))
    past = f"{FOLDER}/{INDEX}" if (reports / FOLDER / INDEX).exists() else ""
    contents = {"index.html": page_in(folder=reports, past=past), "junit.xml": junit_xml(document)}
    return _write(run, {**contents, "metrics.prom": openmetrics(document, records)})


def publish_badge(run: GateRun) -> dict[str, Path]:
    """Write the badge as HTML, Markdown and JSON."""
    badge = make_badge(vouched_verdict(run).to_json(), datetime.now(UTC), deadline_s=run.recorded.deadline_s)
    return _write(
        run,
        {
            "badge.html": badge_html(badge),
            "badge.md": badge_markdown(badge),
            "badge.json": json.dumps(badge_json(badge), indent=2) + "\n",
        },
    )


def publish_summary(run: GateRun) -> dict[str, Path]:
    """Write `summary.md`, and append it to the CI system's step summary where there is one."""
    text = _summary(run)
    if run.settings.step_summary:
        append_summary(run.settings.step_summary, text)
    return _write(run, {"summary.md": text})


def _summary(run: GateRun) -> str:
    rows, events, _ = _material(run)
    verdict = vouched_verdict(run)
    return job_summary(
        verdict.to_json(), records=records_of(run, verdict), rows=rows, events=events, artifacts=_ARTIFACTS
    )


def finish_run(run: GateRun, interrupted: str) -> Verdict:
    """Conclude a run that did not come to its own end, publish everything, and tell of it."""
    verdict = conclude_run(run, interrupted=interrupted).verdict
    publish_report(run)
    publish_badge(run)
    publish_summary(run)
    # The verdict stands without it, too.
    try:
        attest(run, verdict)
    except HologramError as error:
        _log.warning("%s", redact(str(error)))
    announce(run, verdict)
    return verdict


def _write(run: GateRun, contents: dict[str, str]) -> dict[str, Path]:
    paths = {name: run.settings.reports_dir / name for name in contents}
    for name, path in paths.items():
        write_whole(path, contents[name])
    return paths


def _material(run: GateRun) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """CSV rows, events, and notes on what in those files is neither."""
    reports = run.settings.reports_dir
    rows, row_notes = read_rows(reports / "perf")
    events, event_notes = read_events(_event_log(run))
    shown = [{**{name: getattr(row, name) for name in COLUMNS}, "_file": row.file} for row in rows]
    return shown, events, [*row_notes, *event_notes]


def _event_log(run: GateRun) -> Path:
    return run.settings.reports_dir / "e2e" / "events.jsonl"


def compared_lines(run: GateRun, verdict: Verdict) -> list[str]:
    """One line on each operation that was compared with a baseline, worst first."""
    return [paired.line for paired in worst_of_each(records_of(run, verdict))]


def records_of(run: GateRun, verdict: Verdict) -> list[dict[str, Any]]:
    """The records that `verdict` rests on, as documents."""
    of_run = replace(run.identity, run_id=verdict.run_id, started_at=verdict.started_at)
    kinds = sorted({item.kind for item in verdict.evidence})
    gathered = run.evidence.gather(of_run, kinds, now=datetime.now(UTC))
    return [stored.record.to_json() for stored in gathered.evidence]
