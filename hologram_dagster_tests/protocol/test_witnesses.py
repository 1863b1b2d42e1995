"""Witnesses describe the state they are of, sound or not (contract section 6.5)."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.atlas import CYCLES, PAGES, State, encode, verify
from hologram_dagster.protocol.witnesses import witnesses_hold, witnesses_of

pytestmark = [pytest.mark.phase1_core, pytest.mark.phase7_security]


@given(st.integers(0, 40_000).map(lambda n: bytes(i % 251 for i in range(n))))
def test_a_sound_state_has_witnesses_that_say_so(data: bytes) -> None:
    state = encode(data)
    seen = witnesses_of(state)
    assert seen["conserved"]
    assert seen["stateHash"] == hashlib.sha256(state.tobytes()).hexdigest()
    assert seen["r96"] == int(state.sum()) % 96
    assert seen["blocks"] * PAGES == len(state)
    assert bytes.fromhex(seen["pageSums"]) == bytes(len(state))
    assert bytes.fromhex(seen["cycleSums"]) == bytes(seen["blocks"] * CYCLES)
    assert witnesses_hold(seen, state)


def _changed() -> State:
    state = encode(bytes(20_000))
    state[50, 3] ^= 2
    return state


def test_those_of_a_changed_state_hold_for_it_and_for_no_other() -> None:
    state, changed = encode(bytes(20_000)), _changed()
    seen = witnesses_of(changed)
    assert witnesses_hold(seen, changed)
    assert not seen["conserved"]
    assert not verify(changed)
    assert bytes.fromhex(seen["pageSums"])[50] == 2
    assert bytes.fromhex(seen["cycleSums"])[CYCLES + 3] == 2
    assert not witnesses_hold(seen, state)
    assert not witnesses_hold(witnesses_of(state), changed)


@pytest.mark.parametrize("change", [{"r96": None}, {"conserved": 1}, {"blocks": 2.0}, {"more": 1}], ids=repr)
def test_changed_witnesses_do_not_hold(change: dict[str, object]) -> None:
    state = encode(bytes(20_000))
    assert not witnesses_hold({**witnesses_of(state), **change}, state)
    assert not witnesses_hold(None, state)


@pytest.mark.parametrize("shape", [(0, CYCLES), (47, CYCLES), (PAGES, 255), (PAGES * CYCLES,)])
def test_what_has_not_the_shape_of_a_state_has_none(shape: tuple[int, ...]) -> None:
    state = np.zeros(shape, np.uint8)
    with pytest.raises(FormatError, match="multiple of 48 rows"):
        witnesses_of(state)
    assert not witnesses_hold(witnesses_of(encode(b"")), state)
