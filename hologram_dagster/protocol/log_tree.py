"""The Merkle tree of a growing log, by the rules of RFC 9162 section 2.1.1.

Kept as the roots of its whole subtrees, largest first: what it takes to go on is 32 bytes for
each bit of its size, and an append is constant time on average.
"""

import hashlib
from collections.abc import Sequence


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class LogTree:
    """A tree of `size` leaves, given by its whole subtrees' roots."""

    def __init__(self, size: int = 0, subtrees: Sequence[bytes] = ()) -> None:
        """An empty tree, or one to go on with.

        Raises:
            ValueError: there is not one subtree of 32 bytes for each bit of `size`.
        """
        if size < 0 or len(subtrees) != size.bit_count() or not all(len(each) == 32 for each in subtrees):
            raise ValueError(f"a tree of {size} leaves has another number of subtrees")
        self.size = size
        self._subtrees = list(subtrees)

    @property
    def subtrees(self) -> tuple[bytes, ...]:
        """The roots of the whole subtrees, largest first."""
        return tuple(self._subtrees)

    def append(self, leaf: bytes) -> None:
        """Add a leaf."""
        node, left = hashlib.sha256(b"\x00" + leaf).digest(), self.size
        while left & 1:
            node = _node(self._subtrees.pop(), node)
            left >>= 1
        self._subtrees.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves; of none, sha256 of nothing."""
        if not self._subtrees:
            return hashlib.sha256().digest()
        *others, root = self._subtrees
        for subtree in reversed(others):
            root = _node(subtree, root)
        return root
