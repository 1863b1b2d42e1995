"""What others keep of a ledger: delta proofs and checkpoints (contract section 5.3).

A delta proof names a window of entries by their heads, with the identities of the state
before and after it. It is checked against the ledger: it holds no hash of its own. A
checkpoint binds a round's shards by one Merkle root.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol import merkle, uorid
from hologram_dagster.protocol.canonical import stable_ordered
from hologram_dagster.protocol.ledger_entry import Entry

VERSION = 1


def _delta(entries: Sequence[Entry], start: int, end: int, before: str, after: str) -> dict[str, Any]:
    return {
        "v": VERSION,
        "from": {"uor": before, "head": entries[start - 1].head if start else ""},
        "to": {"uor": after, "head": entries[end].head},
        "window": {"start": start, "end": end},
        "heads": [entry.head for entry in entries[start : end + 1]],
    }


def prove_delta(
    entries: Sequence[Entry], start: int, end: int, *, before: object, after: object
) -> dict[str, Any]:
    """The proof over entries `start` to `end` (both included) of a whole ledger.

    `before` and `after` are the state around them, any JSON values. Before the first entry
    the head is empty.

    Raises:
        FormatError: there is no such window, or a state is no JSON value.
    """
    if not 0 <= start <= end < len(entries):
        raise FormatError(f"A ledger of {len(entries)} entries has no window from {start} to {end}.")
    return _delta(entries, start, end, uorid.uorid_object(before), uorid.uorid_object(after))


def delta_fault(
    proof: object, entries: Sequence[Entry], *, before: str | None = None, after: str | None = None
) -> str | None:
    """Why `proof` does not hold for a ledger; None if it does. Never raises.

    `before` and `after` are the UOR-IDs the states around the window must have; None leaves
    that open, and only their form is checked. The entries are believed: check their links first.
    """
    match proof:
        case {
            "from": {"uor": str(first)},
            "to": {"uor": str(last)},
            "window": {"start": int(start), "end": int(end)},
        }:
            pass
        case _:
            return "it is not of the form of a delta proof"
    if not 0 <= start <= end < len(entries):
        return f"a ledger of {len(entries)} entries has no window from {start} to {end}"
    for name, identity, expected in (("from", first, before), ("to", last, after)):
        try:
            uorid.parse(identity)
        except FormatError as error:
            return str(error)
        if expected is not None and identity != expected:
            return f"its state {name} is {identity}, not {expected}"
    try:
        # As texts, since in Python 1 equals True and 1.0; arrays keep their order.
        same = stable_ordered(proof) == stable_ordered(_delta(entries, int(start), int(end), first, last))
    except FormatError as error:
        return str(error)
    return None if same else "its heads are not those of the ledger"


class Checkpoint(TypedDict):
    """A round, its shards (JSON values, in order), and their Merkle root as 64 hex digits."""

    round: int
    shards: list[Any]
    agg: str


def checkpoint(round_number: int, shards: Sequence[object]) -> Checkpoint:
    """The checkpoint of a round (from 0).

    Raises:
        FormatError: the number is negative, or a shard is no JSON value.
    """
    if round_number < 0:
        raise FormatError(f"A round counts from 0, not {round_number}.")
    return {"round": round_number, "shards": [*shards], "agg": merkle.root(shards)}


def checkpoint_holds(claimed: object) -> bool:
    """Whether a checkpoint's root is that of its shards; False for anything malformed."""
    if not isinstance(claimed, Mapping) or claimed.keys() != Checkpoint.__required_keys__:
        return False
    match claimed:
        case {"round": int(number), "shards": list(shards), "agg": str(root)} if type(number) is int:
            try:
                return number >= 0 and merkle.root(shards) == root
            except FormatError:
                return False
    return False
