"""Klein windows are affine bijections; what the blueprint claims beyond is not so (section 6.4)."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.protocol.klein import (
    FOUR_GROUP,
    INDICES,
    WINDOWS,
    Affine,
    data_probe,
    lattice_index,
    window,
)
from hologram_dagster.protocol.oscillators import CODE_BANK, resonance

pytestmark = pytest.mark.phase1_core

numbers = st.integers(0, WINDOWS - 1)
indices = st.integers(0, INDICES - 1)


@pytest.mark.parametrize(
    ("number", "multiplier"), [(0, 5), (1, 7), (2, 11), (3, 13), (4, 17), (5, 19), (191, 577)]
)
def test_multipliers_of_the_contract(number: int, multiplier: int) -> None:
    assert window(number) == (multiplier, number)


@pytest.mark.parametrize(("number", "value"), [(0, 5000), (1, 7001), (2, 11002), (3, 715), (191, 11943)])
def test_values_of_the_contract(number: int, value: int) -> None:
    assert window(number)(1000) == value


def test_the_multipliers_are_the_odd_numbers_that_three_does_not_divide() -> None:
    assert [window(number).multiplier for number in range(WINDOWS)] == [
        number for number in range(5, 578) if number % 2 and number % 3
    ]


@pytest.mark.parametrize("number", [0, 1, 7, 95, 191])
def test_windows_are_bijections(number: int) -> None:
    assert len({window(number)(index) for index in range(INDICES)}) == INDICES


@given(numbers, numbers, indices)
def test_windows_compose_and_can_be_undone(first: int, second: int, index: int) -> None:
    f, g = window(first), window(second)
    assert g.after(f)(index) == g(f(index))
    # Contract: (a2 a1) i + (a2 b1 + b2).
    assert g.after(f) == (
        g.multiplier * f.multiplier % INDICES,
        (g.multiplier * f.offset + g.offset) % INDICES,
    )
    assert f.inverse()(f(index)) == index
    assert f.after(f.inverse()) == Affine(1, 0)


@given(numbers, indices, indices)
def test_only_window_0_keeps_addition(number: int, left: int, right: int) -> None:
    # The present verifier demands it of all windows, which 191 of them cannot satisfy.
    f = window(number)
    kept = f((left + right) % INDICES) == (f(left) + f(right)) % INDICES
    assert kept == f.keeps_addition == (number == 0)


@pytest.mark.parametrize("number", [-1, 192])
def test_there_are_192_windows(number: int) -> None:
    with pytest.raises(IndexError):
        window(number)


def test_a_map_that_is_no_bijection_cannot_be_undone() -> None:
    with pytest.raises(ValueError, match="not invertible"):
        Affine(6, 0).inverse()


def test_places_on_the_lattice() -> None:
    assert [lattice_index(0, 0), lattice_index(3, 232), lattice_index(47, 255)] == [0, 1000, INDICES - 1]
    for page, cycle in ((48, 0), (0, 256), (-1, 0), (0, -1)):
        with pytest.raises(IndexError):
            lattice_index(page, cycle)


def test_the_four_group_is_one() -> None:
    assert {left ^ right for left in FOUR_GROUP for right in FOUR_GROUP} == {*FOUR_GROUP}
    assert all(element ^ element == 0 for element in FOUR_GROUP)


def test_the_probe_over_indices_holds_whatever_the_data_so_it_detects_nothing() -> None:
    for k in range(256):
        left = resonance(k, CODE_BANK) * resonance(k ^ 49, CODE_BANK)
        assert left == pytest.approx(resonance(k ^ 1, CODE_BANK) * resonance(k ^ 48, CODE_BANK))


def test_the_probe_over_data_holds_for_equal_bytes_and_not_for_most() -> None:
    assert all(data_probe(bytes([7]) * 192))
    arbitrary = random.Random(12_288).randbytes(256)
    held = data_probe(arbitrary)
    assert len(held) == WINDOWS
    assert sum(held) < WINDOWS // 4
    k = held.index(False)
    assert (arbitrary[k] * arbitrary[k ^ 49] - arbitrary[k ^ 1] * arbitrary[k ^ 48]) % 96
    with pytest.raises(IndexError):
        data_probe(bytes(191))
