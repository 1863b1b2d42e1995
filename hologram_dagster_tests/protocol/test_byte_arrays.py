"""Byte arrays are objects keyed by index, and come back as the same bytes (contract section 6.6)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.byte_arrays import guess_parts, read_byte_array, write_byte_array

pytestmark = pytest.mark.phase2_integration


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 99, 100, 101, 1000, 1001, 70_000])
def test_written_as_a_mapping_of_indices(length: int) -> None:
    data = bytes(7 * index % 256 for index in range(length))
    keyed = {str(index): byte for index, byte in enumerate(data)}
    assert write_byte_array(data) == json.dumps(keyed, separators=(",", ":")).encode()


@given(st.binary(max_size=300))
def test_round_trip(data: bytes) -> None:
    assert read_byte_array(json.loads(write_byte_array(data)), "array") == data
    wire = b'{"boundary":%b,"bulk":%b,"timestamp":7}' % (write_byte_array(data[:5]), write_byte_array(data))
    assert guess_parts(wire) == (data[:5], data, 7)


def test_keys_may_come_in_any_order() -> None:
    assert read_byte_array({"1": 105, "0": 72}, "array") == b"Hi"


@pytest.mark.parametrize(
    "value",
    [
        [72, 105],
        "Hi",
        None,
        {"0": 256},
        {"0": -1},
        {"0": 1.0},
        {"0": True},
        {"0": None},
        {"0": "1"},
        {"1": 1},
        {"0": 1, "2": 1},
        {"00": 1},
        {"0": 1, "a": 1},
        {"0": 10**30},
    ],
    ids=repr,
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(FormatError, match="The sample is no byte array"):
        read_byte_array(value, "sample")
