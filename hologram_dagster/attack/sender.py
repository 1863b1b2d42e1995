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
NOTHING: Final = "nothing"
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
        self._token = token
        limits = httpx.Limits(max_connections=None)
        self._http = httpx.Client(timeout=_TIMEOUT_S, trust_env=False, limits=limits)

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

    def send(self, url: str, body: object, *, token: str | None = None) -> str:
        """What the registry answers to `body`, as `outcome` puts it; `token` as in `answer`.

        Raises:
            ServiceError: no answer, or none of a registry.
        """
        return outcome(self.answer(url, body, token=token))

    def answer(self, url: str, body: object, *, token: str | None = None) -> dict[str, Any]:
        """The registry's answer to `body`, which has data or errors; `token` (empty: none) for the sender's.

        Raises:
            ServiceError: no answer, or none of a registry.
        """
        chosen = self._token if token is None else token
        headers = {"authorization": chosen} if chosen else {}
        try:
            content: Any = self._http.post(url, json=body, headers=headers).json()
        except (httpx.HTTPError, ValueError) as error:
            raise ServiceError(f"the registry at {url} gave no answer: {type(error).__name__}.") from error
        if isinstance(content, dict) and {"data", "errors"} & content.keys():
            return content
        raise ServiceError(f"the registry at {url} answered with neither data nor errors.")


def outcome(answer: Mapping[str, Any]) -> str:
    """The code of an answer's first error; else `nothing` where no field has anything; else `done`."""
    match answer:
        case {"errors": [{"extensions": {"code": str(code)}}, *_]}:
            return code
        case {"errors": _}:
            return "an error without a code"
        case {"data": {**fields}} if not any(fields.values()):
            return NOTHING
    return DONE
