"""`hologram history` and `hologram attestation`: what the gate knows, as files for other tools."""

import json
from collections.abc import Callable
from pathlib import Path

import typer

from hologram_dagster.errors import HologramError
from hologram_dagster.files import write_whole
from hologram_dagster.gate.attesting import attest
from hologram_dagster.gate.remembering import rebuild_history
from hologram_dagster.history.attestation_export import BenchConfig
from hologram_dagster.history.export import write_csv, write_parquet
from hologram_dagster.history.index import History
from hologram_dagster.settings import load_settings

history = typer.Typer(help="The figures of all gate runs here.", no_args_is_help=True)

_WRITERS: dict[str, Callable[[History, Path], int]] = {".csv": write_csv, ".parquet": write_parquet}


@history.command()
def export(path: Path = typer.Argument(help="The file to write: .csv or .parquet.")) -> None:
    """Write every figure of every run as one flat table.

    Exit codes: 0 written, 2 the history cannot be read or lacks figures.
    Example: hologram history export figures.csv
    """
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise HologramError(f"{path}: name a file that ends in {' or '.join(_WRITERS)}.")
    with History.in_folder(load_settings().state_dir) as figures:
        if notes := figures.notes():
            raise HologramError(f"{path} was not written: {' '.join(notes)}")
        rows = write(figures, path)
    typer.echo(f"{rows} rows: {path}")


@history.command()
def rebuild() -> None:
    """Build the figures again from the signed evidence, after damage. Example: hologram history rebuild"""
    records, notes = rebuild_history(load_settings())
    for note in notes:
        typer.echo(f"note: left out: {note}", err=True)
    typer.echo(f"the figures of {records} records are in the history")


def attestation(
    output: Path = typer.Option(..., help="The file to write."),
    runs: int = typer.Option(3, min=1, help="Runs a bench; the median one counts."),
    warmup: int = typer.Option(100, min=0, help="Untimed calls before each run."),
    iters: int = typer.Option(1000, min=1, help="Timed calls a run."),
    iters_transport: int = typer.Option(500, min=1, help="Timed calls a run of ctp96Verify."),
) -> None:
    """Measure ccmHash, uorId, proofVerify and ctp96Verify now, and write the attestation JSON.

    Energy is CPU time at HOLOGRAM_WATTS (default 15). Example: hologram attestation --output perf.json
    """
    config = BenchConfig(runs=runs, warmup=warmup, iters=iters, iters_transport=iters_transport)
    document = attest(load_settings(), config)
    write_whole(output, json.dumps(document, indent=2, allow_nan=False) + "\n")
    for result in document["results"]:
        typer.echo(f"{result['name']:<12}{result['opsPerSec']:14.0f} ops/s, p95 {result['p95']:.0f} ns")
    typer.echo(f"attestation: {output}")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.add_typer(history, name="history")
    app.command()(attestation)
