"""One part gone: on the real stack all does as it must; what does not is seen."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from hologram_dagster.chaos.experiments.partial_failure import (
    Case,
    DatabaseLock,
    Expectation,
    Operations,
    PartialFailure,
    database_locked,
    ipfs_down,
    ipfs_frozen,
    node_stopped,
    refused,
    registry_down,
    with_code,
)
from hologram_dagster.chaos.experiments.trial import carry_out
from hologram_dagster.errors import ServiceError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.observation import Observation, Status
from hologram_dagster.stack.stack import Stack

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase5_graphql]

HANG_S = 120.0


@dataclass
class Rig:
    stack: Stack
    do: Operations
    lock: DatabaseLock


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder: Path = tmp_path_factory.mktemp("partial")
    with (
        Stack.start(folder) as stack,
        Operations(stack.ipfs_api, stack.graphql_url, None, name="chaos/partial") as do,
    ):
        do.prepare()
        yield Rig(stack, do, DatabaseLock(folder / "registry" / "registry.sqlite"))


def carried_out(case: Case, do: Operations) -> Observation:
    # How busy the host is, is not for a test to say.
    experiment = PartialFailure([case], fast_s=HANG_S)
    return carry_out(experiment.trial(do.steady, limit_s=HANG_S))[0]


def test_without_its_node_the_registry_reads_and_refuses_changes(rig: Rig) -> None:
    case = ipfs_down(rig.stack.node, rig.stack.ipfs_api, rig.do)
    seen = carried_out(case, rig.do)
    assert seen.status is Status.PASSED, seen.findings
    assert (seen.values["chaos_events"], seen.values["success_rate"]) == (1, 1)


def test_with_its_node_frozen_the_registry_reads_and_ends_changes(rig: Rig) -> None:
    case = ipfs_frozen(lambda: rig.stack.node.pid, rig.stack.ipfs_api, rig.do)
    seen = carried_out(case, rig.do)
    assert seen.status is Status.PASSED, seen.findings


def test_without_the_registry_content_is_there(rig: Rig) -> None:
    case = registry_down(rig.stack.registry, rig.stack.graphql_url, rig.do)
    seen = carried_out(case, rig.do)
    assert seen.status is Status.PASSED, seen.findings


def test_with_its_database_locked_the_registry_reads_and_refuses_changes(rig: Rig) -> None:
    seen = carried_out(database_locked(rig.lock, rig.do), rig.do)
    assert seen.status is Status.PASSED, seen.findings


def test_with_one_of_three_nodes_stopped_everything_is_there(rig: Rig, tmp_path: Path) -> None:
    with ExitStack() as owned:
        nodes = [owned.enter_context(IpfsNode.start(tmp_path / f"node-{number}")) for number in (2, 3)]
        clients = [owned.enter_context(IpfsClient(node.api_url, timeout_s=60)) for node in nodes]
        for client in clients:
            client.swarm_connect(f"{rig.stack.node.swarm_address}/p2p/{rig.stack.node.peer_id}")
            client.pin_add(rig.do.cid)
        case = node_stopped(nodes[1].pid, nodes[1].api_url, clients[:1], rig.do)
        seen = carried_out(case, rig.do)
        assert seen.status is Status.PASSED, seen.findings
        rig.do.read(clients[1])


def test_a_part_that_is_not_broken_has_no_witness(rig: Rig) -> None:
    cases = (
        ipfs_down(rig.stack.node, rig.stack.ipfs_api, rig.do),
        registry_down(rig.stack.registry, rig.stack.graphql_url, rig.do),
        database_locked(rig.lock, rig.do),
        node_stopped(rig.stack.node.pid, rig.stack.ipfs_api, (), rig.do),
    )
    assert not any(case.witness()[0] for case in cases)


def test_what_does_otherwise_than_it_must_is_red() -> None:
    def fails() -> None:
        raise ServiceError("no")

    def slow() -> None:
        time.sleep(0.2)

    case = Case(
        "sabotaged",
        lambda: None,
        lambda: (True, ""),
        lambda: None,
        (
            Expectation("fails", fails),
            Expectation("works", lambda: None, refused),
            Expectation("fails otherwise", fails, with_code("IPFS_UNAVAILABLE")),
            Expectation("is slow", slow),
            Expectation("is right", lambda: None),
        ),
    )
    experiment = PartialFailure([case], fast_s=0.1)
    experiment.expect(case)
    (finding,) = experiment.findings()
    assert finding.status is Status.FAILED
    for told in ("fails failed: no", "works worked, though", "otherwise than it must: no", "is slow took"):
        assert told in finding.message
    assert experiment.values()["failure_rate"] == pytest.approx(0.8)


def test_content_that_changed_meanwhile_is_red(rig: Rig) -> None:
    case = ipfs_down(rig.stack.node, rig.stack.ipfs_api, rig.do)
    resolve = next(each for each in case.expectations if each.operation == "resolve")
    right, rig.do._cid = rig.do.cid, "another"
    try:
        experiment = PartialFailure([case])
        experiment.expect(Case("changed", case.break_it, case.witness, case.mend, (resolve,)))
        (finding,) = experiment.findings()
    finally:
        rig.do._cid = right
    assert finding.status is Status.FAILED
    assert "resolves to" in finding.message
