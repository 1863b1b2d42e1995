"""Inclusion proofs hold for what is in the tree, and for nothing else (contract section 6.6)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.protocol.merkle import Step, proof, root, verify
from hologram_dagster_tests.protocol.json_values import values

pytestmark = pytest.mark.phase1_core

FIVE = [{"id": number} for number in range(1, 6)]


def test_contract_vectors() -> None:
    assert root(FIVE) == "bb51dacbd153196089e26055a2c4eb5b1e1405df16d514621e9190bfbd979f4f"
    assert root([]) == sha256_hex("empty")


@pytest.mark.parametrize("count", range(1, 18))
def test_every_leaf_has_a_proof_that_holds_for_it_alone(count: int) -> None:
    leaves = list(range(count))
    top = root(leaves)
    for index in leaves:
        path = proof(leaves, index)
        assert [other for other in range(count + 1) if verify(other, path, top)] == [index]


@given(st.lists(values, min_size=1, max_size=9), st.data())
@settings(deadline=None)
def test_any_tampering_fails(leaves: list[Any], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    top, path = root(leaves), proof(leaves, index)
    assert verify(leaves[index], path, top)
    assert not verify({"forged": leaves[index]}, path, top)
    assert not verify(leaves[index], path, sha256_hex(top))
    assert not verify(leaves[index], [*path, {"dir": "L", "hash": top}], top)
    for at, step in enumerate(path):
        forged: Step = {"dir": step["dir"], "hash": sha256_hex(step["hash"])}
        assert not verify(leaves[index], [*path[:at], forged, *path[at + 1 :]], top)
        assert not verify(leaves[index], [*path[:at], *path[at + 1 :]], top)


def test_sides_matter() -> None:
    top, (step,) = root([1, 2]), proof([1, 2], 0)
    assert step["dir"] == "R"
    assert not verify(1, [{"dir": "L", "hash": step["hash"]}], top)


def test_a_node_does_not_pass_for_a_leaf() -> None:
    top = root([1, 2, 3, 4])
    inner = proof([1, 2, 3, 4], 0)[1]
    assert not verify(inner["hash"], [{"dir": "L", "hash": proof([1, 2, 3, 4], 3)[1]["hash"]}], top)


@pytest.mark.parametrize(
    "step",
    [{}, {"dir": "R"}, {"dir": "X", "hash": "00"}, {"dir": "R", "hash": None}, {"dir": "R", "hash": 7}],
    ids=repr,
)
def test_malformed_steps_fail(step: dict[str, object]) -> None:
    assert not verify(1, [step], root([1]))


def test_what_is_no_json_value() -> None:
    assert not verify(object(), [], root([1]))
    with pytest.raises(FormatError):
        root([object()])


@pytest.mark.parametrize("index", [-1, 5])
def test_there_is_no_proof_for_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        proof(FIVE, index)
