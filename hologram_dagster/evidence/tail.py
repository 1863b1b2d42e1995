"""Reading the ledger from its end: the recent entries, verified, without the years before.

What belongs here: finding and verifying the newest part. What does not: the form and
links of an entry (`protocol.ledger_entry`), verifying it all (`protocol.ledger`).
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hologram_dagster.errors import HologramError
from hologram_dagster.protocol.ledger import MAX_LINE_BYTES
from hologram_dagster.protocol.ledger_entry import Entry, LedgerError, check, check_itself, parse

_CHUNK_BYTES = 1 << 16
_ENTERED_AT = b'"at":"'


def lines_backwards(path: Path) -> Iterator[bytes]:
    """The whole lines of `path`, newest first, without line feeds; none if there is no file.

    An unfinished last line is left out: a crash's (the next append sets it aside), or one
    being written now.

    Raises:
        LedgerError: a line is longer than any the ledger writes.
        HologramError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            start = stream.seek(0, os.SEEK_END)
            rest, ended = b"", False
            while start:
                size = min(_CHUNK_BYTES, start)
                start -= size
                stream.seek(start)
                first, *whole = (stream.read(size) + rest).split(b"\n")
                # What stands behind the last line feed of the file is no whole line.
                yield from reversed(whole if ended else whole[:-1])
                ended = ended or bool(whole)
                rest = first
                if len(rest) > MAX_LINE_BYTES:
                    raise LedgerError("bad_version", None, f"a line of {path} is over {MAX_LINE_BYTES} bytes")
            if ended:
                yield rest
    except FileNotFoundError:
        return
    except OSError as error:
        raise HologramError(f"cannot read the ledger {path}: {error.strerror or error}.") from error


def find_lines(path: Path, *needles: str, since: str = "") -> Iterator[bytes]:
    """The lines that hold all `needles` (ASCII), newest first, back to the first from before `since` (ISO).

    Raises:
        LedgerError, HologramError: as `lines_backwards`.
    """
    wanted, limit = [needle.encode("ascii") for needle in needles], since.encode("ascii")
    for line in lines_backwards(path):
        # Only a key stands between unescaped quotes, and no other is `at`.
        _, named, behind = line.partition(_ENTERED_AT)
        if named and behind[: len(limit)] < limit:
            return
        if all(needle in line for needle in wanted):
            yield line


def find_data(path: Path, *needles: str, since: str = "") -> Iterator[Mapping[str, Any]]:
    """The data of entries whose line `find_lines` finds, NOT verified.

    Lines that cannot be read are passed over: `read_back` refuses them.

    Raises:
        LedgerError, HologramError: as `lines_backwards`.
    """
    for line in find_lines(path, *needles, since=since):
        try:
            data = json.loads(line).get("data")
        except (ValueError, AttributeError, RecursionError):
            continue
        if isinstance(data, dict):
            yield data


def read_back(path: Path, until: Callable[[Mapping[str, Any]], bool]) -> list[Entry]:
    """The newest entries, oldest first, back to the first whose data `until` accepts (left out).

    Every entry returned was verified: its hashes, its signature, its links to the one before.

    Raises:
        LedgerError: at the first entry that is not what was written.
        HologramError: the file cannot be read.
    """
    newest_first: list[Entry] = []
    boundary: Entry | None = None
    for line in lines_backwards(path):
        expected = newest_first[-1].seq - 1 if newest_first else None
        entry = parse(line, expected)
        if until(entry.data):
            boundary = entry
            break
        newest_first.append(entry)
    if boundary is not None:
        check_itself(boundary)
    entries = newest_first[::-1]
    for previous, entry in zip([boundary, *entries], entries, strict=False):
        check(entry, previous)
    return entries
