"""The block files of a Kubo repository, read beside the running node.

What belongs here: finding, reading, checking and importing blocks in Kubo's default
flatfs layout (`/repo/flatfs/shard/v1/next-to-last/2`). What does not: pins and the
network, which only the node itself knows (see `library`).

The library's own `Download` has neither a timeout nor a stream and writes a file, so it
cannot serve content from a full disk; these files can be read whatever the node does.
"""

import base64
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from io import BufferedReader
from pathlib import Path

from aleph_cid import write_folder_car
from multiformats import varint

from hologram_dagster.errors import FormatError, ServiceError
from hologram_dagster.files import write_whole
from hologram_dagster.ipfs import dagpb
from hologram_dagster.ipfs.cids import parse_cid

_SHA2_256 = 0x12
_IDENTITY = 0x00
_REMEMBERED_NODES = 2**16


class Blocks:
    """The blocks of the repository at `repo`. Safe to use from several threads."""

    def __init__(self, repo: Path) -> None:
        self.repo = repo
        self._folder = repo / "blocks"
        # What a CID links to never changes, and listing pins asks for all of it each time.
        self._links = lru_cache(_REMEMBERED_NODES)(self._read_links)

    def _path(self, multihash: bytes) -> Path:
        key = base64.b32encode(multihash).decode().rstrip("=")
        return self._folder / key[-3:-1] / f"{key}.data"

    def has(self, cid: bytes) -> bool:
        """Whether the block of the binary CID `cid` is here."""
        _, multihash = dagpb.codec_and_multihash(cid)
        return multihash[0] == _IDENTITY or self._path(multihash).exists()

    def read(self, cid: bytes) -> bytes:
        """The block of the binary CID `cid`, checked against it.

        Raises:
            ServiceError: the block is not here, or its bytes are not what the CID says.
        """
        _, multihash = dagpb.codec_and_multihash(cid)
        if multihash[0] == _IDENTITY:
            return multihash[2:]
        try:
            block = self._path(multihash).read_bytes()
        except FileNotFoundError:
            raise ServiceError(f"block {cid.hex()} was not found locally") from None
        if multihash[0] == _SHA2_256 and hashlib.sha256(block).digest() != multihash[2:]:
            raise ServiceError(f"block {self._path(multihash).name} is damaged: its bytes have another hash")
        return block

    def children(self, cid: bytes) -> tuple[dagpb.Link, ...]:
        """The links of the block of `cid`; empty for a raw block, which is not even read."""
        return self._links(cid)

    def _read_links(self, cid: bytes) -> tuple[dagpb.Link, ...]:
        codec, _ = dagpb.codec_and_multihash(cid)
        return () if codec == dagpb.RAW else dagpb.links_of(codec, self.read(cid))

    def is_complete(self, root: bytes) -> bool:
        """Whether `root` and everything below it is here."""
        waiting, seen = [root], {root}
        while waiting:
            cid = waiting.pop()
            if not self.has(cid):
                return False
            new = {link.cid for link in self.children(cid)} - seen
            seen |= new
            waiting.extend(new)
        return True

    def cumulative_size(self, root: bytes) -> int:
        """Bytes of the block of `root` and of all below it, as its links state them."""
        return len(self.read(root)) + sum(link.size for link in self.children(root))

    def file_size(self, root: bytes) -> int:
        """Bytes of the file `root`.

        Raises:
            FormatError: it is no file.
        """
        return self._file_node(root).total

    def file_chunks(self, root: bytes) -> Iterator[bytes]:
        """The bytes of the file `root`, a block at a time, each checked against its CID."""
        node = self._file_node(root)
        if node.data:
            yield node.data
        for link in node.links:
            yield from self.file_chunks(link.cid)

    def _file_node(self, cid: bytes) -> dagpb.FileNode:
        codec, _ = dagpb.codec_and_multihash(cid)
        return dagpb.file_node(codec, self.read(cid))

    def count_and_bytes(self) -> tuple[int, int]:
        """How many blocks are here, and their bytes."""
        sizes = [path.stat().st_size for path in self._folder.glob("*/*.data")]
        return len(sizes), sum(sizes)

    def import_v1(self, folder: Path) -> bytes:
        """Import the one file in `folder` as Kubo's `add --cid-version=1` does; its binary CID.

        The library can only make CIDv0, so `aleph_cid` makes the blocks. Each is synced to
        disk before this returns; the node sees them unless it looked for them before and
        remembers that they were absent.

        Raises:
            HologramError: a block cannot be written, for instance on a full disk.
        """
        archive = folder.with_suffix(".car")
        try:
            root = parse_cid(write_folder_car(folder, archive, cid_version=1))
            with archive.open("rb") as stream:
                for cid, block in _sections(stream):
                    if not self.has(cid):
                        write_whole(self._path(dagpb.codec_and_multihash(cid)[1]), block)
        finally:
            archive.unlink(missing_ok=True)
        # The archive's root is the folder; the file is its only child.
        (file,) = self.children(bytes(root))
        return file.cid


def _sections(archive: BufferedReader) -> Iterator[tuple[bytes, bytes]]:
    """Binary CID and block of each section of a CARv1 archive of CIDv1 sha2-256 blocks."""
    length_of_cid = 36
    header_size, _, _ = varint.decode_raw(archive)
    archive.read(header_size)
    while archive.peek(1):
        size, _, _ = varint.decode_raw(archive)
        cid, block = archive.read(length_of_cid), archive.read(size - length_of_cid)
        if not cid.startswith(b"\x01") or len(cid) + len(block) != size:
            raise FormatError("malformed CAR archive")
        yield cid, block
