"""Copies on three nodes: all there on our stack; a registry that makes none is red, and says of what."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from hologram_dagster.chaos.experiments.publishing import Publication, Publisher
from hologram_dagster.chaos.experiments.replication import Replication
from hologram_dagster.chaos.experiments.trial import carry_out
from hologram_dagster.errors import ServiceError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.providers import join, start_node
from hologram_dagster.observation import Status
from hologram_dagster.processes import wait_until
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.registry.process import RegistryProcess

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase4_network]

HANG_S = 120.0
RESOLVE = "query($n: String!) { resolve(name: $n) { cid } }"


def lacks(ipfs: IpfsClient, cid: str) -> bool:
    return not ipfs.is_pinned(cid)


@contextmanager
def replication(
    folder: Path, *, replicas: bool, limit_s: float
) -> Iterator[tuple[Replication, RegistryClient]]:
    """The experiment on three nodes, over which the registry makes copies or does not."""
    with ExitStack() as owned:
        nodes = [start_node(folder, number=number) for number in (1, 2, 3)]
        for node in nodes:
            owned.callback(node.stop)
        join(nodes)
        registry = owned.enter_context(
            RegistryProcess.start(
                folder / "registry",
                ipfs_api=nodes[0].api_url,
                replica_apis=[node.api_url for node in nodes[1:]] if replicas else (),
            )
        )
        publisher = owned.enter_context(
            Publisher(nodes[0].api_url, registry.url, seed=1, try_timeout_s=HANG_S)
        )
        client = owned.enter_context(RegistryClient(registry.url, timeout_s=HANG_S))
        for number in range(3):
            publisher.publish(number)

        def resolve(made: Publication) -> None:
            if not client.execute(RESOLVE, {"n": made.name})["resolve"]:
                raise ServiceError(f"{made.name} does not resolve")

        copied = Replication(
            nodes, publisher.acknowledged, resolve, lambda: join(nodes), repair_limit_s=limit_s
        )
        yield copied, client


def test_every_content_is_on_three_nodes_and_a_lost_copy_is_made_again(tmp_path: Path) -> None:
    with replication(tmp_path, replicas=True, limit_s=HANG_S) as (experiment, client):
        seen, _ = carry_out(experiment.trial())
        assert seen.status is Status.PASSED, seen.findings
        assert seen.values["replication_factor"] == 3
        assert seen.values["chaos_events"] == 7
        assert seen.values["repair_ms"] > 0
        # A name that goes takes its copies along.
        made = experiment.published[0]
        client.execute("mutation($n: String!) { unpublishApp(name: $n) { name } }", {"n": made.name})
        for node in experiment.nodes:
            with IpfsClient(node.api_url, timeout_s=HANG_S) as ipfs:
                assert wait_until(partial(lacks, ipfs, made.cid), timeout_s=HANG_S)


def test_a_registry_that_makes_no_copies_is_red(tmp_path: Path) -> None:
    with replication(tmp_path, replicas=False, limit_s=3) as (experiment, _):
        assert "lacks 3 of 3 contents" in experiment.lacking()
        experiment.read_timeout_s = 1
        seen, journal = carry_out(experiment.trial())
    assert seen.status is Status.FAILED
    found = {finding.name: finding.status for finding in experiment.findings()}
    assert found["replication_factor"] is found["two_gone"] is found["repaired"] is Status.FAILED
    assert "not as before within 3 s" in journal.told
