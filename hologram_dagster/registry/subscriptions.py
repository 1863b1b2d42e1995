"""Subscriptions over WebSocket (protocol graphql-transport-ws), bounded like all else.

Queries and mutations go by POST, where their lanes are. A token comes in the handshake's
`authorization` header, or as `authorization` in the payload of `connection_init`.
"""

import logging
from datetime import timedelta
from typing import Any

from ariadne.asgi.handlers import GraphQLTransportWSHandler
from graphql import DocumentNode, GraphQLError, GraphQLSchema, OperationType, get_operation_ast
from starlette.websockets import WebSocket, WebSocketState

from hologram_dagster.registry.answers import formatted, overloaded, refusal
from hologram_dagster.registry.auth import Access
from hologram_dagster.registry.documents import DocumentError, Documents
from hologram_dagster.registry.faults import Code
from hologram_dagster.registry.resolvers import Asking

PROTOCOL = "graphql-transport-ws"
MAX_CONNECTIONS = 64
MAX_OPERATIONS = 16
_INIT_TIMEOUT = timedelta(seconds=10)
_BAD_MESSAGE, _TOO_MANY_OPERATIONS = 4400, 4429
# What was refused is told to the client; `formatted` logs what is a bug.
_SILENT = logging.Logger("refused subscriptions")
_SILENT.disabled = True


class Subscriptions(GraphQLTransportWSHandler):
    """The WebSocket side of `/graphql`."""

    def __init__(self, schema: GraphQLSchema, documents: Documents, access: Access) -> None:
        super().__init__(on_connect=self._identify, connection_init_wait_timeout=_INIT_TIMEOUT)
        self._documents = documents
        self._access = access
        self.connections = 0
        self.configure(
            schema,
            context_value=lambda websocket, _: Asking(self._access.identify(websocket.scope.get(PROTOCOL))),
            query_parser=self._parse,
            query_validator=lambda *_, **__: [],  # `_parse` has validated
            error_formatter=formatted,
            logger=_SILENT,
        )

    async def answer(self, websocket: WebSocket) -> None:
        """Serve one connection; refuse it when it speaks another protocol or there are too many."""
        if PROTOCOL not in websocket.scope["subprotocols"]:
            message = f"subscribe with the WebSocket protocol {PROTOCOL}."
            await websocket.send_denial_response(refusal(400, Code.BAD_REQUEST, message))
            return
        if self.connections >= MAX_CONNECTIONS:
            await websocket.send_denial_response(overloaded())
            return
        self.connections += 1
        try:
            await self.handle_websocket(websocket)
        except (ValueError, KeyError, TypeError, RecursionError):
            # The message was not JSON, nested too deep, or not text.
            if websocket.application_state is WebSocketState.CONNECTED:
                await websocket.close(_BAD_MESSAGE)
        finally:
            self.connections -= 1

    async def handle_websocket_message(self, websocket: WebSocket, message: Any, client_context: Any) -> None:
        """One message; closes the connection for what is none of the protocol's."""
        if not isinstance(message, dict) or not _well_formed(message):
            await websocket.close(_BAD_MESSAGE)
        elif message["type"] == "subscribe" and len(client_context.operations) >= MAX_OPERATIONS:
            await websocket.close(_TOO_MANY_OPERATIONS)
        else:
            await super().handle_websocket_message(websocket, message, client_context)

    def _identify(self, websocket: WebSocket, payload: Any) -> None:
        token = payload.get("authorization") if isinstance(payload, dict) else None
        chosen = token if isinstance(token, str) else websocket.headers.get("authorization")
        websocket.scope[PROTOCOL] = chosen

    def _parse(self, _: Any, data: dict[str, Any]) -> DocumentNode:
        try:
            document = self._documents.prepare(data["query"])
        except DocumentError as error:
            raise error.errors[0] from None
        operation = get_operation_ast(document, data.get("operationName"))
        if operation is None or operation.operation is not OperationType.SUBSCRIPTION:
            raise GraphQLError("only a subscription can be asked here; send queries and mutations by POST.")
        return document


def _well_formed(message: dict[str, Any]) -> bool:
    if not isinstance(message.get("type"), str):
        return False
    if message["type"] == "complete":
        return isinstance(message.get("id"), str)
    if message["type"] != "subscribe":
        return True
    payload = message.get("payload")
    return (
        isinstance(message.get("id"), str)
        and isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )
