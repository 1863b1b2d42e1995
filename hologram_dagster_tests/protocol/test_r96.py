"""The resonance class is the sum modulo 96, as in all golden vectors (contract section 6.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.protocol.r96 import r96

pytestmark = pytest.mark.phase1_core


@pytest.mark.parametrize(
    ("byte", "expected"), [(0, 0), (95, 95), (96, 0), (128, 32), (191, 95), (192, 0), (255, 63)]
)
def test_golden_samples(byte: int, expected: int) -> None:
    assert r96([byte]) == expected
    assert r96(bytes([byte])) == expected


def test_golden_all_bytes() -> None:
    assert [r96([byte]) for byte in range(256)] == [byte % 96 for byte in range(256)]


@given(st.binary(max_size=300))
def test_bytes_and_integers_agree(data: bytes) -> None:
    assert r96(data) == r96(list(data)) == r96(memoryview(data)) == sum(data) % 96


@given(st.lists(st.integers()))
def test_always_a_class(numbers: list[int]) -> None:
    assert 0 <= r96(numbers) < 96


def test_sums_beyond_one_byte_or_word_do_not_wrap() -> None:
    assert r96(b"\xff" * 100_000) == 255 * 100_000 % 96


def test_only_integers_have_a_class() -> None:
    with pytest.raises(TypeError):
        r96([1.5])  # type: ignore[list-item]
