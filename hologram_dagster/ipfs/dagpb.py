"""The blocks Kubo writes: dag-pb nodes with UnixFS inside, decoded.

What belongs here: bytes to links and file metadata, and binary CIDs to codec and
multihash. What does not: where blocks lie (see `blocks`). Only decoding: the library
and `aleph_cid` do the encoding. Formats: IPLD "DAG-PB" and "UnixFS v1" specifications.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hologram_dagster.errors import FormatError

DAG_PB, RAW = 0x70, 0x55
_SHA2_256_CID_V0 = b"\x12\x20"
_LENGTH_OF_V0 = 34
_VARINT_BITS = 63
# UnixFS `DataType`.
PLAIN, DIRECTORY, FILE, SYMLINK, SHARDED_DIRECTORY = 0, 1, 2, 4, 5


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a dag-pb node: the child's binary CID, its cumulative size in bytes, its name if any."""

    cid: bytes
    size: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class UnixNode:
    """One UnixFS node: its type, its own bytes, its children in order, the bytes of all of a file."""

    kind: int
    data: bytes
    links: tuple[Link, ...]
    total: int


def codec_and_multihash(cid: bytes) -> tuple[int, bytes]:
    """Split a binary CID (version 0 or 1).

    Raises:
        FormatError: it is neither.
    """
    if len(cid) == _LENGTH_OF_V0 and cid.startswith(_SHA2_256_CID_V0):
        return DAG_PB, cid
    try:
        version, place = _varint(cid, 0)
        codec, place = _varint(cid, place)
    except ValueError as error:
        raise FormatError(f"malformed binary CID {cid.hex()}: {error}") from None
    if version != 1 or place == len(cid):
        raise FormatError(f"binary CID {cid.hex()} is neither version 0 nor 1")
    return codec, cid[place:]


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The number at `place` and the place after it. (`multiformats` takes 100 µs for one in a block.)"""
    number = shift = 0
    while place < len(data) and shift < _VARINT_BITS:
        byte = data[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return number, place
    raise ValueError("a number is cut short or too long")


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    # Protocol Buffers, wire types 0 (varint) and 2 (length-delimited); no others occur here.
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        value, place = _varint(message, place)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            yield number, value
        elif wire_type == 2 and place + value <= len(message):
            yield number, message[place : place + value]
            place += value
        else:
            raise ValueError(f"field {number} has wire type {wire_type} or is cut short")


def _link(message: bytes) -> Link:
    cid, size, name = b"", 0, ""
    for number, value in _fields(message):
        if number == 1 and isinstance(value, bytes):
            cid = value
        elif number == 2 and isinstance(value, bytes):
            name = value.decode("utf-8", "replace")
        elif number == 3 and isinstance(value, int):
            size = value
    return Link(cid, size, name)


def node_of(codec: int, block: bytes) -> tuple[bytes, tuple[Link, ...]]:
    """Data and links of a dag-pb block.

    Raises:
        FormatError: the block is malformed, or of another codec.
    """
    if codec != DAG_PB:
        raise FormatError(f"blocks of codec {codec:#x} are not supported, only dag-pb and raw")
    data, links = b"", []
    try:
        for number, value in _fields(block):
            if number == 1 and isinstance(value, bytes):
                data = value
            elif number == 2 and isinstance(value, bytes):
                links.append(_link(value))
    except ValueError as error:
        raise FormatError(f"malformed dag-pb block: {error}") from None
    return data, tuple(links)


def links_of(codec: int, block: bytes) -> tuple[Link, ...]:
    """The children of a block, in order; a raw block has none.

    Raises:
        FormatError: the block is malformed, or of another codec than dag-pb and raw.
    """
    return () if codec == RAW else node_of(codec, block)[1]


def unix_node(codec: int, block: bytes) -> UnixNode:
    """Read a block as UnixFS; a raw block is a file of its own bytes.

    Raises:
        FormatError: it is malformed, or of another codec than dag-pb and raw.
    """
    if codec == RAW:
        return UnixNode(FILE, block, (), len(block))
    data, links = node_of(codec, block)
    kind, own, total = FILE, b"", 0
    try:
        for number, value in _fields(data):
            if number == 1 and isinstance(value, int):
                kind = value
            elif number == 2 and isinstance(value, bytes):
                own = value
            elif number == 3 and isinstance(value, int):
                total = value
    except ValueError as error:
        raise FormatError(f"malformed UnixFS node: {error}") from None
    return UnixNode(kind, own, links, total or len(own))


def file_node(codec: int, block: bytes) -> UnixNode:
    """Read a block as a node of a file.

    Raises:
        FormatError: it is a directory, a symbolic link, or malformed.
    """
    node = unix_node(codec, block)
    if node.kind in (DIRECTORY, SHARDED_DIRECTORY):
        raise FormatError("this dag node is a directory")
    if node.kind not in (PLAIN, FILE):
        raise FormatError(f"this dag node is no file (UnixFS type {node.kind})")
    return node
