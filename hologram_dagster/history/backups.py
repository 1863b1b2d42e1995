"""The backups of baselines: the files that lie there, joined with what the ledger knows of them.

What belongs here: one list of both. What does not: making and restoring them (`rolling`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.history import baseline_file
from hologram_dagster.history.baseline import BackupEntry, Baseline, Place
from hologram_dagster.protocol.canonical import sha256_hex


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup. `fault` says why it cannot be rolled back to; empty where it can.

    A backup of another tool has no `entry` and no `commit`: it holds numbers without a
    revision. `note` tells what is odd but does no harm.
    """

    name: str
    entry: BackupEntry | None
    commit: str | None
    numbers: Mapping[str, float]
    fault: str = ""
    note: str = ""


def list_backups(
    folder: Path, place: Place, baselines: Sequence[Baseline], entries: Sequence[BackupEntry]
) -> list[Backup]:
    """The backups of `place` and those of other tools, newest first by the times in their names.

    A file's time of change tells nothing: it is another after a copy or a checkout.

    Raises:
        HologramError: a file cannot be read.
    """
    files = {path.name: path for path in baseline_file.backup_files(folder)}
    by_number = {baseline.number: baseline for baseline in baselines}
    known = [
        _known(entry, by_number[entry.baseline], files.get(entry.name))
        for entry in entries
        if entry.place == place
    ]
    ours = {entry.name for entry in entries}
    foreign = [_foreign(path) for name, path in files.items() if name not in ours]
    # Stable, so that backups of one second keep the ledger's order.
    return sorted([*foreign, *known], key=lambda backup: backup.name[: len("baseline_YYYYmmdd_HHMMSS")])[::-1]


def _known(entry: BackupEntry, baseline: Baseline, path: Path | None) -> Backup:
    fault, note = "", ""
    if path is None:
        note = "the file is gone; the ledger still holds its baseline"
    elif sha256_hex(_read(path)) != entry.sha256:
        fault = "its file was changed since it was written; move it away to restore what the ledger holds"
    return Backup(entry.name, entry, baseline.commit, baseline.numbers, fault, note)


def _foreign(path: Path) -> Backup:
    try:
        numbers = baseline_file.parse(_read(path), path.name)
    except FormatError as error:
        return Backup(path.name, None, None, {}, f"it is malformed ({error})")
    return Backup(
        path.name, None, None, numbers, "it has numbers without a revision: gate and roll one forward"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror}. Fix its permissions.") from error
