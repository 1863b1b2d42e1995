"""The form of a check and of its result."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from hologram_dagster.evidence.record import Record
from hologram_dagster.observation import Status
from hologram_dagster.profiles import Plan

# What never makes a gate red. Everything else does, unless its severity is `warn`.
GREEN = frozenset({Status.PASSED, Status.NOT_APPLICABLE})


class Severity(StrEnum):
    """Whether a red result fails the gate (`error`) or is only shown (`warn`)."""

    ERROR = "error"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rule ended, with the figure and limit where it has any, both in `unit`."""

    status: Status
    message: str
    value: float | None = None
    limit: float | None = None
    unit: str | None = None
    severity: Severity = Severity.ERROR

    @property
    def red(self) -> bool:
        """Whether this alone keeps a verdict from being `pass`."""
        return self.status not in GREEN and self.severity is Severity.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult(Outcome):
    """An outcome with the evidence kind and the check it belongs to; also a `reason` of a verdict."""

    kind: str
    check: str


# What a rule answers where the record holds nothing it could judge (see `judge.judge`).
NOTHING = Outcome(Status.FAILED, "the record holds nothing to judge this by")


@dataclass(frozen=True, slots=True)
class Check:
    """A named rule: a pure function of a record and the plan it is judged by."""

    name: str
    description: str
    rule: Callable[[Record, Plan], Outcome]
