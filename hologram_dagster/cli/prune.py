"""`hologram prune`: what is beyond its retention, and its removal."""

import json
import os
import subprocess
import sys

import typer

from hologram_dagster.cli.home import prepare_home
from hologram_dagster.settings import load_settings


def prune(
    yes: bool = typer.Option(False, "--yes", help="Export and remove; without it, only tell what would go."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object instead of lines."),
) -> None:
    """Tell what is beyond its retention: runs, logs, checkouts, evidence; with --yes, export and remove it.

    The ledger is kept for ever. Example: hologram prune --yes
    """
    home = prepare_home(load_settings())
    done = subprocess.run(
        [sys.executable, "-m", "hologram_dagster.defs.retention", *(["--yes"] if yes else [])],
        env={**os.environ, "DAGSTER_HOME": str(home)},
        stdout=subprocess.PIPE if as_json else None,
        text=True,
        check=False,
    )
    if as_json and done.returncode == 0:
        typer.echo(json.dumps({"applied": yes, "lines": done.stdout.splitlines()}, indent=2))
    raise typer.Exit(done.returncode)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(prune)
