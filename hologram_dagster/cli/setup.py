"""`hologram setup` and `hologram ui`: the Dagster home, and the web server on it."""

import os
import sys

import typer

from hologram_dagster.cli.home import prepare_home, project_file
from hologram_dagster.settings import load_settings


def setup() -> None:
    """Prepare the Dagster home in the state folder (once; safe to repeat)."""
    home = prepare_home(load_settings())
    typer.echo(f"Dagster home: {home}")


def ui(
    port: int = typer.Option(3000, help="Port of the web server."),
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
) -> None:
    """Serve the Dagster UI with its daemon (schedules, sensors) until stopped."""
    home = prepare_home(load_settings())
    typer.echo(f"Dagster UI: http://{host}:{port} (home: {home})")
    command = [
        *(sys.executable, "-m", "dagster", "dev"),
        *("-w", str(project_file("workspace.yaml"))),
        *("--host", host, "--port", str(port)),
    ]
    os.execvpe(command[0], command, {**os.environ, "DAGSTER_HOME": str(home)})


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(setup)
    app.command()(ui)
