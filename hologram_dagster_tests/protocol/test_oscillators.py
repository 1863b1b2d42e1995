"""The blueprint's resonance has 96 classes, and fair schedules conserve its sum (sections 6.2, 6.3)."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.c768 import schedule
from hologram_dagster.protocol.oscillators import (
    CODE_BANK,
    check_bank,
    fair_sum,
    resonance,
    resonance_class,
    resonance_sum,
)
from hologram_dagster.protocol.r96 import r96

pytestmark = pytest.mark.phase1_core

BANK = (1, 2, 3, 5, 1.25, 0.8, 7, 11)
bytes_ = st.integers(0, 255)


def test_there_are_96_classes_of_256_bytes() -> None:
    classes = {resonance_class(byte) for byte in range(256)}
    assert len(classes) == 96
    assert len({resonance(byte, BANK) for byte in range(256)}) == 96


@given(bytes_)
def test_bit_0_is_inert_here_and_not_in_the_code(byte: int) -> None:
    assert resonance_class(byte) == resonance_class(byte ^ 1)
    assert resonance(byte, BANK) == resonance(byte ^ 1, BANK)
    assert r96([byte]) != r96([byte ^ 1])


@given(bytes_, bytes_)
def test_classes_are_the_distinct_values(left: int, right: int) -> None:
    same = math.isclose(resonance(left, BANK), resonance(right, BANK))
    assert same == (resonance_class(left) == resonance_class(right))


@pytest.mark.parametrize("bank", [BANK, CODE_BANK])
def test_banks_that_make_96_classes(bank: tuple[float, ...]) -> None:
    check_bank(bank)


@pytest.mark.parametrize(
    ("bank", "why"),
    [
        (BANK[:-1], "8 positive"),
        ((*BANK[:-1], 0), "8 positive"),
        ((*BANK[:-1], -11), "8 positive"),
        ((*BANK[:-1], math.nan), "8 positive"),
        ((2, *BANK[1:]), "oscillator 0 is 1"),
        ((1, 2, 3, 5, 1.25, 0.9, 7, 11), "inverse"),
        ((1, 2, 3, 6, 1.25, 0.8, 7, 11), "share a value"),
        ((1, 2, 3, 5, 1, 1, 7, 11), "share a value"),
    ],
)
def test_banks_that_do_not(bank: tuple[float, ...], why: str) -> None:
    with pytest.raises(FormatError, match=why):
        check_bank(bank)


@pytest.mark.parametrize("byte", [-1, 256])
def test_only_bytes_have_a_class(byte: int) -> None:
    with pytest.raises(FormatError, match="no byte"):
        resonance_class(byte)


def test_every_fair_schedule_conserves_the_sum_in_any_order() -> None:
    assert fair_sum(BANK) == pytest.approx(167_961.6)
    steps = [slot % 256 for slot in schedule(7)]
    in_turn = resonance_sum(steps, BANK)
    assert in_turn == pytest.approx(fair_sum(BANK), rel=1e-12)
    random.Random(1).shuffle(steps)
    assert resonance_sum(steps, BANK) == in_turn


def test_the_blueprints_literal_quotient_does_not() -> None:
    # (oscillator 4 / oscillator 5) ^ difference, as printed, is not the product of oscillators.
    def literal(byte: int) -> float:
        difference = resonance_class(byte).difference
        others = math.prod(BANK[place] for place in (1, 2, 3, 6, 7) if byte >> place & 1)
        return (BANK[4] / BANK[5]) ** difference * others

    total = 3 * math.fsum(map(literal, range(256)))
    assert total == pytest.approx(174_286.08)
    assert total != pytest.approx(fair_sum(BANK))
