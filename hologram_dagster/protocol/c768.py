"""C768, the schedule over 768 slots (contract section 6.3).

`schedule` is the code's: a rotation of 0..767. The blueprint's schedules, in which every byte
value comes three times, are judged by `is_fair_over_bytes`; what they conserve is in
`oscillators`.
"""

from collections.abc import Iterable
from operator import index
from typing import Final

import numpy as np

SLOTS: Final = 768
# What all slots sum to; a permutation cannot miss it.
SLOT_SUM: Final = SLOTS * (SLOTS - 1) // 2


def schedule(seed: int = 0) -> list[int]:
    """The slots 0 to 767 in turn from `seed` (any integer, modulo 768) on."""
    return [(slot + seed) % SLOTS for slot in range(SLOTS)]


def schedule_fault(slots: object) -> str | None:
    """Why `slots` is no permutation of 0..767; None if it is one. Never raises.

    The words are the contract's: `not an array`, `wrong length`, `out of range`, `duplicate`.
    Its `bad sum` cannot come: what has passed the others sums to `SLOT_SUM`.
    """
    if not isinstance(slots, list | tuple):
        return "not an array"
    if len(slots) != SLOTS:
        return "wrong length"
    seen: set[int] = set()
    for slot in slots:
        if type(slot) is not int or not 0 <= slot < SLOTS:
            return "out of range"
        if slot in seen:
            return "duplicate"
        seen.add(slot)
    return None


def is_rotation(slots: object) -> bool:
    """Whether `slots` is a schedule in which each slot follows the one before it (767, then 0)."""
    return (
        schedule_fault(slots) is None and isinstance(slots, list | tuple) and [*slots] == schedule(slots[0])
    )


def is_fair_over_bytes(values: bytes | Iterable[int]) -> bool:
    """Whether 768 steps come to each byte value exactly three times (the blueprint's fairness).

    Raises:
        TypeError: a step is not an integer.
    """
    steps = np.fromiter(map(index, values), np.int64)
    if steps.size != SLOTS or steps.min() < 0 or steps.max() > 255:
        return False
    return bool((np.bincount(steps, minlength=256) == SLOTS // 256).all())
