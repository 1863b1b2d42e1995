"""`reports/perf/baseline.json` and its backups, in the form users' tools read (contract 2.5, 2.6).

What belongs here: the flat form, its file names, and what an existing file is. What does
not: which baseline is in force (`baseline`), the rules for changing it (`rolling`).
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import chain, count
from pathlib import Path

from hologram_dagster.errors import FormatError, HologramError, not_json
from hologram_dagster.files import create_whole

FILE_NAME = "baseline.json"
BACKUP_FOLDER = "backups"
_MAX_BYTES = 1 << 20
_BACKUP_NAME = re.compile(r"baseline_(\d{8}_\d{6})_(.+)\.json")
_LONGEST_REASON = 60


class FileState(StrEnum):
    """What `baseline.json` is, seen from the baseline in force."""

    MISSING = "missing"
    CURRENT = "current"
    # It holds an earlier baseline of ours, as after a crash or on a machine that is not the last one set.
    LAGGING = "lagging"
    FOREIGN = "foreign"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class FlatFile:
    """`baseline.json` as it lies there: its bytes, and in words what is wrong with it."""

    state: FileState
    data: bytes
    fault: str = ""


def to_bytes(numbers: Mapping[str, float]) -> bytes:
    """The flat form: `{"suite.metric": p95}`, sorted, indent 2, as `json.dump` writes it."""
    return json.dumps(dict(sorted(numbers.items())), indent=2, allow_nan=False).encode()


def parse(data: bytes, where: str) -> dict[str, float]:
    """The numbers in the flat form; `where` names the file in errors.

    Raises:
        FormatError: not JSON (names the line), or not numbers by name (names the key).
    """
    try:
        content = json.loads(data)
    except json.JSONDecodeError as error:
        raise not_json(where, error) from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"{where}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise FormatError(f"{where}: no JSON object of numbers by suite.metric")
    for key, value in content.items():
        # JSON's true is an int in Python.
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_time(value):
            raise FormatError(f"{where}: {key!r} is {value!r}, not a p95 in ms")
    return {key: float(value) for key, value in content.items()}


def _is_time(value: float) -> bool:
    try:
        return math.isfinite(value) and value >= 0
    except OverflowError:
        # An integer too large for a float.
        return False


def look(path: Path, current: Mapping[str, float] | None, earlier: Iterable[Mapping[str, float]]) -> FlatFile:
    """What lies at `path`, where `current` are the numbers in force and `earlier` all there ever were.

    Raises:
        HologramError: it cannot be read.
    """
    data = _read(path)
    if data is None:
        return FlatFile(FileState.MISSING, b"")
    try:
        numbers = parse(data, str(path))
    except FormatError as error:
        return FlatFile(FileState.MALFORMED, data, str(error))
    if current is not None and numbers == current:
        return FlatFile(FileState.CURRENT, data)
    if any(numbers == known for known in earlier):
        return FlatFile(FileState.LAGGING, data)
    return FlatFile(
        FileState.FOREIGN, data, f"{path} was not written by this gate: its numbers have no revision"
    )


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror}. Fix its permissions.") from error
    if len(data) > _MAX_BYTES:
        raise HologramError(f"{path} is larger than {_MAX_BYTES} bytes: no baseline. Move it away.")
    return data


def create_backup(folder: Path, data: bytes, *, reason: str, at: datetime) -> Path:
    """Write `data` as `baseline_{YYYYmmdd_HHMMSS}_{reason}.json` (UTC) in `folder`.

    A second one of the same second and reason gets `-2` behind its reason.

    Raises:
        HologramError: `reason` has no letter or digit, or the file cannot be written.
    """
    stem = f"baseline_{at:%Y%m%d_%H%M%S}_{in_file_name(reason)}"
    for suffix in chain([""], (f"-{number}" for number in count(2))):
        path = folder / f"{stem}{suffix}.json"
        try:
            create_whole(path, data)
        except FileExistsError:
            continue
        return path
    raise AssertionError("count() never ends")


def in_file_name(reason: str) -> str:
    """`reason` in the letters a file name may have.

    Raises:
        HologramError: nothing of it is left.
    """
    kept = re.sub(r"[^A-Za-z0-9.-]+", "_", reason).strip("._-")[:_LONGEST_REASON].rstrip("._-")
    if not kept:
        raise HologramError(f"{reason!r} is no reason: say in a few words why the baseline changes.")
    return kept


def backup_files(folder: Path) -> list[Path]:
    """The files in `folder` that have a backup's name, oldest first by that name."""
    return sorted(path for path in folder.glob("baseline_*.json") if _BACKUP_NAME.fullmatch(path.name))
