"""Taking back what an experiment published on services that are not ours."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hologram_dagster.e2e.events import EventLog
from hologram_dagster.e2e.removal import Removed, remove_all
from hologram_dagster.e2e.services import Services
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.registry.client import RegistryClient

_WORKERS = 4
_WITHIN_S = 120.0


def take_back(
    made: Sequence[tuple[str, str]], folder: Path, *, ipfs_api: str, graphql_url: str, token: str | None
) -> Removed:
    """Remove every (name, CID) of `made` from both services; the log of it goes to `folder`."""

    @contextmanager
    def services() -> Iterator[Services]:
        with IpfsClient(ipfs_api) as ipfs, RegistryClient(graphql_url, token=token) as registry:
            yield Services(ipfs=ipfs, registry=registry, events=EventLog(folder / "removal.jsonl", "chaos"))

    return remove_all(services, made, workers=_WORKERS, within_s=_WITHIN_S)
