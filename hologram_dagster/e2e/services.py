"""What an end-to-end run talks to, and the recorder of its steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hologram_dagster.e2e.events import EventLog
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
    """A step saw something wrong; the text is the finding."""


def require(held: bool, otherwise: str) -> None:
    """Fail the step with `otherwise` unless `held`.

    Raises:
        StepFailed: it does not hold.
    """
    if not held:
        raise StepFailed(otherwise)


@dataclass(slots=True)
class Steps:
    """The findings of one observation, a step at a time; a failed step skips those after it."""

    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    findings: list[Finding] = field(default_factory=list)

    @property
    def broken(self) -> str | None:
        """The name of the first failed step; None while all is well."""
        return next((f.name for f in self.findings if f.status is Status.FAILED), None)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record `name` as passed, or as failed with what was seen; never raises for a service."""
        try:
            yield
        except (StepFailed, HologramError) as error:
            self.findings.append(Finding(name, Status.FAILED, str(error)))
        else:
            self.findings.append(Finding(name, Status.PASSED))

    def skip(self, name: str, reason: str) -> None:
        """Record that `name` was not done; a skipped required step is red."""
        self.findings.append(Finding(name, Status.NOT_APPLICABLE, reason))

    def observation(self, kind: str, method: str, facts: dict[str, str]) -> Observation:
        """What all steps came to."""
        return Observation(
            kind=kind,
            status=Status.FAILED if self.broken else Status.PASSED,
            method=method,
            started_at=self.started_at,
            finished_at=datetime.now(UTC),
            facts=facts,
            findings=tuple(self.findings),
        )
