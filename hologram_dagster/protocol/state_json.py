"""An Atlas state as a JSON list of rows, as clients of the bridge exchange it (contract section 6.7)."""

from typing import Final

import numpy as np

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.atlas import BLOCK_BYTES, CYCLES, PAGES, State
from hologram_dagster.protocol.strict_json import parse_json

MAX_STATE_BYTES: Final = 16 << 20
# A byte takes at most four characters; a state is at most a twentieth larger than its content.
MAX_TEXT: Final = 4 * (MAX_STATE_BYTES // BLOCK_BYTES + 2) * PAGES * CYCLES + (1 << 16)


def _row(row: object) -> bytes | None:
    if not isinstance(row, list) or len(row) != CYCLES or set(map(type, row)) != {int}:
        return None
    try:
        return bytes(row)
    except ValueError:
        return None


def read_state(text: str) -> State | None:
    """The state in `text`; None for a JSON list that is no rows of 256 bytes.

    Raises:
        FormatError: it is not a JSON list at all, or over `MAX_TEXT` characters.
    """
    rows = parse_json(text, what="state", limit=MAX_TEXT)
    if not isinstance(rows, list):
        raise FormatError("A state is a JSON list of rows.")
    read = list(map(_row, rows))
    laid = [row for row in read if row is not None]
    if len(laid) < len(read) or not laid:
        return None
    return np.frombuffer(b"".join(laid), np.uint8).reshape(-1, CYCLES)
