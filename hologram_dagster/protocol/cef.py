"""CEF, the canonical container of bytes, and its Merkle proofs (contract section 6.6).

A container holds the content (`bulk`) and a `boundary` that describes it; its root is
sha256(sha256(boundary) || sha256(bulk)). On the wire it is canonical JSON in which byte
arrays are objects keyed by index, about 13 bytes a byte.

The boundary follows from bulk and timestamp, so a container has one form only, and
`decode` refuses any that does not agree with itself. A proof holds for the leaf its path
names, at the place the path has in the tree, and for nothing else.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypedDict

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.byte_arrays import guess_parts, read_byte_array, write_byte_array
from hologram_dagster.protocol.canonical import stable
from hologram_dagster.protocol.strict_json import parse_json

VERSION: Final = 1
ALGORITHM: Final = "cef-v1"
COMPRESSION: Final = "none"
MAX_BULK_BYTES: Final = 4 << 20
# The longest form of a bulk of that size, and room for the rest.
MAX_CONTAINER_BYTES: Final = 14 * MAX_BULK_BYTES + (1 << 16)
# Reading any other than the canonical form takes up to some 40 times as much memory.
MAX_FOREIGN_BYTES: Final = 4 << 20
# The last instant a JavaScript Date can hold, in ms.
MAX_TIMESTAMP_MS: Final = 8_640_000_000_000_000

_FIELDS: Final = frozenset({"version", "merkleRoot", "boundary", "bulk", "metadata"})
_LEAVES: Final = ("boundary/0", "bulk/0")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class Container(NamedTuple):
    """A sound container; `timestamp` is epoch milliseconds, `merkle_root` 32 bytes."""

    merkle_root: bytes
    boundary: bytes
    bulk: bytes
    timestamp: int

    @property
    def metadata(self) -> dict[str, Any]:
        """The container's `metadata` as it is on the wire."""
        return {"timestamp": self.timestamp, "algorithm": ALGORITHM, "compression": COMPRESSION}


class Proof(TypedDict):
    """The proof that a leaf is in a container; hashes are 64 hex digits.

    `siblings` are the hashes on the way up, and bit i of `index` says whether the i-th stands
    on the left. The tree has two leaves: one sibling.
    """

    path: Literal["boundary/0", "bulk/0"]
    merkleRoot: str
    leafHash: str
    siblings: list[str]
    index: int


def check_timestamp(value: object, what: str) -> int:
    """`value`, if it is epoch milliseconds that a JavaScript Date can hold.

    Raises:
        FormatError: it is not.
    """
    if type(value) is not int or not 0 <= value <= MAX_TIMESTAMP_MS:
        raise FormatError(f"The timestamp of the {what} is not whole epoch milliseconds.")
    return value


def _root(boundary_hash: bytes, bulk_hash: bytes) -> bytes:
    return hashlib.sha256(boundary_hash + bulk_hash).digest()


def boundary_of(bulk: bytes, *, timestamp: int) -> bytes:
    """The boundary of `bulk` encoded at `timestamp` (epoch ms)."""
    described = {
        "version": VERSION,
        "timestamp": timestamp,
        "algorithm": ALGORITHM,
        "compression": COMPRESSION,
        "dataLength": len(bulk),
        "dataHash": hashlib.sha256(bulk).hexdigest(),
    }
    return stable(described).encode()


def container_of(bulk: bytes, *, timestamp: int) -> Container:
    """The container of `bulk` made at `timestamp` (epoch ms).

    Raises:
        FormatError: the bulk is over `MAX_BULK_BYTES`, or the timestamp no such number.
    """
    check_timestamp(timestamp, "container")
    if len(bulk) > MAX_BULK_BYTES:
        raise FormatError(f"A container holds at most {MAX_BULK_BYTES} bytes, not {len(bulk)}. Split them.")
    boundary = boundary_of(bulk, timestamp=timestamp)
    hashes = (hashlib.sha256(part).digest() for part in (boundary, bulk))
    return Container(_root(*hashes), boundary, bulk, timestamp)


