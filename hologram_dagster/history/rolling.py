"""The verbs of the baseline: show, list, backup, roll forward, roll back (contract 2.5, 2.6).

What belongs here: their order and what they write. What does not: the conditions
(`eligibility`), the forms (`baseline`, `baseline_file`).

Three rules hold throughout. A baseline is only ever set on purpose: a first run does not
bless itself. A file that is not ours is named and kept, never silently replaced. Nothing
here touches git or a budget.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.files import write_whole
from hologram_dagster.history import baseline_file, eligibility
from hologram_dagster.history.backups import Backup, list_backups
from hologram_dagster.history.baseline import Action, BackupEntry, Baseline, BaselineLedger, Place
from hologram_dagster.history.baseline_file import FileState, FlatFile
from hologram_dagster.history.eligibility import Candidate
from hologram_dagster.locking import exclusive
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.secrets.redactor import redact

_ROLL_FORWARD = "roll_forward"
DEFAULT_REASON = "performance_improvement"
_KEEPING = {FileState.FOREIGN: "foreign", FileState.MALFORMED: "malformed"}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Shown:
    """The baseline in force at a place, and what a person should know besides.

    `elsewhere` are those in force for other machines of the environment: their revisions
    can be measured again here, their numbers cannot be compared.
    """

    baseline: Baseline | None
    elsewhere: tuple[Baseline, ...]
    file: FileState
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rolled:
    """The baseline now in force, the backup of the one before (None for the first), and notes."""

    baseline: Baseline
    backup: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _State:
    """What is known under the lock."""

    all: Sequence[Baseline]
    backups: Sequence[BackupEntry]
    current: Baseline | None
    file: FlatFile


class Baselines:
    """The baselines of one place: an environment, and a machine by its fingerprint."""

    def __init__(
        self,
        *,
        state_dir: Path,
        reports_dir: Path,
        place: Place,
        signer: Signer | None = None,
        trusted: Collection[str] | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """The baselines in `state_dir`, shown in `reports_dir`; without `signer` for reading only.

        `trusted` holds the key ids that may have set one; None lets any.
        """
        self.place = place
        self.file = reports_dir / "perf" / baseline_file.FILE_NAME
        self.backup_folder = self.file.parent / baseline_file.BACKUP_FOLDER
        self._ledger = BaselineLedger(state_dir, signer, trusted)
        self._trusted = trusted
        self._lock = state_dir / "baselines.lock"
        self._clock = clock

    def all(self) -> list[Baseline]:
        """Every baseline that was in force at this place, oldest first.

        Raises:
            TamperedError: the list of baselines is not what was written.
        """
        return [baseline for baseline in self._ledger.read()[0] if baseline.place == self.place]

    def show(self) -> Shown:
        """The baseline in force here, those of other machines, and what is wrong with the file.

        Raises:
            TamperedError: the list of baselines is not what was written.
            HologramError: a file cannot be read.
        """
        state = self._state()
        latest = {
            baseline.place.machine: baseline
            for baseline in state.all
            if baseline.place.environment == self.place.environment and baseline.place != self.place
        }
        elsewhere = tuple(latest.values())
        return Shown(state.current, elsewhere, state.file.state, self._notes(state, elsewhere))

    def backups(self) -> list[Backup]:
        """Every backup at this place, newest first, with those of other tools.

        Raises:
            As `show`.
        """
        baselines, entries = self._ledger.read()
        return list_backups(self.backup_folder, self.place, baselines, entries)

    def backup(self, reason: str = "manual") -> tuple[str, tuple[str, ...]]:
        """Back up the baseline in force; returns the file's name, and notes.

        Raises:
            HologramError: there is nothing to back up, no reason, or no key to sign with.
        """
        with exclusive(self._lock):
            name, notes = self._back_up(self._state(), reason)
        if name is None:
            raise HologramError(
                " ".join(["there is no baseline to back up: roll one forward first.", *notes])
            )
        return name, notes

    def roll_forward(self, candidate: Candidate, *, reason: str = DEFAULT_REASON, by: str = "") -> Rolled:
        """Set `candidate` as the baseline: back up, then branch, gate and regression, then update.

        `by` names who does it, beside the key.

        Raises:
            HologramError: a condition is not met (the baseline is as it was), or a file
                cannot be written.
        """
        baseline_file.in_file_name(reason)
        with exclusive(self._lock):
            state = self._state()
            backup, notes = self._back_up(state, _ROLL_FORWARD, again=False)
            eligibility.must_be_main(candidate)
            eligibility.must_be_green(candidate, self.place, self._trusted)
            numbers = eligibility.numbers_of(candidate, self.place)
            eligibility.must_not_regress(candidate, state.current)
            record = candidate.verdict.record
            entered = self._ledger.enter(
                Baseline(
                    number=-1,
                    action=Action.ROLL_FORWARD,
                    place=self.place,
                    commit=record.revision.commit,
                    tree=record.revision.tree,
                    numbers=numbers,
                    reason=redact(reason.strip()),
                    by=redact(by),
                    key_id="",
                    at=self._clock(),
                    run_id=record.run_id,
                    verdict_uri=candidate.verdict.uri,
                    verdict_sha256=candidate.verdict.sha256,
                )
            )
            self._write(entered)
        gone = sorted(set(state.current.numbers) - set(numbers)) if state.current else []
        if gone:
            notes += (f"no longer measured under that name: {', '.join(gone)}",)
        notes += tuple(
            f"{result.operation} could not be compared side by side: {result.message}"
            for result in candidate.comparisons
            if result.stored
        )
        return Rolled(entered, backup, notes)

    def roll_back(self, name: str | None = None, *, by: str = "") -> Rolled:
        """Set the baseline of the backup `name` again, revision and numbers; back up the current one first.

        Without a name: the newest backup that holds another baseline than the one in
        force, so that doing it twice undoes it.

        Raises:
            HologramError: no such backup, one without a revision, or one that was changed.
        """
        with exclusive(self._lock):
            state = self._state()
            chosen = self._choose(state, name)
            restored = next(baseline for baseline in state.all if baseline.number == chosen.baseline)
            backup, notes = self._back_up(state, "roll_back")
            entered = self._ledger.enter(
                replace(
                    restored,
                    action=Action.ROLL_BACK,
                    reason=f"roll back to {chosen.name}",
                    by=redact(by),
                    at=self._clock(),
                )
            )
            self._write(entered)
        return Rolled(entered, backup, notes)

    def publish(self) -> tuple[str, ...]:
        """Write `baseline.json` again where it is missing or holds an earlier baseline; else notes.

        Raises:
            As `show`.
        """
        with exclusive(self._lock):
            state = self._state()
            if state.current and state.file.state in {FileState.MISSING, FileState.LAGGING}:
                self._write(state.current)
                return ()
            return self._notes(state, ())

    def _state(self) -> _State:
        everywhere, backups = self._ledger.read()
        here = [baseline for baseline in everywhere if baseline.place == self.place]
        current = here[-1] if here else None
        numbers = current.numbers if current else None
        file = baseline_file.look(self.file, numbers, (baseline.numbers for baseline in everywhere))
        return _State(everywhere, backups, current, file)

    def _back_up(
        self, state: _State, reason: str, *, again: bool = True
    ) -> tuple[str | None, tuple[str, ...]]:
        """Keep the baseline in force, and a file that is not ours; the name of the former's backup.

        Unless `again`, one that was made before for the same reason is enough, so that refused
        roll-forwards, which back up first, do not pile up backups.
        """
        at = self._clock()
        notes: tuple[str, ...] = ()
        if state.file.state in _KEEPING:
            kept = self._keep(state.file, at)
            notes = (f"{state.file.fault}. It is kept as {kept.relative_to(self.file.parent)}.",)
        if state.current is None:
            return None, notes
        if not again and (made := self._made_before(state, state.current, reason)):
            return made, notes
        data = baseline_file.to_bytes(state.current.numbers)
        path = baseline_file.create_backup(self.backup_folder, data, reason=reason, at=at)
        self._ledger.enter_backup(
            name=path.name, sha256=sha256_hex(data), of=state.current, reason=redact(reason), at=at
        )
        return path.name, notes

    def _made_before(self, state: _State, current: Baseline, reason: str) -> str | None:
        listed = list_backups(self.backup_folder, self.place, state.all, state.backups)
        for backup in listed:
            entry = backup.entry
            if entry is None or (entry.baseline, entry.reason) != (current.number, reason):
                continue
            if not backup.fault and (self.backup_folder / backup.name).exists():
                return backup.name
        return None

    def _keep(self, file: FlatFile, at: datetime) -> Path:
        for path in baseline_file.backup_files(self.backup_folder):
            if path.read_bytes() == file.data:
                return path
        return baseline_file.create_backup(self.backup_folder, file.data, reason=_KEEPING[file.state], at=at)

    def _write(self, baseline: Baseline) -> None:
        write_whole(self.file, baseline_file.to_bytes(baseline.numbers))

    def _choose(self, state: _State, name: str | None) -> BackupEntry:
        known = list_backups(self.backup_folder, self.place, state.all, state.backups)
        if name is None:
            chosen = next((b for b in known if b.entry and not b.fault and _differs(b, state.current)), None)
            if chosen is None:
                raise HologramError("there is no backup of another baseline to roll back to.")
        else:
            chosen = next((b for b in known if b.name in {name, f"{name}.json"}), None)
            if chosen is None:
                raise HologramError(f"there is no backup {name}: hologram baseline list shows all.")
        if chosen.entry is None or chosen.fault:
            raise HologramError(f"{chosen.name} cannot be rolled back to: {chosen.fault}.")
        return chosen.entry

    def _notes(self, state: _State, elsewhere: Sequence[Baseline]) -> tuple[str, ...]:
        return (*_file_notes(self.file, state), *_place_notes(self.place, state.current, elsewhere))


def _file_notes(path: Path, state: _State) -> Iterator[str]:
    match state.file.state:
        case FileState.MISSING if state.current:
            yield f"{path} is missing."
        case FileState.LAGGING if state.current:
            yield f"{path} holds another baseline of this gate than the one in force here."
        case FileState.FOREIGN | FileState.MALFORMED:
            yield f"{state.file.fault}. It is left as it is; a roll-forward keeps it among the backups."


def _place_notes(place: Place, current: Baseline | None, elsewhere: Sequence[Baseline]) -> Iterator[str]:
    if current is None:
        yield (
            f"no baseline is in force in {place.environment} on machine {place.machine}: roll one forward "
            "after a green main gate."
        )
    for other in elsewhere:
        yield (
            f"machine {other.place.machine} has the baseline {other.commit[:12]} of {other.at:%Y-%m-%d}: its "
            "revision can be measured here, its numbers cannot be compared."
        )


def _differs(backup: Backup, current: Baseline | None) -> bool:
    return current is None or (backup.commit, backup.numbers) != (current.commit, current.numbers)
