"""The baseline of this place, and what speaks for setting a new one.

What belongs here: collecting the evidence of a main gate for `history`'s rules. What does
not: the rules and the files (`history`).
"""

import getpass
from datetime import UTC, datetime

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.verdict import KIND
from hologram_dagster.gate.run import GateRun, open_gate_run
from hologram_dagster.history.baseline import Place
from hologram_dagster.history.eligibility import Candidate, PairedResult
from hologram_dagster.history.index import BASELINE_FACT
from hologram_dagster.history.rolling import Baselines, Rolled
from hologram_dagster.observation import Status
from hologram_dagster.profiles import OPERATIONS, REGRESSIONS, ProfileName
from hologram_dagster.settings import Settings

# Facts of a comparison with a stored number: the commit it is of, and the one that could not be run.
STORED_COMMIT = "stored_commit"
NOT_RUNNABLE = "not_runnable"


def baselines_of(run: GateRun) -> Baselines:
    """The baselines of the run's environment and machine."""
    identity = run.identity
    return Baselines(
        state_dir=run.settings.state_dir,
        reports_dir=run.settings.reports_dir,
        place=Place(str(identity.environment), identity.machine.fingerprint),
        signer=run.signer,
    )


def open_main(settings: Settings) -> GateRun:
    """The view of a main gate on the evidence that is there; starts nothing.

    Raises:
        HologramError: the tree is dirty, shallow, or no repository.
    """
    return open_gate_run(settings, run_id="baseline", profile_tag=str(ProfileName.MAIN))


def roll_forward(run: GateRun, *, reason: str) -> Rolled:
    """Set the revision of `run`, green under main, as the baseline of its place.

    Raises:
        HologramError: it may not become the baseline; the one in force stays as it is.
    """
    return baselines_of(run).roll_forward(candidate_of(run), reason=reason, by=getpass.getuser())


def candidate_of(run: GateRun) -> Candidate:
    """The newest main gate of the revision as a candidate, with all that was measured for it.

    Raises:
        HologramError: this revision has no verdict of a main gate in the last 24 h, or it
            does not hold.
    """
    kinds = [KIND, *(operation.kind for operation in OPERATIONS.values()), *REGRESSIONS.values()]
    gathered = run.evidence.gather(run.identity, kinds, now=datetime.now(UTC))
    verdict = gathered.get(KIND)
    if gathered.faults:
        raise HologramError(gathered.faults[0].message)
    if verdict is None:
        raise HologramError(
            f"{run.identity.revision.commit[:12]} has no verdict of a main gate in the last 24 h: "
            "run hologram gate --profile main."
        )
    started = run.evidence.started_run(verdict.record.run_id)
    compared = {
        name: stored.record
        for name, kind in REGRESSIONS.items()
        if (stored := gathered.get(kind)) is not None
    }
    return Candidate(
        verdict=verdict,
        measurements=[
            stored.record for operation in OPERATIONS.values() if (stored := gathered.get(operation.kind))
        ],
        overrides=started.plan.overrides if started else (),
        comparisons=[
            PairedResult(
                operation=name,
                baseline_commit=record.facts.get(BASELINE_FACT) or _stored_of(record) or "",
                regressed=record.status is not Status.PASSED,
                message=next((finding.message for finding in record.findings), ""),
                stored=_stored_of(record) is not None,
            )
            for name, record in compared.items()
        ],
        ref=run.settings.ref or run.identity.revision.ref,
    )


def _stored_of(record: Record) -> str | None:
    """The commit whose stored number `record` rests on, if it is the very one that could not be run."""
    stored = record.facts.get(STORED_COMMIT)
    return stored if stored == record.facts.get(NOT_RUNNABLE) else None
