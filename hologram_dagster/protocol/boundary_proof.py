"""Phi and the boundary proof: that a step left what it carries unchanged (contract section 6.6)."""

from collections.abc import Mapping
from typing import Any, Final

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.canonical import ccm, stable_ordered
from hologram_dagster.protocol.strict_json import parse_json

DOMAIN: Final = "boundary"


def phi(value: object) -> Any:
    """A copy of a JSON value in canonical form, sharing nothing with it: idempotent.

    Raises:
        FormatError: it is no JSON value.
    """
    text = stable_ordered(value)
    return parse_json(text, what="value", limit=len(text))


def prove_boundary(before: object, after: object) -> dict[str, Any]:
    """The hashes of both JSON values, and whether the second preserves the first.

    The hashes ignore the order of arrays; `preserves` does not.

    Raises:
        FormatError: one is no JSON value.
    """
    return {
        "before": ccm(before, DOMAIN),
        "after": ccm(after, DOMAIN),
        "preserves": stable_ordered(before) == stable_ordered(after),
        "domain": DOMAIN,
    }


def boundary_holds(proof: object, before: object, after: object) -> bool:
    """Whether `proof` is the one over these two values; False for anything malformed."""
    if not isinstance(proof, Mapping):
        return False
    try:
        return stable_ordered(proof) == stable_ordered(prove_boundary(before, after))
    except FormatError:
        return False
