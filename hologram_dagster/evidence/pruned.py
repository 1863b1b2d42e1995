"""Records that were removed on purpose, after they were exported: what the ledger says of them.

What belongs here: the entry that names them. What does not: which records are removed and
when (`retention`). The ledger itself is never shortened, so it verifies as before; a record
that is gone and not named by such an entry was removed by somebody else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

ENTRY = "pruned"
# A hex digest has 64 characters; an entry may have a megabyte.
_MOST_IN_AN_ENTRY = 5000


class Entered(Protocol):
    """What lists and prunes are read from: a ledger entry, as far as it is needed."""

    @property
    def data(self) -> Mapping[str, Any]:
        """What was entered."""

    @property
    def public_key(self) -> str:
        """Who signed the entry (hex)."""

    @property
    def head(self) -> str:
        """The entry's head."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """When a record was removed (ISO), by whose word (`public_key`, hex), and where it was exported to."""

    at: str
    archive: str
    archive_sha256: str
    public_key: str

    def __str__(self) -> str:
        return (
            f"pruned on {self.at[:10]} after export to {self.archive} "
            f"(sha256 {self.archive_sha256[:16]}...): extract it from there to verify it again"
        )


def entries_of(sha256s: Sequence[str], *, archive: str, archive_sha256: str) -> Iterator[dict[str, Any]]:
    """The data of the entries which say that the records with these digests are in `archive`."""
    for start in range(0, len(sha256s), _MOST_IN_AN_ENTRY):
        yield {
            "entry": ENTRY,
            "archive": archive,
            "archive_sha256": archive_sha256,
            "records": list(sha256s[start : start + _MOST_IN_AN_ENTRY]),
        }


def pruned_by(entry: Entered) -> Mapping[str, Pruned]:
    """What `entry` says was pruned, by the records' sha256; nothing if it is another kind of entry."""
    data = entry.data
    records = data.get("records")
    if data.get("entry") != ENTRY or not isinstance(records, list):
        return {}
    at, archive, archive_sha256 = (str(data.get(name)) for name in ("at", "archive", "archive_sha256"))
    return dict.fromkeys(map(str, records), Pruned(at, archive, archive_sha256, entry.public_key))
