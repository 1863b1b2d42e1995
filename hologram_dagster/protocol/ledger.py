"""The ledger file: one line an entry, each linked to the one before and signed.

What belongs here: appending under a lock, finding the tail, setting aside what a crash
tore, and reading it all again with every link checked. What does not: the form of an
entry (see `ledger_entry`), and what is worth an entry.

What it can tell: any change, insertion, reordering or removal before the last entry.
What it cannot tell alone: that the last entries were cut off at a line's end, or all of
it written anew under another key. Against the first, others pin `seq()` and `head()`;
against the second, readers name the keys they trust.
"""

import fcntl
import logging
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any, Final

from hologram_dagster.errors import HologramError
from hologram_dagster.files import append_lines, create_whole
from hologram_dagster.protocol.ledger_entry import Entry, LedgerError, check, check_itself, link, parse
from hologram_dagster.protocol.signing import Signer

__all__ = ["Entry", "Ledger", "LedgerError"]

# Bounds what a hostile file can make a reader hold, and what one append reads.
MAX_LINE_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 1 << 13

_log = logging.getLogger(__name__)


class Ledger:
    """A ledger at `path`. Without a `signer` it can be read and verified, not appended to.

    Any number of processes and threads may hold one; a lock of the kernel (flock, freed
    when its holder dies) keeps appends apart.
    """

    def __init__(self, path: Path, signer: Signer | None) -> None:
        self.path = path
        self._signer = signer

    def append(self, data: Mapping[str, Any]) -> Entry:
        """Link, sign, append and sync one entry, in time independent of the length.

        Only the last entry is read (and checked). A torn tail is set aside first, as by
        `repair`.

        Raises:
            FormatError: `data` is no JSON object.
            LedgerError: the last entry is not what was written; nothing is appended.
            HologramError: there is no signer, the entry is too long, or the file cannot
                be written (the ledger is then unchanged).
        """
        if self._signer is None:
            raise HologramError(f"The ledger {self.path} was opened without a signing key, for reading only.")
        if not self.path.exists():
            with suppress(FileExistsError):
                create_whole(self.path, b"")
        with self._locked(fcntl.LOCK_EX) as stream:
            self._set_torn_aside(stream)
            entry = link(data, self._last(stream), self._signer)
            if len(entry.line) >= MAX_LINE_BYTES:
                raise HologramError(
                    f"An entry of {len(entry.line)} bytes is too long for the ledger {self.path} "
                    f"(limit {MAX_LINE_BYTES}). Store the content and enter its digest."
                )
            append_lines(self.path, [entry.line])
        return entry

    def entries(self, *, trusted: Collection[str] | None = None) -> Iterator[Entry]:
        """Every entry in order, each yielded after its links and signature were checked.

        Reads what the ledger held when the iteration began; appends meanwhile neither
        wait nor disturb. `trusted` holds the key ids or public keys (hex) that may have
        signed; None lets any.

        Raises:
            LedgerError: at the first entry that is not what was written, with its code;
                `torn_tail` after the last whole one (`repair` sets it aside).
            HologramError: the file cannot be read.
        """
        if not self.path.exists():
            return
        with self._locked(fcntl.LOCK_SH) as stream:
            left = _size(stream)
            # Appends only ever add behind what was there under the lock.
            fcntl.flock(stream, fcntl.LOCK_UN)
            previous: Entry | None = None
            while left:
                seq = previous.seq + 1 if previous else 0
                line = stream.readline(min(left, MAX_LINE_BYTES))
                left -= len(line)
                if not line.endswith(b"\n"):
                    if len(line) == MAX_LINE_BYTES:
                        raise LedgerError("bad_version", seq, f"the line is over {MAX_LINE_BYTES} bytes long")
                    raise LedgerError("torn_tail", seq, f"the last line of {self.path} is incomplete")
                entry = parse(line[:-1], seq)
                check(entry, previous, trusted)
                yield entry
                previous = entry

    def last(self) -> Entry | None:
        """The last whole entry, checked by itself (not its links); None if there is none.

        Raises:
            LedgerError: it is not what was written.
            HologramError: the file cannot be read.
        """
        if not self.path.exists():
            return None
        with self._locked(fcntl.LOCK_SH) as stream:
            return self._last(stream)

    def head(self) -> str:
        """The head of the last entry, for others to pin; empty for an empty ledger.

        Raises:
            LedgerError, HologramError: as `last`.
        """
        last = self.last()
        return last.head if last else ""

    def seq(self) -> int:
        """The number of the last entry (they count from 0); -1 for an empty ledger.

        Raises:
            LedgerError, HologramError: as `last`.
        """
        last = self.last()
        return last.seq if last else -1

    def repair(self) -> Path | None:
        """Move a torn tail into a file of its own, `<name>.torn-<n>`; None if there is none.

        Whole entries are never touched. A warning is logged.

        Raises:
            HologramError: the files cannot be read or written.
        """
        if not self.path.exists():
            return None
        with self._locked(fcntl.LOCK_EX) as stream:
            return self._set_torn_aside(stream)

    def torn_files(self) -> list[Path]:
        """What was set aside so far, oldest first: each is an append that a crash cut short."""
        found = self.path.parent.glob(f"{self.path.name}.torn-*")
        return sorted(found, key=lambda path: (len(path.name), path.name))

    @contextmanager
    def _locked(self, kind: int) -> Iterator[IO[bytes]]:
        try:
            with self.path.open("rb" if kind == fcntl.LOCK_SH else "r+b") as stream:
                fcntl.flock(stream, kind)
                yield stream
        except OSError as error:
            raise HologramError(f"cannot use the ledger {self.path}: {error.strerror or error}.") from error

    def _last(self, stream: IO[bytes]) -> Entry | None:
        end = _after_line_feed(stream, _size(stream))
        if end == 0:
            return None
        start = _after_line_feed(stream, end - 1)
        stream.seek(start)
        entry = parse(stream.read(min(end - 1 - start, MAX_LINE_BYTES)), None)
        check_itself(entry)
        return entry

    def _set_torn_aside(self, stream: IO[bytes]) -> Path | None:
        size = _size(stream)
        end = _after_line_feed(stream, size)
        if end == size:
            return None
        stream.seek(end)
        torn = stream.read()
        names = (self.path.with_name(f"{self.path.name}.torn-{number}") for number in count(1))
        aside = next(path for path in names if not path.exists())
        create_whole(aside, torn)
        stream.truncate(end)
        os.fsync(stream.fileno())
        _log.warning(
            "the ledger %s had a torn tail of %d bytes: moved to %s", self.path, len(torn), aside.name
        )
        return aside


def _size(stream: IO[bytes]) -> int:
    return os.fstat(stream.fileno()).st_size


def _after_line_feed(stream: IO[bytes], end: int) -> int:
    """The offset behind the last line feed before `end`; 0 if there is none."""
    while end > 0:
        start = max(0, end - _CHUNK_BYTES)
        stream.seek(start)
        found = stream.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
