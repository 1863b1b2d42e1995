"""What kind of failure an error of our clients is: the classifier of `chaos_heuristics`.

The contract's `connection_error` (section 3.8) is told apart here: nobody listens (`refused`), or the
connection broke (`reset`). What belongs here: naming a failure. What does not: what causes it.
"""

import http.client
from enum import StrEnum

import httpx

from hologram_dagster.errors import HologramError, ServiceTimeoutError, chain
from hologram_dagster.ipfs.faults import Cause, IpfsError
from hologram_dagster.registry.client import RegistryError
from hologram_dagster.registry.faults import Code


class Failure(StrEnum):
    """The kinds of failure."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    RESET = "reset"
    INVALID_RESPONSE = "invalid_response"
    OVERLOAD = "overload"
    CORRUPT_CONTENT = "corrupt_content"
    OTHER = "other"


_BUSY = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})
_OF_CAUSE = {
    Cause.REFUSED: Failure.REFUSED,
    Cause.RESET: Failure.RESET,
    Cause.TIMEOUT: Failure.TIMEOUT,
    Cause.INVALID_RESPONSE: Failure.INVALID_RESPONSE,
    Cause.HTTP_ERROR: Failure.INVALID_RESPONSE,
    Cause.OTHER_CONTENT: Failure.CORRUPT_CONTENT,
}
_BROKEN = (
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    http.client.RemoteDisconnected,
    http.client.IncompleteRead,
    httpx.ReadError,
    httpx.WriteError,
)
# What httpx says when the other side ended the connection; any other breach of HTTP is no answer of HTTP.
_ENDED = ("disconnected", "closed connection")


def classify(error: HologramError) -> Failure:
    """The kind of failure that `error`, raised by a client of ours, is.

    A refusal by the service's own rules (a code other than OVERLOADED) is `other`: nothing is broken.
    """
    if isinstance(error, ServiceTimeoutError):
        return Failure.TIMEOUT
    if isinstance(error, IpfsError):
        return Failure.OVERLOAD if error.http_status in _BUSY else _OF_CAUSE[error.cause]
    if isinstance(error, RegistryError):
        return _of_registry(error)
    return Failure.OTHER


def _of_registry(error: RegistryError) -> Failure:
    if error.status in _BUSY or error.code == Code.OVERLOADED:
        return Failure.OVERLOAD
    if error.code is not None:
        return Failure.OTHER
    causes = tuple(chain(error))
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        return Failure.REFUSED
    ended = any(
        isinstance(each, httpx.RemoteProtocolError) and any(words in str(each) for words in _ENDED)
        for each in causes
    )
    if ended or any(isinstance(each, _BROKEN) for each in causes):
        return Failure.RESET
    return Failure.INVALID_RESPONSE
