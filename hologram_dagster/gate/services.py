"""The services that a run judges: the user's own, or an embedded stack of the run's.

What belongs here: which they are, starting and removing the embedded ones, and clients for
them. What does not: what is observed through them (`e2e`, `perf`).
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from hologram_dagster.e2e.events import EventLog
from hologram_dagster.e2e.services import Services
from hologram_dagster.errors import HologramError
from hologram_dagster.gate.run import GateRun
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.perf.cold_warm import Serve
from hologram_dagster.profiles import STRICT
from hologram_dagster.protocol.canonical import sha256_hex, stable
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.registry.operation_keys import load_operation_keys
from hologram_dagster.registry.operator import Operator, operating_as
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.settings import Settings
from hologram_dagster.stack.stack import Stack
from hologram_dagster.stack.status import status
from hologram_dagster.watch.sources import without_credentials

NODE, REGISTRY = "ipfs_node", "registry"
_SCHEMA = "{ __schema { types { name fields { name } } } }"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the services are; `embedded` says that this run started them itself."""

    ipfs_api: str
    graphql_url: str
    graphql_token: str | None
    embedded: bool


def own_endpoints(settings: Settings) -> Endpoints | None:
    """The user's services where `IPFS_API` and `GRAPHQL_URL` name them; None where neither does.

    Raises:
        HologramError: only one is set; a registry cannot read what another node holds.
    """
    if not settings.ipfs_api and not settings.graphql_url:
        return None
    if not settings.ipfs_api or not settings.graphql_url:
        missing = "GRAPHQL_URL" if settings.ipfs_api else "IPFS_API"
        raise HologramError(
            f"{missing} is not set, and its counterpart is: set both to judge your services, or neither "
            "for the embedded stack."
        )
    token = settings.graphql_token.get_secret_value() if settings.graphql_token else None
    return Endpoints(settings.ipfs_api, settings.graphql_url, token, embedded=False)


@contextmanager
def open_endpoints(run: GateRun) -> Iterator[Endpoints]:
    """The user's services, else an embedded stack; meanwhile this process signs its operations as the run.

    Raises:
        HologramError: see `own_endpoints` and `start_embedded_stack`; `HOLOGRAM_OPERATION_KEYS` names no
            file of keys.
    """
    own = own_endpoints(run.settings)
    if own is None:
        with start_embedded_stack(run) as embedded:
            yield embedded
        return
    with operating_as(operator_of(run.settings, run.signer)):
        yield own


def operator_of(settings: Settings, signer: Signer) -> Operator:
    """Who signs operations for the user's registry: `signer`, with the nonce key it shares, if one is set.

    Raises:
        HologramError: `HOLOGRAM_OPERATION_KEYS` names no file of keys.
    """
    path = settings.operation_keys
    return Operator(signer, None if path is None else load_operation_keys(path).nonce_key)


@contextmanager
def start_embedded_stack(run: GateRun) -> Iterator[Endpoints]:
    """A private stack for one run, in the state folder; removed with the run. Strict for main and nightly.

    Raises:
        HologramError: the node or the registry does not start.
    """
    stacks = run.settings.state_dir / "stack" / "runs"
    _remove_leftovers(stacks)
    folder = stacks / run.identity.run_id
    try:
        strict = run.plan.profile.name in STRICT
        with (
            Stack.start(folder, signer=run.signer, strict=strict) as stack,
            operating_as(stack.operator),
        ):
            yield Endpoints(stack.ipfs_api, stack.graphql_url, None, embedded=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(stacks: Path) -> None:
    """Remove the folders of stacks whose run was killed: the kernel has freed their locks."""
    if stacks.exists():
        for folder in stacks.iterdir():
            if not status(folder).running:
                shutil.rmtree(folder, ignore_errors=True)


def event_log(run: GateRun, suite: str, name: str = "events.jsonl") -> EventLog:
    """The log `name` for the events of `suite` (contract section 3.1)."""
    return EventLog(run.settings.reports_dir / "e2e" / name, suite)


@contextmanager
def fresh_registries(run: GateRun, endpoints: Endpoints) -> Iterator[Serve]:
    """What starts a registry anew on the same data each time, over the run's own node.

    The user's registry is not ours to restart: for it, what only gives its URL.

    Raises:
        HologramError: from what is given; a registry does not start.
    """
    if not endpoints.embedded:
        yield lambda: nullcontext(endpoints.graphql_url)
        return
    folder = run.settings.state_dir / "stack" / "fresh" / run.identity.run_id

    @contextmanager
    def serve() -> Iterator[str]:
        with RegistryProcess.start(folder, ipfs_api=endpoints.ipfs_api) as registry:
            yield registry.url

    try:
        yield serve
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def open_services(run: GateRun, endpoints: Endpoints, *, suite: str) -> Iterator[Services]:
    """Clients for `endpoints`, and the event log of all with `suite` (contract section 3.1)."""
    events = event_log(run, suite)
    with (
        IpfsClient(endpoints.ipfs_api) as ipfs,
        RegistryClient(endpoints.graphql_url, token=endpoints.graphql_token) as registry,
    ):
        yield Services(ipfs=ipfs, registry=registry, events=events)


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """A service under test: its address without credentials, and the version it states, if it does."""

    name: str
    url: str
    version: str | None


def services_seen(endpoints: Endpoints) -> Iterator[ServiceSeen]:
    """What answers at `endpoints`. A service that does not is seen without a version.

    GraphQL has no version: the registry's is a digest of the names in its schema.
    """
    with IpfsClient(endpoints.ipfs_api) as ipfs:
        yield _service_seen(NODE, endpoints.ipfs_api, ipfs.version)
    with RegistryClient(endpoints.graphql_url, token=endpoints.graphql_token) as registry:

        def schema() -> str:
            return f"schema {sha256_hex(stable(registry.execute(_SCHEMA)))[:16]}"

        yield _service_seen(REGISTRY, endpoints.graphql_url, schema)


def _service_seen(name: str, url: str, version: Callable[[], str]) -> ServiceSeen:
    try:
        stated: str | None = version()
    except HologramError:
        stated = None
    return ServiceSeen(name, without_credentials(url), stated)
