"""`hologram attack`: what a registry refuses, tried."""

import json

import typer

from hologram_dagster.attack.cases import wrong
from hologram_dagster.settings import load_settings


def attack(
    target: str | None = typer.Option(
        None, help="A registry of yours, over the node IPFS_API; HOLOGRAM_ALLOW_DISRUPTION names both hosts."
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON object instead of lines."),
) -> None:
    """Attack a registry: replays, forgeries, races, a flood; say what was to come of each, and what came.

    Exit codes: 0 all came out as they must, 1 not. Example: hologram attack
    """
    # Slow to import, and no other verb needs it.
    from hologram_dagster.gate.attacking import attack_own, attack_theirs

    settings = load_settings()
    cases, left = (attack_own(settings), {}) if target is None else attack_theirs(settings, target)
    bad = wrong(cases)
    if as_json:
        rows = [
            {"name": f"{case.group}: {case.name}", "expected": case.expected, "seen": case.seen}
            for case in cases
        ]
        typer.echo(json.dumps({"cases": rows, "wrong": len(bad), "not_tried": left}, indent=2))
    else:
        for case in cases:
            mark = "ok " if case.right else "BAD"
            typer.echo(f"{mark} {case.group}: {case.name}: {case.told}")
        for group, why in left.items():
            typer.echo(f"not tried: {group}: {why}")
        typer.echo(f"{len(cases)} attacks, {len(bad)} came out otherwise than they must")
    raise typer.Exit(1 if bad else 0)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(attack)
