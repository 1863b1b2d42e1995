"""The figures of evidence in the history, and what their trend says."""

from collections.abc import Callable

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.check import CheckResult, Severity
from hologram_dagster.evidence.record import Record
from hologram_dagster.gate.run import GateRun
from hologram_dagster.history.index import History, Series
from hologram_dagster.history.trend import TrendStatus, find_trend
from hologram_dagster.observation import Status
from hologram_dagster.profiles import REGRESSIONS

TREND = "trend"


def remember(run: GateRun, record: Record, warn: Callable[[str], object]) -> None:
    """Add the figures of `record` to the history; a history that fails is told, and fails nothing."""
    try:
        with History.in_folder(run.settings.state_dir) as history:
            history.add(record)
            for note in history.notes():
                warn(note)
    except HologramError as error:
        warn(f"the history does not hold the figures of {record.kind}: {error}")


def judge_trend(run: GateRun, operation: str) -> CheckResult:
    """Whether the paired ratio of `operation` has changed its level; shown, never red."""
    identity = run.identity
    of = Series(
        REGRESSIONS[operation],
        "ratio",
        str(identity.environment),
        identity.machine.fingerprint,
        str(identity.profile),
    )
    with History.in_folder(run.settings.state_dir) as history:
        trend = find_trend(history.read(of), name=operation)
    insufficient = trend.status is TrendStatus.INSUFFICIENT
    status = Status.INCONCLUSIVE if insufficient else Status.FAILED if trend.warn else Status.PASSED
    return CheckResult(
        kind=of.kind, check=TREND, status=status, message=trend.message, severity=Severity.WARN
    )
