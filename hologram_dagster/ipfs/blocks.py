"""The block files of a Kubo repository, read beside the running node.

What belongs here: finding, reading, checking and importing blocks in Kubo's default
flatfs layout (`/repo/flatfs/shard/v1/next-to-last/2`). What does not: pins and the
network, which only the node itself knows (see `library`).

The library's own `Download` has neither a timeout nor a stream and writes a file, so it
cannot serve content from a full disk; these files can be read whatever the node does.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from io import BufferedReader
from pathlib import Path

from aleph_cid import write_folder_car
from multiformats import varint

from hologram_dagster.errors import FormatError, ServiceError
from hologram_dagster.files import write_whole
from hologram_dagster.ipfs import dagpb
from hologram_dagster.ipfs.cids import cid_text, parse_cid

_SHA2_256 = 0x12
_IDENTITY = 0x00
_REMEMBERED_NODES = 2**16
_SHARD_PREFIX = 2
_DIRECTORIES = (dagpb.DIRECTORY, dagpb.SHARDED_DIRECTORY)


class AbsentError(ServiceError):
    """A block is not in the repository; a peer may have it."""


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
            AbsentError: the block is not here.
            ServiceError: its bytes are not what the CID says.
        """
        _, multihash = dagpb.codec_and_multihash(cid)
        if multihash[0] == _IDENTITY:
            return multihash[2:]
        try:
            block = self._path(multihash).read_bytes()
        except FileNotFoundError:
            raise AbsentError(
                f"block was not found locally (offline): ipld: could not find {cid_text(cid)}"
            ) from None
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

    def unix_node(self, cid: bytes) -> dagpb.UnixNode:
        """The block of `cid` as UnixFS."""
        codec, _ = dagpb.codec_and_multihash(cid)
        return dagpb.unix_node(codec, self.read(cid))

    def entries(self, directory: bytes) -> Iterator[dagpb.Link]:
        """The entries of a directory, plain or sharded, as Kubo orders them; the links of anything else."""
        node = self.unix_node(directory)
        if node.kind != dagpb.SHARDED_DIRECTORY:
            yield from node.links
            return
        for link in node.links:  # UnixFS, "HAMT directory": two hexadecimal digits before each name
            if len(link.name) == _SHARD_PREFIX:
                yield from self.entries(link.cid)
            else:
                yield dagpb.Link(link.cid, link.size, link.name[_SHARD_PREFIX:])

    def descend(self, root: bytes, names: Iterable[str]) -> bytes:
        """The binary CID at the path `names` below `root`.

        Raises:
            AbsentError: a directory on the way is not here.
            ServiceError: there is no such entry.
        """
        for name in names:
            found = (link.cid for link in self.entries(root) if link.name == name)
            child = next(found, None) if self.unix_node(root).kind in _DIRECTORIES else None
            if child is None:
                raise ServiceError(f'no link named "{name}" under {cid_text(root)}')
            root = child
        return root

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

    def _file_node(self, cid: bytes) -> dagpb.UnixNode:
        codec, _ = dagpb.codec_and_multihash(cid)
        return dagpb.file_node(codec, self.read(cid))

    def count_and_bytes(self) -> tuple[int, int]:
        """How many blocks are here, and their bytes."""
        sizes = [path.stat().st_size for path in self._folder.glob("*/*.data")]
        return len(sizes), sum(sizes)

    def import_v1(self, folder: Path) -> bytes:
        """Import the folder `folder` as Kubo's `add --cid-version=1` does; its binary CID.

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
        return bytes(root)


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
