"""`hologram regate`: judge a commit once more, from a worktree of its own."""

import typer

from hologram_dagster.cli.gate import run_gate
from hologram_dagster.gate.origin import find_commit
from hologram_dagster.gate.tags import COMMIT_TAG, ORIGIN_TAG, TRIGGER_TAG
from hologram_dagster.profiles import choose_profile
from hologram_dagster.settings import load_settings


def regate(
    commit: str = typer.Argument(
        help="A commit, branch or tag of the repository, or a commit of what is watched."
    ),
    profile: str | None = typer.Option(None, help="Profile (default: HOLOGRAM_WATCH_PROFILE, else main)."),
) -> None:
    """Run the gate of COMMIT again: a new run, whatever was said of it before.

    Exit codes: 0 pass, 1 fail, 2 usage or set-up, 3 inconclusive, 5 fail but waived.
    Example: hologram regate 1a2b3c4
    """
    settings = load_settings()
    chosen = choose_profile(tag=profile or settings.watch_profile, config=None, settings=settings)
    found, origin = find_commit(settings, commit)
    run_gate(settings, chosen, {COMMIT_TAG: found, ORIGIN_TAG: origin, TRIGGER_TAG: "regate"})


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(regate)
