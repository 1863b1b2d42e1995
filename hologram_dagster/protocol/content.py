"""Where named content stands on the Atlas lattice, and its id (contract section 3.5).

Both follow from name and bytes alone: from no CID, clock or store. The contract's
present conservation hash holds the clock, so that no content has the same id twice;
ours is the hash of the content's Atlas state.
"""

from typing import TypedDict

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.atlas import CYCLES, PAGES, encode
from hologram_dagster.protocol.canonical import sha256_hex, stable_ordered
from hologram_dagster.protocol.klein import WINDOWS
from hologram_dagster.protocol.r96 import r96


class AtlasMetadata(TypedDict):
    """The contract's `Atlas12288Metadata`; `conservationHash` is 64 hex digits."""

    page: int
    cycle: int
    r96Class: int
    kleinWindow: int
    conservationHash: str


def _word(digest: str, number: int) -> int:
    """The big-endian 32-bit word `number` of a hex digest."""
    return int(digest[8 * number : 8 * number + 8], 16)


def atlas_metadata(name: str, data: bytes) -> AtlasMetadata:
    """The lattice coordinates of the bytes `data` under `name`.

    Raises:
        FormatError: `name` cannot be written as UTF-8.
    """
    try:
        name_digest = sha256_hex(name)
    except UnicodeEncodeError:
        raise FormatError(f"The name {name!r} holds half a character (a lone surrogate).") from None
    data_digest = sha256_hex(data)
    return {
        "page": _word(data_digest, 0) % PAGES,
        "cycle": _word(data_digest, 1) % CYCLES,
        "r96Class": r96(data),
        "kleinWindow": _word(name_digest, 0) % WINDOWS,
        "conservationHash": sha256_hex(encode(data).tobytes()),
    }


def content_id(name: str, data: bytes) -> str:
    """`uor:sha256:` and the digest over name, Atlas metadata and the data's sha256.

    Raises:
        FormatError: `name` cannot be written as UTF-8.
    """
    identity = {"name": name, "atlas": atlas_metadata(name, data), "dataHash": sha256_hex(data)}
    return f"uor:sha256:{sha256_hex(stable_ordered(identity))}"
