"""BHIC: whether a boundary and a bulk belong together (contract section 6.6).

They do if the boundary names the sha256 of the bulk. A sealed pair carries `phi` as well,
three values over boundary, bulk and the time of sealing; all of them are computed anew when
it is read. `phi` holds no key: it finds accidents and half-made changes, not a forger who
seals anew.
"""

import hashlib
from typing import Any, Final

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.byte_arrays import Parts, guess_parts, read_byte_array, write_byte_array
from hologram_dagster.protocol.canonical import ccm, sha256_hex, stable
from hologram_dagster.protocol.cef import (
    MAX_BULK_BYTES,
    MAX_CONTAINER_BYTES,
    MAX_FOREIGN_BYTES,
    check_timestamp,
)
from hologram_dagster.protocol.r96 import r96
from hologram_dagster.protocol.strict_json import parse_json

VERSION: Final = 1
ALGORITHM: Final = "bhic-v1"
LEVEL: Final = "holographic_phi"
MAX_BOUNDARY_BYTES: Final = 1 << 16

_FIELDS: Final = frozenset({"version", "boundary", "bulk", "phi", "metadata"})


class Pair(Parts):
    """A boundary with its bulk, sealed at `timestamp` (epoch ms)."""

    @property
    def metadata(self) -> dict[str, Any]:
        """The pair's `metadata` as it is on the wire."""
        return {"timestamp": self.timestamp, "algorithm": ALGORITHM, "verificationLevel": LEVEL}

    @property
    def phi(self) -> dict[str, Any]:
        """The pair's `phi`: `holographicHash`, `resonanceClass`, `integrityProof`."""
        related = {
            "boundary": self.boundary.hex(),
            "bulk": self.bulk.hex(),
            "relationship": LEVEL,
            "timestamp": self.timestamp,
        }
        # The canonical text is hashed as a JSON string, as the contract's code does.
        holographic = ccm(stable(related), "bhic_phi")
        proved = {
            "boundaryHash": hashlib.sha256(self.boundary).hexdigest(),
            "bulkHash": hashlib.sha256(self.bulk).hexdigest(),
            "holographicHash": holographic,
            "proofType": "bhic_integrity",
        }
        return {
            "holographicHash": holographic,
            "resonanceClass": r96(self.boundary + self.bulk),
            "integrityProof": sha256_hex(stable(proved)),
        }


def verify_phi(boundary: bytes, bulk: bytes) -> bool:
    """Whether the boundary names the bulk: its `dataHash`, and its `dataLength` if it has one.

    False for a boundary that is no JSON object, or over `MAX_BOUNDARY_BYTES`.
    """
    try:
        described = parse_json(boundary, what="boundary", limit=MAX_BOUNDARY_BYTES)
    except FormatError:
        return False
    if not isinstance(described, dict):
        return False
    length = described.get("dataLength", len(bulk))
    if type(length) is not int or length != len(bulk):
        return False
    digest: object = described.get("dataHash")
    return digest == hashlib.sha256(bulk).hexdigest()


def _fault(pair: Pair) -> str | None:
    if len(pair.boundary) > MAX_BOUNDARY_BYTES or len(pair.bulk) > MAX_BULK_BYTES:
        return f"it is over {MAX_BOUNDARY_BYTES} bytes of boundary or {MAX_BULK_BYTES} of bulk"
    return None if verify_phi(pair.boundary, pair.bulk) else "its boundary does not name its bulk"


def seal(boundary: bytes, bulk: bytes, *, timestamp: int) -> bytes:
    """The wire form of a pair sealed at `timestamp` (epoch ms).

    Raises:
        FormatError: the two do not belong together, or one is too long.
    """
    pair = Pair(boundary, bulk, check_timestamp(timestamp, "pair"))
    if fault := _fault(pair):
        raise FormatError(f"This pair of boundary and bulk cannot be sealed: {fault}.")
    return b'{"boundary":%b,"bulk":%b,"metadata":%b,"phi":%b,"version":%d}' % (
        write_byte_array(boundary),
        write_byte_array(bulk),
        stable(pair.metadata).encode(),
        stable(pair.phi).encode(),
        VERSION,
    )


def _from_canonical(wire: bytes) -> Pair | None:
    parts = guess_parts(wire)
    try:
        sealed = seal(parts.boundary, parts.bulk, timestamp=parts.timestamp) if parts else None
    except FormatError:
        return None
    return Pair(*parts) if parts and sealed == wire else None


def decode(wire: bytes) -> Pair:
    """The sealed pair in `wire`; up to `cef.MAX_FOREIGN_BYTES` its keys may come in any order.

    Raises:
        FormatError: it is malformed, too long, its boundary does not name its bulk, or its
            `phi` is not what it recomputes to.
    """
    if len(wire) > MAX_CONTAINER_BYTES:
        raise FormatError(f"The sealed pair has {len(wire)} bytes; the limit is {MAX_CONTAINER_BYTES}.")
    if (pair := _from_canonical(wire)) is not None:
        return pair
    fields = parse_json(wire, what="sealed pair that is not canonical", limit=MAX_FOREIGN_BYTES)
    if not isinstance(fields, dict) or fields.keys() != _FIELDS:
        raise FormatError(f"A sealed pair is a JSON object of exactly {', '.join(sorted(_FIELDS))}.")
    if type(fields["version"]) is not int or fields["version"] != VERSION:
        raise FormatError(f"The sealed pair is not of version {VERSION}.")
    metadata = fields["metadata"]
    pair = Pair(
        read_byte_array(fields["boundary"], "pair's boundary"),
        read_byte_array(fields["bulk"], "pair's bulk"),
        check_timestamp(metadata.get("timestamp") if isinstance(metadata, dict) else None, "pair"),
    )
    if fault := _fault(pair):
        raise FormatError(f"This sealed pair does not hold: {fault}.")
    # Compared as texts: in Python 1 equals True and 1.0.
    if _text(metadata) != stable(pair.metadata) or _text(fields["phi"]) != stable(pair.phi):
        raise FormatError("This sealed pair does not hold: its phi or metadata is not what it recomputes to.")
    return pair


def _text(value: object) -> str | None:
    try:
        return stable(value)
    except FormatError:
        return None
