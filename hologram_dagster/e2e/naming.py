"""Publishing a CID under a name and resolving it, in whatever form the registry offers.

What belongs here: the requests, and holding the answers to say what was published. What
does not: when they are sent (`basic`, `load`), the strict form (`strict`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hologram_dagster.e2e.faults import not_in_schema
from hologram_dagster.e2e.services import StepFailed, dig
from hologram_dagster.e2e.variants import Answered, Variant, first_that_works
from hologram_dagster.registry.client import RegistryClient, RegistryError

_PUBLISH = tuple(
    Variant(name, ("cid", "name"), "id cid name")
    for name in ("publishApp", "marketplacePublish", "upsertService")
)
_RESOLVE = "query($name: String!) { resolve(name: $name) { encoding cid } }"
_RESOLVE_WITHOUT_CID = "query($name: String!) { resolve(name: $name) { encoding } }"


class WrongAnswer(StepFailed):
    """The registry or the node answered, and what it answered is not what was published."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The answer to a resolve; `offers_cid` says whether the registry's schema has the CID."""

    data: Mapping[str, Any]
    offers_cid: bool


def publish(registry: RegistryClient, name: str, cid: str) -> Answered:
    """Publish `cid` as `name` by the first variant that works; raises as `first_that_works`."""
    return first_that_works(registry, _PUBLISH, {"cid": cid, "name": name})


def check_published(done: Answered, name: str, cid: str) -> None:
    """Hold `done` to be about `name` and `cid`.

    Raises:
        WrongAnswer: it is about another.
    """
    for field, published in (("cid", cid), ("name", name)):
        seen = done.result.get(field)
        if seen != published:
            raise WrongAnswer(f"{done.variant} answered {field} {seen}, published was {published}")


def resolve(registry: RegistryClient, name: str) -> Resolved:
    """What `name` resolves to.

    Raises:
        RegistryError: the registry refused, or could not be asked.
    """
    try:
        return Resolved(registry.execute(_RESOLVE, {"name": name}), offers_cid=True)
    except RegistryError as error:
        if not not_in_schema(error):
            raise
    return Resolved(registry.execute(_RESOLVE_WITHOUT_CID, {"name": name}), offers_cid=False)


def check_resolved(resolved: Resolved, name: str, cid: str) -> None:
    """Hold `resolved` to have an encoding, and the CID `cid` where it has one.

    Raises:
        WrongAnswer: it has not.
    """
    encoding = dig(resolved.data, "resolve", "encoding")
    if not isinstance(encoding, str) or not encoding:
        raise WrongAnswer(f"{name} resolves to no encoding: {encoding!r}")
    named = dig(resolved.data, "resolve", "cid")
    if resolved.offers_cid and named != cid:
        raise WrongAnswer(f"{name} names {named} now, published was {cid}")
