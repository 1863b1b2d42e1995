"""The candidate beside a stored number, where the old revision itself cannot be run any more.

What belongs here: finding both figures and saying what they are. What does not: deciding,
which no stored number does (`evidence.rules.no_regression` shows it as a warning).
"""

from dataclasses import replace
from datetime import UTC, datetime

from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.rules import CHANGE_PCT, NO_REGRESSION
from hologram_dagster.gate.baselines import NOT_RUNNABLE, STORED_COMMIT, baselines_of
from hologram_dagster.gate.run import GateRun
from hologram_dagster.history.baseline import Baseline
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.profiles import OPERATIONS

METHOD = "stored1"


def compare_with_stored(
    run: GateRun, operation: str, kind: str, baseline: str, *, why: str, started_at: datetime
) -> Observation:
    """This run's p95 of `operation` beside that of the baseline in force at this place.

    `not_applicable` where either is missing; `why` says why the commit `baseline` was not
    compared side by side.

    Raises:
        HologramError: the ledger or the list of baselines cannot be read, or is not what was written.
    """

    def seen(status: Status, finding: Status, message: str) -> Observation:
        found = (Finding(NO_REGRESSION, finding, f"{why} {message}"),)
        return Observation(kind, status, METHOD, started_at, datetime.now(UTC), findings=found)

    def missing(message: str) -> Observation:
        return seen(Status.NOT_APPLICABLE, Status.NOT_APPLICABLE, message)

    measured = _measured(run, operation)
    if measured is None:
        return missing(f"Nor is there a p95 of {operation} of this revision to hold against a stored number.")
    shown = baselines_of(run).show()
    metric, p95 = measured.facts["metric"], measured.values["p95_ms"]
    stored = shown.baseline.numbers.get(metric) if shown.baseline else None
    if shown.baseline is None or not stored:
        return missing(f"Nor is a number of {metric} stored {_here(run)}{_elsewhere(shown.elsewhere)}.")
    change_pct = 100 * (p95 / stored - 1)
    compared = seen(
        Status.PASSED,
        Status.INCONCLUSIVE,
        f"A stored number was used instead, which decides nothing: p95 of {metric} {p95:.3f} ms now, "
        f"{stored:.3f} ms stored {_here(run)} for the baseline {shown.baseline.commit[:12]} of "
        f"{shown.baseline.at:%Y-%m-%d}: {change_pct:+.1f} %.",
    )
    return replace(
        compared,
        values={"candidate_p95_ms": p95, "stored_p95_ms": stored, CHANGE_PCT: change_pct},
        facts={
            "metric": metric,
            "compared_with": "stored number",
            STORED_COMMIT: shown.baseline.commit,
            NOT_RUNNABLE: baseline,
        },
    )


def _measured(run: GateRun, operation: str) -> Record | None:
    kind = OPERATIONS[operation].kind
    stored = run.evidence.gather(run.identity, [kind], now=datetime.now(UTC)).get(kind)
    has_it = stored is not None and "p95_ms" in stored.record.values and "metric" in stored.record.facts
    return stored.record if stored is not None and has_it else None


def _here(run: GateRun) -> str:
    return f"in {run.identity.environment} on machine {run.identity.machine.fingerprint}"


def _elsewhere(others: tuple[Baseline, ...]) -> str:
    if not others:
        return ""
    machines = ", ".join(other.place.machine for other in others)
    return f" (that of machine {machines} cannot be compared with this one's)"
