"""`hologram report`: where the report of the last gate run is, or that report in a browser."""

import json
import webbrowser
from datetime import UTC, datetime

import typer

from hologram_dagster.cli.reading import last_verdict
from hologram_dagster.errors import HologramError
from hologram_dagster.gate.past import FOLDER, INDEX, past_reports
from hologram_dagster.settings import load_settings


def report(
    open_it: bool = typer.Option(False, "--open", help="Open it in the browser."),
    past: bool = typer.Option(False, "--past", help="The index of the reports that are kept."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object."),
) -> None:
    """Print where the report of the last gate run is, or with --past the index of those kept.

    Exit codes: 0 it is there, 2 it is not. Example: hologram report --open
    """
    settings = load_settings()
    index = settings.reports_dir / FOLDER / INDEX
    page = (index if past else settings.reports_dir / "index.html").resolve()
    if not page.exists():
        raise HologramError(f"{page} is not there: run hologram gate, which writes it.")
    if as_json and past:
        typer.echo(json.dumps({"path": str(page), "reports": past_reports(settings)}, indent=2))
    elif as_json:
        document = last_verdict(settings).document or {}
        facts = {
            "path": str(page),
            "written_at": datetime.fromtimestamp(page.stat().st_mtime, UTC).isoformat(),
            "bytes": page.stat().st_size,
            **{name: document.get(name) for name in ("run_id", "verdict", "state")},
        }
        typer.echo(json.dumps(facts, indent=2))
    else:
        typer.echo(page)
    if open_it and not webbrowser.open(page.as_uri()):
        raise HologramError(f"no browser could be started: open {page} yourself.")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(report)
