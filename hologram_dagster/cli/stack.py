"""`hologram stack`: a real Hologram stack on this machine, for people and their clients."""

import json
import signal
import threading
from collections.abc import Mapping
from pathlib import Path

import typer

from hologram_dagster.errors import HologramError
from hologram_dagster.files import make_untracked
from hologram_dagster.gate.run import signer_of
from hologram_dagster.settings import load_settings
from hologram_dagster.stack.regions import REGIONS, running_regions
from hologram_dagster.stack.stack import Stack
from hologram_dagster.stack.status import status as stack_status

app = typer.Typer(help="A real IPFS node and registry on this machine.", no_args_is_help=True)


def _folder() -> Path:
    return load_settings().state_dir / "stack" / "up"


def _own_folder() -> Path:
    make_untracked(load_settings().state_dir)
    return _folder()


@app.command()
def up(
    ipfs_port: int = typer.Option(5001, help="Port of the IPFS node's RPC."),
    graphql_port: int = typer.Option(4000, help="Port of the registry."),
    nodes: int = typer.Option(1, help="How many IPFS nodes, connected; IPFS_APIS lists them."),
    regions: int = typer.Option(
        1,
        min=1,
        max=REGIONS,
        help="2: two registries with a node each, on one PostgreSQL; GRAPHQL_URLS lists them.",
    ),
    demo: bool = typer.Option(
        False, help="Seed demo/object/alpha and the protected secure/object/admin-only."
    ),
    strict: bool = typer.Option(False, help="Refuse mutations without frame, nonce and proof of this key."),
) -> None:
    """Run a stack until stopped, and print the variables that point the gate at it.

    Example: hologram stack up --demo
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    folder = _own_folder()
    if regions > 1:
        if demo or strict or nodes > 1:
            raise HologramError(
                "--regions 2 is a stack of its own kind: leave --demo, --strict and --nodes out."
            )
        with running_regions(folder, ipfs_port=ipfs_port, graphql_port=graphql_port) as running:
            _serve(running.variables(), running.nodes[0].provider, stop)
        return
    with Stack.start(
        folder,
        ipfs_port=ipfs_port,
        graphql_port=graphql_port,
        demo=demo,
        nodes=nodes,
        signer=signer_of(load_settings()),
        strict=strict,
    ) as stack:
        _serve(stack.variables(), stack.provider, stop)


def _serve(variables: Mapping[str, str], provider: str, stop: threading.Event) -> None:
    for name, value in variables.items():
        typer.echo(f"export {name}={value}")
    typer.echo(f"# IPFS by {provider}", err=True)
    typer.echo("# running; Ctrl-C stops it", err=True)
    stop.wait()


@app.command()
def status(as_json: bool = typer.Option(False, "--json", help="One JSON object.")) -> None:
    """Say what of the stack answers. Exit codes: 0 all of it, 1 not.

    Example: hologram stack status
    """
    seen = stack_status(_folder())
    if as_json:
        typer.echo(json.dumps({"running": seen.running, "parts": dict(seen.parts)}, indent=2))
        raise typer.Exit(0 if seen.healthy else 1)
    if not seen.running:
        typer.echo("no stack runs here. Start one: hologram stack up")
    for part, said in seen.parts.items():
        typer.echo(f"{part}: {said}")
    raise typer.Exit(0 if seen.healthy else 1)
