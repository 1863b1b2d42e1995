"""What gathering evidence yields: records that may be judged, and faults that may not be passed over."""

from dataclasses import dataclass
from enum import StrEnum

from hologram_dagster.evidence.record import Record
from hologram_dagster.observation import Status


@dataclass(frozen=True, slots=True)
class Stored:
    """A record with its place: full URI, path in the store, sha256 (hex) of its bytes."""

    record: Record
    uri: str
    path: str
    sha256: str


class FaultCode(StrEnum):
    """What is wrong with evidence, or with the ledger that lists it."""

    REMOVED = "removed"
    EDITED = "edited"
    UNTRUSTED_KEY = "untrusted_key"
    OTHER_REVISION = "other_revision"
    OTHER_MACHINE = "other_machine"
    OTHER_PLAN = "other_plan"
    LEDGER = "ledger"
    UNAVAILABLE = "unavailable"
    PRUNED = "pruned"


_STATUS = {
    FaultCode.UNAVAILABLE: Status.ERROR,
    FaultCode.PRUNED: Status.INCONCLUSIVE,
    FaultCode.OTHER_PLAN: Status.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why evidence of `kind` does not count; `message` names the file."""

    kind: str
    code: FaultCode
    message: str

    @property
    def status(self) -> Status:
        """`error` where the store did not answer, `inconclusive` for what says nothing; else `failed`."""
        return _STATUS.get(self.code, Status.FAILED)


@dataclass(frozen=True, slots=True)
class Gathered:
    """The evidence of a run, and what was wrong with the rest."""

    evidence: tuple[Stored, ...]
    faults: tuple[Fault, ...]

    def get(self, kind: str) -> Stored | None:
        """The evidence of `kind`; None where there is none to be trusted."""
        return next((stored for stored in self.evidence if stored.record.kind == kind), None)

    def fault(self, kind: str) -> Fault | None:
        """What is wrong with the evidence of `kind`, or with the ledger; None if nothing is."""
        return next((f for f in self.faults if f.kind == kind or f.code is FaultCode.LEDGER), None)
