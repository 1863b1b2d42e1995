"""Evidence that is beyond its retention; its ledger is kept for ever."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from hologram_dagster.errors import TamperedError
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.gathering import listings
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.retention.expired import Expired, Member

FOLDER = "evidence/records"


@dataclass(frozen=True, slots=True)
class ExpiredRecords:
    """Records to remove, with the digests that the ledger is to name; `notes` tell what stays and why.

    `removed_before` are those that an earlier prune exported and entered, and could not
    remove to the end.
    """

    expired: Sequence[Expired]
    sha256s: Sequence[str]
    removed_before: Sequence[Expired]
    notes: Sequence[str]


def expired_records(evidence: Evidence, before: datetime) -> ExpiredRecords:
    """The records that the ledger lists as finished before `before`.

    One that is gone or changed is kept as it is: it tells of what happened to it.

    Raises:
        TamperedError: the ledger is not what was written, so nothing may be removed by its word.
        HologramError: ledger or store cannot be read.
    """
    expired: list[Expired] = []
    sha256s: list[str] = []
    left: list[Expired] = []
    notes: list[str] = []
    try:
        entries = list(evidence.ledger.entries())
    except TamperedError as error:
        raise TamperedError(f"{evidence.ledger.path}: {error}: nothing is pruned by its word.") from None
    for listing in reversed(list(listings(entries))):
        if listing.finished_at >= before:
            continue
        pruned = listing.pruned is not None and not evidence.trust.fault(
            listing.pruned.public_key, listing.same["profile"]
        )
        try:
            data = evidence.store.get(listing.path)
        except FileNotFoundError:
            if not pruned:
                notes.append(f"{listing.path}: listed, but gone, and never pruned")
            continue
        if sha256_hex(data) != listing.sha256:
            notes.append(f"{listing.path}: kept, as it is not what was written")
            continue
        found = Expired(
            "evidence",
            listing.path,
            len(data),
            partial(evidence.store.remove, listing.path),
            partial(_export, evidence, listing.path),
        )
        if pruned:
            left.append(found)
        else:
            expired.append(found)
            sha256s.append(listing.sha256)
    return ExpiredRecords(expired, sha256s, left, notes)


def _export(evidence: Evidence, path: str) -> list[Member]:
    return [(f"{FOLDER}/{path}", evidence.store.get(path))]
