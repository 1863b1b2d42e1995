"""`hologram chaos`: break services on purpose, and see what holds."""

import json
import shutil
from pathlib import Path
from uuid import uuid4

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hologram_dagster.chaos.catalogue import CATALOGUE, Entry, Result, carry_out_on
from hologram_dagster.chaos.journal import recovery_figures
from hologram_dagster.chaos.journal_file import journal_path, read_journal
from hologram_dagster.chaos.sabotage.matrix import Row, carry_out_all
from hologram_dagster.chaos.toolkit import experiment_of, journal_of
from hologram_dagster.errors import HologramError
from hologram_dagster.files import make_untracked
from hologram_dagster.gate.chaos import chaos_site
from hologram_dagster.observation import Status
from hologram_dagster.perf.lock import measuring_lock
from hologram_dagster.profiles import EVIDENCE, choose_profile
from hologram_dagster.settings import Settings, load_settings

app = typer.Typer(help="Experiments that break services, and prove it.", no_args_is_help=True)
_EXIT = {Status.PASSED: 0, Status.FAILED: 1}
_UNDECIDED = 3
_WORST_FIRST = (Status.FAILED, Status.ERROR, Status.INCONCLUSIVE, Status.NOT_APPLICABLE)
_JSON = typer.Option(False, "--json", help="One JSON object.")


def _entry(name: str) -> Entry:
    try:
        return CATALOGUE[name]
    except KeyError:
        raise HologramError(f"there is no experiment {name!r}: use one of {', '.join(CATALOGUE)}.") from None


@app.command("list")
def list_experiments(as_json: bool = _JSON) -> None:
    """Name the experiments.

    Example: hologram chaos list
    """
    rows = [
        {"name": name, "title": entry.title, "profiles": sorted(EVIDENCE.get(name, ()))}
        for name, entry in CATALOGUE.items()
    ]
    if as_json:
        typer.echo(json.dumps({"experiments": rows}, indent=2))
        return
    table = Table("name", "what it does", "part of")
    for row in rows:
        table.add_row(str(row["name"]), str(row["title"]), ", ".join(row["profiles"]))
    Console().print(table)


@app.command()
def run(
    name: str = typer.Argument(help="The experiment; `hologram chaos list` names them."),
    seed: int = typer.Option(0, help="Decides every random choice; repeats count on from it."),
    repeat: int = typer.Option(1, min=1, max=1000, help="How often it is carried out."),
    as_json: bool = _JSON,
) -> None:
    """Carry an experiment out, on services of its own or on yours where you allow it.

    Exit codes: 0 passed, 1 failed, 3 not decided. Example: hologram chaos run chaos_ipfs_restart --repeat 3
    """
    entry, settings = _entry(name), load_settings()
    make_untracked(settings.state_dir)
    results = []
    for number in range(repeat):
        with measuring_lock(on_wait=lambda told: typer.echo(told, err=True)):
            results.append(_carry_out(entry, settings, seed + number))
        if not as_json:
            _tell(entry, results[-1], seed + number)
    outcomes = [seen.status for seen, _ in results]
    outcome = next((status for status in _WORST_FIRST if status in outcomes), Status.PASSED)
    recovery = recovery_figures(
        [
            taken
            for _, journal in results
            if journal
            for window in journal.windows
            if (taken := window.recovery_ms)
        ]
    )
    if as_json:
        said = {
            "experiment": name,
            "outcome": outcome,
            "recovery": recovery,
            "runs": [
                {
                    "seed": seed + number,
                    "outcome": seen.status,
                    "values": dict(seen.values),
                    "findings": [
                        {"name": each.name, "status": each.status, "message": each.message}
                        for each in seen.findings
                    ],
                }
                for number, (seen, _) in enumerate(results)
            ],
        }
        typer.echo(json.dumps(said, indent=2))
    elif repeat > 1:
        told = ", ".join(f"{figure} {value:.0f}" for figure, value in recovery.items())
        typer.echo(f"{repeat} times: {outcome}. {told}")
    raise typer.Exit(_EXIT.get(outcome, _UNDECIDED))


def _carry_out(entry: Entry, settings: Settings, seed: int) -> Result:
    profile = choose_profile(tag=None, config=None, settings=settings)
    folder = settings.state_dir / "chaos" / "runs" / uuid4().hex
    try:
        return carry_out_on(
            entry, chaos_site(settings, folder=folder, budget_ms=profile.budgets_ms["gql"], seed=seed)
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tell(entry: Entry, result: Result, seed: int) -> None:
    seen, journal = result
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{entry.name}[/bold] (seed {seed}): {seen.status}")
    for finding in seen.findings:
        console.print(f"  {finding.status:<13} {escape(finding.name)}: {escape(finding.message)}")
    if journal is not None and journal.told and seen.status is not Status.PASSED:
        console.print(f"  {escape(journal.told)}")


@app.command()
def export(
    name: str = typer.Argument(help="The experiment."),
    seed: int = typer.Option(0, help="The seed it is to be carried out with."),
    journal: bool = typer.Option(False, "--journal", help="Its newest journal instead."),
) -> None:
    """Print an experiment, or its newest journal, as JSON in Chaos Toolkit's form.

    Example: hologram chaos export chaos_gql_latency
    """
    entry = _entry(name)
    if not journal:
        typer.echo(json.dumps(experiment_of(name, entry.title, seed=seed), indent=2))
        return
    path: Path = journal_path(load_settings().reports_dir / "chaos", name)
    if not path.exists():
        raise HologramError(f"there is no journal of {name} at {path}: run hologram chaos run {name}.")
    typer.echo(json.dumps(journal_of(read_journal(path)), indent=2))


@app.command()
def sabotage(as_json: bool = _JSON) -> None:
    """Carry out experiments that are spoilt on purpose: none may pass.

    Exit codes: 0 all came out as they must, 1 not. Example: hologram chaos sabotage
    """

    def tell(row: Row) -> None:
        if not as_json:
            mark = "ok " if row.right else "BAD"
            typer.echo(f"{mark} {row.name}: expected {row.expected}, seen {row.seen}. {row.told}")

    rows = carry_out_all(twins=False, told=tell)
    false_greens = sum(row.false_green for row in rows)
    if as_json:
        said = {"cases": [row.to_json() for row in rows], "false_greens": false_greens}
        typer.echo(json.dumps(said, indent=2))
    else:
        typer.echo(f"{len(rows)} spoilt experiments, {false_greens} of them passed")
    raise typer.Exit(0 if all(row.right for row in rows) else 1)
