"""What goes wrong between client and node, told apart.

What belongs here: the errors of `IpfsClient`, and sorting exceptions of `ipfshttpclient`
and `requests` into them. What does not: the node's own error answers (see `rpc.faults`).
"""

import http.client
from enum import StrEnum

import requests
from ipfshttpclient import exceptions
from urllib3.exceptions import NameResolutionError

from hologram_dagster.errors import ServiceError, ServiceTimeoutError, chain


class Cause(StrEnum):
    """Why a call failed."""

    REFUSED = "refused"
    TIMEOUT = "timeout"
    RESET = "reset"
    INVALID_RESPONSE = "invalid_response"
    OTHER_CONTENT = "other_content"
    HTTP_ERROR = "http_error"


class IpfsError(ServiceError):
    """A call to the IPFS node failed; `cause` says how, `http_status` what it answered if it did."""

    def __init__(self, message: str, cause: Cause, http_status: int | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.http_status = http_status


class IpfsTimeoutError(IpfsError, ServiceTimeoutError):
    """The node gave no answer in time, or answered that a peer did not."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Cause.TIMEOUT)


# What Kubo answers when its own `timeout` option runs out.
_DEADLINE_TEXT = "context deadline exceeded"
_RESETS = (
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    http.client.RemoteDisconnected,
    http.client.IncompleteRead,
)

# What answers, and not in HTTP.
_NO_HTTP = (http.client.BadStatusLine, http.client.LineTooLong, http.client.UnknownProtocol)


def classify(error: Exception, where: str) -> IpfsError:
    """The `IpfsError` for what a call to the node at `where` raised."""
    if isinstance(error, IpfsError):
        return error
    if isinstance(error, exceptions.StatusError):
        return _from_answer(error, where)
    causes = tuple(chain(error))
    if any(isinstance(each, exceptions.TimeoutError | requests.Timeout | TimeoutError) for each in causes):
        return IpfsTimeoutError(f"the IPFS node at {where} gave no answer in time")
    if any(isinstance(each, NameResolutionError) for each in causes):
        return IpfsError(f"the IPFS node at {where} was not found: no such host", Cause.REFUSED)
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        return IpfsError(f"the IPFS node at {where} refused the connection: is it running?", Cause.REFUSED)
    if any(isinstance(each, _RESETS) for each in causes):
        return IpfsError(f"the IPFS node at {where} closed the connection within its answer", Cause.RESET)
    no_http = any(isinstance(each, _NO_HTTP) for each in causes)
    if isinstance(error, exceptions.ConnectionError) and not no_http:
        return IpfsError(f"the IPFS node at {where} cannot be reached: {error}", Cause.REFUSED)
    return IpfsError(
        f"the IPFS node at {where} answered what is no Kubo RPC: {error}", Cause.INVALID_RESPONSE
    )


def _from_answer(error: exceptions.StatusError, where: str) -> IpfsError:
    response = getattr(error.original, "response", None)
    status = None if response is None else int(response.status_code)
    if isinstance(error, exceptions.ErrorResponse):
        message = str(error)
        if _DEADLINE_TEXT in message:
            return IpfsTimeoutError(f"the IPFS node at {where} gave up waiting: {message}")
        return IpfsError(f"the IPFS node at {where} answered: {message}", Cause.HTTP_ERROR, status)
    return IpfsError(f"the IPFS node at {where} answered with HTTP status {status}", Cause.HTTP_ERROR, status)
