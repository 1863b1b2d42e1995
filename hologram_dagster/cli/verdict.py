"""`hologram verdict`: what the gate has said of a revision, verified before it is repeated."""

import json

import typer

from hologram_dagster.cli.output import Steps, show_verdict
from hologram_dagster.errors import TamperedError
from hologram_dagster.evidence.document import ExitCode
from hologram_dagster.gate.answering import answer_for
from hologram_dagster.gate.waiving import refused_waivers
from hologram_dagster.profiles import ProfileName
from hologram_dagster.secrets.redactor import redact
from hologram_dagster.settings import load_settings


def verdict(
    revision: str | None = typer.Argument(
        None, help="Commit or any git ref (default: the files as they are)."
    ),
    profile: ProfileName | None = typer.Option(None, help="Only verdicts of this profile."),
    as_json: bool = typer.Option(False, "--json", help="The verdict document instead of a text."),
) -> None:
    """Verify the evidence of the latest gate run of REVISION again, and repeat its verdict.

    Exit codes: 0 pass, 1 fail, 3 inconclusive, 4 no verdict, 5 fail but waived.
    Example: hologram verdict HEAD --profile main
    """
    settings = load_settings()
    try:
        answered, code = answer_for(settings, revision, profile)
    except TamperedError as error:
        # Not a mistake of the user's: the evidence is not what was written, so it fails.
        typer.echo(f"verdict: FAIL\n  {redact(str(error))}")
        raise typer.Exit(ExitCode.FAIL) from None
    if answered is None:
        of_commit = "" if revision else ", or ask for the commit alone: hologram verdict HEAD"
        asked = revision or "the files as they are now"
        typer.echo(
            f"no verdict: no gate run of {asked} is known here. Run hologram gate{of_commit}.", err=True
        )
        raise typer.Exit(code)
    for told in refused_waivers(settings, answered):
        typer.echo(redact(told), err=True)
    if as_json:
        typer.echo(json.dumps(answered.to_json(), indent=2))
    else:
        show_verdict(answered, settings.reports_dir, Steps(), seconds=0)
    raise typer.Exit(code)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(verdict)
