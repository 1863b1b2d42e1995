"""What a domain saw: the plain result that becomes signed evidence.

Domains return `Observation`s and know nothing of records, signatures or Dagster.
An observation never judges: a slow operation is `passed` here and red in its check.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """How an observation, a step of it, or a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing seen, named after the step or check it belongs to.

    `message` is one sentence a person understands at 3 a.m.; it never holds a secret.
    """

    name: str
    status: Status
    message: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that belongs to the evidence: its URI and the sha256 (hex) of its bytes."""

    uri: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing observed between two UTC times.

    `kind` is the asset's name, `method` the version of how it was observed, `values`
    flat numbers with the unit in the name (`p95_ms`), `facts` flat texts (`cid`).
    """

    kind: str
    status: Status
    method: str
    started_at: datetime
    finished_at: datetime
    values: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    artifacts: tuple[Artifact, ...] = ()

    @property
    def why(self) -> str:
        """The first finding that is not a pass, as one sentence; empty when all is well."""
        return next((f.message for f in self.findings if f.status is not Status.PASSED), "")


def with_facts(seen: Observation, **facts: str) -> Observation:
    """`seen` with more facts."""
    return replace(seen, facts={**seen.facts, **facts})
