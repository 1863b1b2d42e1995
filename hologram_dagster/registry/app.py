"""The registry over HTTP: `POST /graphql`, `GET /health`, `GET /ready`.

What belongs here: requests, their bounds, and answers. What a query does is
`resolvers` and `catalogue`. A GraphQL error is status 200 (400 if the query itself is
invalid), never 500; a full queue is 503 with `Retry-After`.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationType,
    execute_sync,
    get_operation_ast,
)
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.registry.auth import Access, Caller
from hologram_dagster.registry.catalogue import Catalogue
from hologram_dagster.registry.documents import DocumentError, Documents
from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.lanes import Lane, LaneFullError
from hologram_dagster.registry.resolvers import build_schema
from hologram_dagster.registry.store import Store

logger = logging.getLogger(__name__)

SERVICE = "hologram-graphql"
MAX_BODY_BYTES = 1 << 20
BODY_TIMEOUT_S = 10
# Waiting for a thread and for the node together: less than clients wait (10 s), so that they learn why.
MAX_WAIT_S = 4.0
IPFS_TIMEOUT_S = 5.0
READINESS_TIMEOUT_S = 2.0
RETRY_AFTER_S = 1


class _BadRequestError(Exception):
    """A request that holds no GraphQL query: its HTTP status, and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Query:
    text: str
    variables: dict[str, Any] | None
    operation: str | None


def create_app(*, database: str, ipfs_api: str, access: Access) -> Starlette:
    """The registry as an ASGI application; see `server` for the process.

    `database` is SQLAlchemy's URL, `ipfs_api` the URL or multiaddr of an IPFS node's RPC.

    Raises:
        HologramError: the database cannot be opened.
    """
    store = Store(database)
    ipfs = IpfsClient(ipfs_api, timeout_s=IPFS_TIMEOUT_S)
    probe = IpfsClient(ipfs_api, timeout_s=READINESS_TIMEOUT_S)
    endpoint = _Endpoint(Catalogue(store, ipfs, access), access)
    readiness = _Readiness(store, probe)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        endpoint.close()
        readiness.close()
        for client in (ipfs, probe):
            client.close()
        store.close()

    return Starlette(
        routes=[
            Route("/graphql", endpoint.answer, methods=["POST"]),
            Route("/health", _health, methods=["GET"]),
            Route("/ready", readiness.answer, methods=["GET"]),
        ],
        lifespan=lifespan,
    )


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    # ASCII, so that half a surrogate pair in a query cannot break the answer.
    body = json.dumps(content, separators=(",", ":")).encode()
    return Response(body, status, headers, media_type="application/json")


def _errors(status: int, code: Code, message: str, headers: dict[str, str] | None = None) -> Response:
    return _json({"errors": [{"message": message, "extensions": {"code": code}}]}, status, headers)


def _overloaded() -> Response:
    return _errors(
        503,
        Code.OVERLOADED,
        f"the registry is busy; try again in {RETRY_AFTER_S} s.",
        {"Retry-After": str(RETRY_AFTER_S)},
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _health(_: Request) -> Response:
    return _json({"status": "healthy", "timestamp": _now(), "service": SERVICE})


class _Endpoint:
    """`POST /graphql`. Reads and mutations wait in lanes of their own."""

    def __init__(self, catalogue: Catalogue, access: Access) -> None:
        self._schema = build_schema(catalogue)
        self._documents = Documents(self._schema)
        self._access = access
        self._reads = Lane("read", threads=4, waiting=252, max_wait_s=MAX_WAIT_S)
        self._mutations = Lane("mutation", threads=8, waiting=120, max_wait_s=MAX_WAIT_S)

    def close(self) -> None:
        self._reads.close()
        self._mutations.close()

    async def answer(self, request: Request) -> Response:
        try:
            query = await _read_query(request)
        except _BadRequestError as error:
            # The rest of the body may never end: do not go on reading it.
            return _errors(error.status, Code.BAD_REQUEST, str(error), {"Connection": "close"})
        caller = self._access.identify(request.headers.get("authorization"))
        try:
            document = self._documents.known(query.text)
            if document is None:
                document = await self._reads.run(lambda: self._documents.prepare(query.text))
            lane = self._lane(document, query.operation)
            result = await lane.run(lambda: self._execute(document, query, caller))
        except DocumentError as error:
            return _json({"errors": [_formatted(fault) for fault in error.errors]}, 400)
        except LaneFullError:
            return _overloaded()
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer = {"errors": [_formatted(fault) for fault in result.errors], **answer}
        return _json(answer)

    def _lane(self, document: DocumentNode, operation: str | None) -> Lane:
        chosen = get_operation_ast(document, operation)
        mutation = chosen is not None and chosen.operation is OperationType.MUTATION
        return self._mutations if mutation else self._reads

    def _execute(self, document: DocumentNode, query: _Query, caller: Caller) -> ExecutionResult:
        return execute_sync(
            self._schema,
            document,
            context_value=caller,
            variable_values=query.variables,
            operation_name=query.operation,
        )


class _Readiness:
    """`GET /ready`: whether database and IPFS node answer, each named."""

    def __init__(self, store: Store, ipfs: IpfsClient) -> None:
        self._store = store
        self._ipfs = ipfs
        self._lane = Lane("ready", threads=2, waiting=6, max_wait_s=MAX_WAIT_S)

    def close(self) -> None:
        self._lane.close()

    async def answer(self, _: Request) -> Response:
        try:
            parts = await self._lane.run(self._parts)
        except LaneFullError:
            return _overloaded()
        ready = set(parts.values()) == {"ok"}
        state = {"status": "ready" if ready else "not ready", "timestamp": _now(), "service": SERVICE}
        return _json({**state, **parts}, 200 if ready else 503)

    def _parts(self) -> dict[str, str]:
        parts = {}
        for name, check in (("database", self._store.check), ("ipfs", self._ipfs.version)):
            try:
                check()
                parts[name] = "ok"
            except HologramError as error:
                parts[name] = str(error)
        return parts


async def _read_query(request: Request) -> _Query:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _BadRequestError(415, "send the query as JSON with `content-type: application/json`.")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await _read_body(request)
    except TimeoutError:
        raise _BadRequestError(408, f"the request did not arrive within {BODY_TIMEOUT_S} s.") from None
    except ClientDisconnect:
        raise _BadRequestError(400, "the request broke off.") from None
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise _BadRequestError(400, "the request is not JSON.") from None
    if not isinstance(content, dict) or not isinstance(content.get("query"), str):
        raise _BadRequestError(400, "the request is not a JSON object with the text `query`.")
    variables, operation = content.get("variables"), content.get("operationName")
    if not (variables is None or isinstance(variables, dict)):
        raise _BadRequestError(400, "`variables` is not a JSON object.")
    if not (operation is None or isinstance(operation, str)):
        raise _BadRequestError(400, "`operationName` is not a text.")
    return _Query(content["query"], variables, operation or None)


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _BadRequestError(413, f"the request is larger than {MAX_BODY_BYTES} bytes.")
    return bytes(body)


def _formatted(error: GraphQLError) -> dict[str, Any]:
    formatted: dict[str, Any] = {**error.formatted}
    original = error.original_error
    if original is None or isinstance(original, GraphQLError):
        code = Code.BAD_REQUEST
    elif isinstance(original, RefusedError):
        code = original.code
    else:
        logger.error("a resolver failed", exc_info=original)
        code = Code.INTERNAL
        formatted["message"] = "the registry failed at this; its log says more."
    return {**formatted, "extensions": {"code": code}}
