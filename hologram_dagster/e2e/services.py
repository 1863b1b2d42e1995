"""What an end-to-end run talks to, and the recorder of its steps."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hologram_dagster.e2e.events import EventLog
from hologram_dagster.e2e.faults import status_of
from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.registry.client import RegistryClient


@dataclass(frozen=True, slots=True)
class Services:
    """Clients for the services under test, and the log of what they did."""

    ipfs: IpfsClient
    registry: RegistryClient
    events: EventLog


class StepFailed(Exception):  # noqa: N818 (what a step observed, not an error of ours)
    """A step saw something wrong; the text is the finding, `status` how the step ended."""

    def __init__(self, text: str, status: Status = Status.FAILED):
        super().__init__(text)
        self.status = status


def require(held: bool, otherwise: str) -> None:
    """Fail the step with `otherwise` unless `held`.

    Raises:
        StepFailed: it does not hold.
    """
    if not held:
        raise StepFailed(otherwise)


def dig(answer: Any, *keys: str) -> Any:
    """The value under `keys` in nested objects; None where there is none."""
    for key in keys:
        answer = answer.get(key) if isinstance(answer, Mapping) else None
    return answer


@dataclass(slots=True)
class Steps:
    """The findings of one observation, a step at a time."""

    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    findings: list[Finding] = field(default_factory=list)

    @property
    def broken(self) -> Finding | None:
        """The first step that did not pass; None while all is well."""
        return next((f for f in self.findings if f.status is not Status.PASSED), None)

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Record `name` as passed, with what the step tells, or by what was seen.

        Never raises for a service: a wrong answer, or none, fails the step.
        """
        told: list[str] = []
        try:
            yield told
        except StepFailed as failure:
            self.findings.append(Finding(name, failure.status, str(failure)))
        except HologramError as error:
            self.findings.append(Finding(name, status_of(error), str(error)))
        else:
            self.findings.append(Finding(name, Status.PASSED, "; ".join(told)))

    def skip(self, name: str) -> str:
        """Record that `name` was not done, since an earlier step is `broken`; returns the reason.

        It ends as that step did: what could not be tried failed no more than what stopped it.
        """
        cause = self.broken
        if cause is None:
            raise ValueError(f"{name} has no reason to be skipped")
        reason = f"not done: {cause.name} ended as {cause.status}"
        self.findings.append(Finding(name, cause.status, reason))
        return reason

    def observation(self, kind: str, method: str, facts: Mapping[str, str]) -> Observation:
        """What all steps came to: the worst of them."""
        seen = {finding.status for finding in self.findings}
        return Observation(
            kind=kind,
            status=next((s for s in (Status.FAILED, Status.ERROR) if s in seen), Status.PASSED),
            method=method,
            started_at=self.started_at,
            finished_at=datetime.now(UTC),
            facts=facts,
            findings=tuple(self.findings),
        )
