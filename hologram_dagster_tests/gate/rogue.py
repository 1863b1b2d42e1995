"""A registry and a node that misbehave on purpose: each stands before a real one and changes what passes."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hologram_dagster.processes import LOOPBACK, free_port, wait_until

# Gets the request's query and the real answer's `data`; returns the answer to give, or an HTTP status.
Change = Callable[[str, dict[str, Any]], dict[str, Any] | int]
# Gets the RPC's command (`cat`) and the real answer's body; returns the body to give.
ChangeBytes = Callable[[str, bytes], bytes]


@contextmanager
def rogue_registry(real_url: str, change: Change) -> Iterator[str]:
    """URL of a registry whose answers are the real one's, changed."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        headers = {"content-type": "application/json"}
        if token := request.headers.get("authorization"):
            headers["authorization"] = token
        async with _client() as client:
            real = await client.post(real_url, content=body, headers=headers)
        changed = change(json.loads(body)["query"], real.json())
        if isinstance(changed, int):
            return JSONResponse({}, status_code=changed)
        return JSONResponse(changed, status_code=real.status_code)

    with _serving(Route("/graphql", answer, methods=["POST"])) as url:
        yield f"{url}/graphql"


@contextmanager
def rogue_node(real_api: str, change: ChangeBytes) -> Iterator[str]:
    """URL of an IPFS node whose answers are the real one's, changed."""

    async def answer(request: Request) -> Response:
        command = request.path_params["command"]
        headers = {name: value for name in ("content-type",) if (value := request.headers.get(name))}
        url = f"{real_api}/api/v0/{command}?{request.url.query}"
        async with _client() as client:
            real = await client.post(url, content=await request.body(), headers=headers)
        return Response(
            change(command, real.content),
            status_code=real.status_code,
            media_type=real.headers.get("content-type"),
        )

    with _serving(Route("/api/v0/{command:path}", answer, methods=["POST"])) as url:
        yield url


def _client() -> httpx.AsyncClient:
    # Reading the certificates takes longer than the request does, and all is plain HTTP here.
    return httpx.AsyncClient(trust_env=False, verify=False, timeout=30)


@contextmanager
def _serving(route: Route) -> Iterator[str]:
    port = free_port()
    app = Starlette(routes=[route])
    server = uvicorn.Server(uvicorn.Config(app, host=LOOPBACK, port=port, log_level="error"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        assert wait_until(lambda: server.started, timeout_s=30)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        server.should_exit = True
        thread.join()
