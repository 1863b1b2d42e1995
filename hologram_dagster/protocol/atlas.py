"""The Atlas state: bytes laid on blocks of 48 pages by 256 cycles (contract section 6.5).

Two conservation laws hold in every block: each page (row) and each cycle (column) sums
to 0 modulo 256. Its last row and last column are the checks that make it so, which
leaves 47 x 255 = 11,985 bytes a block. A payload is preceded by its length (8 bytes,
big-endian), laid row by row over as many blocks as it needs, and padded with zeros; the
blocks are stacked, so a state is one array of 48 n rows and every law still holds.

One payload has exactly one state: `verify` refuses a length that does not fit the
number of blocks, and padding that is not zero. A single changed byte always breaks a
law. These are sums, not a signature: they find accidents in a block, not a forger, nor
two blocks behind the first changing places.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hologram_dagster.errors import FormatError

State: TypeAlias = NDArray[np.uint8]

PAGES: Final = 48
CYCLES: Final = 256
BLOCK_BYTES: Final = (PAGES - 1) * (CYCLES - 1)
_HEADER_BYTES: Final = 8
_CACHE_LINE_BYTES: Final = 64


def _block_count(length: int) -> int:
    return -(-(_HEADER_BYTES + length) // BLOCK_BYTES)


def _sums(blocks: State, axis: int) -> State:
    # 8-bit addition wraps, which is the modulus the laws are about.
    sums: State = np.add.reduce(blocks, axis=axis, dtype=np.uint8)
    return sums


def _aligned(count: int) -> State:
    """Space for `count` blocks from a cache line's start on.

    `verify` takes 5 % longer on a state that starts elsewhere, and where the allocator puts it
    depends on all that the process has loaded: a change of a few imports would look like a slowdown.
    """
    size = count * PAGES * CYCLES
    space = np.empty(size + _CACHE_LINE_BYTES, np.uint8)
    start = -space.__array_interface__["data"][0] % _CACHE_LINE_BYTES
    return space[start : start + size].reshape(count, PAGES, CYCLES)


def encode(data: bytes | bytearray | memoryview) -> State:
    """Lay `data` on a new state of shape (48 n, 256); of no bytes, one block."""
    payload = np.frombuffer(bytes(data) if isinstance(data, memoryview) else data, np.uint8)
    count = _block_count(payload.size)
    stream = np.zeros(count * BLOCK_BYTES, np.uint8)
    stream[:_HEADER_BYTES] = np.frombuffer(payload.size.to_bytes(_HEADER_BYTES, "big"), np.uint8)
    stream[_HEADER_BYTES : _HEADER_BYTES + payload.size] = payload

    blocks = _aligned(count)
    blocks[:, :-1, :-1] = stream.reshape(count, PAGES - 1, CYCLES - 1)
    np.negative(_sums(blocks[:, :-1, :-1], axis=2), out=blocks[:, :-1, -1])
    # The corner closes its row and its column alike: both are minus the sum of all.
    np.negative(_sums(blocks[:, :-1, :], axis=1), out=blocks[:, -1, :])
    return blocks.reshape(count * PAGES, CYCLES)


def _broken_law(blocks: State) -> str | None:
    for law, axis in (("page", 2), ("cycle", 1)):
        sums = _sums(blocks, axis)
        if sums.any():
            block, line = np.argwhere(sums)[0]
            return f"{law} {line} of block {block} does not sum to 0 modulo 256"
    return None


def _payload_bytes(blocks: State) -> int:
    return int.from_bytes(blocks[0, 0, :_HEADER_BYTES].tobytes(), "big")


def _blocks(state: object) -> State | str:
    """The blocks of a sound state, or what is wrong with it."""
    if not isinstance(state, np.ndarray) or state.dtype != np.uint8:
        return "it is not an array of unsigned 8-bit integers"
    if state.ndim != 2 or state.shape[1] != CYCLES or not state.shape[0] or state.shape[0] % PAGES:
        return f"its shape {state.shape} is not a multiple of {PAGES} rows by {CYCLES} columns"
    blocks: State = np.asarray(state).reshape(-1, PAGES, CYCLES)
    if broken := _broken_law(blocks):
        return broken
    length = _payload_bytes(blocks)
    if _block_count(length) != len(blocks):
        return f"its header tells of {length} bytes, which do not take {len(blocks)} blocks"
    used = _HEADER_BYTES + length - (len(blocks) - 1) * BLOCK_BYTES
    if blocks[-1, :-1, :-1].reshape(-1)[used:].any():
        return "its padding is not zero"
    return blocks


def verify(state: object) -> bool:
    """Whether `state` is one that `encode` makes: shape, both laws, length, padding.

    False, never an error, for whatever else it is given.
    """
    return not isinstance(_blocks(state), str)


def decode(state: object) -> bytes:
    """The bytes that were laid on `state`.

    Raises:
        FormatError: `verify` does not hold; the text says what is broken, and where.
    """
    blocks = _blocks(state)
    if isinstance(blocks, str):
        raise FormatError(f"This is no sound Atlas state: {blocks}. Encode the content again.")
    length = _payload_bytes(blocks)
    stream = blocks[:, :-1, :-1].reshape(-1)
    return stream[_HEADER_BYTES : _HEADER_BYTES + length].tobytes()
