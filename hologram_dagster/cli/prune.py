"""`hologram prune`: what is beyond its retention, and its removal."""

import os
import subprocess
import sys

import typer

from hologram_dagster.cli.home import prepare_home
from hologram_dagster.settings import load_settings


def prune(
    yes: bool = typer.Option(False, "--yes", help="Export and remove; without it, only tell what would go."),
) -> None:
    """Tell what is beyond its retention: runs, logs, checkouts, evidence; with --yes, export and remove it.

    The ledger is kept for ever. Example: hologram prune --yes
    """
    home = prepare_home(load_settings())
    done = subprocess.run(
        [sys.executable, "-m", "hologram_dagster.defs.retention", *(["--yes"] if yes else [])],
        env={**os.environ, "DAGSTER_HOME": str(home)},
        check=False,
    )
    raise typer.Exit(done.returncode)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(prune)
