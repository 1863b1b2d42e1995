"""`hologram summarize-e2e`: what the end-to-end runs did, from their events log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from hologram_dagster.e2e.events import read_events
from hologram_dagster.evidence.document import ExitCode
from hologram_dagster.reports.panels import event_counts, last_events
from hologram_dagster.reports.reading import text_of, time_text
from hologram_dagster.settings import Settings, load_settings

_SHOWN = ("cid", "name", "variant")


@dataclass(frozen=True, slots=True)
class EventSummary:
    """`counts` are (suite, event, how often), `last` the newest of each type, `notes` what was no event."""

    counts: list[tuple[str, str, int]]
    last: list[Mapping[str, Any]]
    notes: list[str]

    @property
    def total(self) -> int:
        """All events that were counted."""
        return sum(count for _, _, count in self.counts)

    def to_json(self) -> dict[str, Any]:
        """The summary as one JSON object."""
        counts = [{"suite": s, "event": e, "count": n} for s, e, n in self.counts]
        return {"total": self.total, "counts": counts, "last": list(self.last), "notes": self.notes}


def summarize(settings: Settings) -> EventSummary:
    """What `reports/e2e/events.jsonl` holds."""
    events, notes = read_events(settings.reports_dir / "e2e" / "events.jsonl")
    return EventSummary(event_counts(events), last_events(events), notes)


def lines_of(summary: EventSummary) -> list[str]:
    """The summary as lines: how often each event came, then the newest of each type."""
    told = [f"{text_of(suite):<12} {text_of(event):<28} {count:6}" for suite, event, count in summary.counts]
    for event in summary.last:
        facts = ", ".join(f"{name} {text_of(event[name], longest=80)}" for name in _SHOWN if event.get(name))
        told.append(f"last {text_of(event.get('event'))}: {time_text(event.get('ts'))} {facts}".rstrip())
    return told


def summarize_e2e(as_json: bool = typer.Option(False, "--json", help="One JSON object.")) -> None:
    """Count the end-to-end events by suite and type, and show the newest of each.

    Exit codes: 0 shown, 4 there are no events. Example: hologram summarize-e2e
    """
    summary = summarize(load_settings())
    for note in summary.notes:
        typer.echo(f"note: {note}", err=True)
    if as_json:
        typer.echo(json.dumps(summary.to_json(), indent=2))
    elif not summary.total:
        typer.echo("no events: run hologram gate, which writes them.", err=True)
    else:
        console = Console(highlight=False, soft_wrap=True)
        for line in lines_of(summary):
            console.print(Text(line))
    raise typer.Exit(ExitCode.PASS if summary.total else ExitCode.NO_VERDICT)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("summarize-e2e")(summarize_e2e)
