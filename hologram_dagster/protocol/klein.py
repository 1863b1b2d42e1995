"""The 192 Klein windows, and the Klein four-group (contract section 6.4).

A window is the map i -> (a i + k) modulo 12,288 on indices of the lattice: a bijection, as its
multiplier shares no factor with 12,288 = 2^12 * 3, and any two compose to a map of that kind.
It keeps addition only without an offset, that is in window 0.

The blueprint's probe over indices, R(k) R(k^49) = R(k^1) R(k^48), holds for every k, whatever
the data: bit 0 is inert in R, so it detects nothing, and nor does asking whether a window's value is an
index. Over data bytes (`data_probe`) it is a property that arbitrary data does not have, so it
can be stated of data, not demanded.
"""

from typing import Final, NamedTuple

from hologram_dagster.protocol.atlas import CYCLES, PAGES
from hologram_dagster.protocol.r96 import CLASSES

WINDOWS: Final = 192
INDICES: Final = PAGES * CYCLES
FOUR_GROUP: Final = (0, 1, 48, 49)
# data_probe looks at k ^ 49 for k up to 191.
PROBED_BYTES: Final = 192


class Affine(NamedTuple):
    """The map i -> (multiplier i + offset) modulo 12,288."""

    multiplier: int
    offset: int

    def __call__(self, index: int) -> int:
        """The index that `index` is mapped to."""
        return (self.multiplier * index + self.offset) % INDICES

    def after(self, first: "Affine") -> "Affine":
        """The map that applies `first`, then this one."""
        return Affine(
            self.multiplier * first.multiplier % INDICES,
            (self.multiplier * first.offset + self.offset) % INDICES,
        )

    def inverse(self) -> "Affine":
        """The map that undoes this one.

        Raises:
            ValueError: the multiplier shares a factor with 12,288: nothing undoes it.
        """
        multiplier = pow(self.multiplier, -1, INDICES)
        return Affine(multiplier, -multiplier * self.offset % INDICES)

    @property
    def keeps_addition(self) -> bool:
        """Whether f(i + j) = f(i) + f(j) for all i, j."""
        return self.offset % INDICES == 0


def window(number: int) -> Affine:
    """Klein window 0..191: offset its number, multiplier the number-th of 5, 7, 11, 13, 17, … .

    Raises:
        IndexError: there is no such window.
    """
    if not 0 <= number < WINDOWS:
        raise IndexError(f"there is no Klein window {number}, only 0 to {WINDOWS - 1}")
    # The odd numbers that 3 does not divide come in pairs, six apart.
    return Affine(5 + 6 * (number // 2) + 2 * (number % 2), number)


def lattice_index(page: int, cycle: int) -> int:
    """The linear index of a place on the lattice: page times 256 plus cycle.

    Raises:
        IndexError: there is no such page (0..47) or cycle (0..255).
    """
    if not (0 <= page < PAGES and 0 <= cycle < CYCLES):
        raise IndexError(f"there is no page {page}, cycle {cycle} on a lattice of {PAGES} by {CYCLES}")
    return page * CYCLES + cycle


def data_probe(data: bytes) -> list[bool]:
    """The blueprint's probe over data: for k = 0..191, whether the products modulo 96 agree.

    data[k] data[k^49] = data[k^1] data[k^48]. Most data does not satisfy it.

    Raises:
        IndexError: there are fewer than 192 bytes.
    """
    if len(data) < PROBED_BYTES:
        raise IndexError(f"{len(data)} bytes cannot be probed: it takes {PROBED_BYTES}")
    return [(data[k] * data[k ^ 49] - data[k ^ 1] * data[k ^ 48]) % CLASSES == 0 for k in range(PROBED_BYTES)]
