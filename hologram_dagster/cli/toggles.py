"""`hologram toggles`: the ops toggles of contract section 2.7 as lines to evaluate in a shell."""

import json
import shlex
from collections.abc import Callable, Iterator
from enum import StrEnum

import typer

from hologram_dagster.errors import HologramError
from hologram_dagster.profiles import OPERATIONS, PROFILES, Profile, ProfileName


class Endpoint(StrEnum):
    """The deployments whose addresses the toggles know."""

    LOCAL = "local"
    STAGING = "staging"
    PRODUCTION = "production"


# Contract section 2.7.
ENDPOINTS = {
    Endpoint.LOCAL: {
        "IPFS_API": "http://127.0.0.1:5001",
        "GRAPHQL_URL": "http://localhost:4000/graphql",
    },
    Endpoint.STAGING: {
        "IPFS_API": "https://ipfs-staging.example.com",
        "GRAPHQL_URL": "https://graphql-staging.example.com/graphql",
    },
    Endpoint.PRODUCTION: {
        "IPFS_API": "https://ipfs.example.com",
        "GRAPHQL_URL": "https://graphql.example.com/graphql",
    },
}


class Shell(StrEnum):
    """What the lines are for; `github` is the file that `$GITHUB_ENV` names."""

    BASH = "bash"
    POWERSHELL = "powershell"
    FISH = "fish"
    JSON = "json"
    GITHUB = "github"


_LINES: dict[Shell, Callable[[str, str], str]] = {
    Shell.BASH: lambda key, value: f"export {key}={shlex.quote(value)}",
    Shell.POWERSHELL: lambda key, value: f'$env:{key}="{value}"',
    Shell.FISH: lambda key, value: f"set -gx {key} {shlex.quote(value)}",
    Shell.GITHUB: lambda key, value: f"{key}={value}",
}


def _blocks(profile: Profile, endpoint: Endpoint) -> list[tuple[str, dict[str, str]]]:
    budgets = {OPERATIONS[name].budget_variable: f"{ms:g}" for name, ms in profile.budgets_ms.items()}
    budgets["REGRESSION_THRESHOLD_PCT"] = f"{profile.threshold_pct:g}"
    sizes = {
        "GQL_SAMPLES": str(profile.gql_samples),
        "GQL_WARMUP": str(profile.gql_warmup),
        "ENC_MB": str(profile.enc_mb),
    }
    return [("budgets", budgets), ("sample sizes", sizes), ("endpoints", ENDPOINTS[endpoint])]


def _lines(profile: Profile, endpoint: Endpoint) -> Iterator[str]:
    blocks = _blocks(profile, endpoint)
    yield f"# {profile.name}, {endpoint}: {profile.description}"
    for name, block in blocks:
        yield f"# {name}"
        yield from (_LINES[Shell.BASH](key, value) for key, value in block.items())
    yield "# PowerShell"
    for _, block in blocks:
        yield from (_LINES[Shell.POWERSHELL](key, value) for key, value in block.items())


def _of_shell(profile: Profile, endpoint: Endpoint, shell: Shell) -> str:
    """The toggles for one shell, and nothing else: what it takes without a filter."""
    values = {key: value for _, block in _blocks(profile, endpoint) for key, value in block.items()}
    if shell is Shell.JSON:
        return json.dumps({"profile": profile.name, "endpoint": endpoint, "variables": values}, indent=2)
    return "\n".join(_LINES[shell](key, value) for key, value in values.items())


def toggles(
    profile: ProfileName | None = typer.Argument(None, help="pr, main, nightly or dev; all if left out."),
    endpoint: Endpoint = typer.Argument(Endpoint.LOCAL, help="local, staging or production."),
    shell: Shell | None = typer.Option(
        None, help="Lines for this shell alone (github: for $GITHUB_ENV); else for bash and PowerShell."
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON object, as --shell json."),
) -> None:
    """Print the profile's budgets, sample sizes and endpoints, for POSIX shells and PowerShell.

    Example: eval "$(hologram toggles main local --shell bash)"
    """
    if as_json:
        shell = Shell.JSON
    if shell is not None:
        if profile is None:
            raise HologramError("--shell and --json are for one profile: name pr, main, nightly or dev.")
        typer.echo(_of_shell(PROFILES[profile], endpoint, shell))
        return
    chosen = [PROFILES[profile]] if profile else list(PROFILES.values())
    typer.echo("\n\n".join("\n".join(_lines(each, endpoint)) for each in chosen))


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(toggles)
