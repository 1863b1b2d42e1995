"""The registry over HTTP: `/graphql` (POST, WebSocket to subscribe), `/health`, `/ready`, `/metrics`.

What belongs here: requests, their bounds, and answers. What a query does is
`resolvers` and `catalogue`. A GraphQL error is status 200 (400 if the query itself is
invalid), never 500; a full queue is 503 with `Retry-After`.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationType,
    execute_sync,
    get_operation_ast,
)
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.protocol.operation import PROOF, Operation
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.registry.answers import as_json, formatted, overloaded, refusal, retry_headers
from hologram_dagster.registry.auth import Access, Caller
from hologram_dagster.registry.catalogue import Catalogue
from hologram_dagster.registry.content_catalogue import ContentCatalogue
from hologram_dagster.registry.documents import DocumentError, Documents
from hologram_dagster.registry.events import Events
from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.figures import PROMETHEUS_MEDIA_TYPE, Figures
from hologram_dagster.registry.guard import Guard, Mode, OperationRefusedError, window_of
from hologram_dagster.registry.integrity import Integrity
from hologram_dagster.registry.journal import Journal, serving
from hologram_dagster.registry.lanes import Lane, LaneFullError
from hologram_dagster.registry.nonce_store import SharedNonces
from hologram_dagster.registry.operation_keys import OperationKeys
from hologram_dagster.registry.pins import Pins
from hologram_dagster.registry.replicas import Replicas
from hologram_dagster.registry.resolvers import Asking, Parts, build_schema
from hologram_dagster.registry.store import Store
from hologram_dagster.registry.subscriptions import PROTOCOL, Subscriptions

SERVICE = "hologram-graphql"
MAX_BODY_BYTES = 1 << 20
BODY_TIMEOUT_S = 10
# Waiting for a thread and for the node together: less than clients wait (10 s), so that they learn why.
MAX_WAIT_S = 4.0
# A read takes about a millisecond: one that has waited this long is late, and so is all behind it.
# Half of the strictest budget of a resolve: what is accepted keeps it, however much arrives.
READ_WAIT_S = 0.04
# So many clients at once that each ask for one thing are nothing unusual (contract section 3.8 has 20): they
# are never refused.
READS_AT_CALM = 20
IPFS_TIMEOUT_S = 5.0
READINESS_TIMEOUT_S = 2.0


class _BadRequestError(Exception):
    """A request that holds no GraphQL query: its HTTP status, and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Query:
    operation: Operation
    extensions: dict[str, Any]


