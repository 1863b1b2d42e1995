"""Proofs that a key is not in a Merkle tree of sorted keys (contract section 6.6).

The tree is that of `merkle` over distinct keys in JavaScript's order. A key is absent if its
two neighbours are in the tree side by side, one before it and one behind it, or if one
neighbour is the first or last leaf. Places come from the directions of the paths, so the
checker needs no keys: only root and number of leaves, which are published together.

What a proof cannot tell: that whoever made the root kept the keys sorted.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NotRequired, TypedDict

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol import merkle
from hologram_dagster.protocol.canonical import js_order


class Inclusion(TypedDict):
    """A neighbour: its place from 0, its key, and the path to the root."""

    index: int
    leaf: str
    path: list[merkle.Step]


class Exclusion(TypedDict):
    """The neighbours of `target`: the greatest smaller key and the least greater one."""

    target: str
    prev: NotRequired[Inclusion]
    next: NotRequired[Inclusion]


def _inclusion(keys: Sequence[str], index: int) -> Inclusion:
    return {"index": index, "leaf": keys[index], "path": merkle.proof(keys, index)}


def prove_absence(keys: Sequence[str], target: str) -> Exclusion:
    """The proof that `target` is not among `keys`.

    Raises:
        FormatError: it is, or the keys are not distinct and in JavaScript's order.
    """
    ordered = [js_order(key) for key in keys]
    if any(left >= right for left, right in pairwise(ordered)):
        raise FormatError("The keys are not distinct and sorted (by UTF-16 code units).")
    smaller = sum(order < js_order(target) for order in ordered)
    if smaller < len(keys) and keys[smaller] == target:
        raise FormatError(f"The key {target[:100]!r} is present: there is no proof of its absence.")
    proof: Exclusion = {"target": target}
    if smaller:
        proof["prev"] = _inclusion(keys, smaller - 1)
    if smaller < len(keys):
        proof["next"] = _inclusion(keys, smaller)
    return proof


def _place(path: Sequence[Any], count: int) -> int | None:
    """The place that the directions of a path lead to in a tree of `count` leaves."""
    if len(path) != (count - 1).bit_length():
        return None
    place = 0
    for level, step in enumerate(path):
        if not isinstance(step, Mapping):
            return None
        place += (step.get("dir") == "L") << level
    # The last leaf of an odd level can stand at the place behind it, too. There nothing lies
    # between it and itself, so that gains no proof.
    return place


def _stated_place(neighbour: object) -> int | None:
    match neighbour:
        case {"index": int(index)} if type(index) is int:
            return index
    return None


def _key(neighbour: object, root: str, count: int, place: int) -> bytes | None:
    """The order of the neighbour's key, if it is in the tree at `place`."""
    if not isinstance(neighbour, Mapping) or neighbour.keys() != Inclusion.__required_keys__:
        return None
    leaf, path = neighbour["leaf"], neighbour["path"]
    if not isinstance(leaf, str) or not isinstance(path, list) or _stated_place(neighbour) != place:
        return None
    return js_order(leaf) if _place(path, count) == place and merkle.verify(leaf, path, root) else None


def verify_absence(proof: object, root: str, count: int) -> bool:
    """Whether `proof` shows that its target is in no tree of `count` sorted keys with this root.

    False for anything malformed.
    """
    if not isinstance(proof, Mapping) or not proof.keys() <= {"target", "prev", "next"}:
        return False
    target = proof.get("target")
    if not isinstance(target, str):
        return False
    if count == 0:
        return proof.keys() == {"target"} and root == merkle.EMPTY_ROOT
    # The key would stand before `next`, or behind the last leaf.
    place = _stated_place(proof["next"]) if "next" in proof else count
    if place is None or ("prev" in proof) != (place > 0):
        return False
    wanted = js_order(target)
    if "prev" in proof:
        before = _key(proof["prev"], root, count, place - 1)
        if before is None or before >= wanted:
            return False
    if "next" in proof:
        behind = _key(proof["next"], root, count, place)
        return behind is not None and wanted < behind
    return True
