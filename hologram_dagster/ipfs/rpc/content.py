"""The commands that move content: `add`, `cat`, `block/stat`.

What belongs here: these three. What does not: pins (see `pins`).
"""

import json
from collections.abc import Iterator
from functools import partial

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hologram_dagster.ipfs.cids import cid_text, parse_cid
from hologram_dagster.ipfs.rpc.backend import Backend, cid_argument
from hologram_dagster.ipfs.rpc.faults import RequestError
from hologram_dagster.ipfs.rpc.options import ANY, FLAG, OFF, ON, Call, Grammar
from hologram_dagster.ipfs.rpc.upload import UploadedFile, receive, upload_folder

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
        "wrap-with-directory": OFF,
    }
)
CAT = Grammar("ipfs-path", least=1, most=1, options={"length": ANY, "offset": ANY, "progress": FLAG})
BLOCK_STAT = Grammar("cid", least=1, most=1)


async def add(backend: Backend, call: Call, request: Request) -> Response:
    """Add and pin the uploaded files; one JSON line each, once all of them are durable."""
    version_1 = call.options.get("cid-version", "0") == "1"
    if call.flag("raw-leaves", version_1) != version_1:
        raise RequestError(
            f"option 'raw-leaves'={call.options['raw-leaves']!r} is not supported by this node "
            f"with cid-version {int(version_1)}"
        )
    lines: list[dict[str, str | int]] = []
    with upload_folder(backend.staging) as folder:
        for file in await receive(request, folder):
            if version_1:
                root = await _add_v1(backend, call, file)
            else:
                root = bytes(parse_cid(await backend.call(partial(backend.library.add, file.path))))
            lines += await backend.call(partial(_lines, backend, call, file, root))
    body = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines)
    return Response(body, media_type="application/json", headers={"X-Chunked-Output": "1"})


async def _add_v1(backend: Backend, call: Call, file: UploadedFile) -> bytes:
    root = await backend.call(partial(backend.blocks.import_v1, file.path.parent))
    cid = cid_text(root)
    # Waits for ever if the node remembers that a block was absent when it was asked for.
    await backend.waiting.run(f"pinning {cid}", partial(backend.library.pin, cid), timeout_s=call.timeout_s)
    return root


def _lines(backend: Backend, call: Call, file: UploadedFile, root: bytes) -> list[dict[str, str | int]]:
    cid = cid_text(root)
    name = file.name or cid
    added: dict[str, str | int] = {
        "Name": name,
        "Hash": cid,
        "Size": str(backend.blocks.cumulative_size(root)),
    }
    if not call.flag("progress"):
        return [added]
    return [{"Name": name, "Bytes": file.path.stat().st_size}, added]


async def cat(backend: Backend, call: Call, _: Request) -> Response:
    """The bytes of a file, fetched from peers first where they are not all here.

    The length is announced: should a block turn out to be damaged on the way, the
    connection breaks before it and the client sees a short body.
    """
    cid = cid_argument(call.args[0])
    offset, length = call.number("offset") or 0, call.number("length")
    root = await backend.ensure_local(cid, offline=call.flag("offline"), timeout_s=call.timeout_s)
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


async def block_stat(backend: Backend, call: Call, _: Request) -> Response:
    """The bytes of one block, fetched with what is below it where it is not here."""
    cid = cid_argument(call.args[0])
    root = bytes(parse_cid(cid))
    if not backend.blocks.has(root):
        await backend.ensure_local(cid, offline=call.flag("offline"), timeout_s=call.timeout_s)
    block = await backend.call(lambda: backend.blocks.read(root))
    return Response(json.dumps({"Key": cid, "Size": len(block)}), media_type="application/json")
