"""A registry that misbehaves on purpose: it stands before a real one and changes what passes."""

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

# Gets the request's query and the real answer's `data`; returns the answer to give.
Change = Callable[[str, dict[str, Any]], dict[str, Any]]


@contextmanager
def rogue_registry(real_url: str, change: Change) -> Iterator[str]:
    """URL of a registry whose answers are the real one's, changed."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        headers = {"content-type": "application/json"}
        if token := request.headers.get("authorization"):
            headers["authorization"] = token
        async with httpx.AsyncClient(trust_env=False) as client:
            real = await client.post(real_url, content=body, headers=headers)
        return JSONResponse(change(json.loads(body)["query"], real.json()), status_code=real.status_code)

    port = free_port()
    app = Starlette(routes=[Route("/graphql", answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host=LOOPBACK, port=port, log_level="error"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        assert wait_until(lambda: server.started, timeout_s=30)
        yield f"http://{LOOPBACK}:{port}/graphql"
    finally:
        server.should_exit = True
        thread.join()
