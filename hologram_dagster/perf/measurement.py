"""One measured operation: its launches, and the observation they make.

What belongs here: when to launch again, and what becomes of a launch that fails. What
does not: how an operation is called (`core`, `gql`), whether a budget holds (`evidence`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hologram_dagster.errors import HologramError
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.perf.paired.host import HostMeter
from hologram_dagster.perf.statistics import Summary, summarize
from hologram_dagster.profiles import Operation

METHOD = "1"
# Absolute budgets fail only if broken in every launch: one breach may be the host's doing.
MOST_LAUNCHES = 3
ANSWERS_CORRECT = "answers_correct"


class WrongAnswerError(Exception):
    """The operation answered wrongly, so its times mean nothing; the text says how."""


@dataclass(frozen=True, slots=True)
class Launch:
    """The timed calls of one launch, ms, all answered right; `remarks` are findings made on the way."""

    samples_ms: Sequence[float]
    right: str
    facts: Mapping[str, str]
    remarks: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """An observation with what its CSV rows need: one row for each of `launches`.

    `launches` is empty where the observation has no times. `metric` and `note`: contract 2.1.
    """

    observation: Observation
    launches: tuple[Summary, ...]
    suite: str
    metric: str
    note: str


def measure(
    operation: Operation,
    launch: Callable[[], Launch],
    *,
    metric: str,
    note: str,
    budget_ms: float,
    values: Mapping[str, float],
) -> Measurement:
    """Launch until a p95 keeps the budget, at most three times; the best launch's figures count.

    Never raises for what it observes: wrong answers are `failed`, a launch that breaks off
    is `error`, and neither has times.
    """
    started_at, meter = datetime.now(UTC), HostMeter.now()
    launches: list[Summary] = []
    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, str] = {}
    right = ""
    status = Status.PASSED
    try:
        while len(launches) < MOST_LAUNCHES and all(seen.p95_ms > budget_ms for seen in launches):
            done = launch()
            launches.append(summarize(done.samples_ms))
            findings += done.remarks
            facts, right = done.facts, done.right
    except WrongAnswerError as error:
        status, right = Status.FAILED, str(error)
    except HologramError as error:
        status, right = Status.ERROR, str(error)
    if status is not Status.PASSED:
        launches = []
    load = meter.since()
    observation = Observation(
        kind=operation.kind,
        status=status,
        method=METHOD,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        values={
            **_figures(launches),
            **values,
            "budget_ms": budget_ms,
            "load_1m": load.load_1m,
            "steal_pct": load.steal_pct,
        },
        facts={"metric": f"{operation.suite}.{metric}", **facts},
        findings=(Finding(ANSWERS_CORRECT, status, right), *findings),
    )
    return Measurement(observation, tuple(launches), operation.suite, metric, note)


def _figures(launches: Sequence[Summary]) -> dict[str, float]:
    if not launches:
        return {}
    best = min(launches, key=lambda seen: seen.p95_ms)
    return {
        "p50_ms": best.p50_ms,
        "p95_ms": best.p95_ms,
        "p99_ms": best.p99_ms,
        "avg_ms": best.avg_ms,
        "n": best.n,
        "launches": len(launches),
    }
