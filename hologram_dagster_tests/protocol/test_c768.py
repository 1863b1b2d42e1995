"""The schedule over 768 slots is a rotation, and its faults have the contract's names (section 6.3)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.protocol.c768 import (
    SLOT_SUM,
    SLOTS,
    is_fair_over_bytes,
    is_rotation,
    schedule,
    schedule_fault,
)

pytestmark = pytest.mark.phase1_core

IN_ORDER = list(range(SLOTS))


@pytest.mark.parametrize("seed", [0, 1, 7, 127, 768, -3, 10**30])
def test_schedules_of_the_contracts_seeds(seed: int) -> None:
    slots = schedule(seed)
    assert slots[0] == seed % 768
    assert sorted(slots) == IN_ORDER
    assert sum(slots) == SLOT_SUM == 294_528
    assert schedule_fault(slots) is None
    assert is_rotation(slots)
    assert all((behind - before) % 768 == 1 for before, behind in pairwise(slots))


@pytest.mark.parametrize(
    ("slots", "fault"),
    [
        (None, "not an array"),
        ("0" * 768, "not an array"),
        ([], "wrong length"),
        ([*IN_ORDER, 768], "wrong length"),
        ([*IN_ORDER[:-1], 768], "out of range"),
        ([*IN_ORDER[:-1], -1], "out of range"),
        ([*IN_ORDER[:-1], 767.0], "out of range"),
        ([0, True, *IN_ORDER[2:]], "out of range"),
        ([*IN_ORDER[:-1], "767"], "out of range"),
        ([*IN_ORDER[:-1], 0], "duplicate"),
    ],
    ids=lambda value: str(value)[-20:],
)
def test_faults(slots: object, fault: str) -> None:
    assert schedule_fault(slots) == fault
    assert not is_rotation(slots)


@given(st.permutations(IN_ORDER))
def test_every_permutation_is_a_schedule_and_few_are_rotations(slots: list[int]) -> None:
    assert schedule_fault(slots) is None
    assert is_rotation(slots) == (slots == schedule(slots[0]))


def test_fair_over_bytes() -> None:
    thrice = bytes(range(256)) * 3
    assert is_fair_over_bytes(thrice)
    assert is_fair_over_bytes(sorted(thrice))
    assert is_fair_over_bytes(slot % 256 for slot in schedule(127))
    assert not is_fair_over_bytes(thrice[:-1])
    assert not is_fair_over_bytes(thrice[:-1] + b"\0")
    assert not is_fair_over_bytes([*thrice[:-1], 256])
    assert not is_fair_over_bytes([*thrice[:-1], -1])
    assert not is_fair_over_bytes(b"")
