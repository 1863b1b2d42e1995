"""Taking back what an end-to-end run published and pinned.

The names and contents of a run are its own (each has random or dated parts), so nothing
that anybody else relies on is removed.
"""

from collections.abc import Sequence

from hologram_dagster.e2e.faults import answered
from hologram_dagster.e2e.services import Services, dig, require
from hologram_dagster.e2e.variants import NotOfferedError, Variant, first_that_works
from hologram_dagster.errors import HologramError
from hologram_dagster.registry.client import RegistryError

# Not in the contract, which cannot take a name back: the reference registry's own.
_UNPUBLISH = Variant("unpublishApp", ("name",), "name status")
_RESOLVE = "query($name: String!) { resolve(name: $name) { encoding } }"


def remove(services: Services, name: str, cids: Sequence[str]) -> str:
    """Take `name` back where the registry can, and unpin `cids`; returns what stays, if anything.

    Unpins even where the name stays.

    Raises:
        StepFailed: the name or a pin is left although it could have been removed.
        RegistryError: the registry could not be asked; the pins are gone.
    """
    try:
        stays = _unpublish(services, name)
    finally:
        left = [fault for cid in cids if (fault := _unpin(services, cid))]
    require(not left, "; ".join(left))
    return stays


def _unpublish(services: Services, name: str) -> str:
    try:
        first_that_works(services.registry, [_UNPUBLISH], {"name": name})
    except NotOfferedError:
        return f"the registry offers no {_UNPUBLISH.name}, so the name {name} stays"
    try:
        encoding = dig(services.registry.execute(_RESOLVE, {"name": name}), "resolve", "encoding")
    except RegistryError as error:
        if not answered(error):
            raise
        # To many registries a name they do not know is an error (contract section 3.4).
        encoding = None
    require(not encoding, f"{name} still resolves after {_UNPUBLISH.name}")
    return ""


def _unpin(services: Services, cid: str) -> str | None:
    try:
        if services.ipfs.is_pinned(cid):
            services.ipfs.pin_rm(cid)
    except HologramError as error:
        return f"{cid} may still be pinned: {error}"
    return None
