"""The resonance class R96 (contract section 6.2).

Of the contract's two definitions this is the one all code and golden vectors use: the
sum modulo 96. The blueprint's (products of oscillators) numbers its classes nowhere, so
no two programs could agree on it.
"""

from collections.abc import Iterable
from operator import index
from typing import Final

import numpy as np

CLASSES: Final = 96


def r96(data: bytes | bytearray | memoryview | Iterable[int]) -> int:
    """The class 0..95 of a vector of integers: their sum modulo 96; of bytes, their sum.

    Raises:
        TypeError: an item is not an integer.
    """
    if isinstance(data, bytes | bytearray | memoryview):
        if not len(data):
            return 0
        return int(np.frombuffer(data, np.uint8).sum(dtype=np.uint64)) % CLASSES
    return sum(map(index, data)) % CLASSES
