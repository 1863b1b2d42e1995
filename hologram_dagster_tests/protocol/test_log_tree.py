"""The tree of a log, by the rules and known roots of RFC 9162."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.protocol.log_tree import LogTree

pytestmark = pytest.mark.phase0_ready

# The leaves and roots that implementations of certificate transparency are tested with.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        *("", "00", "10", "2021", "3031", "40414243"),
        *("5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    )
]
ROOT_OF_ONE = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
ROOT_OF_ALL = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + by_definition(leaves[:split]) + by_definition(leaves[split:])).digest()


def tree_of(leaves: list[bytes]) -> LogTree:
    tree = LogTree()
    for leaf in leaves:
        tree.append(leaf)
    return tree


def test_the_known_roots() -> None:
    assert tree_of(LEAVES[:1]).root().hex() == ROOT_OF_ONE
    assert tree_of(LEAVES).root().hex() == ROOT_OF_ALL


@given(st.lists(st.binary(max_size=4), max_size=70), st.integers(0, 70))
def test_it_is_the_tree_of_the_rfc_also_when_gone_on_with(leaves: list[bytes], cut: int) -> None:
    begun = tree_of(leaves[:cut])
    tree = LogTree(begun.size, begun.subtrees)
    for leaf in leaves[cut:]:
        tree.append(leaf)
    assert tree.root() == by_definition(leaves)
    assert tree.size == len(leaves)


@pytest.mark.parametrize(
    ("size", "subtrees"), [(1, []), (0, [bytes(32)]), (3, [bytes(32)]), (1, [b""]), (-1, [bytes(32)])]
)
def test_no_tree_goes_on_from_what_is_none(size: int, subtrees: list[bytes]) -> None:
    with pytest.raises(ValueError, match="subtrees"):
        LogTree(size, subtrees)
