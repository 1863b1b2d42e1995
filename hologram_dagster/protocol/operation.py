"""What an operation over GraphQL carries: a frame with a nonce, and a proof (`extensions`).

What belongs here: how the two are made from a request, for clients and registries alike. What
does not: which of them a registry asks for (`registry.guard`).

The request is its method, its operation's name and its body: the RFC 8785 form of
`{operationName, query, variables}`, which keeps the order of arrays. `ctp96` is the contract's
frame (section 4.1) around their digest. `proof_chain` is the contract's proof (section 5.1); the
strict form is over the body and the frame, so that neither can be put with another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import rfc8785

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol import proof_chain
from hologram_dagster.protocol.nonce import frame, operation_data
from hologram_dagster.protocol.signing import Signer

FRAME: Final = "ctp96"
PROOF: Final = proof_chain.FIELD
METHOD: Final = "POST"


@dataclass(frozen=True, slots=True)
class Operation:
    """One request: the document, its variables, and the operation's name in it."""

    query: str
    variables: Mapping[str, Any] | None = None
    name: str | None = None

    def body(self) -> dict[str, Any]:
        """What is signed of it: what is absent is null."""
        variables = None if self.variables is None else dict(self.variables)
        return {"operationName": self.name, "query": self.query, "variables": variables}

    def data(self, method: str = METHOD) -> str:
        """What its frame is around: method, name and the body's digest.

        Raises:
            FormatError: the body has no RFC 8785 form.
        """
        try:
            body = rfc8785.dumps(self.body())
        except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
            raise FormatError(f"the operation has no RFC 8785 form: {error}.") from None
        return operation_data(method, self.name or "", body).decode()

    def proven(self, frame: object) -> dict[str, Any]:
        """What its proof is over in the strict form."""
        return {**self.body(), FRAME: frame}

    def proven_by_contract(self) -> dict[str, Any]:
        """What its proof is over in the contract's form, which binds neither name nor frame."""
        return {"query": self.query, "variables": None if self.variables is None else dict(self.variables)}


def extensions_of(
    operation: Operation, signer: Signer, *, now: float, nonce_key: bytes | None = None
) -> dict[str, Any]:
    """The `extensions` of `operation`, signed at `now` (epoch seconds); for one sending only.

    With a `nonce_key` the nonce has the authenticated form, which strict registries ask for.

    Raises:
        FormatError: the operation cannot be written as JSON.
    """
    framed = frame(operation.data(), now, key=nonce_key)
    proven = proof_chain.attach(operation.proven(framed), signer, now=int(now))
    return {FRAME: framed, PROOF: proven[PROOF]}
