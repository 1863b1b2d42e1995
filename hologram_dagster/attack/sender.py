"""Sending operations to a registry as any client could: signed rightly, or with whatever in them."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

import httpx

from hologram_dagster.errors import ServiceError
from hologram_dagster.protocol.operation import Operation, extensions_of
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.registry.operator import Operator

DONE: Final = "done"
STORE: Final = "mutation($n: String!, $c: String!) { upsertObject(name: $n, content: $c) { name } }"
REMOVE: Final = "mutation($n: String!) { unpublishApp(name: $n) { name } }"
READ: Final = "query($n: String!) { resolve(name: $n) { name } }"
_TIMEOUT_S: Final = 30.0


class Sender:
    """Operations by `operator`, whose key the registry knows. Safe to use from several threads.

    `token` goes verbatim as `authorization`. A context manager closes the connections.
    """

    def __init__(self, operator: Operator, token: str | None = None) -> None:
        self.operator = operator
        headers = {"authorization": token} if token else {}
        limits = httpx.Limits(max_connections=None)
        self._http = httpx.Client(timeout=_TIMEOUT_S, trust_env=False, headers=headers, limits=limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def signed(
        self,
        query: str,
        variables: Mapping[str, Any],
        *,
        signer: Signer | None = None,
        nonce_key: bytes | None = None,
        age_s: float = 0,
    ) -> dict[str, Any]:
        """The body of an operation, signed `age_s` seconds ago; by another key where one is given."""
        extensions = extensions_of(
            Operation(query, variables),
            signer or self.operator.signer,
            now=time.time() - age_s,
            nonce_key=nonce_key or self.operator.nonce_key,
        )
        return {"query": query, "variables": dict(variables), "extensions": extensions}

    def send(self, url: str, body: Mapping[str, Any]) -> str:
        """What the registry answers to `body`: `done`, or the code of its first error.

        Raises:
            ServiceError: no answer, or none of a registry.
        """
        try:
            content: Any = self._http.post(url, json=dict(body)).json()
        except (httpx.HTTPError, ValueError) as error:
            raise ServiceError(f"the registry at {url} gave no answer: {type(error).__name__}.") from error
        match content:
            case {"errors": [{"extensions": {"code": str(code)}}, *_]}:
                return code
            case {"errors": _}:
                return "an error without a code"
            case {"data": _}:
                return DONE
        raise ServiceError(f"the registry at {url} answered with neither data nor errors.")
