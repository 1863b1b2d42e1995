"""The journal of an experiment: every step with its times and what came of it, and the outcome.

`passed` only when every step that the plan calls for is there and passed. What belongs here: what a
journal holds, and the outcome. What does not: its file (`journal_file`), other forms (`toolkit`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hologram_dagster.chaos.intervals import quantile
from hologram_dagster.chaos.load import Operation
from hologram_dagster.chaos.plan import Planned, as_json
from hologram_dagster.observation import Finding, Observation, Status

METHOD = "1"
MOST_POINTS = 240
_WORST_FIRST = (Status.FAILED, Status.ERROR, Status.INCONCLUSIVE, Status.NOT_APPLICABLE)


class Step(StrEnum):
    """What a step of an experiment is for."""

    LEAVE = "leave"
    DESIGN = "design"
    STATE_BEFORE = "state before"
    STEADY_BEFORE = "steady before"
    WAIT = "wait"
    CONTROL = "control"
    FAULT = "fault"
    WITNESS = "witness"
    MEANWHILE = "meanwhile"
    ACTION = "action"
    UNDO = "undo"
    RECOVERY = "recovery"
    STEADY_AFTER = "steady after"
    LOAD = "load"
    HISTORY = "history"
    ROLLBACK = "rollback"
    STATE_AFTER = "state after"
    CLOCK = "clock"
    FINDING = "finding"
    INTERRUPTION = "interruption"


_OF_STRIKE = (Step.CONTROL, Step.FAULT, Step.WITNESS, Step.UNDO, Step.RECOVERY)
_ONCE = (Step.STATE_BEFORE, Step.STEADY_BEFORE, Step.STEADY_AFTER, Step.STATE_AFTER)


@dataclass(frozen=True, slots=True)
class Entry:
    """One step: its times (s since the start), how it ended and what was said. `number` is the method's."""

    step: Step
    name: str
    number: int
    began_s: float
    ended_s: float
    status: Status
    told: str = ""
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The step and whose it is."""
        return f"{self.step} {self.name}".strip()


@dataclass(slots=True)
class Window:
    """When a fault was in force, s since the start; None where it did not come to that."""

    fault: str
    applied_s: float
    undone_s: float | None = None
    recovered_s: float | None = None

    @property
    def recovery_ms(self) -> float | None:
        """From when the fault was brought about until all was steady, ms."""
        return None if self.recovered_s is None else 1000 * (self.recovered_s - self.applied_s)


@dataclass(slots=True)
class Journal:
    """All of one experiment. Times are s since `origin_s` (`time.perf_counter`) and `started_at`.

    `timeline` is its load over time, thinned out (`sampled`), `budget_ms` what each of it may take.
    """

    experiment: str
    title: str
    chaos_type: str
    seed: int
    plan: Sequence[Planned]
    strikes: frozenset[int]
    started_at: datetime
    origin_s: float
    operations_file: str = ""
    entries: list[Entry] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    timeline: Sequence[tuple[float, float, bool]] = ()
    budget_ms: float | None = None
    finished_at: datetime | None = None

    @property
    def outcome(self) -> Status:
        """`passed`, `failed`, `inconclusive`, `error`; `not_applicable` where nothing may be disturbed."""
        seen = {entry.status for entry in self.entries}
        worst = next((status for status in _WORST_FIRST if status in seen), Status.PASSED)
        return Status.INCONCLUSIVE if worst is Status.PASSED and self.missing() else worst

    def passed(self, step: Step) -> bool:
        """Whether there is such a step, and the newest one passed."""
        newest = next((entry for entry in reversed(self.entries) if entry.step is step), None)
        return newest is not None and newest.status is Status.PASSED

    def missing(self) -> list[str]:
        """What must be in the journal of a pass, and is not there."""
        there = {(entry.step, entry.number) for entry in self.entries if entry.status is Status.PASSED}
        wanted = [(step, 0) for step in _ONCE]
        wanted += [(step, number) for number in sorted(self.strikes) for step in _OF_STRIKE]
        absent = [f"{step} {number or ''}".strip() for step, number in wanted if (step, number) not in there]
        return absent + ([] if self.strikes else ["a fault"]) + ([] if self.finished_at else ["an end"])

    @property
    def told(self) -> str:
        """Why it did not pass, in a sentence; empty when it did."""
        outcome = self.outcome
        if outcome is Status.PASSED:
            return ""
        for entry in self.entries:
            if entry.status is outcome:
                return f"{entry.label}: {entry.told}"
        return f"not there: {', '.join(self.missing())}"

    @property
    def witnessed(self) -> str:
        """What the first witness said; empty where none was asked."""
        return next((entry.told for entry in self.entries if entry.step is Step.WITNESS), "")

    def figures(self) -> dict[str, float]:
        """The figures: those of contract section 3.8, the recovery's quantiles, and the experiment's own."""
        times = [taken for window in self.windows if (taken := window.recovery_ms) is not None]
        return {"chaos_events": float(len(self.windows)), **recovery_figures(times), **self.values}

    def to_json(self) -> dict[str, object]:
        """The journal as its file has it."""
        return {
            "schema_version": 1,
            "experiment": self.experiment,
            "title": self.title,
            "chaos_type": self.chaos_type,
            "seed": self.seed,
            "plan": as_json(self.plan),
            "state": "final" if self.finished_at else "running",
            "outcome": self.outcome,
            "told": self.told,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
            "origin_s": self.origin_s,
            "operations_file": self.operations_file,
            "windows": [
                {
                    "fault": window.fault,
                    "applied_s": window.applied_s,
                    "undone_s": window.undone_s,
                    "recovered_s": window.recovered_s,
                }
                for window in self.windows
            ],
            "values": self.figures(),
            "budget_ms": self.budget_ms,
            "timeline": [[round(due, 3), round(latency, 1), done] for due, latency, done in self.timeline],
            "entries": [
                {
                    "step": entry.step,
                    "name": entry.name,
                    "number": entry.number,
                    "began_s": entry.began_s,
                    "ended_s": entry.ended_s,
                    "status": entry.status,
                    "told": entry.told,
                    "values": dict(entry.values),
                }
                for entry in self.entries
            ],
        }


def sampled(operations: Sequence[Operation], origin_s: float) -> list[tuple[float, float, bool]]:
    """Operations for a plot: when each was due (s since `origin_s`), its latency (ms), whether it was done.

    Of more than `MOST_POINTS` the slowest of each stretch of time is kept, and each that failed counts as
    slower than any that was done: what a person looks for is never thinned out.
    """
    points = sorted((each.due_s - origin_s, each.latency_ms, each.done) for each in operations)
    width = -(-len(points) // MOST_POINTS) or 1
    stretches = (points[first : first + width] for first in range(0, len(points), width))
    return [max(stretch, key=lambda point: (not point[2], point[1])) for stretch in stretches]


def recovery_figures(times_ms: Sequence[float]) -> dict[str, float]:
    """Worst, median and p95 of times to recover, ms, with the bounds that so few repeats allow."""
    if not times_ms:
        return {}
    figures = {"recovery_time_ms": max(times_ms)}
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        found = quantile(times_ms, share)
        figures[f"recovery_{name}_ms"] = found.value
        figures[f"recovery_{name}_low_ms"] = found.low
        # Evidence holds finite figures only: too few repeats bound nothing from above.
        if found.high != float("inf"):
            figures[f"recovery_{name}_high_ms"] = found.high
    return figures


def observation(journal: Journal, kind: str, *, findings: Sequence[Finding] = ()) -> Observation:
    """The journal as one observation of `kind`: its steps that did not pass, and its figures."""
    steps = tuple(
        Finding(
            entry.name if entry.step in (Step.FINDING, Step.HISTORY) else entry.label,
            entry.status,
            entry.told,
        )
        for entry in journal.entries
        if entry.status is not Status.PASSED or entry.step in (Step.FINDING, Step.HISTORY, Step.LOAD)
    )
    if journal.outcome is Status.INCONCLUSIVE and journal.missing():
        steps += (Finding("journal", Status.INCONCLUSIVE, journal.told),)
    return Observation(
        kind,
        journal.outcome,
        METHOD,
        journal.started_at,
        journal.finished_at or journal.started_at,
        values=journal.figures(),
        facts={"experiment": journal.experiment, "seed": str(journal.seed)},
        findings=(*steps, *findings),
    )
