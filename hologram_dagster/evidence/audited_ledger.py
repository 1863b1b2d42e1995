"""A whole ledger verified, by its checkpoints where they hold, entry by entry where they do not.

A checkpoint whose signature and root hold vouches for every byte before it; the entries
behind the last one are each checked by hashes, links and signature. Where a checkpoint does
not hold, what it is over is checked entry by entry, so that the first broken one is named.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.checkpoints import ENTRY, checkpoint_of
from hologram_dagster.protocol.ledger import MAX_LINE_BYTES
from hologram_dagster.protocol.ledger_entry import Entry, LedgerError, check, check_itself, parse
from hologram_dagster.protocol.log_tree import LogTree

# How many entries are held while a checkpoint is awaited; more are checked one by one.
_MOST_WAITING: Final = 4096
_NEEDLE: Final = f'"entry":"{ENTRY}"'.encode()

Distrust = Callable[[str], str | None]


class Audited(NamedTuple):
    """An entry that holds: what of it is needed to find records by."""

    seq: int
    head: str
    public_key: str
    data: dict[str, Any]
    checkpoint: bool = False


def audited(path: Path, distrust: Distrust) -> Iterator[Audited]:
    """Every entry of the ledger, oldest first, each yielded only once it is known to hold.

    `distrust` tells why a public key (hex) may not sign, None if it may.

    Raises:
        LedgerError: at the first entry that does not hold; `torn_tail` after the last whole one.
        HologramError: the file cannot be read.
    """
    return _Audit(distrust).run(path)


class _Audit:
    def __init__(self, distrust: Distrust) -> None:
        self._distrust = distrust
        self._tree = LogTree()
        self._waiting: list[bytes] = []
        self._previous: Entry | None = None
        self._keys: dict[str, str | None] = {}

    def run(self, path: Path) -> Iterator[Audited]:
        for line in _lines(path):
            if not line.endswith(b"\n"):
                yield from self._one_by_one(self._take(len(self._waiting)))
                raise _unfinished(line, self._seq, path)
            self._waiting.append(line[:-1])
            if _NEEDLE in line:
                yield from self._at_checkpoint(line[:-1])
            elif len(self._waiting) >= _MOST_WAITING:
                yield from self._one_by_one(self._take(len(self._waiting)))
        yield from self._one_by_one(self._take(len(self._waiting)))

    @property
    def _seq(self) -> int:
        """The number of the first entry that waits."""
        return self._previous.seq + 1 if self._previous else 0

    def _take(self, count: int) -> list[bytes]:
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    def _at_checkpoint(self, line: bytes) -> Iterator[Audited]:
        seq = self._seq + len(self._waiting) - 1
        try:
            entry = parse(line, seq)
            check_itself(entry)
        except LedgerError:
            entry = None
        said = checkpoint_of(entry.data) if entry else None
        if entry is None or said is None or self._fault_of(entry.public_key):
            # No word to rely on: whatever is wrong is found one by one.
            yield from self._one_by_one(self._take(len(self._waiting)))
            return
        covered = said.size - self._seq
        if covered < 0:
            # It came late, and vouches for less than is known already.
            yield from self._one_by_one(self._take(len(self._waiting)))
            return
        if entry.seq == seq and covered < len(self._waiting):
            tree = LogTree(self._tree.size, self._tree.subtrees)
            for each in self._waiting[:covered]:
                tree.append(each)
            if tree.root() == said.root:
                yield from self._vouched(self._take(covered), tree)
                yield from self._one_by_one(self._take(len(self._waiting)))
                return
        yield from self._one_by_one(self._take(len(self._waiting) - 1))
        raise LedgerError("bad_checkpoint", seq, "its root is not that of the entries before it")

    def _vouched(self, lines: list[bytes], tree: LogTree) -> Iterator[Audited]:
        self._tree = tree
        for line in lines:
            fields = json.loads(line)
            self._require_trust(fields["public_key"], fields["seq"])
            checkpoint = checkpoint_of(fields["data"]) is not None
            yield Audited(fields["seq"], fields["head"], fields["public_key"], fields["data"], checkpoint)
        if lines:
            self._previous = parse(lines[-1], self._seq)

    def _one_by_one(self, lines: list[bytes]) -> Iterator[Audited]:
        for line in lines:
            entry = parse(line, self._seq)
            check(entry, self._previous)
            self._require_trust(entry.public_key, entry.seq)
            self._tree.append(line)
            self._previous = entry
            checkpoint = checkpoint_of(entry.data) is not None
            yield Audited(entry.seq, entry.head, entry.public_key, dict(entry.data), checkpoint)

    def _fault_of(self, public_hex: str) -> str | None:
        if public_hex not in self._keys:
            self._keys[public_hex] = self._distrust(public_hex)
        return self._keys[public_hex]

    def _require_trust(self, public_hex: str, seq: int) -> None:
        if fault := self._fault_of(public_hex):
            raise LedgerError("untrusted_key", seq, fault)


def _unfinished(line: bytes, seq: int, path: Path) -> LedgerError:
    if len(line) == MAX_LINE_BYTES:
        return LedgerError("bad_version", seq, f"the line is over {MAX_LINE_BYTES} bytes long")
    return LedgerError("torn_tail", seq, f"the last line of {path} is incomplete")


def _lines(path: Path) -> Iterator[bytes]:
    """The lines with their line feeds; one without is over the limit, or the last."""
    try:
        with path.open("rb") as stream:
            while line := stream.readline(MAX_LINE_BYTES):
                yield line
    except FileNotFoundError:
        return
    except OSError as error:
        raise HologramError(f"cannot read the ledger {path}: {error.strerror or error}.") from error
