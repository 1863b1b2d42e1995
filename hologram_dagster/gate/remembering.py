"""The figures of evidence in the history, and what their trend says."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.evidence.check import CheckResult, Severity
from hologram_dagster.evidence.document import Verdict
from hologram_dagster.evidence.gathered import FaultCode, Stored
from hologram_dagster.evidence.record import Record, RunIdentity
from hologram_dagster.evidence.verdict import KIND as VERDICT_KIND
from hologram_dagster.gate.baselines import baselines_of
from hologram_dagster.gate.run import GateRun, open_archive, open_signer, policy_of
from hologram_dagster.history.baseline import Baseline
from hologram_dagster.history.index import History, Series
from hologram_dagster.history.trend import Trend, TrendStatus, find_trend
from hologram_dagster.observation import Status
from hologram_dagster.profiles import DRIFTS, REGRESSIONS
from hologram_dagster.reports.trends import Ratios
from hologram_dagster.settings import Settings
from hologram_dagster.target.revision import resolve_ref

TREND = "trend"
# The kinds of evidence that compare two revisions.
COMPARED = (*REGRESSIONS.values(), *DRIFTS.values())


def remember(run: GateRun, record: Record, warn: Callable[[str], object]) -> None:
    """Add the figures of `record` to the history; a history that fails is told, and fails nothing."""
    try:
        with History.in_folder(run.settings.state_dir) as history:
            history.add(record)
            for note in history.notes():
                warn(note)
    except HologramError as error:
        warn(f"the history does not hold the figures of {record.kind}: {error}")


def rebuild_history(settings: Settings) -> tuple[int, tuple[str, ...]]:
    """Fill the history with the figures of all evidence here; the records' number, and what is left out.

    Evidence that is not what was written, or by a key that is not trusted, is left out and told.

    Raises:
        HologramError: ledger or store cannot be read (the history is as it was), or the history fails.
    """
    policy = policy_of(settings.repository, resolve_ref(settings.repository, "HEAD"))
    evidence = open_archive(settings, open_signer(settings), policy)
    notes: list[str] = []

    def verified() -> Iterator[Record]:
        for seen in evidence.all():
            if isinstance(seen, Stored):
                # As `remember`, which sees what was observed, not what was concluded.
                if seen.record.kind != VERDICT_KIND:
                    yield seen.record
            elif seen.code is FaultCode.UNAVAILABLE:
                raise ServiceError(seen.message)
            else:
                notes.append(seen.message)

    with History.in_folder(settings.state_dir) as history:
        return history.rebuild(verified()), tuple(notes)


@dataclass(frozen=True, slots=True)
class JudgedTrend:
    """A trend and what it says as a check: shown, never red. `baseline` is the last one set here."""

    result: CheckResult
    trend: Trend
    baseline: Baseline | None


def judge_trend(run: GateRun, kind: str) -> JudgedTrend:
    """Whether the paired ratio of `kind` has changed its level."""
    with History.in_folder(run.settings.state_dir) as history:
        trend = find_trend(history.read(_series(kind, run.identity)), name=kind)
    insufficient = trend.status is TrendStatus.INSUFFICIENT
    status = Status.INCONCLUSIVE if insufficient else Status.FAILED if trend.warn else Status.PASSED
    result = CheckResult(kind=kind, check=TREND, status=status, message=trend.message, severity=Severity.WARN)
    return JudgedTrend(result, trend, next(reversed(baselines_of(run).all()), None))


def ratios_of(
    run: GateRun, verdict: Verdict, margins_pct: Mapping[str, float]
) -> tuple[list[Ratios], list[str]]:
    """The paired ratios of the runs like that of `verdict`, for the report, and notes on what cannot be read.

    The newest 200 of each kind, however many there are; kinds without any are left out.
    `margins_pct` holds the limits of this run's comparisons by kind.
    """
    try:
        baselines = baselines_of(run).all()
        with History.in_folder(run.settings.state_dir) as history:
            notes = list(history.notes())
            read = {kind: history.read(_series(kind, verdict)) for kind in COMPARED}
    except HologramError as error:
        return [], [f"the trend cannot be shown: {error}"]
    return [
        Ratios(kind, points, find_trend(points, name=kind), baselines, margins_pct.get(kind))
        for kind, points in read.items()
        if len(points)
    ], notes


def _series(kind: str, of: RunIdentity | Verdict) -> Series:
    return Series(kind, "ratio", str(of.environment), of.machine.fingerprint, str(of.profile))
