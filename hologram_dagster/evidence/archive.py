"""The archive: records, the ledger that lists them, and the keys they are trusted by.

What belongs here: writing evidence, and finding it again for a run. What does not: how a
listed record is verified (`gathering`), what evidence means (`judge`, `verdict`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from upath import UPath

from hologram_dagster.errors import HologramError, TamperedError
from hologram_dagster.evidence.checkpoints import checkpoint_data, is_due
from hologram_dagster.evidence.gathered import Fault, FaultCode, Gathered, Stored
from hologram_dagster.evidence.gathering import RUN_ENTRY, gather, listing_data, listings, verify_listed
from hologram_dagster.evidence.record import Record, RunIdentity, iso
from hologram_dagster.evidence.run import RecordedRun, judged_by, run_from_json, run_json
from hologram_dagster.evidence.store import EvidenceStore
from hologram_dagster.evidence.tail import find_data
from hologram_dagster.evidence.trust import Trust
from hologram_dagster.evidence.verdict import Verdict
from hologram_dagster.evidence.verdict_record import observation_of
from hologram_dagster.observation import Observation
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.protocol.ledger import Ledger
from hologram_dagster.protocol.ledger_entry import Entry, LedgerError
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.secrets.redactor import redact_tree
from hologram_dagster.target.revision import Revision

__all__ = ["Evidence", "Fault", "FaultCode", "Gathered", "Stored"]


def _now() -> datetime:
    return datetime.now(UTC)


class Evidence:
    """The evidence in `folder`: `ledger.jsonl`, and `records/` unless `store` names another place.

    `store` is a path or a URL that fsspec knows. Without a `signer` nothing can be
    added. `trusted_keys` and `revoked_keys` are those of `hologram.toml` (see `Trust`).
    """

    def __init__(
        self,
        folder: Path,
        *,
        signer: Signer | None,
        trusted_keys: Iterable[str] = (),
        revoked_keys: Iterable[str] = (),
        store: UPath | str | None = None,
        clock: Callable[[], datetime] = _now,
    ):
        self.ledger = Ledger(folder / "ledger.jsonl", signer)
        self.store = EvidenceStore(folder / "records" if store is None else store)
        self.trust = Trust(signer.public_hex if signer else None, trusted_keys, revoked_keys)
        self._signer = signer
        self._clock = clock

    def start_run(self, run: RecordedRun) -> Entry:
        """Enter that `run` has started, so that it is known even if it is killed.

        Raises:
            LedgerError: the end of the ledger is not what was written.
            HologramError: the ledger cannot be written.
        """
        return self.enter({"entry": RUN_ENTRY, **run_json(run)})

    def ensure_started(self, run: RecordedRun) -> None:
        """As `start_run`, unless it is known already: of a run of one asset nothing else says its plan.

        Raises:
            As `start_run`.
        """
        if self.started_run(run.identity.run_id) is None:
            self.start_run(run)

    def started_run(self, run_id: str) -> RecordedRun | None:
        """The run as it was when it started, whoever asks; None if it never started. Not verified.

        Raises:
            LedgerError, HologramError: the ledger cannot be read.
        """
        for data in find_data(self.ledger.path, run_id):
            if data.get("entry") == RUN_ENTRY and data.get("run_id") == run_id:
                return run_from_json(data)
        return None

    def add(self, observation: Observation, run: RunIdentity) -> Stored:
        """Redact, sign and store `observation` as evidence of `run`, then list it in the ledger.

        Raises:
            FormatError: the observation has no form as a record.
            LedgerError: the end of the ledger is not what was written.
            HologramError: store or ledger cannot be written.
        """
        return self._add(observation, run)[0]

    def add_verdict(self, verdict: Verdict, run: RecordedRun) -> tuple[Stored, Verdict]:
        """Keep `verdict` as evidence; the verdict returned names the ledger's head, the record being in it.

        A run that never entered its start (its verdict alone was asked for) does so first.

        Raises:
            As `add`.
        """
        self.ensure_started(run)
        stored, entry = self._add(observation_of(verdict), run.identity)
        return stored, replace(verdict, ledger_head=entry.head)

    def gather(self, run: RunIdentity, kinds: Collection[str], *, now: datetime) -> Gathered:
        """The newest evidence of each of `kinds` for `run`, with what is wrong with it.

        Reads the ledger back to 24 h before `now`, not further.

        Raises:
            HologramError: the ledger cannot be read.
        """
        return gather(self.ledger.path, self.store, self.trust, run, kinds, now=now)

    def all(self) -> Iterator[Stored | Fault]:
        """Every record that the ledger lists, oldest first, verified, or what is wrong with it.

        Raises:
            TamperedError: the ledger is not what was written.
            HologramError: the ledger cannot be read.
        """
        for listing in reversed(list(listings(list(self._whole_entries())))):
            revision = Revision(listing.same["commit"], listing.same["tree"], dirty=False, ref=None)
            profile = listing.same["profile"]
            yield verify_listed(self.store, self.trust, listing, profile=profile, revision=revision)

    def _whole_entries(self) -> Iterator[Entry]:
        try:
            yield from self.ledger.entries()
        except LedgerError as error:
            # What a crash tore off lists nothing; the next entry sets it aside.
            if error.code != "torn_tail":
                raise TamperedError(f"{self.ledger.path}: {error}.") from None

    def gather_for(self, run: RecordedRun, kinds: Collection[str], *, now: datetime) -> Gathered:
        """As `gather`, but evidence of another run counts only if that run was judged by the same plan.

        Otherwise a red revision would be green as soon as its old figures are held to looser
        limits, with nothing measured.

        Raises:
            As `gather`.
        """
        gathered = self.gather(run.identity, kinds, now=now)
        own = run.identity.run_id
        others = {stored.record.run_id for stored in gathered.evidence} - {own}
        unlike = {run_id for run_id in others if not self._same_plan(run_id, run)}
        refused = [stored for stored in gathered.evidence if stored.record.run_id in unlike]
        faults = tuple(
            Fault(
                stored.record.kind,
                FaultCode.OTHER_PLAN,
                f"{stored.uri}: gathered by run {stored.record.run_id} under other limits or sizes: "
                "run the gate again",
            )
            for stored in refused
        )
        kept = tuple(stored for stored in gathered.evidence if stored not in refused)
        return Gathered(kept, gathered.faults + faults)

    def _same_plan(self, run_id: str, run: RecordedRun) -> bool:
        other = self.started_run(run_id)
        return other is not None and judged_by(other) == judged_by(run)

    def now(self) -> datetime:
        """The time that entries made now would bear."""
        return self._clock()

    def enter(self, data: Mapping[str, object]) -> Entry:
        """Append `data`, redacted, with the time as `at`, to the ledger.

        Raises:
            LedgerError: the end of the ledger is not what was written.
            HologramError: the ledger cannot be written.
        """
        entry = self._append(data)
        if is_due(entry):
            self._append(checkpoint_data(self.ledger.path))
        return entry

    def _append(self, data: Mapping[str, object]) -> Entry:
        return self.ledger.append(redact_tree({**data, "at": iso(self._clock())}))

    def _add(self, observation: Observation, run: RunIdentity) -> tuple[Stored, Entry]:
        if self._signer is None:
            raise HologramError("evidence cannot be added without a signing key: set HOLOGRAM_SIGNING_KEY.")
        record = Record.from_observation(observation, run, self._signer, now=self._clock())
        path = self.store.put(record)
        sha256 = sha256_hex(record.to_bytes())
        entry = self.enter(listing_data(record, path, sha256))
        return Stored(record, self.store.uri(path), path, sha256), entry
