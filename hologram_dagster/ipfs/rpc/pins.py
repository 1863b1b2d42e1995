"""The commands on pins: `pin/add`, `pin/rm`, `pin/ls`.

What belongs here: these three, and telling the kinds of pins apart. What does not: adding.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hologram_dagster.errors import ServiceError
from hologram_dagster.ipfs.blocks import Blocks
from hologram_dagster.ipfs.cids import cid_text, parse_cid
from hologram_dagster.ipfs.rpc.backend import Backend
from hologram_dagster.ipfs.rpc.options import FLAG, OFF, ON, Call, Grammar

_MANY = 1000
RECURSIVE, INDIRECT = "recursive", "indirect"

PIN_ADD = Grammar("ipfs-path", least=1, most=_MANY, options={"progress": OFF, "recursive": ON})
PIN_RM = Grammar("ipfs-path", least=1, most=_MANY, options={"recursive": ON})
PIN_LS = Grammar(
    "ipfs-path",
    most=_MANY,
    options={
        "names": OFF,
        "quiet": FLAG,
        "stream": FLAG,
        "type": ("all", "direct", INDIRECT, RECURSIVE),
    },
)


def parents_of_pins(pinned: Sequence[str], blocks: Blocks) -> dict[str, str | None]:
    """The pin through which each of `pinned` is held, None for those pinned themselves.

    `pinned` is the library's list: first what is pinned recursively, then what is below
    it, with no mark between. What no other pin reaches is pinned itself, and so is all that
    comes before the last of these. A chunk of a file that is also pinned on its own
    shows as indirect if it comes after that; it is pinned all the same.
    """
    binary = {bytes(parse_cid(cid)): cid for cid in pinned}
    parent: dict[str, str] = {}
    for raw, cid in binary.items():
        for link in blocks.children(raw):
            if link.cid in binary:
                parent.setdefault(binary[link.cid], cid)
    boundary = max((place for place, cid in enumerate(pinned) if cid not in parent), default=-1)
    return {cid: parent[cid] if place > boundary else None for place, cid in enumerate(pinned)}


async def pin_add(backend: Backend, call: Call, _: Request) -> Response:
    """Pin recursively, fetching from peers what is missing."""
    cids = [cid_text(await backend.resolve_local(call, argument)) for argument in call.args]
    for cid in cids:
        await backend.waiting.run(
            f"pinning {cid}", partial(backend.library.pin, cid), timeout_s=call.timeout_s
        )
    return JSONResponse({"Pins": cids})


async def pin_rm(backend: Backend, call: Call, _: Request) -> Response:
    """Remove recursive pins. The blocks stay: this node has no garbage collection."""
    cids = await _resolved(backend, call)
    for cid in cids:
        await backend.call(partial(backend.library.unpin, cid))
    return JSONResponse({"Pins": cids})


async def pin_ls(backend: Backend, call: Call, _: Request) -> Response:
    """List pins, or only those asked for; one that is not pinned is an error."""
    parents = await backend.call(lambda: parents_of_pins(backend.library.pins(), backend.blocks))
    kind = call.options.get("type", "all")
    if call.args:
        asked = zip(call.args, await _resolved(backend, call), strict=True)
        pins = dict(_asked_for(argument, cid, kind, parents) for argument, cid in asked)
    else:
        pins = {
            cid: name
            for cid, parent in parents.items()
            if (name := RECURSIVE if parent is None else INDIRECT) == kind or kind == "all"
        }
    if call.flag("stream"):
        lines = "".join(f"{json.dumps({'Cid': cid, 'Type': name})}\n" for cid, name in pins.items())
        return Response(lines, media_type="application/json")
    return JSONResponse({"Keys": {cid: {"Type": name} for cid, name in pins.items()}})


async def _resolved(backend: Backend, call: Call) -> list[str]:
    return [cid_text(await backend.resolve(call, argument)) for argument in call.args]


def _asked_for(argument: str, cid: str, kind: str, parents: Mapping[str, str | None]) -> tuple[str, str]:
    if cid not in parents:
        raise ServiceError(f"path {argument!r} is not pinned")
    parent = parents[cid]
    if kind not in ("all", RECURSIVE if parent is None else INDIRECT):
        raise ServiceError(f"path {argument!r} is not pinned as {kind}")
    while parent is not None and parents[parent] is not None:
        parent = parents[parent]
    return cid, RECURSIVE if parent is None else f"{INDIRECT} through {parent}"
