"""The RPC as an ASGI application.

What belongs here: the table of commands, and refusing web pages. What does not: what
the commands do.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hologram_dagster.ipfs.rpc import content, directories, graph, node, pins
from hologram_dagster.ipfs.rpc.backend import Backend
from hologram_dagster.ipfs.rpc.faults import HANDLERS
from hologram_dagster.ipfs.rpc.options import Call, Grammar
from hologram_dagster.ipfs.rpc.upload import drain

Command = Callable[[Backend, Call, Request], Awaitable[Response]]

COMMANDS: dict[str, tuple[Grammar, Command]] = {
    "add": (content.ADD, content.add),
    "block/get": (graph.BLOCK_GET, graph.block_get),
    "block/stat": (graph.BLOCK_STAT, graph.block_stat),
    "cat": (content.CAT, content.cat),
    "dag/get": (graph.DAG_GET, graph.dag_get),
    "get": (directories.GET, directories.get),
    "id": (node.ID, node.identity),
    "ls": (directories.LS, directories.ls),
    "pin/add": (pins.PIN_ADD, pins.pin_add),
    "pin/ls": (pins.PIN_LS, pins.pin_ls),
    "pin/rm": (pins.PIN_RM, pins.pin_rm),
    "refs": (graph.REFS, graph.refs),
    "repo/stat": (node.REPO_STAT, node.repo_stat),
    "swarm/connect": (node.SWARM_CONNECT, node.swarm_connect),
    "swarm/peers": (node.SWARM_PEERS, node.swarm_peers),
    "version": (node.VERSION_COMMAND, node.version),
}
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def _refuse_web_pages(request: Request) -> None:
    # As Kubo does: any page in the user's browser could otherwise command the node.
    for header in ("origin", "referer"):
        source = request.headers.get(header)
        if source is not None and urlsplit(source).hostname not in _LOOPBACK_NAMES:
            raise HTTPException(403, f"403 - Forbidden: requests of web pages ({header}) are refused")


def _endpoint(
    backend: Backend, grammar: Grammar, command: Command
) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        try:
            _refuse_web_pages(request)
            return await command(backend, grammar.parse(request.query_params), request)
        except Exception:
            await drain(request)
            raise

    return serve


def build_app(backend: Backend) -> Starlette:
    """The application that serves `backend`."""
    routes = [
        Route(f"/api/v0/{name}", _endpoint(backend, grammar, command), methods=["POST"])
        for name, (grammar, command) in COMMANDS.items()
    ]
    return Starlette(routes=routes, exception_handlers=HANDLERS)
