"""`hologram baseline`: show, set on purpose, take back (contract sections 2.5 and 2.6)."""

import getpass
import json
from collections.abc import Iterable

import typer

from hologram_dagster.gate.baselines import baselines_of, open_main
from hologram_dagster.gate.baselines import roll_forward as set_baseline
from hologram_dagster.gate.run import open_gate_run
from hologram_dagster.history.baseline import Baseline
from hologram_dagster.history.drift import drift
from hologram_dagster.history.rolling import DEFAULT_REASON, Baselines
from hologram_dagster.settings import load_settings

app = typer.Typer(help="The performance baseline: a revision and its numbers.", no_args_is_help=True)


def _here() -> Baselines:
    return baselines_of(open_gate_run(load_settings(), run_id="baseline", profile_tag="dev"))


def _tell(notes: Iterable[str]) -> None:
    for note in notes:
        typer.echo(f"note: {note}", err=True)


def _show(baseline: Baseline) -> None:
    typer.echo(f"{baseline.commit}  {baseline.at:%Y-%m-%d %H:%M} UTC  {baseline.action}: {baseline.reason}")
    for key, p95 in sorted(baseline.numbers.items()):
        typer.echo(f"  {key:<28}{p95:10.3f} ms")


@app.command()
def show(as_json: bool = typer.Option(False, "--json", help="As JSON.")) -> None:
    """Show the baseline in force for this environment and machine, and how far baselines have crept.

    Exit codes: 0 there is one, 1 there is none. Example: hologram baseline show
    """
    baselines = _here()
    shown = baselines.show()
    _tell(shown.notes)
    if shown.baseline is None:
        raise typer.Exit(1)
    if as_json:
        content = {
            "commit": shown.baseline.commit,
            "at": shown.baseline.at.isoformat(),
            "reason": shown.baseline.reason,
            "numbers": dict(shown.baseline.numbers),
        }
        typer.echo(json.dumps(content, indent=2))
        return
    _show(shown.baseline)
    for crept in drift(baselines.all()):
        if crept.pct is not None and len(crept.commits) > 1:
            typer.echo(f"  drift {crept.key:<22}{crept.pct:+9.1f} % since {crept.commits[0][:12]}")


@app.command("list")
def list_(as_json: bool = typer.Option(False, "--json", help="As JSON.")) -> None:
    """List the backups, newest first. Example: hologram baseline list"""
    backups = _here().backups()
    if as_json:
        shown = [{"name": b.name, "commit": b.commit, "fault": b.fault or b.note} for b in backups]
        typer.echo(json.dumps(shown, indent=2))
        return
    for backup in backups:
        fault = f"  ({backup.fault or backup.note})" if backup.fault or backup.note else ""
        typer.echo(f"{backup.name}  {(backup.commit or 'no revision')[:12]}{fault}")


@app.command()
def backup(reason: str = typer.Option("manual", help="Why; becomes part of the file's name.")) -> None:
    """Back up the baseline in force. Example: hologram baseline backup --reason before_upgrade"""
    name, notes = _here().backup(reason)
    _tell(notes)
    typer.echo(name)


@app.command("roll-forward")
def roll_forward(reason: str = typer.Option(DEFAULT_REASON, help="Why the baseline moves.")) -> None:
    """Set this revision, green under main, as the baseline: backup, branch, gate, regression, update.

    Example: hologram baseline roll-forward --reason faster_encode
    """
    rolled = set_baseline(open_main(load_settings()), reason=reason)
    _tell(rolled.notes)
    _show(rolled.baseline)


@app.command("roll-back")
def roll_back(
    name: str | None = typer.Argument(None, help="A backup of `list`; the newest if left out."),
) -> None:
    """Set an earlier baseline again, revision and numbers together; the current one is backed up first.

    Example: hologram baseline roll-back
    """
    rolled = _here().roll_back(name, by=getpass.getuser())
    _tell(rolled.notes)
    _show(rolled.baseline)
