"""The seals of session frames: the contract's recorded session holds, and any change is found."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.protocol.ctp96 import frame_fault, seal
from hologram_dagster_tests.protocol.json_values import objects

pytestmark = pytest.mark.phase4_network

# Contract section 6.6, a recorded session.
OFFER: dict[str, Any] = json.loads(
    '{"kind":"OFFER","ts":"2026-11-25T01:49:12.074Z","nonce":"8e69242d2b768e338411fc97","seq":0,"meta":{'
    '"module":"atlas-12288/core/structure","algo":"ctp96"},"budgets":[48,48],"receipt":{"witness":'
    '"d0af48dfda32c6d10b6a1756c9d1be4e2ff286676d5ddd77200057b28d7e8fe6","ok":true,"createdAt":'
    '"2026-11-25T01:49:12.076Z","domain":"receipt"},"hash":'
    '"3af718a4b9dd821c86e3dbc3c88f34776ba908084a58bdc12670935cc242abb5","r96":40}'
)
DATA: dict[str, Any] = json.loads(
    '{"kind":"DATA","ts":"2026-11-25T01:49:12.077Z","nonce":"e413b8021a7138ece69d21ac","seq":3,"data":{'
    '"msg":"hello"},"hash":"73c964852b82d21a9a3987697eb269960a4bef5091c7209a61ab7bdce7562407","r96":0}'
)


@pytest.mark.parametrize("frame", [OFFER, DATA], ids=["OFFER", "DATA"])
def test_a_recorded_frame_holds_and_is_sealed_the_same(frame: dict[str, Any]) -> None:
    assert frame_fault(frame) is None
    assert seal(frame) == frame


@given(objects)
def test_what_is_sealed_holds(content: dict[str, Any]) -> None:
    assert frame_fault(seal(content)) is None


@given(st.sampled_from(sorted(OFFER)), st.integers() | st.text(max_size=5))
def test_any_changed_field_is_found(name: str, value: object) -> None:
    changed = {**OFFER, name: value}
    expected = "r96_mismatch" if name == "r96" else "hash_mismatch"
    assert frame_fault(changed) == (None if changed == OFFER else expected)


@pytest.mark.parametrize("name", ["hash", "r96", "nonce"])
def test_a_missing_field_is_found(name: str) -> None:
    assert frame_fault({key: value for key, value in DATA.items() if key != name})


def test_what_is_no_json_is_no_frame() -> None:
    assert frame_fault({**DATA, "data": float("nan")}) == "hash_mismatch"
    assert frame_fault({**DATA, "data": object()}) == "hash_mismatch"
