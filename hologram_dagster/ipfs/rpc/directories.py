"""The commands on directories: `ls`, `get`.

What belongs here: these two. What does not: the content of one file (see `content`).
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from hologram_dagster.errors import FormatError
from hologram_dagster.ipfs import dagpb
from hologram_dagster.ipfs.blocks import Blocks
from hologram_dagster.ipfs.cids import cid_text
from hologram_dagster.ipfs.rpc.backend import Backend
from hologram_dagster.ipfs.rpc.options import ANY, FLAG, OFF, ON, Call, Grammar

_MANY = 1000
_DIRECTORIES = (dagpb.DIRECTORY, dagpb.SHARDED_DIRECTORY)
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755

LS = Grammar(
    "ipfs-path",
    least=1,
    most=_MANY,
    options={"headers": FLAG, "long": OFF, "resolve-type": ON, "size": ON, "stream": OFF},
)
GET = Grammar(
    "ipfs-path",
    least=1,
    most=1,
    options={"archive": FLAG, "compress": OFF, "compression-level": ANY, "output": ANY, "progress": FLAG},
)


async def ls(backend: Backend, call: Call, _: Request) -> Response:
    """The entries of directories; of a file, its chunks, as Kubo."""
    objects = []
    for argument in call.args:
        root = await backend.resolve_local(call, argument)
        links = await backend.call(
            lambda root=root: [_entry(backend.blocks, link) for link in backend.blocks.entries(root)]  # type: ignore[misc]
        )
        objects.append({"Hash": argument, "Links": links})
    return JSONResponse({"Objects": objects})


def _entry(blocks: Blocks, link: dagpb.Link) -> dict[str, object]:
    node = blocks.unix_node(link.cid)
    # Kubo shows what is sharded as what it is, a directory.
    kind = dagpb.DIRECTORY if node.kind in _DIRECTORIES else node.kind
    size = 0 if kind == dagpb.DIRECTORY else node.total
    target = node.data.decode("utf-8", "replace") if kind == dagpb.SYMLINK else ""
    return {
        "Name": link.name,
        "Hash": cid_text(link.cid),
        "Size": size,
        "Type": kind,
        "Target": target,
        # Nothing of either is kept here; so Kubo says it of what was added without them.
        "Mode": 0,
        "ModTime": "0001-01-01T00:00:00Z",
    }


@dataclass(frozen=True, slots=True)
class _Member:
    """One entry of an archive: its header, and the file that follows it."""

    header: bytes
    file: bytes | None
    size: int


async def get(backend: Backend, call: Call, _: Request) -> Response:
    """A file or a directory as a TAR archive (POSIX.1-2001), named by the end of its path.

    The length is announced, so that content that turns out to be damaged shows as a short body.
    """
    root = await backend.resolve_local(call, call.args[0])
    name = call.args[0].rstrip("/").rpartition("/")[2]
    members = await backend.call(lambda: list(_members(backend.blocks, root, name)))
    length = sum(len(member.header) + _padded(member.size) for member in members) + 2 * tarfile.BLOCKSIZE
    return StreamingResponse(
        _archive(backend.blocks, members),
        media_type="application/x-tar",
        headers={"Content-Length": str(length), "X-Stream-Output": "1"},
    )


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _members(blocks: Blocks, cid: bytes, name: str) -> Iterator[_Member]:
    info = tarfile.TarInfo(name)
    node = blocks.unix_node(cid)
    if node.kind in _DIRECTORIES:
        info.type, info.mode = tarfile.DIRTYPE, _FOLDER_MODE
        yield _Member(info.tobuf(tarfile.PAX_FORMAT), None, 0)
        for link in blocks.entries(cid):
            if link.name in ("", ".", "..") or "/" in link.name or "\0" in link.name:
                raise FormatError(f"the directory entry {link.name!r} is no file name")
            yield from _members(blocks, link.cid, f"{name}/{link.name}")
    elif node.kind == dagpb.SYMLINK:
        info.type, info.linkname = tarfile.SYMTYPE, node.data.decode("utf-8", "surrogateescape")
        yield _Member(info.tobuf(tarfile.PAX_FORMAT), None, 0)
    else:
        info.size, info.mode = blocks.file_size(cid), _FILE_MODE
        yield _Member(info.tobuf(tarfile.PAX_FORMAT), cid, info.size)


def _archive(blocks: Blocks, members: list[_Member]) -> Iterator[bytes]:
    for member in members:
        yield member.header
        if member.file is not None:
            yield from blocks.file_chunks(member.file)
            yield bytes(_padded(member.size) - member.size)
    yield bytes(2 * tarfile.BLOCKSIZE)