def create_app(
    *,
    database: str,
    ipfs_api: str,
    access: Access,
    signer: Signer,
    replica_apis: Sequence[str] = (),
    mode: Mode = Mode.OPTIONAL,
    keys: OperationKeys | None = None,
    guard: type[Guard] = Guard,
) -> Starlette:
    """The registry as an ASGI application; see `server` for the process.

    `database` is SQLAlchemy's URL, `ipfs_api` the URL or multiaddr of an IPFS node's RPC, `replica_apis`
    those of further nodes that hold a copy. `signer` signs what is done (see `journal`). `mode`, `keys`
    and `guard`: see `guard`.

    Raises:
        HologramError: the database cannot be opened.
    """
    store = Store(database, Journal(signer))
    ipfs = IpfsClient(ipfs_api, timeout_s=IPFS_TIMEOUT_S)
    probe = IpfsClient(ipfs_api, timeout_s=READINESS_TIMEOUT_S)
    figures, events = Figures(), Events()
    replicas = Replicas(store, ipfs_api, replica_apis)
    pins, integrity = Pins(store, ipfs, replicas), Integrity(figures, events)
    nonces = SharedNonces(store.engine, window_of(mode))
    door = guard(nonces, mode=mode, keys=keys, meters=figures.nonces(nonces))
    schema = build_schema(
        Parts(
            catalogue=Catalogue(store, pins, access, integrity),
            contents=ContentCatalogue(store, pins, access, integrity),
            figures=figures,
            events=events,
            access=access,
            guard=door,
        )
    )
    documents = Documents(schema)
    endpoint = _Endpoint(schema, documents, access, figures, door)
    subscriptions = Subscriptions(schema, documents, access)
    figures.watch("replica_nodes", "IPFS nodes that are to hold a copy.", lambda: replicas.nodes)
    figures.watch("replicas_lacking", "Copies missing, over all nodes.", lambda: replicas.lacking)
    figures.watch("replicas_pinned", "Copies pinned since the start.", lambda: replicas.pinned)
    figures.watch("connections", "WebSocket connections open.", lambda: subscriptions.connections)
    figures.watch("subscriptions", "Subscriptions that listen.", lambda: events.listeners)
    readiness = _Readiness(store, probe)
    metrics = _Metrics(figures)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        replicas.start()
        yield
        replicas.close()
        endpoint.close()
        readiness.close()
        for client in (ipfs, probe):
            client.close()
        store.close()

    return Starlette(
        routes=[
            Route("/graphql", endpoint.answer, methods=["POST"]),
            WebSocketRoute("/graphql", subscriptions.answer),
            Route("/health", _health, methods=["GET"]),
            Route("/ready", readiness.answer, methods=["GET"]),
            Route("/metrics", metrics.answer, methods=["GET"]),
            Route("/metrics/prometheus", metrics.prometheus, methods=["GET"]),
        ],
        lifespan=lifespan,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _health(_: Request) -> Response:
    return as_json({"status": "healthy", "timestamp": _now(), "service": SERVICE})


class _Endpoint:
    """`POST /graphql`. Reads and mutations wait in lanes of their own."""

    def __init__(
        self, schema: GraphQLSchema, documents: Documents, access: Access, figures: Figures, guard: Guard
    ) -> None:
        self._guard = guard
        self._schema = schema
        self._documents = documents
        self._access = access
        self._figures = figures
        self._reads = Lane("read", threads=2, waiting=62, max_wait_s=READ_WAIT_S, calm=READS_AT_CALM)
        self._mutations = Lane("mutation", threads=8, waiting=120, max_wait_s=MAX_WAIT_S)
        for name, lane in (("reads", self._reads), ("mutations", self._mutations)):
            figures.watch(
                f"{name}_inside", f"Requests in the lane of {name}, waiting or at work.", lane.inside
            )

    def close(self) -> None:
        self._reads.close()
        self._mutations.close()

    async def answer(self, request: Request) -> Response:
        started = time.perf_counter()
        answer = await self._answer(request)
        self._figures.answered(answer.status_code, time.perf_counter() - started)
        return answer

    async def _answer(self, request: Request) -> Response:
        try:
            query = await _read_query(request)
        except _BadRequestError as error:
            # The rest of the body may never end: do not go on reading it.
            return refusal(error.status, Code.BAD_REQUEST, str(error), {"Connection": "close"})
        caller = self._access.identify(request.headers.get("authorization"))
        try:
            document = self._documents.known(query.operation.query)
            if document is None:
                document = await self._reads.run(lambda: self._documents.prepare(query.operation.query))
            lane = self._lane(document, query.operation.name)
            units = _look_ups(document, query.operation.name)
            result, receipts = await lane.run(lambda: self._execute(document, query, caller), units=units)
        except OperationRefusedError as error:
            return refusal(error.status, error.code, str(error), retry_headers(error.status))
        except RefusedError as error:
            # The nonces cannot be asked: nothing passes unchecked.
            return refusal(503, error.code, str(error), retry_headers(503))
        except DocumentError as error:
            return as_json({"errors": [formatted(fault) for fault in error.errors]}, 400)
        except LaneFullError:
            return overloaded()
        content: dict[str, Any] = {"data": result.data}
        if _was_too_busy(result):
            return overloaded()
        if result.errors:
            content = {"errors": [formatted(fault) for fault in result.errors], **content}
        if receipts:
            content["extensions"] = {PROOF: receipts}
        return as_json(content)

    def _lane(self, document: DocumentNode, operation: str | None) -> Lane:
        chosen = get_operation_ast(document, operation)
        kind = OperationType.QUERY if chosen is None else chosen.operation
        if kind is OperationType.SUBSCRIPTION:
            raise DocumentError(
                [GraphQLError(f"subscribe over WebSocket, with the protocol {PROTOCOL}, not by POST.")]
            )
        return self._mutations if kind is OperationType.MUTATION else self._reads

    def _execute(
        self, document: DocumentNode, query: _Query, caller: Caller
    ) -> tuple[ExecutionResult, list[dict[str, Any]]]:
        operation = query.operation
        chosen = get_operation_ast(document, operation.name)
        mutation = chosen is not None and chosen.operation is OperationType.MUTATION
        admitted = self._guard.admit(operation, query.extensions, mutation=mutation)
        with serving(admitted) as receipts:
            result = execute_sync(
                self._schema,
                document,
                context_value=Asking(caller),
                variable_values=None if operation.variables is None else dict(operation.variables),
                operation_name=operation.name,
            )
        return result, receipts


def _look_ups(document: DocumentNode, operation: str | None) -> int:
    """How many things an operation asks for at its root."""
    chosen = get_operation_ast(document, operation)
    return 1 if chosen is None else len(chosen.selection_set.selections)


def _was_too_busy(result: ExecutionResult) -> bool:
    """Whether nothing of a request was done for want of room: as much a 503 as a full queue is."""
    causes = [error.original_error for error in result.errors or ()]
    refused = all(isinstance(cause, RefusedError) and cause.code is Code.OVERLOADED for cause in causes)
    return bool(causes) and refused and not any((result.data or {}).values())


class _Metrics:
    """`GET /metrics` as the contract has it, and `GET /metrics/prometheus`. Times are milliseconds."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    async def answer(self, _: Request) -> Response:
        return as_json(
            {
                "totalRequests": self._figures.requests,
                "averageResponseTime": self._figures.average_response_ms,
                "conservationViolations": self._figures.violations,
                "bijectionIntegrity": self._figures.bijection_integrity,
                "nonces": self._figures.of_nonces(),
            }
        )

    async def prometheus(self, _: Request) -> Response:
        return Response(self._figures.prometheus(), media_type=PROMETHEUS_MEDIA_TYPE)


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
            return overloaded()
        ready = set(parts.values()) == {"ok"}
        state = {"status": "ready" if ready else "not ready", "timestamp": _now(), "service": SERVICE}
        return as_json({**state, **parts}, 200 if ready else 503)

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
        content = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise _BadRequestError(400, "the request is not JSON.") from None
    if not isinstance(content, dict) or not isinstance(content.get("query"), str):
        raise _BadRequestError(400, "the request is not a JSON object with the text `query`.")
    variables, operation = content.get("variables"), content.get("operationName")
    if not (variables is None or isinstance(variables, dict)):
        raise _BadRequestError(400, "`variables` is not a JSON object.")
    if not (operation is None or isinstance(operation, str)):
        raise _BadRequestError(400, "`operationName` is not a text.")
    extensions = content.get("extensions")
    if not (extensions is None or isinstance(extensions, dict)):
        raise _BadRequestError(400, "`extensions` is not a JSON object.")
    return _Query(Operation(content["query"], variables, operation or None), extensions or {})


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _BadRequestError(413, f"the request is larger than {MAX_BODY_BYTES} bytes.")
    return bytes(body)
