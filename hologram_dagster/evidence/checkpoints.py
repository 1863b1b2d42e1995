"""Checkpoints in the ledger: one signature over all entries before it, by the root of their tree.

What belongs here: making one from the last, and reading one. With them a long ledger is
verified without a signature an entry. The leaves are the lines without line feeds.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from hologram_dagster.errors import TamperedError
from hologram_dagster.evidence.tail import lines_backwards
from hologram_dagster.protocol.ledger_entry import Entry, check, check_itself, parse
from hologram_dagster.protocol.log_tree import LogTree

ENTRY: Final = "checkpoint"
# Each entry is read back once for a checkpoint, so that appends stay constant time on average.
EVERY: Final = 1024


class Checkpoint(NamedTuple):
    """What a checkpoint says: the root of the tree of the first `size` entries, and its subtrees."""

    size: int
    root: bytes
    subtrees: tuple[bytes, ...]


def checkpoint_of(data: Mapping[str, Any]) -> Checkpoint | None:
    """The checkpoint in an entry's data; None if it is another kind of entry, or malformed."""
    match data:
        case {"entry": "checkpoint", "size": int(size), "root": str(root), "subtrees": list(subtrees)}:
            try:
                return Checkpoint(size, bytes.fromhex(root), tuple(map(bytes.fromhex, subtrees)))
            except (ValueError, TypeError):
                return None
    return None


def is_due(entry: Entry) -> bool:
    """Whether a checkpoint should follow `entry`."""
    return (entry.seq + 1) % EVERY == 0


def checkpoint_data(ledger: Path) -> dict[str, Any]:
    """The data of a checkpoint over all that the ledger holds now; reads back to the last one.

    Raises:
        TamperedError: what it reads is not what was written.
        HologramError: the ledger cannot be read.
    """
    last: Checkpoint | None = None
    newest_first: list[Entry] = []
    for line in lines_backwards(ledger):
        entry = parse(line, newest_first[-1].seq - 1 if newest_first else None)
        newest_first.append(entry)
        last = last or checkpoint_of(entry.data)
        # A checkpoint can stand behind entries that came while it was made: they are not in it.
        if last and entry.seq <= last.size:
            break
    entries = newest_first[::-1]
    for previous, entry in zip([None, *entries], entries, strict=False):
        if previous is None and last:
            check_itself(entry)
        else:
            check(entry, previous)
    try:
        tree = LogTree(last.size, last.subtrees) if last else LogTree()
    except ValueError as error:
        raise TamperedError(f"{ledger}: its last checkpoint cannot be used: {error}.") from None
    for entry in entries:
        tree.append(entry.line.encode("ascii"))
    return {
        "entry": ENTRY,
        "size": tree.size,
        "root": tree.root().hex(),
        "subtrees": [subtree.hex() for subtree in tree.subtrees],
    }
