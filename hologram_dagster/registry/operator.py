"""As whom this process signs the operations that it sends to registries.

Ambient on purpose: every client of the process signs alike, wherever it was made, as it is the
process that holds the keys.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hologram_dagster.protocol.signing import Signer


@dataclass(frozen=True, slots=True)
class Operator:
    """Whose signature, and the key of nonces shared with the registry; without one nothing is signed."""

    signer: Signer
    nonce_key: bytes | None = None


class _Current:
    operator: Operator | None = None


def current_operator() -> Operator | None:
    """Who signs now; None for nobody."""
    return _Current.operator


@contextmanager
def operating_as(operator: Operator | None) -> Iterator[None]:
    """Let all clients of this process sign as `operator` meanwhile; not for several at once."""
    before, _Current.operator = _Current.operator, operator
    try:
        yield
    finally:
        _Current.operator = before
