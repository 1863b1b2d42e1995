"""The commands that move the content of files: `add`, `cat`.

What belongs here: these two. What does not: directories (see `directories`), blocks (see
`graph`), pins (see `pins`).
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hologram_dagster.ipfs.blocks import Blocks
from hologram_dagster.ipfs.cids import cid_text, parse_cid
from hologram_dagster.ipfs.rpc.backend import Backend
from hologram_dagster.ipfs.rpc.faults import RequestError
from hologram_dagster.ipfs.rpc.options import ANY, FLAG, OFF, ON, Call, Grammar
from hologram_dagster.ipfs.rpc.upload import Upload, receive, upload_folder

_STREAM_ABOVE_BYTES = 2**20

# The library adds with Kubo's defaults of 2023 and nothing else.
ADD = Grammar(
    options={
        "chunker": ("size-262144",),
        "cid-version": ("0", "1"),
        "fscache": OFF,
        "hash": ("sha2-256",),
        "inline": OFF,
        "inline-limit": ANY,
        "nocopy": OFF,
        "only-hash": OFF,
        "pin": ON,
        "preserve-mode": OFF,
        "preserve-mtime": OFF,
        "progress": FLAG,
        "quiet": FLAG,
        "quieter": FLAG,
        "raw-leaves": FLAG,
        "recursive": FLAG,
        "silent": OFF,
        "trickle": OFF,
        "wrap-with-directory": FLAG,
    }
)
CAT = Grammar("ipfs-path", least=1, most=1, options={"length": ANY, "offset": ANY, "progress": FLAG})


async def add(backend: Backend, call: Call, request: Request) -> Response:
    """Add and pin what was uploaded; one JSON line for each file and directory, once all is durable."""
    version_1 = call.options.get("cid-version", "0") == "1"
    if call.flag("raw-leaves", version_1) != version_1:
        raise RequestError(
            f"option 'raw-leaves'={call.options['raw-leaves']!r} is not supported by this node "
            f"with cid-version {int(version_1)}"
        )
    lines: list[dict[str, str | int]] = []
    with upload_folder(backend.staging) as folder:
        for upload in await receive(request, folder, wrap=call.flag("wrap-with-directory")):
            if version_1:
                root = await _add_v1(backend, call, upload)
            else:
                root = bytes(parse_cid(await backend.call(partial(backend.library.add, upload.path))))
            lines += await backend.call(partial(_lines, backend, call, upload, root))
    body = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines)
    return Response(body, media_type="application/json", headers={"X-Chunked-Output": "1"})


async def _add_v1(backend: Backend, call: Call, upload: Upload) -> bytes:
    if empty := upload.empty_directory():
        # `aleph_cid` leaves them out, and the root would not be Kubo's.
        raise RequestError(f"the empty directory {empty!r} is not supported by this node with cid-version 1")
    if upload.path.is_dir():
        root = await backend.call(partial(backend.blocks.import_v1, upload.path))
    else:
        folder = await backend.call(partial(backend.blocks.import_v1, upload.path.parent))
        root = backend.blocks.descend(folder, [upload.path.name])
    cid = cid_text(root)
    # Waits for ever if the node remembers that a block was absent when it was asked for.
    await backend.waiting.run(f"pinning {cid}", partial(backend.library.pin, cid), timeout_s=call.timeout_s)
    return root


def _lines(backend: Backend, call: Call, upload: Upload, root: bytes) -> Iterator[dict[str, str | int]]:
    """As Kubo: the files as they came, then the directories, each after those below it."""
    cids = dict(_tree(backend.blocks, root, upload.path, ()))
    for names in upload.files:
        shown = _shown(upload.name, names) or cid_text(root)
        if call.flag("progress"):
            yield {"Name": shown, "Bytes": upload.path.joinpath(*names).stat().st_size}
        yield _added(backend, shown, cids[names])
    for names in upload.directories():
        yield _added(backend, _shown(upload.name, names), cids[names])


def _tree(
    blocks: Blocks, cid: bytes, path: Path, names: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """Binary CID by the names below the root, read in one pass over what was added."""
    yield names, cid
    if path.is_dir():
        for link in blocks.entries(cid):
            yield from _tree(blocks, link.cid, path / link.name, (*names, link.name))


def _shown(name: str, names: Sequence[str]) -> str:
    return "/".join([*([name] if name else []), *names])


def _added(backend: Backend, name: str, cid: bytes) -> dict[str, str | int]:
    return {"Name": name, "Hash": cid_text(cid), "Size": str(backend.blocks.cumulative_size(cid))}


async def cat(backend: Backend, call: Call, _: Request) -> Response:
    """The bytes of a file, fetched from peers first where they are not all here.

    The length is announced: should a block turn out to be damaged on the way, the
    connection breaks before it and the client sees a short body.
    """
    offset, length = call.number("offset") or 0, call.number("length")
    root = await backend.resolve_local(call, call.args[0])
    available = max(0, await backend.call(lambda: backend.blocks.file_size(root)) - offset)
    wanted = available if length is None else min(length, available)
    headers = {"Content-Length": str(wanted), "X-Content-Length": str(wanted), "X-Stream-Output": "1"}

    def part() -> Iterator[bytes]:
        return _slice(backend.blocks.file_chunks(root), offset, wanted)

    if wanted > _STREAM_ABOVE_BYTES:
        return StreamingResponse(part(), media_type="text/plain", headers=headers)
    return Response(await backend.call(lambda: b"".join(part())), media_type="text/plain", headers=headers)


def _slice(chunks: Iterator[bytes], offset: int, length: int) -> Iterator[bytes]:
    for chunk in chunks:
        if length <= 0:
            return
        if offset >= len(chunk):
            offset -= len(chunk)
            continue
        piece = chunk[offset : offset + length]
        offset = 0
        length -= len(piece)
        yield piece
