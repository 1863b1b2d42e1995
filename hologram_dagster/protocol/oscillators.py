"""The blueprint's resonance: products of eight oscillators (contract section 6.2).

Not the R96 of the code (see `r96`): there bytes 0 and 1 differ, here they share a class, as
the oscillator of bit 0 is 1. Oscillators 4 and 5 are each other's inverse, so of their two
bits only the difference counts: 3 differences by 2^5 other bits are 96 classes. The blueprint
numbers them nowhere; a class here is named by what makes it up.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.c768 import SLOTS

OSCILLATORS: Final = 8
# The bank in the code, which its R96 never uses; the last is a thousandth of the imaginary part
# of the first zero of Riemann's zeta function.
CODE_BANK: Final = (1.0, 2.0, 3.0, 5.0, 1.25, 0.8, 7.0, 0.014134725141734693)


class ResonanceClass(NamedTuple):
    """A class: bit 4 minus bit 5, and the bits 1, 2, 3, 6 and 7."""

    difference: int
    bits: tuple[int, int, int, int, int]


def resonance_class(byte: int) -> ResonanceClass:
    """The class of a byte.

    Raises:
        FormatError: it is not 0..255.
    """
    if not 0 <= byte <= 255:
        raise FormatError(f"{byte} is no byte: 0 to 255.")
    bit = [byte >> place & 1 for place in range(OSCILLATORS)]
    return ResonanceClass(bit[4] - bit[5], (bit[1], bit[2], bit[3], bit[6], bit[7]))


def check_bank(bank: Sequence[float]) -> None:
    """Check that eight oscillators make 96 classes.

    Raises:
        FormatError: there are not eight, one is not positive, the first is not 1, the product
            of those of bits 4 and 5 is not 1, or two classes share a value.
    """
    if len(bank) != OSCILLATORS or not all(math.isfinite(value) and value > 0 for value in bank):
        raise FormatError(f"A bank is {OSCILLATORS} positive numbers.")
    if bank[0] != 1 or not math.isclose(bank[4] * bank[5], 1, rel_tol=1e-12):
        raise FormatError("In a bank oscillator 0 is 1, and oscillators 4 and 5 are each other's inverse.")
    values = sorted({resonance_class(byte): resonance(byte, bank) for byte in range(256)}.values())
    if any(math.isclose(low, high, rel_tol=1e-9) for low, high in pairwise(values)):
        raise FormatError("With this bank two of the 96 classes share a value.")


def resonance(byte: int, bank: Sequence[float]) -> float:
    """The product of the oscillators whose bits are set in `byte`."""
    return math.prod(value for place, value in enumerate(bank) if byte >> place & 1)


def resonance_sum(steps: Iterable[int], bank: Sequence[float]) -> float:
    """The sum of the resonance of bytes, one a step; correctly rounded, so in any order the same."""
    values = [resonance(byte, bank) for byte in range(256)]
    return math.fsum(values[byte] for byte in steps)


def fair_sum(bank: Sequence[float]) -> float:
    """What every fair schedule of 768 steps sums to: 3 times the product of (1 + oscillator)."""
    return SLOTS // 256 * math.prod(1 + value for value in bank)
