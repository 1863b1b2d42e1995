"""A node that is killed under load: green on the real stack, red for each way it can go wrong."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hologram_dagster.chaos.experiments.ipfs_restart import IpfsRestart
from hologram_dagster.chaos.experiments.publishing import Publisher
from hologram_dagster.chaos.faults.services import Killable
from hologram_dagster.chaos.load import Load
from hologram_dagster.chaos.retrying import RetryPolicy
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.observation import Status
from hologram_dagster.processes import wait_until
from hologram_dagster.stack.stack import Stack

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase8_e2e]

HANG_S = 120.0
# The contract's form at a fifth of its length, with room for a busy host in each try.
POLICY = RetryPolicy(first_delay_s=0.2)
TRY_TIMEOUT_S = 20.0


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack.start(tmp_path / "stack") as stack:
        yield stack


@contextmanager
def under_load(stack: Stack, ipfs: Killable) -> Iterator[IpfsRestart]:
    """The experiment on `stack`, its load running; `ipfs` is what is killed and started."""
    with Publisher(
        stack.ipfs_api, stack.graphql_url, seed=3, policy=POLICY, try_timeout_s=TRY_TIMEOUT_S
    ) as publisher:
        load = Load("publish", publisher.publish, rate_per_s=8, timeout_s=HANG_S)
        experiment = IpfsRestart(ipfs, stack.ipfs_api, publisher, load, lambda: stack.node.alive, down_s=0.5)
        with load:
            assert wait_until(lambda: len(publisher.acknowledged) >= 5, timeout_s=HANG_S)
            yield experiment


def carry_out(experiment: IpfsRestart) -> None:
    """Kill, see it, start, wait, and let some more be published."""
    experiment.kill()
    assert experiment.witness()[0]
    experiment.start()
    assert wait_until(experiment.recovered, timeout_s=HANG_S)
    before = len(experiment.publisher.acknowledged)
    assert wait_until(lambda: len(experiment.publisher.acknowledged) >= before + 15, timeout_s=HANG_S)


def statuses(experiment: IpfsRestart) -> dict[str, Status]:
    return {finding.name: finding.status for finding in experiment.findings()}


def test_a_node_that_is_killed_twice_loses_nothing(own_stack: Stack) -> None:
    with under_load(own_stack, own_stack.node) as experiment:
        assert experiment.steady() == ""
        for _ in range(2):
            carry_out(experiment)
    # How fast it is, and how busy the host, is not for a test to say.
    experiment.recovery_limit_s = HANG_S
    seen = statuses(experiment)
    assert {seen[name] for name in ("recovery", "success", "nothing_lost")} == {Status.PASSED}, (
        experiment.findings()
    )
    # A host that is late with everything proves nothing of retries, and says so.
    assert seen["retries"] is Status.PASSED or seen["send_lag"] is seen["retries"] is Status.INCONCLUSIVE
    values = experiment.values()
    assert (values["chaos_events"], values["success_rate"], values["failure_rate"]) == (2, 1.0, 0.0)
    assert values["recovery_time_ms"] >= values["recovery_p50_ms"] >= 500
    assert 2 <= values["most_tries"] <= 3
    assert values["acknowledged"] >= 30


@dataclass
class Sabotaged:
    """A node whose restart does what a test wants."""

    node: IpfsNode
    before_restart: Callable[[], None] = lambda: None
    kills: bool = True
    starts: bool = True

    def kill(self) -> None:
        if self.kills:
            self.node.kill()

    def restart(self) -> None:
        self.before_restart()
        if self.starts:
            self.node.restart()


def test_a_node_that_comes_back_empty_is_red(own_stack: Stack) -> None:
    repo = own_stack.node.repo

    def wipe() -> None:
        shutil.rmtree(repo)

    with under_load(own_stack, Sabotaged(own_stack.node, wipe)) as experiment:
        carry_out(experiment)
    experiment.publisher._ipfs_api = own_stack.node.api_url
    (lost,) = [finding for finding in experiment.findings() if finding.name == "nothing_lost"]
    assert lost.status is Status.FAILED
    assert "acknowledged publications were lost" in lost.message


def test_a_node_that_never_comes_back_is_red(own_stack: Stack) -> None:
    with under_load(own_stack, Sabotaged(own_stack.node, starts=False)) as experiment:
        experiment.kill()
        assert experiment.witness()[0]
        experiment.start()
        assert not wait_until(experiment.recovered, timeout_s=1)
    (recovery, success, *_) = (experiment._recovery(), experiment._success())
    assert recovery.status is Status.FAILED
    assert success.status is Status.FAILED
    own_stack.node.restart()


def test_a_kill_that_kills_nothing_has_no_witness(own_stack: Stack) -> None:
    with under_load(own_stack, Sabotaged(own_stack.node, kills=False)) as experiment:
        experiment.kill()
        held, told = experiment.witness()
    assert not held
    assert "its RPC answers, its process runs" in told


def test_a_client_that_asks_again_too_soon_is_red(own_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    with under_load(own_stack, own_stack.node) as experiment:
        hasty = RetryPolicy(first_delay_s=0.05)
        monkeypatch.setattr(experiment.publisher, "policy", hasty)
        experiment.kill()
        assert wait_until(
            lambda: any(trace.tries > 1 for trace in experiment.publisher.traces), timeout_s=HANG_S
        )
    experiment.publisher.policy = POLICY
    assert experiment._retries().status is Status.FAILED


def test_an_outage_that_nobody_met_says_nothing_of_retries(own_stack: Stack) -> None:
    with under_load(own_stack, own_stack.node) as experiment:
        pass
    assert experiment._retries().status is Status.INCONCLUSIVE
