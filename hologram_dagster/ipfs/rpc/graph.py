"""The commands on blocks and links: `block/get`, `block/stat`, `dag/get`, `refs`.

What belongs here: these four. What does not: UnixFS (see `content` and `directories`).
"""

import base64
import json
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from hologram_dagster.ipfs import dagpb
from hologram_dagster.ipfs.blocks import Blocks
from hologram_dagster.ipfs.cids import cid_text
from hologram_dagster.ipfs.rpc.backend import Backend
from hologram_dagster.ipfs.rpc.faults import RequestError
from hologram_dagster.ipfs.rpc.options import ANY, FLAG, Call, Grammar

_MANY = 1000
_DEFAULT_FORMAT, _EDGE_FORMAT = "<dst>", "<src> -> <dst>"

BLOCK_GET = Grammar("cid", least=1, most=1)
BLOCK_STAT = Grammar("cid", least=1, most=1)
DAG_GET = Grammar("ref", least=1, most=1, options={"output-codec": ("dag-json",)})
REFS = Grammar(
    "ipfs-path",
    least=1,
    most=_MANY,
    options={"edges": FLAG, "format": ANY, "max-depth": ANY, "recursive": FLAG, "unique": FLAG},
)


async def _block(backend: Backend, call: Call) -> tuple[bytes, bytes]:
    cid = await backend.resolve_local(call, call.args[0], whole=False)
    return cid, await backend.call(lambda: backend.blocks.read(cid))


async def block_get(backend: Backend, call: Call, _: Request) -> Response:
    """One block as it is, fetched with what is below it where it is not here."""
    _cid, block = await _block(backend, call)
    return Response(block, media_type="application/octet-stream", headers={"X-Stream-Output": "1"})


async def block_stat(backend: Backend, call: Call, _: Request) -> Response:
    """The bytes of one block, fetched with what is below it where it is not here."""
    cid, block = await _block(backend, call)
    return JSONResponse({"Key": cid_text(cid), "Size": len(block)})


async def dag_get(backend: Backend, call: Call, _: Request) -> Response:
    """One node as DAG-JSON (IPLD "DAG-JSON" specification), its map keys in the schema's order."""
    cid, block = await _block(backend, call)
    codec, _multihash = dagpb.codec_and_multihash(cid)
    if codec == dagpb.RAW:
        node: dict[str, object] = _bytes(block)
    else:
        data, links = dagpb.node_of(codec, block)
        node = {
            "Data": _bytes(data),
            "Links": [
                {"Hash": {"/": cid_text(link.cid)}, "Name": link.name, "Tsize": link.size} for link in links
            ],
        }
    text = json.dumps(node, separators=(",", ":"), ensure_ascii=False)
    return Response(text, media_type="application/json")


def _bytes(data: bytes) -> dict[str, object]:
    return {"/": {"bytes": base64.b64encode(data).decode().rstrip("=")}}


async def refs(backend: Backend, call: Call, _: Request) -> Response:
    """The CIDs that objects link to, one JSON line each, those below a link straight after it."""
    shape = call.options.get("format", _DEFAULT_FORMAT)
    if call.flag("edges"):
        if shape != _DEFAULT_FORMAT:
            raise RequestError("using format argument with edges is not allowed")
        shape = _EDGE_FORMAT
    depth = _depth(call)
    roots = [await backend.resolve_local(call, argument) for argument in call.args]

    def lines() -> Iterator[str]:
        seen: set[bytes] | None = set() if call.flag("unique") else None
        for root in roots:
            for source, link in _below(backend.blocks, root, depth, seen):
                yield (
                    json.dumps({"Ref": _written(shape, source, link), "Err": ""}, separators=(",", ":"))
                    + "\n"
                )

    return StreamingResponse(lines(), media_type="application/json", headers={"X-Chunked-Output": "1"})


def _depth(call: Call) -> int | None:
    """How many levels of links to follow; None for all."""
    if not call.flag("recursive"):
        return 1
    return None if call.options.get("max-depth", "-1") == "-1" else call.number("max-depth")


def _below(
    blocks: Blocks, source: bytes, depth: int | None, seen: set[bytes] | None
) -> Iterator[tuple[bytes, dagpb.Link]]:
    if depth == 0:
        return
    for link in blocks.children(source):
        if seen is not None:
            if link.cid in seen:
                continue
            seen.add(link.cid)
        yield source, link
        yield from _below(blocks, link.cid, None if depth is None else depth - 1, seen)


def _written(shape: str, source: bytes, link: dagpb.Link) -> str:
    written = shape.replace("<src>", cid_text(source)).replace("<dst>", cid_text(link.cid))
    return written.replace("<linkname>", link.name)
