"""The whole of it: a remote, a daemon, pushes, and one verdict for every commit on main."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from hologram_dagster_tests.automation.daemon import Daemon
from hologram_dagster_tests.automation.remotes import Remote
from hologram_dagster_tests.gate.bench import Bench
from hologram_dagster_tests.gate.scratch_target import add_target, commit

pytestmark = pytest.mark.phase2_integration

OVER = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@pytest.fixture
def daemon(bench: Bench, remote: Remote) -> Iterator[Daemon]:
    variables = {
        "HOLOGRAM_WATCH": f"{remote.url}#main",
        "HOLOGRAM_WATCH_PROFILE": "dev",
        "HOLOGRAM_WATCH_INTERVAL_S": "1",
    }
    daemon = Daemon(bench, variables)
    yield daemon
    daemon.end()


def _in_order(daemon: Daemon) -> list[str]:
    """The commits of all runs in the order of their starts."""
    with daemon.instance() as instance:
        records = instance.get_run_records()
    started = sorted(records, key=lambda record: record.start_time or 0)
    return [record.dagster_run.tags["hologram/commit"] for record in started]


def test_a_daemon_killed_amid_a_run_gates_every_commit_once_when_it_is_back(
    daemon: Daemon, remote: Remote
) -> None:
    first = remote.push("first")
    daemon.start()
    daemon.wait_for_runs(1, dg.DagsterRunStatus.STARTED)
    pushed = remote.push("second", "third")
    daemon.kill()
    daemon.start()
    daemon.wait_for_verdicts([*first, *pushed])
    daemon.wait_for_runs(3, *OVER)
    assert daemon.verdicts() == dict.fromkeys([*first, *pushed], 1)
    assert _in_order(daemon) == [*first, *pushed]
    assert daemon.bench.verdict()["revision"]["commit"] == pushed[-1]
    # Nobody's working tree was used, and anybody on the machine can ask.
    answered = daemon.bench.hologram("verdict", pushed[0], "--profile", "dev")
    assert answered.returncode == 0, answered.stdout + answered.stderr


@pytest.mark.study
@pytest.mark.timeout(1800)
def test_one_push_five_pushes_a_merge_a_force_push_and_kills(daemon: Daemon, remote: Remote) -> None:
    expected = remote.push("first")
    daemon.start()
    daemon.wait_for_verdicts(expected)
    expected += remote.push(*(f"of five {number}" for number in range(5)))
    daemon.wait_for_runs(2, *OVER)
    daemon.wait_for_runs(1, dg.DagsterRunStatus.STARTED)
    daemon.kill()
    base = remote.head()
    expected.append(remote.merge("side 1", "side 2"))
    daemon.start()
    daemon.wait_for_verdicts(expected)
    remote.reset(base)
    expected += remote.push("rewritten 1", "rewritten 2")
    daemon.wait_for_runs(1, dg.DagsterRunStatus.STARTED)
    daemon.kill()
    daemon.start()
    daemon.wait_for_verdicts(expected)
    daemon.wait_for_runs(len(expected), *OVER)
    assert daemon.verdicts() == dict.fromkeys(expected, 1)
    assert _in_order(daemon) == expected


@pytest.mark.study
@pytest.mark.timeout(1800)
def test_a_slow_commit_is_red_and_named_and_a_failed_set_up_shows_its_last_lines(
    bench: Bench, remote: Remote
) -> None:
    clone = Bench(remote.clone)
    add_target(clone)
    toml = (remote.clone / "hologram.toml").read_text()
    set_up = "[target]\ndependencies = ['build.sh']\nsetup = [['sh', '{tree}/build.sh']]\n"
    remote.commit("set-up", hologram__toml=toml.replace("[target]\n", set_up), build__sh="true\n")
    remote.push("a baseline")
    daemon = Daemon(bench, {"HOLOGRAM_WATCH": f"{remote.url}#main", "HOLOGRAM_WATCH_INTERVAL_S": "1"})
    daemon.start()
    try:
        daemon.wait_for_verdicts([remote.head()])
        slow = commit(clone, 1)
        good = commit(clone, 0)
        broken = remote.commit("broken", build__sh="echo no wheel; exit 3\n")
        remote.push()
        daemon.wait_for_verdicts([slow, good, broken])
        daemon.wait_for_runs(4, *OVER)
    finally:
        daemon.end()
    words = {each: _answer(bench, each) for each in (slow, good, broken)}
    assert [words[each]["verdict"] for each in (slow, good, broken)] == ["fail", "pass", "inconclusive"]
    causes = {
        reason["kind"]: reason["message"] for reason in words[slow]["reasons"] if reason["status"] == "failed"
    }
    assert set(causes) == {"regression_encode"}
    assert causes["regression_encode"].startswith("encode: ")
    assert " % slower, limit " in causes["regression_encode"]
    assert any("no wheel" in reason["message"] for reason in words[broken]["reasons"])


def _answer(bench: Bench, judged: str) -> dict[str, Any]:
    done = bench.hologram("verdict", judged, "--json")
    document: dict[str, Any] = json.loads(done.stdout)
    return document
