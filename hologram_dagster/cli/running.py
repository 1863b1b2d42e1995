"""How every verb ends: a user's mistake is one line on standard error and exit 2."""

import sys
from collections.abc import Sequence

import typer

from hologram_dagster.errors import HologramError
from hologram_dagster.secrets.redactor import redact


def run(app: typer.Typer, arguments: Sequence[str] | None = None, name: str | None = None) -> None:
    """Run `app` with `arguments` (the process's own by default); exits with the verb's code."""
    try:
        app(args=arguments, prog_name=name)
    except HologramError as error:
        typer.echo(f"hologram: {redact(str(error))}", err=True)
        sys.exit(2)
