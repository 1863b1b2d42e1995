"""A state gives back exactly its bytes, conserves both sums, and shows every flipped bit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol import atlas
from hologram_dagster.protocol.atlas import BLOCK_BYTES, CYCLES, PAGES, decode, encode, verify

pytestmark = [pytest.mark.phase1_core, pytest.mark.phase7_security]

LENGTHS = [
    0,
    1,
    255,
    BLOCK_BYTES - 9,
    BLOCK_BYTES - 8,
    BLOCK_BYTES - 7,
    2 * BLOCK_BYTES - 8,
    2 * BLOCK_BYTES - 7,
]


def pattern(length: int) -> bytes:
    return bytes(i % 256 for i in range(length))


def test_capacity_is_the_contracts() -> None:
    assert BLOCK_BYTES == 11_985
    assert len(encode(pattern(65_536))) == 6 * PAGES
    assert len(encode(pattern(1 << 20))) == 88 * PAGES


@pytest.mark.parametrize("length", [1024, 2048, 4096, 65_536, *LENGTHS])
def test_round_trip_and_both_laws(length: int) -> None:
    data = pattern(length)
    state = encode(data)
    assert state.dtype == np.uint8
    assert state.shape[1] == CYCLES
    blocks = state.reshape(-1, PAGES, CYCLES).astype(int)
    assert not (blocks.sum(axis=2) % 256).any()
    assert not (blocks.sum(axis=1) % 256).any()
    assert verify(state)
    assert decode(state) == data
    assert np.array_equal(encode(decode(state)), state)


@given(st.binary(max_size=600) | st.integers(0, 40_000).map(lambda n: pattern(n)[::-1]))
@settings(deadline=None)
def test_round_trip_of_any_bytes(data: bytes) -> None:
    state = encode(data)
    assert verify(state)
    assert decode(state) == data


def test_a_state_starts_at_a_cache_line_whatever_the_heap_looks_like() -> None:
    holes = [bytearray(size) for size in range(64, 9_000, 97)]
    for length in (0, 100, 65_536, 300_000):
        del holes[::2]
        assert encode(pattern(length)).ctypes.data % 64 == 0


def test_every_kind_of_buffer_encodes_alike() -> None:
    data = pattern(1024)
    strided = memoryview(bytes(b for byte in data for b in (byte, 0)))[::2]
    for other in (bytearray(data), memoryview(data), strided):
        assert np.array_equal(encode(other), encode(data))


def test_every_single_bit_flip_is_detected() -> None:
    state = encode(pattern(1024))
    missed = []
    for at in range(state.size):
        for bit in range(8):
            state.flat[at] ^= 1 << bit
            if verify(state):
                missed.append((at, bit))
            state.flat[at] ^= 1 << bit
    assert not missed
    assert verify(state)


@given(st.data())
@settings(deadline=None, max_examples=50)
def test_any_changed_byte_of_a_large_state_is_detected(data: st.DataObject) -> None:
    state = encode(pattern(65_536))
    at = data.draw(st.integers(0, state.size - 1))
    state.flat[at] = (int(state.flat[at]) + data.draw(st.integers(1, 255))) % 256
    assert not verify(state)
    with pytest.raises(FormatError, match=f"of block {at // (PAGES * CYCLES)} "):
        decode(state)


def _conserving(state: atlas.State, row: int, column: int, by: int) -> atlas.State:
    """Add `by` at a place and mend its row, its column and the corner: both laws still hold."""
    for r, c, sign in ((row, column, 1), (row, -1, -1), (-1, column, -1), (-1, -1, 1)):
        state[r, c] = (int(state[r, c]) + sign * by) % 256
    return state


def _object_array() -> Any:
    return encode(b"x").astype(object)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (None, "not an array"),
        ([[0] * CYCLES] * PAGES, "not an array"),
        ("state", "not an array"),
        (encode(b"x").astype(np.int64), "not an array of unsigned 8-bit"),
        (encode(b"x").astype(np.float64), "not an array of unsigned 8-bit"),
        (_object_array(), "not an array of unsigned 8-bit"),
        (encode(b"x").ravel(), "shape"),
        (encode(b"x").T, "shape"),
        (encode(b"x")[:0], "shape"),
        (encode(b"x")[:47], "shape"),
        (encode(b"x")[:, :255], "shape"),
        (encode(b"x").reshape(1, PAGES, CYCLES), "shape"),
        (_conserving(encode(b"x"), 0, 0, 255), "header tells of"),
        (_conserving(encode(pattern(BLOCK_BYTES - 8)), 0, 7, 1), "header tells of"),
        (np.vstack([encode(b"x"), encode(b"x")]), "header tells of 1 bytes, which do not take 2 blocks"),
        (encode(pattern(20_000))[:PAGES], "header tells of"),
        (_conserving(encode(b"x"), 0, 9, 1), "padding"),
        (_conserving(encode(b"x"), 46, 254, 255), "padding"),
        (_conserving(encode(pattern(BLOCK_BYTES - 9)), 46, 254, 1), "padding"),
    ],
)
def test_malformed_states_are_refused(state: object, why: str) -> None:
    assert verify(state) is False
    with pytest.raises(FormatError, match=why):
        decode(state)


def test_a_block_in_the_place_of_the_first_is_refused() -> None:
    state = encode(pattern(2 * BLOCK_BYTES - 8)[::-1])
    assert not verify(np.vstack([state[PAGES:], state[:PAGES]]))


def test_views_verify_like_copies() -> None:
    wide = np.zeros((PAGES, 2 * CYCLES), np.uint8)
    wide[:, ::2] = encode(b"Hologram")
    view = wide[:, ::2]
    assert not view.flags["C_CONTIGUOUS"]
    assert verify(view)
    assert decode(view) == b"Hologram"
    view.flags.writeable = False
    assert verify(view)
