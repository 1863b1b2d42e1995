"""Finding the evidence of a run in the ledger, and refusing what is not what was written.

What belongs here: which listed record counts for a run, and the verification of one
listed record. What does not: writing (`archive`), judging (`judge`). A file in the store
that the ledger does not list is never looked at.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hologram_dagster.errors import FormatError, ServiceError, TamperedError
from hologram_dagster.evidence.gathered import Fault, FaultCode, Gathered, Stored
from hologram_dagster.evidence.pruned import Entered, Pruned, pruned_by
from hologram_dagster.evidence.record import Record, RunIdentity, from_iso, iso, parse
from hologram_dagster.evidence.store import EvidenceStore
from hologram_dagster.evidence.tail import read_back
from hologram_dagster.evidence.trust import Trust
from hologram_dagster.profiles import DRIFTS, REGRESSIONS
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.protocol.ledger_entry import Entry, LedgerError
from hologram_dagster.target.revision import Revision

FRESH_FOR = timedelta(hours=24)
RUN_ENTRY = "run"
EVIDENCE_ENTRY = "evidence"
# What is compared side by side is worth nothing where the sides are two machines.
_PAIRED = frozenset({*REGRESSIONS.values(), *DRIFTS.values()})
_SAME = ("profile", "environment", "commit", "tree", "machine")


@dataclass(frozen=True, slots=True)
class Listing:
    """A record as the ledger lists it: `public_key` (hex) signed the entry, `head` is the entry's.

    `pruned` is what a later entry says of its removal.
    """

    kind: str
    path: str
    sha256: str
    run_id: str
    same: Mapping[str, Any]
    finished_at: datetime
    public_key: str
    head: str
    pruned: Pruned | None = None


def listing_data(record: Record, path: str, sha256: str) -> dict[str, Any]:
    """The data of the ledger entry that lists `record`."""
    return {
        "entry": EVIDENCE_ENTRY,
        "kind": record.kind,
        "status": str(record.status),
        "run_id": record.run_id,
        **_same_of(record),
        "finished_at": iso(record.finished_at),
        "path": path,
        "sha256": sha256,
        "self_made_key": record.self_made_key,
    }


def listings(entries: Sequence[Entered]) -> Iterator[Listing]:
    """The records that `entries` list, newest first."""
    pruned: dict[str, Pruned] = {}
    for entry in reversed(entries):
        if entry.data.get("entry") == EVIDENCE_ENTRY and (listing := _listing(entry)):
            yield replace(listing, pruned=pruned.get(listing.sha256))
        else:
            for sha256, said in pruned_by(entry).items():
                pruned.setdefault(sha256, said)


def _listing(entry: Entered) -> Listing | None:
    data = entry.data
    try:
        texts = [data[name] for name in ("kind", "path", "sha256", "run_id")]
        finished_at = from_iso(data["finished_at"])
        same = {name: data[name] for name in _SAME}
    except (KeyError, TypeError, ValueError):
        # We never write such an entry; what it should have listed is missing, and missing is red.
        return None
    if not all(isinstance(text, str) for text in (*texts, *same.values())):
        return None
    kind, path, sha256, run_id = texts
    return Listing(kind, path, sha256, run_id, same, finished_at, entry.public_key, entry.head)


def _same_of(seen: Record | RunIdentity) -> dict[str, str]:
    """What must be equal for one run's evidence to stand for another's."""
    return {
        "profile": str(seen.profile),
        "environment": str(seen.environment),
        "commit": seen.revision.commit,
        "tree": seen.revision.tree,
        "machine": seen.machine.fingerprint,
    }


def recent_entries(ledger: Path, *, since: datetime) -> list[Entry]:
    """The verified entries since `since`, oldest first.

    Raises:
        LedgerError: an entry is not what was written.
        HologramError: the ledger cannot be read.
    """
    return read_back(ledger, lambda data: _is_before(data, since))


def _is_before(data: Mapping[str, Any], moment: datetime) -> bool:
    # `at` is one fixed-width form, so texts compare as times do.
    limit = iso(moment)
    return str(data.get("at", limit)) < limit


def _is_start(data: Mapping[str, Any], run: RunIdentity) -> bool:
    return data.get("entry") == RUN_ENTRY and data.get("run_id") == run.run_id


def gather(
    ledger: Path,
    store: EvidenceStore,
    trust: Trust,
    run: RunIdentity,
    kinds: Collection[str],
    *,
    now: datetime,
) -> Gathered:
    """For each of `kinds` the newest record of `run`, else the newest fresh one that may stand for it.

    Fresh: of the same commit, tree, profile, environment and machine, at most 24 h old at `now`.

    Raises:
        HologramError: the ledger cannot be read.
    """
    since = min(now - FRESH_FOR, run.started_at)
    try:
        # The run's own part of the ledger is enough where it holds all that is asked for.
        chosen = _choose(
            read_back(ledger, lambda data: _is_start(data, run) or _is_before(data, since)), run, kinds, now
        )
        if not chosen.keys() >= set(kinds):
            chosen = _choose(recent_entries(ledger, since=since), run, kinds, now)
    except LedgerError as error:
        return Gathered((), (Fault("ledger", FaultCode.LEDGER, f"{ledger}: {error}"),))
    return verify_all(store, trust, run, [chosen[kind] for kind in kinds if kind in chosen])


def _choose(
    entries: Sequence[Entry], run: RunIdentity, kinds: Collection[str], now: datetime
) -> dict[str, Listing]:
    own: dict[str, Listing] = {}
    other: dict[str, Listing] = {}
    wanted = _same_of(run)
    for listing in listings(entries):
        if listing.kind not in kinds:
            continue
        if listing.run_id == run.run_id:
            own.setdefault(listing.kind, listing)
        elif listing.same == wanted and timedelta() <= now - listing.finished_at <= FRESH_FOR:
            other.setdefault(listing.kind, listing)
    return {**other, **own}


def verify_all(store: EvidenceStore, trust: Trust, run: RunIdentity, chosen: Sequence[Listing]) -> Gathered:
    """The records listed in `chosen`, each as evidence or as a fault."""
    seen = [verify(store, trust, run, listing) for listing in chosen]
    return Gathered(
        tuple(item for item in seen if isinstance(item, Stored)),
        tuple(item for item in seen if isinstance(item, Fault)),
    )


def verify(store: EvidenceStore, trust: Trust, run: RunIdentity, listing: Listing) -> Stored | Fault:
    """The record that `listing` lists, if it may be evidence of `run`: `verify_listed`, and one machine."""
    seen = verify_listed(store, trust, listing, profile=str(run.profile), revision=run.revision)
    if isinstance(seen, Fault) or seen.record.kind not in _PAIRED:
        return seen
    if (machine := seen.record.machine.fingerprint) == run.machine.fingerprint:
        return seen
    return Fault(
        listing.kind,
        FaultCode.OTHER_MACHINE,
        f"{seen.uri}: the pair was compared on machine {machine}, the run is of machine "
        f"{run.machine.fingerprint}: run the gate again on one",
    )


def verify_listed(
    store: EvidenceStore, trust: Trust, listing: Listing, *, profile: str, revision: Revision
) -> Stored | Fault:
    """The record that `listing` lists, if it is what was written, for this revision.

    Its key must be one that is trusted for evidence of `profile`.
    """

    def fault(code: FaultCode, why: str) -> Fault:
        return Fault(listing.kind, code, f"{where}: {why}")

    where = listing.path
    # First, so that a path in an entry of a stranger is never opened.
    if why := trust.fault(listing.public_key, profile):
        return fault(FaultCode.UNTRUSTED_KEY, f"{why}: name it in trusted_keys, or run the gate again")
    where = store.uri(listing.path)
    try:
        data = store.get(listing.path)
    except FileNotFoundError:
        if listing.pruned and not trust.fault(listing.pruned.public_key, profile):
            return fault(FaultCode.PRUNED, str(listing.pruned))
        return fault(FaultCode.REMOVED, "the ledger lists this record, but it is gone")
    except ServiceError as error:
        return Fault(listing.kind, FaultCode.UNAVAILABLE, str(error))
    if sha256_hex(data) != listing.sha256:
        return fault(*_replaced_by(data, listing, revision))
    try:
        record = parse(data)
    except (FormatError, TamperedError) as error:
        return fault(FaultCode.EDITED, str(error))
    if why := record.check():
        return fault(FaultCode.EDITED, why)
    if record.proof_chain.public_key != listing.public_key:
        return fault(FaultCode.UNTRUSTED_KEY, "the record and its ledger entry are signed by different keys")
    if (record.kind, record.run_id, _same_of(record)) != (listing.kind, listing.run_id, listing.same):
        return fault(FaultCode.EDITED, "the record is not of the run or kind that the ledger says")
    if (record.revision.commit, record.revision.tree) != (revision.commit, revision.tree):
        return fault(FaultCode.OTHER_REVISION, f"the record is of commit {record.revision.commit[:12]}")
    return Stored(record, where, listing.path, listing.sha256)


def _replaced_by(data: bytes, listing: Listing, revision: Revision) -> tuple[FaultCode, str]:
    """What lies where the listed record lay, in words that help to find who put it there."""
    try:
        record = parse(data)
    except (FormatError, TamperedError) as error:
        return FaultCode.EDITED, f"the record was changed ({error})"
    if why := record.check():
        return FaultCode.EDITED, f"the record was changed ({why})"
    if record.revision.commit != revision.commit:
        return (
            FaultCode.OTHER_REVISION,
            f"the record was replaced by one of commit {record.revision.commit[:12]}",
        )
    if record.revision.tree != revision.tree:
        return FaultCode.OTHER_REVISION, f"the record was replaced by one of tree {record.revision.tree[:12]}"
    if record.proof_chain.public_key != listing.public_key:
        return FaultCode.EDITED, f"the record was changed and signed again by key {record.proof_chain.key_id}"
    return FaultCode.EDITED, f"the record was replaced by one of run {record.run_id}"
