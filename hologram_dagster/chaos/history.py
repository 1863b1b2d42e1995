"""Every operation of a load, as it was seen by the one that did it: streamed to a file, kept to be checked.

A write that failed may have been done all the same, so its outcome is unknown. What belongs here:
recording, and the file's form (a JSON object a line). What does not: what a history may not hold
(`history_check`).
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Self

from hologram_dagster.errors import FormatError, HologramError


class Kind(StrEnum):
    """What an operation does to a key."""

    WRITE = "write"
    READ = "read"


class Outcome(StrEnum):
    """What its client was told: done, or nothing that can be relied on."""

    DONE = "done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Event:
    """One operation on `key`: the value written or read (None: there is none), when it began and ended.

    Times are of `time.perf_counter`, s, as those of the load and the journal. `error` is why it is unknown.
    """

    kind: Kind
    key: str
    value: str | None
    began_s: float
    ended_s: float
    outcome: Outcome
    error: str = ""


class History:
    """Events as they come, from any thread; with `path` each is written there as it ends."""

    def __init__(self, path: Path | None = None) -> None:
        """Begin one; a file that is there is replaced.

        Raises:
            HologramError: the file cannot be written.
        """
        self.path = path
        self._mutex = threading.Lock()
        self._events: list[Event] = []
        self._stream: IO[str] | None = None
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                # A line is on its way to the disk when it is written: a killed experiment keeps its history.
                self._stream = path.open("w", buffering=1)
            except OSError as error:
                raise HologramError(f"cannot write {path}: {error.strerror}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. What comes later is kept all the same, but not written."""
        with self._mutex:
            if self._stream is not None:
                self._stream.close()
                self._stream = None

    @property
    def events(self) -> Sequence[Event]:
        """All events so far, in the order of their ends."""
        with self._mutex:
            return tuple(self._events)

    @contextmanager
    def writing(self, key: str, value: str) -> Iterator[None]:
        """Record the write that the context does; one that raises has an unknown outcome."""
        began = time.perf_counter()
        try:
            yield
        except BaseException as error:
            self._note(Kind.WRITE, key, value, began, error)
            raise
        self._note(Kind.WRITE, key, value, began, None)

    def reading(self, key: str, read: Callable[[], str | None]) -> str | None:
        """What `read` finds under `key` (None: nothing), recorded."""
        began = time.perf_counter()
        try:
            value = read()
        except BaseException as error:
            self._note(Kind.READ, key, None, began, error)
            raise
        self._note(Kind.READ, key, value, began, None)
        return value

    def _note(
        self, kind: Kind, key: str, value: str | None, began_s: float, error: BaseException | None
    ) -> None:
        outcome = Outcome.DONE if error is None else Outcome.UNKNOWN
        told = "" if error is None else str(error) or type(error).__name__
        event = Event(kind, key, value, began_s, time.perf_counter(), outcome, told)
        line = json.dumps(asdict(event)) + "\n"
        with self._mutex:
            self._events.append(event)
            if self._stream is not None:
                self._stream.write(line)


def read_history(path: Path) -> Iterator[Event]:
    """The events of a file, one at a time; a last line without an end was torn by a crash, and is left out.

    Raises:
        FormatError: another line is not an event; named by its number.
        HologramError: there is no such file.
    """
    try:
        with path.open() as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith("\n"):
                    return
                yield _event(f"{path} line {number}", line)
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror}.") from error


def _event(where: str, line: str) -> Event:
    try:
        said = json.loads(line)
    except json.JSONDecodeError as error:
        raise FormatError(f"{where} column {error.colno}: {error.msg}") from error
    try:
        return Event(
            Kind(said["kind"]),
            str(said["key"]),
            None if said["value"] is None else str(said["value"]),
            float(said["began_s"]),
            float(said["ended_s"]),
            Outcome(said["outcome"]),
            str(said["error"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{where}: no event of a history: {error}") from error
