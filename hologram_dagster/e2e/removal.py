"""Taking back what an end-to-end run published and pinned.

The names and contents of a run are its own (each has random or dated parts), so nothing
that anybody else relies on is removed.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

from hologram_dagster.e2e.faults import answered
from hologram_dagster.e2e.services import Services, StepFailed, dig, require
from hologram_dagster.e2e.variants import NotOfferedError, Variant, first_that_works
from hologram_dagster.errors import HologramError
from hologram_dagster.registry.client import RegistryError

# Not in the contract, which cannot take a name back: the reference registry's own.
_UNPUBLISH = Variant("unpublishApp", ("name",), "name status")
_ROUNDS_IN_VAIN = 5
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


@dataclass(frozen=True, slots=True)
class Removed:
    """What became of many removals: what stays for want of a way to remove it, and what failed."""

    stays: tuple[str, ...]
    failed: tuple[str, ...]


def remove_all(
    open_services: Callable[[], AbstractContextManager[Services]],
    made: Sequence[tuple[str, str]],
    *,
    workers: int,
    within_s: float,
) -> Removed:
    """Take back all (name, CID) of `made`, with `workers` threads, in at most about `within_s` seconds.

    What fails is tried again, until five rounds in a row have removed nothing: a service that
    was under load may refuse some for a while.
    """
    deadline = time.monotonic() + within_s
    stays: list[str] = []

    def share(pairs: Sequence[tuple[str, str]]) -> list[tuple[tuple[str, str], str]]:
        failed = []
        with open_services() as services:
            for name, cid in pairs:
                if time.monotonic() > deadline:
                    failed.append(((name, cid), f"{name} was not removed within {within_s:g} s"))
                    continue
                try:
                    stays.extend(filter(None, [remove(services, name, [cid])]))
                except (StepFailed, HologramError) as error:
                    failed.append(((name, cid), str(error)))
        return failed

    left, causes, in_vain = list(made), list[str](), 0
    with ThreadPoolExecutor(workers) as pool:
        while left and in_vain < _ROUNDS_IN_VAIN and time.monotonic() <= deadline:
            shares = [left[number::workers] for number in range(workers)]
            failed = [each for done in pool.map(share, shares) for each in done]
            causes = [cause for _, cause in failed]
            in_vain = in_vain + 1 if len(failed) == len(left) else 0
            left = [pair for pair, _ in failed]
    return Removed(tuple(stays), tuple(causes))
