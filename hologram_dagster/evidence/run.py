"""A started run and the plan it is judged by, as the ledger states them.

What belongs here: a run's identity and plan as JSON, there and back. What does not: the
profiles' figures (`profiles`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from hologram_dagster.errors import TamperedError
from hologram_dagster.evidence.record import RunIdentity, from_iso, iso, machine_json
from hologram_dagster.machine import Machine
from hologram_dagster.profiles import (
    PROFILES,
    Override,
    Plan,
    ProfileName,
    Rate,
    Traffic,
    required_kinds,
)
from hologram_dagster.target.revision import Revision


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A started run as the ledger knows it: identity, plan, required kinds and deadline (s)."""

    identity: RunIdentity
    plan: Plan
    required: tuple[str, ...]
    deadline_s: int


def run_json(run: RecordedRun) -> dict[str, Any]:
    """`run` as its ledger entry states it, so that it can be judged again years later."""
    identity, plan = run.identity, run.plan
    return {
        "run_id": identity.run_id,
        "profile": str(identity.profile),
        "environment": identity.environment,
        "revision": asdict(identity.revision),
        "baseline": {"commit": identity.baseline_commit, "rule": identity.baseline_rule},
        "machine": machine_json(identity.machine),
        "started_at": iso(identity.started_at),
        "deadline_s": run.deadline_s,
        "required": list(run.required),
        "plan": {
            "budgets_ms": dict(plan.budgets_ms),
            "gql_samples": plan.gql_samples,
            "gql_warmup": plan.gql_warmup,
            "enc_mb": plan.enc_mb,
            "threshold_pct": plan.threshold_pct,
            "verify_samples": plan.verify_samples,
            "encode_samples": plan.encode_samples,
            "load": asdict(plan.load),
            "traffic": {kind: asdict(traffic) for kind, traffic in plan.traffic.items()},
            "best_effort": sorted(plan.profile.best_effort),
            "overrides": [asdict(override) for override in plan.overrides],
        },
    }


def judged_by(run: RecordedRun) -> Mapping[str, Any]:
    """The figures that `run` was judged by, however they came about."""
    return {name: value for name, value in run_json(run)["plan"].items() if name != "overrides"}


def run_from_json(data: Mapping[str, Any]) -> RecordedRun:
    """The run that `run_json` stated.

    Raises:
        TamperedError: not in that form.
    """
    try:
        return _run_from_json(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TamperedError(
            f"the ledger's entry of a run is malformed: {type(error).__name__}: {error}"
        ) from None


def _run_from_json(data: Mapping[str, Any]) -> RecordedRun:
    profile = ProfileName(data["profile"])
    plan = data["plan"]
    return RecordedRun(
        identity=RunIdentity(
            run_id=data["run_id"],
            profile=profile,
            environment=data["environment"],
            revision=Revision(**data["revision"]),
            machine=Machine(**{k: v for k, v in data["machine"].items() if k != "fingerprint"}),
            started_at=from_iso(data["started_at"]),
            baseline_commit=data["baseline"]["commit"],
            # Not in entries from before it was recorded.
            baseline_rule=data["baseline"].get("rule"),
        ),
        plan=Plan(
            profile=replace(PROFILES[profile], best_effort=frozenset(plan["best_effort"])),
            budgets_ms=plan["budgets_ms"],
            gql_samples=plan["gql_samples"],
            gql_warmup=plan["gql_warmup"],
            enc_mb=plan["enc_mb"],
            overrides=tuple(Override(**override) for override in plan["overrides"]),
            **_newer_figures(plan),
        ),
        required=tuple(data["required"]),
        deadline_s=data["deadline_s"],
    )


def _newer_figures(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that became part of the plan later; runs recorded before had the defaults."""
    figures = {
        name: plan[name] for name in ("threshold_pct", "verify_samples", "encode_samples") if name in plan
    }
    if "load" in plan:
        figures["load"] = Rate(**plan["load"])
    if "traffic" in plan:
        figures["traffic"] = {kind: Traffic(**traffic) for kind, traffic in plan["traffic"].items()}
    return figures


def record_run(identity: RunIdentity, plan: Plan, *, deadline_s: int | None = None) -> RecordedRun:
    """`identity` and `plan` with what their profile requires today; `deadline_s` overrides the profile's."""
    return RecordedRun(
        identity=identity,
        plan=plan,
        required=required_kinds(plan.profile.name),
        deadline_s=plan.profile.deadline_s if deadline_s is None else deadline_s,
    )
