"""Everything that was written, verified: ledger, checkpoints, records, their files, what verdicts rest on.

What belongs here: one pass over all of it, and the list of what does not hold. What does
not: what evidence means (`judge`). Nothing is written.

That the end of the ledger was cut off at a line's end shows only by a head that was kept
elsewhere (`pins`); so does all of it written anew by who has the key.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from hologram_dagster.errors import ServiceError
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.audited_ledger import Audited, audited
from hologram_dagster.evidence.gathered import Fault, FaultCode
from hologram_dagster.evidence.gathering import Listing, listings, verify_listed
from hologram_dagster.evidence.pruned import Pruned, pruned_by
from hologram_dagster.evidence.verdict import KIND
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.protocol.ledger_entry import LedgerError
from hologram_dagster.target.revision import Revision

_ANY_PROFILE: Final = ""
# How the artifacts of a record begin where it has some; to parse every record takes time.
_SOME_ARTIFACT: Final = b'"artifacts": [\n'


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that is not what was written: where, its code, and why."""

    where: str
    code: str
    message: str


@dataclass(slots=True)
class Audit:
    """What was verified, and what does not hold; the first broken link of the ledger comes first.

    `unlisted`: records in the folder that no entry names, as a crash amid recording leaves them, or a ledger
    whose end was cut off; they count for nothing.
    """

    entries: int = 0
    checkpoints: int = 0
    records: int = 0
    artifacts: int = 0
    head: str = ""
    broken: list[Broken] = field(default_factory=list)
    pruned: list[tuple[str, Pruned]] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether all of it is what was written."""
        return not self.broken

    def to_json(self) -> dict[str, Any]:
        """The audit as JSON."""
        return {
            "ok": self.holds,
            "entries": self.entries,
            "checkpoints": self.checkpoints,
            "records": self.records,
            "artifacts": self.artifacts,
            "head": self.head,
            "broken": [
                {"where": each.where, "code": each.code, "message": each.message} for each in self.broken
            ],
            "pruned": [
                {"path": path, "at": said.at, "archive": said.archive, "archive_sha256": said.archive_sha256}
                for path, said in self.pruned
            ],
            "torn": self.torn,
            "unlisted": self.unlisted,
        }


def audit(evidence: Evidence, *, since: datetime | None = None, pins: Collection[str] = ()) -> Audit:
    """Verify the whole ledger, and the records that finished at or after `since` (None: all).

    `pins` are heads that were seen before: the ledger must hold each of them.

    Raises:
        HologramError: the ledger cannot be read.
    """
    seen = Audit(torn=[path.name for path in evidence.ledger.torn_files()])
    missing = set(pins)
    found: list[Listing] = []
    pruned: dict[str, Pruned] = {}
    try:
        for entry in entries_of(evidence):
            seen.entries += 1
            seen.checkpoints += entry.checkpoint
            seen.head = entry.head
            missing.discard(entry.head)
            found.extend(listings([entry]))
            pruned.update(pruned_by(entry))
    except LedgerError as error:
        where = f"ledger entry {error.seq}" if error.seq is not None else "ledger"
        seen.broken.append(Broken(where, error.code, str(error)))
    for head in sorted(missing):
        seen.broken.append(
            Broken(
                "ledger", "cut_off", f"the head {head}, which was seen before, is not in it: its end is gone"
            )
        )
    listed = {listing.sha256 for listing in found}
    for listing in found:
        if since is None or listing.finished_at >= since:
            _record(evidence, replace(listing, pruned=pruned.get(listing.sha256)), listed, seen)
    paths = {listing.path for listing in found}
    seen.unlisted = [path for path in evidence.store.records() if path not in paths]
    return seen


def entries_of(evidence: Evidence) -> Iterator[Audited]:
    """The entries of the ledger that hold, oldest first.

    Raises:
        LedgerError: at the first that does not.
        HologramError: the ledger cannot be read.
    """
    return audited(evidence.ledger.path, lambda key: evidence.trust.fault(key, _ANY_PROFILE))


def _record(evidence: Evidence, listing: Listing, listed: Collection[str], seen: Audit) -> None:
    data = _read_whole(evidence, listing)
    if data is not None:
        seen.records += 1
        if _SOME_ARTIFACT in data:
            named = json.loads(data)["artifacts"]
            faults = _unlisted(listing, named, listed) if listing.kind == KIND else ()
            seen.broken.extend(faults or _changed(evidence, listing, named, seen))
        return
    profile = listing.same["profile"]
    revision = Revision(listing.same["commit"], listing.same["tree"], dirty=False, ref=None)
    fault = verify_listed(evidence.store, evidence.trust, listing, profile=profile, revision=revision)
    if not isinstance(fault, Fault):
        seen.records += 1
    elif fault.code is FaultCode.PRUNED and listing.pruned:
        seen.pruned.append((listing.path, listing.pruned))
    else:
        seen.broken.append(Broken(listing.path, str(fault.code), fault.message))


def _read_whole(evidence: Evidence, listing: Listing) -> bytes | None:
    """The record's bytes if they are those that the verified ledger lists, by a key that may."""
    if evidence.trust.fault(listing.public_key, listing.same["profile"]):
        return None
    try:
        data = evidence.store.get(listing.path)
    except (FileNotFoundError, ServiceError):
        return None
    return data if sha256_hex(data) == listing.sha256 else None


def _unlisted(
    listing: Listing, artifacts: Sequence[Mapping[str, Any]], listed: Collection[str]
) -> list[Broken]:
    """What a verdict rests on that the ledger does not list."""
    return [
        Broken(listing.path, "artifact", f"it rests on {artifact['uri']}, which the ledger does not list")
        for artifact in artifacts
        if artifact["sha256"] not in listed
    ]


def _changed(
    evidence: Evidence, listing: Listing, artifacts: Sequence[Mapping[str, Any]], seen: Audit
) -> Iterator[Broken]:
    """The files of a record that are not in the store as they were; what lies elsewhere is not looked at."""
    for artifact in artifacts:
        sha256, uri = artifact["sha256"], artifact["uri"]
        path = evidence.store.artifact_path(sha256, uri.rpartition("/")[2])
        if not uri.endswith(f"/{path}"):
            continue
        seen.artifacts += 1
        try:
            found = evidence.store.sha256(path)
        except FileNotFoundError:
            yield Broken(path, "artifact_missing", f"{listing.path} names it, and it is not there")
        except ServiceError as error:
            yield Broken(path, "artifact_missing", str(error))
        else:
            if found != sha256:
                yield Broken(path, "artifact", f"it is not the file that {listing.path} names")
