"""RL-96: budgets modulo 96, and the proofs and receipts over them (contract sections 4.2 and 6.2).

A proof is a list of steps with budgets; it holds if they sum to 0 modulo 96, and two proofs
are composed by putting their steps one behind the other.
"""

from collections.abc import Sequence
from operator import index

from hologram_dagster.protocol.canonical import ccm
from hologram_dagster.protocol.r96 import CLASSES, r96


def add(left: int, right: int) -> int:
    """The sum of two budgets, 0..95."""
    return (left + right) % CLASSES


def multiply(left: int, right: int) -> int:
    """The product of two budgets, 0..95."""
    return left * right % CLASSES


def negate(budget: int) -> int:
    """What sums with `budget` to 0."""
    return -budget % CLASSES


def holds(budgets: Sequence[int]) -> bool:
    """Whether the budgets of a proof sum to 0 modulo 96; without steps they do.

    Raises:
        TypeError: a budget is not an integer.
    """
    return r96(budgets) == 0


def receipt_witness(budgets: Sequence[int]) -> str:
    """The witness of a receipt over budgets: a digest of 64 hex digits.

    It ignores the order of the steps but for their notes, as the contract's hash does.

    Raises:
        TypeError: a budget is not an integer.
    """
    steps = [
        {"budget": index(budget) % CLASSES, "note": f"step-{number}"} for number, budget in enumerate(budgets)
    ]
    return ccm({"steps": steps}, "receipt")
