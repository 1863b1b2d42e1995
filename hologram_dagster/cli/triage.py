"""`hologram triage`: what broke, and what to do first."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from hologram_dagster.cli.reading import last_verdict
from hologram_dagster.evidence.document import ExitCode, Verdict
from hologram_dagster.gate.answering import answer_for_run
from hologram_dagster.observation import Status
from hologram_dagster.profiles import OPERATIONS, REGRESSIONS, ProfileName, required_kinds
from hologram_dagster.reports.causes import causes
from hologram_dagster.reports.reading import with_unit
from hologram_dagster.reports.runbook import family_of
from hologram_dagster.secrets.redactor import redact
from hologram_dagster.settings import load_settings

_UNSURE = {Status.ERROR, Status.INCONCLUSIVE}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One cause of a red verdict; `figure` and `limit` are texts with units, or empty."""

    kind: str
    checks: tuple[str, ...]
    status: str
    message: str
    figure: str
    limit: str
    likely_cause: str
    runbook: str
    reproduce: str


@dataclass(frozen=True, slots=True)
class Triage:
    """What a person needs first; `last_good_step` is None where none was good before the first red one."""

    verdict: str
    run_id: str
    commit: str
    profile: str
    last_good_step: str | None
    troubles: tuple[Trouble, ...]


def _likely(reason: Mapping[str, Any], verdict: Verdict) -> str:
    """The first cause of the runbook that fits what the verdict says."""
    kind = str(reason["kind"])
    causes_of = family_of(kind).causes
    operation = kind.removeprefix("perf_")
    if operation == kind or operation not in OPERATIONS or reason["check"] != "p95_within_budget":
        return causes_of[0]
    for override in verdict.overrides:
        if override.variable == OPERATIONS[operation].budget_variable:
            own = f"the profile's own budget is {override.profile_value:g} ms"
            return f"the budget of this run: {override.variable}={override.value:g}; {own}"
    slower = any(each.red and each.kind == REGRESSIONS[operation] for each in verdict.reasons)
    return causes_of[0] if slower else causes_of[1]


def _reproduce(verdict: Verdict) -> str:
    """The command that does it again, with what the environment had overridden."""
    given = (f"{override.variable}={override.value:g}" for override in verdict.overrides)
    return " ".join([*given, f"hologram gate --profile {verdict.profile}"])


def triage_of(verdict: Verdict) -> Triage:
    """The causes of `verdict`, worst first, each with what to do. Pure."""
    troubles = []
    for cause in causes(asdict(reason) for reason in verdict.reasons if reason.red):
        reason, family = cause.reason, family_of(str(cause.reason["kind"]))
        unsure = reason["status"] in _UNSURE
        figure, limit = (
            "" if reason[name] is None else with_unit(reason[name], reason["unit"])
            for name in ("value", "limit")
        )
        troubles.append(
            Trouble(
                kind=str(reason["kind"]),
                checks=cause.checks,
                status=str(reason["status"]),
                message=redact(cause.message),
                figure=figure,
                limit=limit,
                likely_cause="the machine, the network or a service" if unsure else _likely(reason, verdict),
                runbook=family.anchor,
                reproduce=_reproduce(verdict),
            )
        )
    return Triage(
        verdict=str(verdict.verdict),
        run_id=verdict.run_id,
        commit=verdict.revision.commit,
        profile=verdict.profile,
        last_good_step=_last_good(verdict),
        troubles=tuple(troubles),
    )


def _last_good(verdict: Verdict) -> str | None:
    """The step before the first red one, in the order in which a run of the profile takes them."""
    red = {reason.kind for reason in verdict.reasons if reason.red}
    there = {item.kind for item in verdict.evidence}
    good = None
    for kind in required_kinds(ProfileName(verdict.profile)):
        if kind in red:
            return good
        if kind in there:
            good = kind
    return good


def triage(
    run: str | None = typer.Argument(None, help="Id of a gate run (default: the last one here)."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object instead of a text."),
) -> None:
    """Say what failed, the last good step, the likely cause, and what to do first.

    Exit codes: as `hologram verdict`. Example: hologram triage
    """
    settings = load_settings()
    run_id = run or str((last_verdict(settings).document or {}).get("run_id") or "")
    answered = answer_for_run(settings, run_id) if run_id else None
    if answered is None:
        asked = f"no gate run {run}" if run else "no gate run"
        typer.echo(f"{asked} is known here. Run hologram gate.", err=True)
        raise typer.Exit(ExitCode.NO_VERDICT)
    found = triage_of(answered)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    else:
        _show(found)
    raise typer.Exit(answered.exit_code)


def _show(found: Triage) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        Text(f"{found.verdict.upper()}: run {found.run_id} of {found.commit[:12]}, {found.profile}")
    )
    if not found.troubles:
        console.print("nothing is red")
        return
    console.print(Text(f"last good step: {found.last_good_step or 'none'}"))
    for trouble in found.troubles:
        figures = (
            f" [figure {trouble.figure}, limit {trouble.limit}]" if trouble.figure and trouble.limit else ""
        )
        where = f"{trouble.kind} {', '.join(trouble.checks)}"
        message = trouble.message.replace("\n", "\n      ")
        console.print()
        console.print(Text.assemble((where, "bold red"), f": {trouble.status}: {message}{figures}"))
        for name in ("likely_cause", "runbook", "reproduce"):
            console.print(Text(f"  {name.replace('_', ' ') + ':':<14} {getattr(trouble, name)}"))


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(triage)
