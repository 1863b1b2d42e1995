"""The experiments by name: what each needs, and carrying it out on a site.

On services that this run starts for it, each experiment has a stack of its own, so that nothing else of the
run is disturbed. On the user's services only what can be done from outside is done, and only where
HOLOGRAM_ALLOW_DISRUPTION names their hosts.

What belongs here: putting services, load and experiment together. What does not: what is done to them and
what must hold (`chaos.experiments`), in which order (`chaos.running`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from urllib.parse import urljoin

from hologram_dagster.chaos import permission
from hologram_dagster.chaos.experiment import Leftover, Service
from hologram_dagster.chaos.experiments import (
    gql_backpressure,
    gql_latency,
    heuristics,
    ipfs_restart,
    partial_failure,
    region_failover,
    replication,
)
from hologram_dagster.chaos.experiments.gql_backpressure import GqlBackpressure
from hologram_dagster.chaos.experiments.gql_latency import GqlLatency, Leg
from hologram_dagster.chaos.experiments.heuristics import Heuristics
from hologram_dagster.chaos.experiments.ipfs_restart import IpfsRestart
from hologram_dagster.chaos.experiments.partial_failure import (
    Case,
    DatabaseLock,
    Operations,
    PartialFailure,
    database_locked,
    ipfs_down,
    ipfs_frozen,
    node_stopped,
    registry_down,
)
from hologram_dagster.chaos.experiments.publishing import Publisher
from hologram_dagster.chaos.experiments.region_failover import Failover, RegionFailover
from hologram_dagster.chaos.experiments.replication import Replication
from hologram_dagster.chaos.experiments.trial import Trial, carry_out
from hologram_dagster.chaos.faults.proxy import Proxy
from hologram_dagster.chaos.faults.services import Killable, user_service
from hologram_dagster.chaos.history import History
from hologram_dagster.chaos.journal import METHOD, Journal
from hologram_dagster.chaos.journal_file import operations_path
from hologram_dagster.chaos.leftovers import Leftovers
from hologram_dagster.chaos.load import Load
from hologram_dagster.chaos.taking_back import take_back
from hologram_dagster.errors import ServiceError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.ipfs.transport import Address
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.policy import ChaosCommands
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.stack.postgres import ABSENT, programs
from hologram_dagster.stack.regions import REGIONS, running_regions
from hologram_dagster.stack.stack import Stack

# Slow enough to leave the registry alone, and often enough to be seen in a plot.
_RESOLVES_PER_S = 5.0
_PUBLISHES_PER_S = 5.0
_HANG_S = 60.0
_NODES = 3
_NAME = "chaos/kept"
_DELAY_MS = 150.0
_DELAYED_SAMPLES = 10
_CONTENTS = 12
# As long as the contract's clients wait.
_CLIENT_TIMEOUT_S = 10.0
_CONTENT_BYTES = 1_000_000
_RESOLVE = "query($n: String!) { resolve(name: $n) { cid encoding } }"
_STORE = "mutation($n: String!, $c: String!) { upsertObject(name: $n, content: $c) { cid } }"

Result = tuple[Observation, Journal | None]


@dataclass(frozen=True, slots=True)
class Theirs:
    """Services of the user's, how they are killed and started, and HOLOGRAM_ALLOW_DISRUPTION.

    `graphql_urls` are the registries of all regions, the one that the commands are for first.
    """

    ipfs_api: str
    graphql_url: str
    token: str | None = None
    commands: ChaosCommands = ChaosCommands()  # noqa: RUF009 (it is frozen)
    allowed: str | None = None
    graphql_urls: tuple[str, ...] = ()

    @property
    def ipfs_url(self) -> str:
        """URL of the node's RPC, which may be given as a multiaddr."""
        return Address.parse(self.ipfs_api).url

    def take_back(self, made: Sequence[tuple[str, str]], folder: Path) -> None:
        """Remove every (name, CID) of `made` from them."""
        where = {"ipfs_api": self.ipfs_api, "graphql_url": self.graphql_url}
        take_back(made, folder, **where, token=self.token)

    @property
    def services(self) -> tuple[Service, Service]:
        """Both, as services that this run did not start."""
        return (
            Service("ipfs", self.ipfs_url, started_by_us=False),
            Service("registry", self.graphql_url, started_by_us=False),
        )


