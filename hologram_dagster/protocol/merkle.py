"""The Merkle tree of contract section 6.6, with proofs of inclusion.

A leaf hashes its value under its own domain and a node its children under another, so
neither passes for the other. As the contract pairs a last odd node with itself, the
root of n leaves can equal that of more (the last ones repeated): who publishes a root
publishes the number of leaves with it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypedDict

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.canonical import ccm, sha256_hex, stable

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")

EMPTY_ROOT: Final = sha256_hex("empty")


class Step(TypedDict):
    """One sibling on the way up: the side it stands on, and its hash."""

    dir: Literal["L", "R"]
    hash: str


def _leaf(value: object) -> str:
    return ccm(stable(value), "merkle.leaf")


def _node(left: str, right: str) -> str:
    return sha256_hex(f"node|{left}|{right}")


def _parents(level: Sequence[str]) -> list[str]:
    paired = level if len(level) % 2 == 0 else [*level, level[-1]]
    return [_node(left, right) for left, right in zip(paired[::2], paired[1::2], strict=True)]


def root(leaves: Iterable[object]) -> str:
    """The root over JSON values, as 64 hex digits; of none, sha256("empty").

    Raises:
        FormatError: a leaf is no JSON value.
    """
    level = [_leaf(value) for value in leaves]
    while len(level) > 1:
        level = _parents(level)
    return level[0] if level else EMPTY_ROOT


def proof(leaves: Iterable[object], index: int) -> list[Step]:
    """The path from leaf `index` (from 0) up to, but without, the root.

    Raises:
        IndexError: there is no such leaf.
        FormatError: a leaf is no JSON value.
    """
    level = [_leaf(value) for value in leaves]
    if not 0 <= index < len(level):
        raise IndexError(f"leaf {index} of {len(level)}")
    path: list[Step] = []
    while len(level) > 1:
        if index % 2:
            path.append({"dir": "L", "hash": level[index - 1]})
        else:
            path.append({"dir": "R", "hash": level[min(index + 1, len(level) - 1)]})
        level, index = _parents(level), index // 2
    return path


def verify(leaf: object, path: Iterable[Mapping[str, object]], root: str) -> bool:
    """Whether `path` leads from the value `leaf` to `root`; False for a malformed one."""
    try:
        reached = _leaf(leaf)
    except FormatError:
        return False
    for step in path:
        match step:
            case {"dir": "L", "hash": str(sibling)} if _DIGEST.fullmatch(sibling):
                reached = _node(sibling, reached)
            case {"dir": "R", "hash": str(sibling)} if _DIGEST.fullmatch(sibling):
                reached = _node(reached, sibling)
            case _:
                return False
    return reached == root
