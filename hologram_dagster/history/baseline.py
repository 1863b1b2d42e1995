"""A baseline: a revision together with its numbers, and the signed list of all there were.

What belongs here: the baseline's fields, and which is in force where. What does not: the
rules for setting one (`rolling`), the flat file that other tools read (`baseline_file`).

Each change of the baseline, and each backup, is one entry of a ledger in the state
folder: hash-linked and signed, so who set it, when and on what evidence stays known, and
commit and numbers can only move together. The baseline in force for an environment and
machine is the last one entered for them.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from hologram_dagster.errors import TamperedError
from hologram_dagster.evidence.record import from_iso, iso
from hologram_dagster.protocol.ledger import Ledger
from hologram_dagster.protocol.ledger_entry import Entry, LedgerError
from hologram_dagster.protocol.signing import Signer

LEDGER_NAME = "baselines.jsonl"


class Action(StrEnum):
    """How a baseline came into force."""

    ROLL_FORWARD = "roll_forward"
    ROLL_BACK = "roll_back"


@dataclass(frozen=True, slots=True)
class Place:
    """Where numbers count: an environment, and a machine by its fingerprint."""

    environment: str
    machine: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """A revision and its numbers: p95 in ms by `suite.metric` (contract section 2.5).

    `verdict_uri` and `verdict_sha256` name the record of the green main verdict it rests
    on; `by` who set it, `key_id` the key that signed it. `number` is its entry's place in
    the ledger; a rolled-back one has a new place and the old content.
    """

    number: int
    action: Action
    place: Place
    commit: str
    tree: str
    numbers: Mapping[str, float]
    reason: str
    by: str
    key_id: str
    at: datetime
    run_id: str
    verdict_uri: str
    verdict_sha256: str


@dataclass(frozen=True, slots=True)
class BackupEntry:
    """A backup as the ledger knows it: the file's name and digest, and the baseline in it."""

    name: str
    sha256: str
    baseline: int
    reason: str
    at: datetime
    place: Place


class BaselineLedger:
    """The signed list of baselines and their backups in `state_dir`.

    Without a `signer` it can only be read. `trusted` holds the key ids that may have
    signed; None lets any.
    """

    def __init__(
        self, state_dir: Path, signer: Signer | None, trusted: Collection[str] | None = None
    ) -> None:
        self._ledger = Ledger(state_dir / LEDGER_NAME, signer)
        self._trusted = trusted

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self._ledger.path

    def read(self) -> tuple[list[Baseline], list[BackupEntry]]:
        """Every baseline and every backup, oldest first.

        Raises:
            TamperedError: an entry is not what was written.
            HologramError: the file cannot be read.
        """
        items = [item for entry in self._whole_entries() if (item := _parse(entry))]
        baselines = [item for item in items if isinstance(item, Baseline)]
        backups = [item for item in items if isinstance(item, BackupEntry)]
        known = {baseline.number for baseline in baselines}
        if unknown := [backup.name for backup in backups if backup.baseline not in known]:
            raise TamperedError(f"{self.path}: the backup {unknown[0]} is of no baseline there ever was.")
        return baselines, backups

    def _whole_entries(self) -> Iterator[Entry]:
        try:
            yield from self._ledger.entries(trusted=self._trusted)
        except LedgerError as error:
            # What a crash tore off was never in force; the next entry sets it aside.
            if error.code != "torn_tail":
                raise TamperedError(
                    f"{self.path}: {error}. Put the file back from a copy; without one, move it away "
                    "and roll a baseline forward again."
                ) from None

    def enter(self, baseline: Baseline) -> Baseline:
        """Put `baseline` in force; returned with the number and key it was entered with.

        Raises:
            HologramError: the ledger cannot be written, or was opened without a key.
        """
        entry = self._ledger.append(
            {
                "entry": "baseline",
                "action": str(baseline.action),
                "environment": baseline.place.environment,
                "machine": baseline.place.machine,
                "commit": baseline.commit,
                "tree": baseline.tree,
                "numbers": dict(baseline.numbers),
                "reason": baseline.reason,
                "by": baseline.by,
                "at": iso(baseline.at),
                "run_id": baseline.run_id,
                "verdict": {"uri": baseline.verdict_uri, "sha256": baseline.verdict_sha256},
            }
        )
        return _baseline(entry)

    def enter_backup(self, *, name: str, sha256: str, of: Baseline, reason: str, at: datetime) -> BackupEntry:
        """Note that the file `name` holds the numbers of the baseline `of`.

        Raises:
            HologramError: as `enter`.
        """
        entry = self._ledger.append(
            {
                "entry": "baseline_backup",
                "name": name,
                "sha256": sha256,
                "baseline": of.number,
                "reason": reason,
                "at": iso(at),
                "environment": of.place.environment,
                "machine": of.place.machine,
            }
        )
        return _backup(entry)


def _parse(entry: Entry) -> Baseline | BackupEntry | None:
    try:
        match entry.data.get("entry"):
            case "baseline":
                return _baseline(entry)
            case "baseline_backup":
                return _backup(entry)
            case _:
                return None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # Signed, so a program wrote it: one that is newer than this.
        raise TamperedError(
            f"entry {entry.seq} of the baselines is not in a form this program knows "
            f"({type(error).__name__}: {error}): use the program that wrote it."
        ) from None


def _baseline(entry: Entry) -> Baseline:
    data: Mapping[str, Any] = entry.data
    return Baseline(
        number=entry.seq,
        action=Action(data["action"]),
        place=Place(data["environment"], data["machine"]),
        commit=data["commit"],
        tree=data["tree"],
        numbers={key: float(value) for key, value in data["numbers"].items()},
        reason=data["reason"],
        by=data["by"],
        key_id=entry.key_id,
        at=from_iso(data["at"]),
        run_id=data["run_id"],
        verdict_uri=data["verdict"]["uri"],
        verdict_sha256=data["verdict"]["sha256"],
    )


def _backup(entry: Entry) -> BackupEntry:
    data: Mapping[str, Any] = entry.data
    return BackupEntry(
        name=data["name"],
        sha256=data["sha256"],
        baseline=int(data["baseline"]),
        reason=data["reason"],
        at=from_iso(data["at"]),
        place=Place(data["environment"], data["machine"]),
    )
