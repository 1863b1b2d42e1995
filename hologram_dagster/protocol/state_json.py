"""An Atlas state as a JSON list of rows, as clients of the bridge exchange it (contract section 6.7)."""

from typing import Final

import numpy as np

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.atlas import BLOCK_BYTES, CYCLES, PAGES, State
from hologram_dagster.protocol.strict_json import parse_json

MAX_STATE_BYTES: Final = 16 << 20
MAX_ROWS: Final = (MAX_STATE_BYTES // BLOCK_BYTES + 2) * PAGES
# A byte takes at most four characters.
MAX_TEXT: Final = 4 * MAX_ROWS * CYCLES + (1 << 16)


def _row(row: object) -> bytes | None:
    if not isinstance(row, list) or len(row) != CYCLES or set(map(type, row)) != {int}:
        return None
    try:
        return bytes(row)
    except ValueError:
        return None


def read_state(text: str) -> State | None:
    """The state in `text`; None for a JSON list of anything but rows of 256 bytes.

    Raises:
        FormatError: it is no JSON list of lists of numbers, or over `MAX_TEXT` characters.
    """
    # Whatever else a list may hold takes many times the memory that numbers do.
    if text.count("[") > MAX_ROWS + 1 or '"' in text or "{" in text:
        raise FormatError(f"A state is a JSON list of at most {MAX_ROWS} rows of numbers.")
    rows = parse_json(text, what="state", limit=MAX_TEXT)
    if not isinstance(rows, list):
        raise FormatError("A state is a JSON list of rows.")
    read = list(map(_row, rows))
    laid = [row for row in read if row is not None]
    if len(laid) < len(read) or not laid:
        return None
    return np.frombuffer(b"".join(laid), np.uint8).reshape(-1, CYCLES)
