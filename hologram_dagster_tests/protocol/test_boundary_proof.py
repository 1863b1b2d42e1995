"""Phi copies and changes nothing; a boundary proof says whether a step did (contract section 6.6)."""

from typing import Any

import pytest
from hypothesis import given

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.boundary_proof import boundary_holds, phi, prove_boundary
from hologram_dagster.protocol.canonical import ccm
from hologram_dagster_tests.protocol.json_values import values

pytestmark = pytest.mark.phase1_core


@given(values)
def test_phi_is_an_idempotent_copy(value: Any) -> None:
    copied = phi(value)
    assert phi(copied) == copied
    assert ccm(copied, "x") == ccm(value, "x")
    if isinstance(value, dict | list) and value:
        assert copied is not value


@given(values, values)
def test_proofs_hold_for_their_pair_alone(before: Any, after: Any) -> None:
    proof = prove_boundary(before, after)
    assert boundary_holds(proof, before, after)
    assert boundary_holds(prove_boundary(before, phi(before)), before, before)
    assert not boundary_holds(proof, {"forged": before}, after)
    assert not boundary_holds({**proof, "preserves": not proof["preserves"]}, before, after)


def test_a_reordered_array_is_not_preserved() -> None:
    proof = prove_boundary([1, 2], [2, 1])
    assert proof["before"] == proof["after"] == ccm([1, 2], "boundary")
    assert proof["preserves"] is False


@pytest.mark.parametrize("change", [{"domain": "other"}, {"preserves": 1}, {"more": 1}, {"before": object()}])
def test_malformed_proofs_fail(change: dict[str, Any]) -> None:
    assert not boundary_holds({**prove_boundary(1, 1), **change}, 1, 1)
    assert not boundary_holds(None, 1, 1)


def test_only_json_values() -> None:
    with pytest.raises(FormatError):
        phi({1, 2})
    assert not boundary_holds(prove_boundary(1, 1), object(), 1)
