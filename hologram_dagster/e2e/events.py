"""The events log of end-to-end runs (contract section 3.1): compact JSON, one event a line.

What belongs here: writing, rotating and reading it. What does not: what the events mean.
"""

import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from hologram_dagster.errors import HologramError
from hologram_dagster.files import append_lines
from hologram_dagster.locking import exclusive
from hologram_dagster.secrets.redactor import redact_tree

# CI refuses a log of 5 MiB (contract section 3.1).
ROTATE_AT_BYTES = 4 * 2**20
_LONGEST_LINE = 2**20
# Of the lines that are no events, those told one by one.
_TOLD_LINES = 20


class EventLog:
    """Appends the events of `suite` to `path`. Safe to use from several processes.

    Before the log would exceed 4 MiB it is moved to `<name>.<n>.jsonl`, counting up.
    """

    def __init__(self, path: Path, suite: str) -> None:
        self.path = path
        self.suite = suite

    def write(self, event: str, **fields: Any) -> None:
        """Append one event: `ts` (epoch s), `suite`, `event`, then `fields` in order, redacted.

        Raises:
            HologramError: the log cannot be written; what it held is untouched.
        """
        body = {"ts": int(time.time()), "suite": self.suite, "event": event, **redact_tree(fields)}
        # ASCII, so that half a surrogate pair in an answer cannot break the line.
        line = json.dumps(body, separators=(",", ":"))
        # Beside the log, which rotation renames.
        with exclusive(self.path.with_name(f".{self.path.name}.lock")):
            self._rotate(len(line) + 1)
            append_lines(self.path, [line])

    def _rotate(self, more: int) -> None:
        try:
            if not self.path.exists() or self.path.stat().st_size + more <= ROTATE_AT_BYTES:
                return
            newest = max(_rotated(self.path), default=0)
            self.path.rename(_rotated_path(self.path, newest + 1))
        except OSError as error:
            raise HologramError(
                f"cannot rotate {self.path}: {error.strerror}. Fix its permissions."
            ) from error


def rotated_logs(path: Path) -> list[Path]:
    """The logs that were rotated away from `path`, oldest first."""
    return [_rotated_path(path, number) for number in _rotated(path)]


def _rotated_path(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def _rotated(path: Path) -> list[int]:
    """The numbers of the logs that were rotated away, in order."""
    name = re.compile(rf"{re.escape(path.stem)}\.([1-9]\d*){re.escape(path.suffix)}")
    matches = (name.fullmatch(other.name) for other in path.parent.glob(f"{path.stem}.*"))
    return sorted(int(match[1]) for match in matches if match)


def read_events(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The events of the log rotated last and of `path`, in order, and notes on lines that are none.

    Two logs at most, so that a long history neither fills the memory nor slows a report;
    that older ones are there is a note. Never raises for what the files hold.
    """
    notes: list[str] = []
    rotated = _rotated(path)
    if len(rotated) > 1:
        notes.append(f"{path.name}: {len(rotated) - 1} older logs are kept and not counted here")
    logs = [*(_rotated_path(path, number) for number in rotated[-1:]), path]
    return [event for log in logs for event in iter_events(log, notes)], notes


def iter_events(path: Path, notes: list[str]) -> Iterator[dict[str, Any]]:
    """The events of one log, a line at a time; the first lines that are none are told in `notes`."""
    wrong = 0
    try:
        with path.open("rb") as stream:
            for number, line in _lines(stream):
                if line.isspace():
                    continue
                event = _event(line)
                if event is not None:
                    yield event
                    continue
                wrong += 1
                if wrong <= _TOLD_LINES:
                    notes.append(f"{path.name} line {number}: not an event; left as it is")
        if wrong > _TOLD_LINES:
            notes.append(f"{path.name}: {wrong - _TOLD_LINES} more lines are not events")
    except FileNotFoundError:
        return
    except OSError as error:
        notes.append(f"{path.name}: cannot be read: {error.strerror}")


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Numbered lines; of one longer than `_LONGEST_LINE`, which is no event, only the beginning."""
    number = 0
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        rest = line
        while len(rest) == _LONGEST_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(_LONGEST_LINE)
        yield number, line


def _finite(digits: str) -> float:
    """A JSON number; what is none, or none that JSON can write again, is a ValueError."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is no JSON number")
    return number


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line.decode(), parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        return None
    known = isinstance(event, dict) and isinstance(event.get("event"), str)
    return event if known else None
