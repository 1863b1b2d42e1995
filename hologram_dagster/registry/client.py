"""A registry's GraphQL client, for the gate and for tests.

Works against any registry that speaks the contract, not only ours. Where the process has an
operator (`operator`) and the registry says that it understands it, mutations are signed.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import httpx
from gql import Client, GraphQLRequest, gql
from gql.client import SyncClientSession
from gql.transport.exceptions import (
    TransportConnectionFailed,
    TransportError,
    TransportQueryError,
    TransportServerError,
)
from gql.transport.httpx import HTTPXTransport
from graphql import GraphQLError, OperationType, get_operation_ast

from hologram_dagster.errors import HologramError, ServiceError, ServiceTimeoutError
from hologram_dagster.protocol.operation import Operation, extensions_of
from hologram_dagster.registry.operator import Operator, current_operator

_MAX_QUOTED = 300
_SECURITY = "{ operationSecurity { mode nonces proofChain } }"


class RegistryError(ServiceError):
    """The registry refused, failed or was not there.

    `code` is the error's `extensions.code`, `status` the HTTP status; None where the
    registry gave none.
    """

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class RegistryTimeoutError(RegistryError, ServiceTimeoutError):
    """The registry gave no answer in time."""


@lru_cache(maxsize=64)
def _parsed(query: str) -> GraphQLRequest:
    try:
        return gql(query)
    except GraphQLError as error:
        raise HologramError(f"not a GraphQL query: {error.message}") from error


def _refuse_server_errors(response: httpx.Response) -> None:
    # The transport would take the body for a GraphQL answer and lose the status.
    if response.is_server_error:
        response.read()
        response.raise_for_status()


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…"


@dataclass(frozen=True, slots=True)
class OperationSecurity:
    """What a registry says that it asks of operations (`mode`), and which forms of nonces it takes."""

    mode: str
    nonces: frozenset[str]


class _SignedRequest(GraphQLRequest):
    """A request that carries `extensions`."""

    def __init__(self, request: GraphQLRequest, operator: Operator) -> None:
        super().__init__(request)
        sent = super().payload
        operation = Operation(sent["query"], sent.get("variables"), sent.get("operationName"))
        signed = extensions_of(operation, operator.signer, now=time.time(), nonce_key=operator.nonce_key)
        self._payload = {**sent, "extensions": signed}

    @property
    def payload(self) -> dict[str, Any]:
        return self._payload


class RegistryClient:
    """One connection to the registry at `url`, kept open between requests.

    `token` is sent verbatim as `authorization`; `timeout_s` bounds connecting, and each
    wait for bytes, in seconds.
    """

    def __init__(self, url: str, *, token: str | None = None, timeout_s: float = 10) -> None:
        self.url = url
        self._transport = HTTPXTransport(
            url=url,
            headers={"authorization": token} if token else {},
            timeout=timeout_s,
            event_hooks={"response": [_refuse_server_errors]},
            trust_env=False,
        )
        self._client = Client(transport=self._transport, fetch_schema_from_transport=False)
        self._session: SyncClientSession = self._client.connect_sync()  # type: ignore[no-untyped-call]
        self._asked: tuple[OperationSecurity | None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close_sync()  # type: ignore[no-untyped-call]

    def execute(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a query or mutation; returns its `data`.

        Raises:
            RegistryError: GraphQL errors, an HTTP error, or no connection; says which.
            RegistryTimeoutError: no answer in time.
            HologramError: `query` is not GraphQL.
        """
        request = GraphQLRequest(_parsed(query), variable_values=dict(variables) if variables else None)
        operator = current_operator()
        if operator is not None and operator.nonce_key is not None and _is_mutation(request):
            security = self.security()
            # Contract nonces of two equal operations in one second are the same: an honest repetition would
            # be refused. Without the shared key, the registry does not know our signature either.
            if security is not None and "authenticated" in security.nonces:
                request = _SignedRequest(request, operator)
        return self._send(request)

    def security(self) -> OperationSecurity | None:
        """What the registry asks of operations; None for one that says nothing. Asked once.

        Raises:
            RegistryError, RegistryTimeoutError: there was no answer.
        """
        if self._asked is None:
            try:
                answer = self._send(GraphQLRequest(_parsed(_SECURITY)))
            except RegistryError as error:
                if not isinstance(error.__cause__, TransportQueryError) and (error.status or 500) >= 500:
                    raise
                answer = {}
            self._asked = (_security_of(answer.get("operationSecurity")),)
        return self._asked[0]

    def _send(self, request: GraphQLRequest) -> dict[str, Any]:
        try:
            data = self._session.execute(request)
        except TransportQueryError as error:
            raise _of_errors(error.errors or []) from error
        except TransportServerError as error:
            raise self._of_status(error.code) from error
        except TransportConnectionFailed as error:
            raise self._of_connection(error) from error
        except TransportError as error:
            raise RegistryError(f"the registry at {self.url} answered wrongly: {_cut(str(error))}") from error
        except (TypeError, AttributeError, KeyError, RecursionError) as error:
            # The transport takes any JSON for an object with data or errors.
            raise self._of_no_answer() from error
        if not isinstance(data, dict):
            raise self._of_no_answer()
        return data

    def _of_no_answer(self) -> RegistryError:
        return RegistryError(f"the registry at {self.url} answered wrongly: it is no GraphQL answer")

    def _of_connection(self, error: TransportConnectionFailed) -> RegistryError:
        cause = error.__cause__
        if isinstance(cause, httpx.TimeoutException):
            return RegistryTimeoutError(f"the registry at {self.url} gave no answer in time.")
        if isinstance(cause, httpx.HTTPStatusError):
            return self._of_status(cause.response.status_code)
        return RegistryError(f"cannot reach the registry at {self.url}: {_cut(str(cause or error))}.")

    def _of_status(self, status: int | None) -> RegistryError:
        return RegistryError(f"the registry at {self.url} answered with HTTP status {status}.", status=status)


def _is_mutation(request: GraphQLRequest) -> bool:
    chosen = get_operation_ast(request.document, request.operation_name)
    return chosen is not None and chosen.operation is OperationType.MUTATION


def _security_of(said: object) -> OperationSecurity | None:
    match said:
        case {"mode": str(mode), "nonces": list(nonces), "proofChain": "ed25519"}:
            return OperationSecurity(mode, frozenset(map(str, nonces)))
    return None


def _of_errors(errors: list[Any]) -> RegistryError:
    first = errors[0] if errors and isinstance(errors[0], dict) else {}
    extensions = first.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    message = _cut(str(first.get("message") or "an error without a message"))
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return RegistryError(
        f"the registry refused: {message}{more}", code=code if isinstance(code, str) else None
    )
