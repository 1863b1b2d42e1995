"""Pruning: what would go, and the steps in an order that a crash at any point leaves safe.

The archive is written and read back, then the ledger names what is in it, then it is
removed. After a crash the next prune goes on: what was entered and is still there goes
without another export, everything else is planned anew.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.pruned import entries_of
from hologram_dagster.locking import exclusive
from hologram_dagster.retention.expired import Expired, Member
from hologram_dagster.retention.export import write_archive
from hologram_dagster.retention.folders import expired_files
from hologram_dagster.retention.records import ExpiredRecords, expired_records
from hologram_dagster.settings import Settings

_LEDGER = "evidence/ledger.jsonl"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a prune would remove, and where it would export it to."""

    expired: Sequence[Expired]
    records: ExpiredRecords
    archive: Path

    @property
    def everything(self) -> list[Expired]:
        """All that would go."""
        return [*self.expired, *self.records.expired, *self.records.removed_before]

    def lines(self) -> Iterator[str]:
        """The plan in words: a line a kind, then the notes."""
        counts = Counter(each.kind for each in self.everything)
        for kind, count in sorted(counts.items()):
            size = sum(each.size_bytes for each in self.everything if each.kind == kind)
            yield f"{kind}: {count}, {size / 2**20:.1f} MiB"
        if not counts:
            yield "nothing is beyond its retention"
        yield from (f"note: {note}" for note in self.records.notes)


def plan_prune(settings: Settings, evidence: Evidence, runs: Sequence[Expired], *, now: datetime) -> Plan:
    """What is beyond its retention at `now`; `runs` are Dagster's, which the caller knows of.

    Raises:
        TamperedError: the ledger is not what was written.
        HologramError: a folder, the ledger or the store cannot be read.
    """
    before = now - timedelta(days=settings.keep_evidence_days)
    folder = settings.export_dir or settings.state_dir / "exports"
    return Plan(
        expired=[*runs, *expired_files(settings, now)],
        records=expired_records(evidence, before),
        archive=folder / f"hologram-{now:%Y%m%dT%H%M%SZ}.tar.gz",
    )


def prune(
    settings: Settings, evidence: Evidence, runs: Sequence[Expired], *, now: datetime
) -> tuple[Plan, str]:
    """Export and remove what `plan_prune` finds; with the archive's sha256, empty if nothing was exported.

    Raises:
        HologramError: a step failed; nothing was removed that was not exported and entered.
    """
    with exclusive(settings.state_dir / "prune.lock"):
        plan = plan_prune(settings, evidence, runs, now=now)
        sha256 = _export(plan, evidence)
        for data in entries_of(plan.records.sha256s, archive=plan.archive.name, archive_sha256=sha256):
            evidence.enter(data)
        for each in plan.everything:
            each.remove()
    return plan, sha256


def _export(plan: Plan, evidence: Evidence) -> str:
    exported = [each.export for each in (*plan.expired, *plan.records.expired) if each.export]
    if not exported:
        return ""

    def members() -> Iterator[Member]:
        for export in exported:
            yield from export()
        if plan.records.expired:
            yield _LEDGER, _bytes_of(evidence.ledger.path)

    return write_archive(plan.archive, members())


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HologramError(f"cannot export {path}: {error.strerror}. Nothing was removed.") from error
