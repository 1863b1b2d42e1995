"""How the registry answers over HTTP and WebSocket: JSON, errors with a code, never a traceback."""

import json
import logging
from typing import Any

from graphql import GraphQLError
from starlette.responses import Response

from hologram_dagster.registry.faults import Code, OperationCode, RefusedError

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 1
# A name may hold a script's text; no browser may take an answer for a page.
_HEADERS = {"X-Content-Type-Options": "nosniff"}


def as_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`content` as an answer."""
    # ASCII, so that half a surrogate pair in a query cannot break the answer.
    body = json.dumps(content, separators=(",", ":")).encode()
    return Response(body, status, {**_HEADERS, **(headers or {})}, media_type="application/json")


def refusal(
    status: int, code: Code | OperationCode, message: str, headers: dict[str, str] | None = None
) -> Response:
    """An HTTP error in the form of a GraphQL error."""
    return as_json({"errors": [{"message": message, "extensions": {"code": code}}]}, status, headers)


def overloaded() -> Response:
    """503 with `Retry-After`."""
    return refusal(
        503,
        Code.OVERLOADED,
        f"the registry is busy; try again in {RETRY_AFTER_S} s.",
        retry_headers(503),
    )


def retry_headers(status: int) -> dict[str, str] | None:
    """The headers of a refusal that says when to come again."""
    return {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None


def formatted(error: GraphQLError, _debug: bool = False) -> dict[str, Any]:
    """A GraphQL error as the client gets it; a bug of ours goes to the log alone."""
    content: dict[str, Any] = {**error.formatted}
    original = error.original_error
    # A subscription wraps what its source raised once more than a query does.
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    if original is None or isinstance(original, GraphQLError):
        code: Code | OperationCode = Code.BAD_REQUEST
    elif isinstance(original, RefusedError):
        code = original.code
    else:
        logger.error("a resolver failed", exc_info=original)
        code = Code.INTERNAL
        content["message"] = "the registry failed at this; its log says more."
    return {**content, "extensions": {"code": code}}
