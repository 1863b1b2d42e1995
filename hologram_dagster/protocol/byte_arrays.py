"""Byte arrays as JSON objects keyed by index, `{"0":72,"1":105}`, as JavaScript writes typed arrays.

A byte takes some 13 characters; a mebibyte is written and read in well under a second.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hologram_dagster.errors import FormatError

_ZERO: Final = ord("0")
# Stands where a number has fewer digits than there is room for; in no such JSON.
_NOTHING: Final = 0
_ARRAYS: Final = re.compile(rb'\{"boundary":\{([0-9":,]*)\},"bulk":\{([0-9":,]*)\},')
_TIMESTAMP: Final = re.compile(rb'"timestamp":([0-9]{1,16})[,}]')


def _entries(values: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The entries `"index":value,` of all bytes, one array for all indices of as many digits."""
    start, digits = 0, 1
    while start < values.size:
        chunk = values[start : 10**digits]
        table = np.empty((chunk.size, digits + 7), np.uint8)
        table[:, (0, digits + 1)] = ord('"')
        indices = np.arange(start, start + chunk.size, dtype=np.uint32)
        for place in range(digits):
            table[:, digits - place] = _ZERO + indices // 10**place % 10
        table[:, digits + 2] = ord(":")
        table[:, digits + 3] = np.where(chunk > 99, _ZERO + chunk // 100, _NOTHING)
        table[:, digits + 4] = np.where(chunk > 9, _ZERO + chunk // 10 % 10, _NOTHING)
        table[:, digits + 5] = _ZERO + chunk % 10
        table[:, digits + 6] = ord(",")
        written = table.reshape(-1)
        yield written[written != _NOTHING]
        start, digits = 10**digits, digits + 1


def write_byte_array(data: bytes) -> bytes:
    """The JSON of `data` as an object keyed by index, in canonical form."""
    entries = b"".join(map(np.ndarray.tobytes, _entries(np.frombuffer(data, np.uint8))))
    return b"{" + entries[:-1] + b"}"


def _guess_byte_array(inside: bytes) -> bytes:
    """The bytes whose canonical form between its braces is `inside`; of anything else, any or none."""
    text = np.frombuffer(inside, np.uint8)
    colons = np.flatnonzero(text == ord(":"))
    ends = np.append(np.flatnonzero(text == ord(",")), text.size)
    if colons.size != ends.size:
        return b""
    values = np.zeros(ends.size, np.uint8)
    for place, worth in enumerate((1, 10, 100)):
        at = ends - 1 - place
        values += np.where(at > colons, (text[np.maximum(at, 0)] - _ZERO) * worth, 0).astype(np.uint8)
    return values.tobytes()


class Parts(NamedTuple):
    """What a container's wire form carries; the rest of it follows from these. `timestamp` is epoch ms."""

    boundary: bytes
    bulk: bytes
    timestamp: int


def guess_parts(wire: bytes) -> Parts | None:
    """The parts of a container in canonical form, many times faster than by way of JSON.

    Of anything else any parts or None: whoever asks writes them again, and compares.
    """
    arrays = _ARRAYS.match(wire)
    timestamp = _TIMESTAMP.search(wire, arrays.end()) if arrays else None
    if arrays is None or timestamp is None:
        return None
    return Parts(_guess_byte_array(arrays[1]), _guess_byte_array(arrays[2]), int(timestamp[1]))


def read_byte_array(value: object, what: str) -> bytes:
    """The bytes of an object keyed by index, as read from JSON; `what` names it in errors.

    Raises:
        FormatError: it is no such object: keys 0 to n-1, integers 0 to 255.
    """
    if isinstance(value, dict):
        items: list[Any] = [value.get(str(index)) for index in range(len(value))]
        # Booleans would pass as integers.
        if set(map(type, items)) <= {int}:
            try:
                return bytes(items)
            except ValueError:
                pass
    raise FormatError(f"The {what} is no byte array: an object of bytes (0 to 255) keyed 0, 1, 2, … .")
