"""The trend of flakes as a check of a gate run: shown, never red."""

from dataclasses import dataclass
from datetime import UTC, datetime

from hologram_dagster.evidence.check import CheckResult, Severity
from hologram_dagster.flakes.store import Store
from hologram_dagster.flakes.trend import flake_trend
from hologram_dagster.gate.flakes import kept_since
from hologram_dagster.gate.run import GateRun
from hologram_dagster.observation import Status

TREND = "trend"
_STATUS = {None: Status.INCONCLUSIVE, True: Status.FAILED, False: Status.PASSED}


@dataclass(frozen=True, slots=True)
class JudgedFlakes:
    """The trend as a check, and the days it was looked at over."""

    result: CheckResult
    days: int


def judge_flake_trend(run: GateRun) -> JudgedFlakes:
    """Whether the tests flake more today than on the days before.

    Raises:
        HologramError: the store cannot be read.
    """
    with Store.in_folder(run.settings.state_dir) as store:
        trend = flake_trend(store.occasions(since=kept_since(run.settings, datetime.now(UTC))))
    result = CheckResult(
        kind="flake_detection",
        check=TREND,
        status=_STATUS[trend.rising],
        message=trend.message,
        severity=Severity.WARN,
    )
    return JudgedFlakes(result, len(trend.days))
