"""The commands about the node itself: `id`, `version`, `repo/stat`, `swarm/*`.

What belongs here: these. What does not: content and pins.
"""

import ipaddress
import platform
from functools import partial
from importlib.metadata import version as version_of

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hologram_dagster.errors import ServiceError
from hologram_dagster.ipfs.library import KUBO_VERSION
from hologram_dagster.ipfs.rpc.backend import Backend
from hologram_dagster.ipfs.rpc.options import FLAG, OFF, Call, Grammar

_REPO_VERSION = "14"
# Kubo's default; only its garbage collector, which the library lacks, would heed it.
_STORAGE_MAX = 10 * 10**9
# Kubo's core as a library behind this RPC is not `ipfs daemon`, and must not pass for it.
VERSION = f"{KUBO_VERSION}-libkubo"
AGENT = f"hologram-dagster/{version_of('hologram_dagster')}/kubo-{VERSION}"
_GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

ID = Grammar()
VERSION_COMMAND = Grammar(options=dict.fromkeys(("all", "commit", "number", "repo"), FLAG))
REPO_STAT = Grammar(options={"human": FLAG, "size-only": OFF})
SWARM_PEERS = Grammar(options=dict.fromkeys(("direction", "identify", "latency", "streams", "verbose"), OFF))
SWARM_CONNECT = Grammar("address", least=1, most=16)


async def identity(backend: Backend, _: Call, __: Request) -> Response:
    """Peer ID, addresses, and what this node is."""
    peer = await backend.call(backend.library.peer_id)
    addresses = await backend.call(backend.library.addresses)
    return JSONResponse(
        {"ID": peer, "Addresses": addresses, "AgentVersion": AGENT, "ProtocolVersion": "ipfs/0.1.0"}
    )


async def version(_: Backend, __: Call, ___: Request) -> Response:
    """The version of Kubo's core, marked as the library; also the health check."""
    machine = _GO_ARCHITECTURES.get(platform.machine(), platform.machine())
    return JSONResponse(
        {
            "Version": VERSION,
            "Commit": "",
            "Repo": _REPO_VERSION,
            "System": f"{machine}/{platform.system().lower()}",
            "Golang": "go1.19",
        }
    )


async def repo_stat(backend: Backend, _: Call, __: Request) -> Response:
    """How many blocks the repository holds, and their bytes."""
    count, size = await backend.call(backend.blocks.count_and_bytes)
    return JSONResponse(
        {
            "RepoSize": size,
            "StorageMax": _STORAGE_MAX,
            "NumObjects": count,
            "RepoPath": str(backend.blocks.repo),
            "Version": f"fs-repo@{_REPO_VERSION}",
        }
    )


async def swarm_peers(backend: Backend, _: Call, __: Request) -> Response:
    """The connected peers."""
    peers = await backend.call(backend.library.peers)
    return JSONResponse({"Peers": [{"Addr": address, "Peer": peer} for address, peer in peers]})


def _check_loopback(address: str) -> None:
    parts = address.split("/")
    try:
        host = ipaddress.ip_address(parts[2]) if parts[1] in ("ip4", "ip6") else None
    except (IndexError, ValueError):
        host = None
    if parts[0] != "" or host is None or "p2p" not in parts[3:]:
        raise ServiceError(f"invalid peer address {address!r}: expected /ip4/HOST/tcp/PORT/p2p/PEER")
    if not host.is_loopback:
        raise ServiceError(f"peer address {address!r} is not on the loopback, which this node does not leave")


async def swarm_connect(backend: Backend, call: Call, _: Request) -> Response:
    """Dial peers on the loopback; every address is checked before the first is dialled."""
    for address in call.args:
        _check_loopback(address)
    for address in call.args:
        await backend.waiting.run(
            f"dialling {address}",
            partial(backend.library.connect, address),
            timeout_s=call.timeout_s,
        )
    peers = [address.rpartition("/")[2] for address in call.args]
    return JSONResponse({"Strings": [f"connect {peer} success" for peer in peers]})
