"""`hologram waive` and `hologram unwaive`: a red check that may ship all the same, for a while."""

import getpass

import typer

from hologram_dagster.errors import HologramError
from hologram_dagster.gate import waiving
from hologram_dagster.secrets.redactor import redact
from hologram_dagster.settings import load_settings

_CHECK = "The red check as the verdict names it, e.g. perf_gql.p95_within_budget."
_BY = "Who says so (default: the user of this machine)."


def waive(
    revision: str = typer.Argument(..., help="Commit or any git ref."),
    check: str = typer.Option(..., help=_CHECK),
    reason: str = typer.Option(..., help="Why it may ship all the same."),
    until: str = typer.Option(..., help="Last day (YYYY-MM-DD, UTC), at most 14 days away."),
    by: str | None = typer.Option(None, help=_BY),
) -> None:
    """Waive a red check of REVISION. The verdict stays fail; while every red check of it is waived,
    `hologram verdict` exits 5.

    Example: hologram waive HEAD --check perf_gql.p95_within_budget --reason "ticket 7" --until 2026-08-01
    """
    commit, granted = waiving.waive(
        load_settings(), revision, check=check, who=by or getpass.getuser(), why=reason, until=until
    )
    typer.echo(
        redact(
            f"waived: {granted.check} at {commit[:12]} by {granted.who} until "
            f"{granted.expires_at:%Y-%m-%d %H:%M} UTC: {granted.why}"
        )
    )


def unwaive(
    revision: str = typer.Argument(..., help="Commit or any git ref."),
    check: str = typer.Option(..., help=_CHECK),
    by: str | None = typer.Option(None, help=_BY),
) -> None:
    """End a waiver of REVISION before its day. Example: hologram unwaive HEAD --check e2e_use.search"""
    commit = waiving.unwaive(load_settings(), revision, check=check, who=by or getpass.getuser())
    if commit is None:
        raise HologramError(
            f"no waiver of {check} is in force at {revision}: see hologram verdict {revision}."
        )
    typer.echo(f"no longer waived: {check} at {commit[:12]}")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(waive)
    app.command()(unwaive)
