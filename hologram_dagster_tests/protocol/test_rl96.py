"""Budgets add up modulo 96, and the receipt of a recorded session recomputes (sections 4.2, 6.2, 6.6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.protocol.rl96 import add, holds, multiply, negate, receipt_witness

pytestmark = pytest.mark.phase1_core

budgets = st.integers(-1000, 1000)


@pytest.mark.parametrize("proof", [[48, 48], [10, 20, 66], [96], []])
def test_budgets_of_the_contract_that_hold(proof: list[int]) -> None:
    assert holds(proof)


def test_budgets_of_the_contract_that_do_not() -> None:
    assert not holds([1, 2, 3])


@given(budgets, budgets, budgets)
def test_the_algebra_is_a_ring(a: int, b: int, c: int) -> None:
    assert add(a, negate(a)) == 0
    assert add(a, b) == add(b, a)
    assert add(a, add(b, c)) == add(add(a, b), c)
    assert multiply(a, add(b, c)) == add(multiply(a, b), multiply(a, c))
    assert multiply(a, 1) == add(a, 0) == a % 96


@given(st.lists(budgets), st.lists(budgets))
def test_proofs_that_hold_compose(left: list[int], right: list[int]) -> None:
    left, right = [*left, -sum(left)], [*right, -sum(right)]
    assert holds(left)
    assert holds(left + right)
    assert not holds([*left, *right, 1])


def test_the_recorded_receipt() -> None:
    recorded = "d0af48dfda32c6d10b6a1756c9d1be4e2ff286676d5ddd77200057b28d7e8fe6"
    assert receipt_witness([48, 48]) == recorded
    assert receipt_witness([144, -48]) == recorded
    assert receipt_witness([48, 49]) != recorded


def test_only_integers_are_budgets() -> None:
    with pytest.raises(TypeError):
        receipt_witness([1.5])  # type: ignore[list-item]
