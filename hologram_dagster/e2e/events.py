"""The events log of end-to-end runs (contract section 3.1): compact JSON, one event a line.

What belongs here: writing, rotating and reading it. What does not: what the events mean.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hologram_dagster.files import append_lines
from hologram_dagster.secrets.redactor import redact_tree

# CI refuses a log of 5 MiB (contract section 3.1).
ROTATE_AT_BYTES = 4 * 2**20


class EventLog:
    """Appends the events of `suite` to `path`, and rotates it to `<name>.<n>.jsonl` at 4 MiB."""

    def __init__(self, path: Path, suite: str) -> None:
        self.path = path
        self.suite = suite

    def write(self, event: str, **fields: Any) -> None:
        """Append one event: `ts` (epoch s), `suite`, `event`, then `fields` in order, redacted.

        Raises:
            HologramError: the log cannot be written; what it held is untouched.
        """
        self._rotate()
        body = {"ts": int(time.time()), "suite": self.suite, "event": event, **redact_tree(fields)}
        append_lines(self.path, [json.dumps(body, separators=(",", ":"), ensure_ascii=False)])

    def _rotate(self) -> None:
        if not self.path.exists() or self.path.stat().st_size < ROTATE_AT_BYTES:
            return
        number = 1
        while (rotated := self.path.with_name(f"{self.path.stem}.{number}{self.path.suffix}")).exists():
            number += 1
        self.path.rename(rotated)


def read_events(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The events in `path`, and a note for each line that is none; a missing file is empty."""
    notes: list[str] = []
    return list(_events(path, notes)), notes


def _events(path: Path, notes: list[str]) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                event = json.loads(line.decode())
            except (UnicodeDecodeError, ValueError, RecursionError):
                event = None
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                yield event
            else:
                notes.append(f"{path}, line {number}: not an event; left as it is")
