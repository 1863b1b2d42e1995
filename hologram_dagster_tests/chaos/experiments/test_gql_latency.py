"""Delay costs each round trip once; a registry that makes extra ones, or is slow itself, is red."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import pytest

from hologram_dagster.chaos.experiments.gql_latency import GqlLatency, Leg
from hologram_dagster.chaos.experiments.trial import carry_out
from hologram_dagster.chaos.faults.proxy import Proxy
from hologram_dagster.errors import ServiceError
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.observation import Status
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.registry.process import RegistryProcess

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase5_graphql]

RESOLVE = 'query { resolve(name: "chaos/latency") { encoding } }'
STORE = 'mutation { upsertObject(name: "chaos/latency", content: "the same again") { cid } }'
LOOSE_MS = 60_000.0
DELAY_MS = 60.0


@dataclass
class Rig:
    """A real registry behind a proxy, over a real node behind another."""

    proxies: dict[Leg, Proxy]
    registry: RegistryProcess
    node: IpfsNode

    @contextmanager
    def experiment(self, *, times: int = 1) -> Iterator[GqlLatency]:
        """The experiment; each operation is sent `times` times over."""
        with RegistryClient(self.proxies[Leg.REGISTRY].url, timeout_s=60) as client:

            def operation(query: str) -> None:
                for _ in range(times):
                    if not all(client.execute(query).values()):
                        raise ServiceError("nothing came back")

            client.execute(STORE)
            made = GqlLatency(
                self.proxies,
                {
                    Leg.REGISTRY: (
                        urljoin(self.proxies[Leg.REGISTRY].url, "/health"),
                        urljoin(self.registry.url, "/health"),
                    ),
                    Leg.IPFS: (
                        f"{self.proxies[Leg.IPFS].url}/api/v0/version",
                        f"{self.node.api_url}/api/v0/version",
                    ),
                },
                {"resolve": lambda: operation(RESOLVE), "store": lambda: operation(STORE)},
                budget_ms=LOOSE_MS,
                delay_ms=DELAY_MS,
                samples=5,
            )
            try:
                yield made
            finally:
                made.lift()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder: Path = tmp_path_factory.mktemp("latency")
    with (
        IpfsNode.start(folder / "node") as node,
        Proxy.start(node.api_url, seed=1) as to_ipfs,
        RegistryProcess.start(folder / "registry", ipfs_api=to_ipfs.url) as registry,
        Proxy.start(registry.url, seed=1) as to_registry,
    ):
        yield Rig({Leg.REGISTRY: to_registry, Leg.IPFS: to_ipfs}, registry, node)


@pytest.mark.study  # a shift within 1.2 times of 120 ms wants a host that does nothing else
def test_each_round_trip_is_delayed_once(rig: Rig) -> None:
    # As often as the host takes to let a median be one.
    for _ in range(5):
        with rig.experiment() as experiment:
            seen, _ = carry_out(experiment.trial())
        if seen.status is Status.PASSED:
            break
    assert seen.status is Status.PASSED, seen.findings
    assert seen.values["chaos_events"] == 2
    assert seen.values["resolve_registry_delayed_p50_ms"] >= 2 * DELAY_MS
    assert seen.values["store_ipfs_delayed_p50_ms"] >= 4 * DELAY_MS
    assert seen.values["resolve_ipfs_delayed_p50_ms"] < 2 * DELAY_MS


def test_the_delay_is_witnessed_by_a_request_that_is_no_operation(rig: Rig) -> None:
    with rig.experiment() as experiment:
        assert not any(experiment.witness(leg)[0] for leg in Leg)
        for leg in Leg:
            experiment.inject(leg)
            assert any(experiment.witness(leg)[0] for _ in range(5))
            experiment.lift()
        assert experiment.values()["chaos_events"] == 2


def test_operations_that_make_extra_round_trips_are_red(rig: Rig) -> None:
    # Far beyond what is allowed: a host that is busy at the steady state hides a part of the shift.
    with rig.experiment(times=3) as experiment:
        experiment.samples = 4
        experiment.measure(None)
        for leg in Leg:
            experiment.inject(leg)
            experiment.measure(leg)
            experiment.lift()
        found = {finding.name: finding for finding in experiment.findings()}
        for name in ("resolve_registry_shift", "store_registry_shift", "store_ipfs_shift"):
            assert found[name].status is Status.FAILED, found[name]


def test_without_a_witness_nothing_is_timed_and_the_outcome_is_inconclusive(rig: Rig) -> None:
    with rig.experiment() as experiment:
        experiment.samples = 1
        # Asked directly both times, so that no delay can be seen.
        experiment.probe_urls = {leg: (direct, direct) for leg, (_, direct) in experiment.probe_urls.items()}
        seen, _ = carry_out(experiment.trial())
    assert seen.status is Status.INCONCLUSIVE
    assert [each.message for each in seen.findings if each.name == "timed"] == [
        "no operation was timed with delay to the registry, with delay to the ipfs"
    ]


def test_a_resolve_beyond_its_budget_and_the_delay_is_red(rig: Rig) -> None:
    with rig.experiment() as experiment:
        experiment.samples = 2
        experiment.budget_ms = 0.01
        experiment.measure(None)
        for leg in Leg:
            experiment.measure(leg)
        found = {finding.name: finding for finding in experiment.findings()}
        assert found["resolve_ipfs_budget"].status is Status.FAILED
        # No delay was injected, so that shifts say nothing.
        assert found["resolve_registry_shift"].status is Status.INCONCLUSIVE
