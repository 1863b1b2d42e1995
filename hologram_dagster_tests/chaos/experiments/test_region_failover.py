"""Two regions on one database: clients fail over and back, and what loses writes or reads old ones is red."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hologram_dagster.chaos.catalogue import CATALOGUE, Site, Theirs, carry_out_on
from hologram_dagster.chaos.experiments.region_failover import NAME, Failover, RegionFailover
from hologram_dagster.chaos.experiments.trial import carry_out
from hologram_dagster.chaos.history import History
from hologram_dagster.chaos.leftovers import Leftovers
from hologram_dagster.ipfs.providers import join, start_node
from hologram_dagster.observation import Status
from hologram_dagster.policy import ChaosCommands, ServiceCommands
from hologram_dagster.registry.client import RegistryError
from hologram_dagster.registry.process import RegistryProcess

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase5_graphql]

HANG_S = 120.0
_TRIES = 3


@pytest.mark.system("postgresql")
def test_a_region_is_killed_and_comes_back_and_nothing_is_lost(tmp_path: Path) -> None:
    # A host that is busy with other tests may leave it undecided.
    for number in range(_TRIES):
        site = Site(tmp_path / str(number), tmp_path / "chaos", Leftovers(tmp_path / "left"), budget_ms=100)
        seen, journal = carry_out_on(CATALOGUE[NAME], site)
        if seen.status is not Status.INCONCLUSIVE:
            break
    assert seen.status is Status.PASSED, seen.findings
    assert journal is not None
    assert seen.values["chaos_events"] == 1
    assert seen.values["switches"] >= 2
    assert seen.values["rto_ms"] < 30_000
    assert {"nothing_lost", "nothing_stale"} <= {finding.name for finding in seen.findings}
    assert (tmp_path / "chaos" / "journals" / f"{NAME}.operations.jsonl").exists()


@contextmanager
def regions_apart(folder: Path) -> Iterator[RegionFailover]:
    """Two regions that share no database: each knows only what was written to it."""
    with ExitStack() as owned:
        nodes = [start_node(folder, number=number) for number in (1, 2)]
        for node in nodes:
            owned.callback(node.stop)
        join(nodes)
        registries = [
            owned.enter_context(RegistryProcess.start(folder / str(number), ipfs_api=node.api_url))
            for number, node in enumerate(nodes)
        ]
        yield RegionFailover(
            (registries[0], nodes[0]),
            (registries[0].url, f"{nodes[0].api_url}/api/v0/version"),
            owned.enter_context(Failover([each.url for each in registries], timeout_s=10)),
            owned.enter_context(History()),
            lambda: join(nodes),
        )


def test_regions_that_do_not_share_what_is_written_are_red(tmp_path: Path) -> None:
    with regions_apart(tmp_path) as experiment:
        seen, _ = carry_out(experiment.trial())
    assert seen.status is Status.FAILED
    failed = {finding.name for finding in seen.findings if finding.status is Status.FAILED}
    # Which of them depends on what was being written when the region died.
    assert failed & {"nothing_lost", "nothing_stale"}


def test_a_client_goes_on_where_nobody_listens_and_not_where_it_is_refused(tmp_path: Path) -> None:
    with regions_apart(tmp_path) as experiment:
        client = experiment.client
        experiment.first[0].kill()
        assert experiment.read("chaos/nobody") is None
        assert (client.current, client.switched) == (1, 1)
        with pytest.raises(RegistryError, match="refused"):
            client.execute('mutation { upsertObject(name: "../up", content: "x") { cid } }', {})
        assert client.current == 1
        # Neither answers.
        with Failover(["http://127.0.0.1:9/graphql"] * 2, timeout_s=1) as lost, pytest.raises(RegistryError):
            lost.execute("{ __typename }", {})


def test_regions_of_the_users_are_killed_only_where_that_was_said(tmp_path: Path) -> None:
    def told(urls: tuple[str, ...], commands: ChaosCommands, allowed: str) -> tuple[Status, str]:
        theirs = Theirs(
            "http://one.test:5001", "http://one.test/graphql", None, commands, allowed, graphql_urls=urls
        )
        site = Site(tmp_path, tmp_path, Leftovers(tmp_path / "left"), budget_ms=100, theirs=theirs)
        seen, _ = carry_out_on(CATALOGUE[NAME], site)
        return seen.status, seen.why

    both = ("http://one.test/graphql", "http://two.test/graphql")
    killable = ChaosCommands(registry=ServiceCommands(kill=("false",), start=("true",)))
    for urls, commands, allowed, why in (
        ((), killable, "one.test", "name the registries of both in GRAPHQL_URLS"),
        (both, ChaosCommands(), "one.test", "[chaos.registry] in hologram.toml"),
        (both, killable, "two.test", "HOLOGRAM_ALLOW_DISRUPTION=one.test"),
    ):
        status, reason = told(urls, commands, allowed)
        assert (status, why in reason) == (Status.NOT_APPLICABLE, True), reason
