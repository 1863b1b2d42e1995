"""Witnesses of an Atlas state: what anyone can compare without the state itself.

A witness says what was seen, not that it is sound: those of a state that someone changed
describe the changed one (contract section 6.5). `atlas.verify` is what finds the change.
"""

import hashlib
from typing import TypedDict

import numpy as np

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.atlas import CYCLES, PAGES, State
from hologram_dagster.protocol.r96 import r96


class Witnesses(TypedDict):
    """What was seen of a state.

    `stateHash` is the sha256 of its bytes, row by row; `pageSums` and `cycleSums` are hex, one
    byte a sum modulo 256, block after block (48 pages, 256 cycles each); `conserved` says
    whether all of them are 0.
    """

    stateHash: str
    r96: int
    blocks: int
    pageSums: str
    cycleSums: str
    conserved: bool


def witnesses_of(state: State) -> Witnesses:
    """The witnesses of a state of shape (48 n, 256).

    Raises:
        FormatError: it has another shape.
    """
    if state.ndim != 2 or state.shape[1] != CYCLES or not state.shape[0] or state.shape[0] % PAGES:
        raise FormatError(f"A state has a multiple of {PAGES} rows of {CYCLES} bytes, not {state.shape}.")
    laid = state.tobytes()
    blocks = state.reshape(-1, PAGES, CYCLES)
    pages = np.add.reduce(blocks, axis=2, dtype=np.uint8).tobytes()
    cycles = np.add.reduce(blocks, axis=1, dtype=np.uint8).tobytes()
    return {
        "stateHash": hashlib.sha256(laid).hexdigest(),
        "r96": r96(laid),
        "blocks": len(blocks),
        "pageSums": pages.hex(),
        "cycleSums": cycles.hex(),
        "conserved": not any(pages) and not any(cycles),
    }


def witnesses_hold(witnesses: object, state: State) -> bool:
    """Whether `witnesses` are those of `state`; False for anything malformed."""
    try:
        seen = witnesses_of(state)
    except FormatError:
        return False
    if not isinstance(witnesses, dict) or witnesses.keys() != seen.keys():
        return False
    return all(
        type(witnesses[name]) is type(value) and witnesses[name] == value for name, value in seen.items()
    )