def write(container: Container) -> bytes:
    """The canonical wire form of a container."""
    return b'{"boundary":%b,"bulk":%b,"merkleRoot":%b,"metadata":%b,"version":%d}' % (
        write_byte_array(container.boundary),
        write_byte_array(container.bulk),
        write_byte_array(container.merkle_root),
        stable(container.metadata).encode(),
        VERSION,
    )


def encode(bulk: bytes, *, timestamp: int) -> bytes:
    """The wire form of `bulk` encoded at `timestamp` (epoch ms).

    Raises:
        FormatError: as `container_of`.
    """
    return write(container_of(bulk, timestamp=timestamp))


def _from_canonical(wire: bytes) -> Container | None:
    parts = guess_parts(wire)
    try:
        container = container_of(parts.bulk, timestamp=parts.timestamp) if parts else None
    except FormatError:
        return None
    return container if container and write(container) == wire else None


def decode(wire: bytes) -> Container:
    """The container in `wire`; up to `MAX_FOREIGN_BYTES` its keys may come in any order.

    Raises:
        FormatError: it is too long, malformed, or does not agree with itself: the boundary
            is not that of the bulk, or the root not that of both.
    """
    if len(wire) > MAX_CONTAINER_BYTES:
        raise FormatError(f"The container has {len(wire)} bytes; the limit is {MAX_CONTAINER_BYTES}.")
    if (container := _from_canonical(wire)) is not None:
        return container
    fields = parse_json(wire, what="container that is not canonical", limit=MAX_FOREIGN_BYTES)
    if not isinstance(fields, dict) or fields.keys() != _FIELDS:
        raise FormatError(f"A container is a JSON object of exactly {', '.join(sorted(_FIELDS))}.")
    if type(fields["version"]) is not int or fields["version"] != VERSION:
        raise FormatError(f"The container is not of version {VERSION}.")
    metadata = fields["metadata"]
    timestamp = check_timestamp(
        metadata.get("timestamp") if isinstance(metadata, dict) else None, "container"
    )
    bulk = read_byte_array(fields["bulk"], "container's bulk")
    container = container_of(bulk, timestamp=timestamp)
    if metadata != container.metadata:
        raise FormatError(f"The container's metadata is not of {ALGORITHM} without compression.")
    if read_byte_array(fields["boundary"], "container's boundary") != container.boundary:
        raise FormatError("The container's boundary is not that of its bulk.")
    if read_byte_array(fields["merkleRoot"], "container's Merkle root") != container.merkle_root:
        raise FormatError("The container's Merkle root is not that of its boundary and bulk.")
    return container


def canonical(wire: bytes) -> bytes:
    """The one canonical form of a container; idempotent.

    Raises:
        FormatError: as `decode`.
    """
    return write(decode(wire))


def merkle_proof(container: Container, path: str) -> Proof:
    """The proof that the leaf at `path` (`boundary/0` or `bulk/0`) is in the container.

    Raises:
        FormatError: there is no such path.
    """
    if path not in _LEAVES:
        raise FormatError(f"A container has no path {path[:100]!r}, only {' and '.join(_LEAVES)}.")
    hashes = [hashlib.sha256(part).hexdigest() for part in (container.boundary, container.bulk)]
    index = 1 if path == "bulk/0" else 0
    return {
        "path": "bulk/0" if index else "boundary/0",
        "merkleRoot": container.merkle_root.hex(),
        "leafHash": hashes[index],
        "siblings": [hashes[1 - index]],
        "index": index,
    }


def verify_merkle(root: str, proof: object) -> bool:
    """Whether `proof` leads from its leaf to `root` (64 lower-case hex digits).

    False for anything malformed, and for a path that is not the leaf's place.
    """
    if not isinstance(proof, Mapping) or proof.keys() != Proof.__required_keys__:
        return False
    match proof:
        case {
            "path": str(path),
            "merkleRoot": str(claimed),
            "leafHash": str(leaf),
            "siblings": [str(sibling)],
            "index": int(index),
        } if path in _LEAVES and type(index) is int and index == _LEAVES.index(path):
            if not all(map(_DIGEST.fullmatch, (root, leaf, sibling))) or claimed != root:
                return False
            pair = (sibling, leaf) if index else (leaf, sibling)
            return _root(*map(bytes.fromhex, pair)).hex() == root
    return False