@dataclass(frozen=True, slots=True)
class Site:
    """Where an experiment is carried out: on `theirs`, or on services that it starts in `folder`.

    `reports` is `reports/chaos`, `budget_ms` the profile's for a resolve, `repeats` how often a node is
    killed.
    """

    folder: Path
    reports: Path
    leftovers: Leftovers
    budget_ms: float
    seed: int = 0
    repeats: int = 1
    theirs: Theirs | None = None

    def carry_out(self, trial: Trial, services: Sequence[Service]) -> Result:
        """Carry `trial` out here."""
        return carry_out(
            trial,
            seed=self.seed,
            services=services,
            allowed=self.theirs.allowed if self.theirs else None,
            folder=self.reports,
            leftovers=self.leftovers,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One experiment: its name (the asset's), what it is, and how it is carried out on a site."""

    name: str
    title: str
    conduct: Callable[[Site], Result]


def carry_out_on(entry: Entry, site: Site) -> Result:
    """Carry the experiment out; `not_applicable`, and nothing done, where `site` does not allow it.

    Raises:
        HologramError: what it needs does not start, or what a killed experiment left cannot be undone.
    """
    site.leftovers.sweep()
    if site.theirs is not None and (why := permission.refusal(site.theirs.services, site.theirs.allowed)):
        return not_applicable(entry.name, why), None
    with site.leftovers.noted(Leftover.path(site.folder)):
        return entry.conduct(site)


def not_applicable(name: str, why: str) -> Observation:
    """That the experiment `name` was not carried out, and why."""
    now = datetime.now(UTC)
    finding = Finding("applicable", Status.NOT_APPLICABLE, why)
    return Observation(name, Status.NOT_APPLICABLE, METHOD, now, now, findings=(finding,))


def _own_name() -> str:
    """A name that nobody else has, on services of others."""
    return f"{_NAME}-{token_hex(8)}"


def _needs_own_stack(name: str, why: str) -> Result:
    return not_applicable(name, f"{why}: it needs services that this run starts itself"), None


def _done(client: RegistryClient, query: str, **variables: str) -> None:
    if not all(client.execute(query, variables).values()):
        raise ServiceError("the registry answered with nothing")


def _resolving(url: str, token: str | None, name: str) -> Load:
    def resolve(_number: int) -> None:
        with RegistryClient(url, token=token, timeout_s=_HANG_S) as client:
            client.execute(_RESOLVE, {"n": name})

    return Load("resolve", resolve, rate_per_s=_RESOLVES_PER_S, timeout_s=_HANG_S)


@contextmanager
def _kept(stack: Stack) -> Iterator[tuple[Operations, tuple[Service, Service]]]:
    """Something published on `stack`, and both services with it as what must be there afterwards, too."""
    with Operations(stack.ipfs_api, stack.graphql_url, None, name=_NAME) as do:
        do.prepare()
        yield do, _services(stack.ipfs_api, stack.graphql_url, do)


def _services(ipfs_api: str, graphql_url: str, do: Operations) -> tuple[Service, Service]:
    return (
        Service("ipfs", ipfs_api, started_by_us=True, state=do.kept),
        Service("registry", graphql_url, started_by_us=True, state=do.registered),
    )


def _ipfs_restart(site: Site) -> Result:
    with ExitStack() as owned:
        if site.theirs is not None:
            on = site.theirs
            node = user_service("ipfs", on.commands.ipfs)
            if isinstance(node, str):
                return not_applicable(ipfs_restart.NAME, node), None
            publisher = owned.enter_context(Publisher(on.ipfs_api, on.graphql_url, on.token, seed=site.seed))
            owned.callback(
                lambda: on.take_back([(each.name, each.cid) for each in publisher.made], site.folder)
            )
            load = Load("publish", publisher.publish, rate_per_s=_PUBLISHES_PER_S, timeout_s=_HANG_S)
            restart = IpfsRestart(node, on.ipfs_url, publisher, load)
            start = [Leftover.command(node.start_command)]
            return site.carry_out(restart.trial(repeats=site.repeats, leftovers=start), on.services)
        stack = owned.enter_context(Stack.start(site.folder))
        _, services = owned.enter_context(_kept(stack))
        publisher = owned.enter_context(Publisher(stack.ipfs_api, stack.graphql_url, seed=site.seed))
        load = Load("publish", publisher.publish, rate_per_s=_PUBLISHES_PER_S, timeout_s=_HANG_S)
        restart = IpfsRestart(stack.node, stack.ipfs_api, publisher, load, lambda: stack.node.alive)
        return site.carry_out(restart.trial(repeats=site.repeats), services)


def _gql_latency(site: Site) -> Result:
    if site.theirs is not None:
        return _needs_own_stack(gql_latency.NAME, "delay goes between a registry and its node, too")
    with (
        IpfsNode.start(site.folder / "node") as node,
        Proxy.start(node.api_url, seed=site.seed) as to_ipfs,
        RegistryProcess.start(site.folder / "registry", ipfs_api=to_ipfs.url) as registry,
        Proxy.start(registry.url, seed=site.seed) as to_registry,
        Operations(node.api_url, registry.url, None, name=_NAME) as do,
        RegistryClient(to_registry.url, timeout_s=_HANG_S) as client,
    ):
        do.prepare()
        latency = GqlLatency(
            {Leg.REGISTRY: to_registry, Leg.IPFS: to_ipfs},
            {
                Leg.REGISTRY: (urljoin(to_registry.url, "/health"), urljoin(registry.url, "/health")),
                Leg.IPFS: (f"{to_ipfs.url}/api/v0/version", f"{node.api_url}/api/v0/version"),
            },
            {
                "resolve": lambda: _done(client, _RESOLVE, n=_NAME),
                "store": lambda: _done(client, _STORE, n=f"{_NAME}/again", c=_NAME),
            },
            budget_ms=site.budget_ms,
            delay_ms=_DELAY_MS,
            samples=_DELAYED_SAMPLES,
        )
        load = _resolving(to_registry.url, None, _NAME)
        return site.carry_out(latency.trial(load), _services(node.api_url, registry.url, do))


def _gql_backpressure(site: Site) -> Result:
    if site.theirs is not None:
        on, name = site.theirs, _own_name()
        with Operations(on.ipfs_api, on.graphql_url, on.token, name=name) as do:
            do.prepare()
            pressure = GqlBackpressure(on.graphql_url, on.token, name, site.budget_ms)
            try:
                return site.carry_out(
                    pressure.trial(_resolving(on.graphql_url, on.token, name)), on.services[1:]
                )
            finally:
                on.take_back([(name, do.cid)], site.folder)
    with Stack.start(site.folder) as stack, _kept(stack) as (_, services):
        pressure = GqlBackpressure(stack.graphql_url, None, _NAME, site.budget_ms, below=True)
        return site.carry_out(pressure.trial(_resolving(stack.graphql_url, None, _NAME)), services)


def _partial_failure(site: Site) -> Result:
    if site.theirs is not None:
        return _partial_failure_of_theirs(site, site.theirs)
    with (
        Stack.start(site.folder, nodes=_NODES) as stack,
        _kept(stack) as (do, services),
        ExitStack() as owned,
    ):
        others = [owned.enter_context(IpfsClient(api, timeout_s=_HANG_S)) for api in stack.ipfs_apis[1:]]
        for other in others:
            other.pin_add(do.cid)
        last = stack.nodes[-1]
        lock = DatabaseLock(stack.registry.folder / "registry.sqlite")
        cases = [
            ipfs_down(stack.node, stack.ipfs_api, do),
            # Its process is another one once it was killed.
            ipfs_frozen(lambda: stack.node.pid, stack.ipfs_api, do),
            registry_down(stack.registry, stack.graphql_url, do),
            database_locked(lock, do),
            node_stopped(last.pid, last.api_url, others[:-1], do),
        ]
        load = _resolving(stack.graphql_url, None, _NAME)
        return site.carry_out(PartialFailure(cases).trial(do.steady, load=load), services)


def _partial_failure_of_theirs(site: Site, on: Theirs) -> Result:
    """The cases for which kill and start commands are configured."""
    node, registry = (
        user_service("ipfs", on.commands.ipfs),
        user_service("registry", on.commands.registry),
    )
    if isinstance(node, str) or isinstance(registry, str):
        why = next(each for each in (node, registry) if isinstance(each, str))
        return not_applicable(partial_failure.NAME, why), None
    name = _own_name()
    with Operations(on.ipfs_api, on.graphql_url, on.token, name=name) as do:
        do.prepare()
        cases: list[Case] = [
            ipfs_down(node, on.ipfs_url, do, leftovers=[Leftover.command(node.start_command)]),
            registry_down(registry, on.graphql_url, do, leftovers=[Leftover.command(registry.start_command)]),
        ]
        load = _resolving(on.graphql_url, on.token, name)
        try:
            return site.carry_out(PartialFailure(cases).trial(do.steady, load=load), on.services)
        finally:
            on.take_back([(name, do.cid)], site.folder)


def _replication(site: Site) -> Result:
    if site.theirs is not None:
        return _needs_own_stack(replication.NAME, "nodes lose all they have")
    with (
        Stack.start(site.folder, nodes=_NODES) as stack,
        _kept(stack) as (_, services),
        Publisher(stack.ipfs_api, stack.graphql_url, seed=site.seed, try_timeout_s=_HANG_S) as publisher,
        RegistryClient(stack.graphql_url, timeout_s=_HANG_S) as client,
    ):
        for number in range(_CONTENTS):
            publisher.publish(number)
        copied = Replication(
            stack.nodes,
            publisher.acknowledged,
            lambda made: _done(client, _RESOLVE, n=made.name),
            stack.rejoin,
        )
        return site.carry_out(copied.trial(_resolving(stack.graphql_url, None, _NAME)), services)


def _region_failover(site: Site) -> Result:
    if site.theirs is not None:
        return _region_failover_of_theirs(site, site.theirs)
    if programs() is None:
        return not_applicable(region_failover.NAME, f"both regions write to one database. {ABSENT}"), None
    with running_regions(site.folder) as regions:
        node, registry = regions.nodes[0], regions.registries[0]
        services = tuple(
            Service(f"registry {number}", url, started_by_us=True)
            for number, url in enumerate(regions.graphql_urls, 1)
        )
        pages = (registry.url, f"{node.api_url}/api/v0/version")
        return _failing_over(
            site, (registry, node), pages, regions.graphql_urls, regions.rejoin, services, token=None
        )


def _region_failover_of_theirs(site: Site, on: Theirs) -> Result:
    """On the registries that GRAPHQL_URLS names, the first of which can be killed and started by commands."""
    if len(on.graphql_urls) < REGIONS:
        why = "there is one region: name the registries of both in GRAPHQL_URLS, comma between"
        return not_applicable(region_failover.NAME, why), None
    registry = user_service("registry", on.commands.registry)
    if isinstance(registry, str):
        return not_applicable(region_failover.NAME, registry), None
    services = tuple(
        Service(f"registry {number}", url, started_by_us=False)
        for number, url in enumerate(on.graphql_urls, 1)
    )
    return _failing_over(
        site,
        (registry,),
        on.graphql_urls[:1],
        on.graphql_urls,
        lambda: None,
        services,
        token=on.token,
        leftovers=[Leftover.command(registry.start_command)],
    )


def _failing_over(
    site: Site,
    first: Sequence[Killable],
    pages: Sequence[str],
    urls: Sequence[str],
    rejoin: Callable[[], None],
    services: Sequence[Service],
    *,
    token: str | None,
    leftovers: Sequence[Leftover] = (),
) -> Result:
    with (
        History(operations_path(site.reports, region_failover.NAME)) as history,
        Failover(urls, timeout_s=_CLIENT_TIMEOUT_S, token=token) as client,
    ):
        failing_over = RegionFailover(first, pages, client, history, rejoin, leftovers=leftovers)
        try:
            return site.carry_out(failing_over.trial(), services)
        finally:
            if site.theirs is not None:
                site.theirs.take_back(list(failing_over.made.items()), site.folder)


def _heuristics(site: Site) -> Result:
    if site.theirs is not None:
        return _needs_own_stack(heuristics.NAME, "known causes are injected around known services")
    with Stack.start(site.folder) as stack, _kept(stack) as (_, services), ExitStack() as owned:
        to_registry, to_ipfs = (
            owned.enter_context(Proxy.start(url, seed=site.seed))
            for url in (stack.graphql_url, stack.ipfs_api)
        )
        with IpfsClient(stack.ipfs_api, timeout_s=_HANG_S) as client:
            cid = client.add(bytes(number % 251 for number in range(_CONTENT_BYTES)))
        tried = Heuristics(to_registry, to_ipfs, stack.graphql_url, _NAME, cid)
        owned.callback(tried.lift)
        return site.carry_out(tried.trial(), services)


CATALOGUE: Mapping[str, Entry] = {
    module.NAME: Entry(module.NAME, module.TITLE, conduct)
    for module, conduct in (
        (ipfs_restart, _ipfs_restart),
        (gql_latency, _gql_latency),
        (gql_backpressure, _gql_backpressure),
        (partial_failure, _partial_failure),
        (heuristics, _heuristics),
        (replication, _replication),
        (region_failover, _region_failover),
    )
}
