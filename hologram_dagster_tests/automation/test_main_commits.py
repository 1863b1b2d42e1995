"""Ticks of `main_commits` on real repositories: what is asked for, and what a tick says."""

import socket
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from hologram_dagster.build import build_defs
from hologram_dagster.defs.sensors import MAIN_COMMITS, MOST_A_TICK, NotSeen
from hologram_dagster.errors import ServiceError, SettingsError
from hologram_dagster.processes import LOOPBACK
from hologram_dagster.watch.remote import remote_head
from hologram_dagster.watch.sightings import Sightings
from hologram_dagster.watch.sources import Source
from hologram_dagster_tests.automation.remotes import Remote
from hologram_dagster_tests.gate.bench import git

pytestmark = pytest.mark.phase2_integration


class Ticks:
    """Evaluates the sensor as the daemon does, and makes the runs it asks for."""

    def __init__(self, instance: dg.DagsterInstance, name: str = MAIN_COMMITS):
        self.instance = instance
        self.name = name
        self.defs = build_defs()
        self.cursor: str | None = None
        self.said = ""
        self.runs: list[dg.RunRequest] = []
        self.events: list[object] = []

    def tick(self) -> list[str]:
        """One tick; the commits it asked for."""
        sensor = self.defs.resolve_sensor_def(self.name)
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=self.defs, sensor_name=self.name
        )
        data = sensor.evaluate_tick(context)
        self.cursor, self.said = data.cursor, data.skip_message or ""
        self.events = list(data.asset_events)
        self.runs = list(data.run_requests or [])
        for request in self.runs:
            tags = {
                **request.tags,
                "dagster/run_key": request.run_key or "",
                "dagster/sensor_name": self.name,
            }
            run = dg.DagsterRun(job_name=request.job_name or "", run_id=str(uuid.uuid4()), tags=tags)
            self.instance.add_run(run)
        return [request.run_key or "" for request in self.runs]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(autouse=True)
def _watched(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "remote" not in request.fixturenames:
        return
    remote: Remote = request.getfixturevalue("remote")
    monkeypatch.setenv("HOLOGRAM_WATCH", f"{remote.url}#main")
    monkeypatch.setenv("HOLOGRAM_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def ticks(remote: Remote, instance: dg.DagsterInstance) -> Ticks:
    return Ticks(instance)


def test_each_commit_is_asked_for_once_oldest_first_with_its_tags(remote: Remote, ticks: Ticks) -> None:
    assert ticks.tick() == []
    assert "there is no such branch yet" in ticks.said
    first = remote.push("before", "first sight")[-1]
    assert ticks.tick() == [first]
    assert ticks.runs[0].job_name == "main_gate"
    assert ticks.runs[0].tags == {
        "hologram/commit": first,
        "hologram/profile": "main",
        "hologram/environment": "local",
        "hologram/trigger": "main_commits",
        "hologram/origin": f"{remote.url}#main",
        "hologram/note": f"first sight at {first[:12]}: earlier commits are not gated",
        "dagster/max_runtime": "1200",
        "dagster/sensor_name": MAIN_COMMITS,
    }
    assert ticks.tick() == []
    assert ticks.said == "no new commit"
    one = remote.push("only one")
    assert ticks.tick() == one
    five = remote.push(*"abcde")
    assert ticks.tick() == five
    seen = ticks.events[0]
    assert isinstance(seen, dg.AssetObservation)
    assert seen.metadata["version"].value == five[-1]
    assert seen.metadata["url"].value == f"{remote.url}#main"


def test_what_is_more_than_a_tick_may_ask_for_follows(remote: Remote, ticks: Ticks) -> None:
    remote.push("first")
    ticks.tick()
    pushed = remote.push(*map(str, range(MOST_A_TICK + 3)))
    assert ticks.tick() == pushed[:MOST_A_TICK]
    assert "the others follow" in ticks.runs[0].tags["hologram/note"]
    assert ticks.tick() == pushed[MOST_A_TICK:]
    assert ticks.tick() == []


def test_of_a_merge_only_the_states_that_main_had(remote: Remote, ticks: Ticks) -> None:
    remote.push("first")
    ticks.tick()
    assert ticks.tick() == []
    merge = remote.merge("side 1", "side 2")
    assert ticks.tick() == [merge]


def test_a_force_push_is_gated_and_told_and_a_rewind_is_told(remote: Remote, ticks: Ticks) -> None:
    base = remote.push("first")[-1]
    ticks.tick()
    old = remote.push("old 1", "old 2")
    assert ticks.tick() == old
    remote.reset(base)
    new = remote.push("new 1", "new 2")
    assert ticks.tick() == new
    assert "rewritten by a force-push" in ticks.runs[0].tags["hologram/note"]
    remote.reset(base)
    remote.push()
    assert ticks.tick() == []
    assert "rewound" in ticks.said
    remote.reset(new[-1])
    remote.push()
    assert ticks.tick() == []
    assert ticks.said == "no new commit"


def test_a_branch_that_is_gone_makes_the_tick_red_and_keeps_its_place(remote: Remote, ticks: Ticks) -> None:
    first = remote.push("first")[-1]
    ticks.tick()
    git(remote.bare, "update-ref", "-d", "refs/heads/main")
    with pytest.raises(NotSeen, match=rf"remote.git#main is gone; it was at {first[:12]}"):
        ticks.tick()
    later = remote.push("later")
    assert ticks.tick() == later


def test_a_host_that_does_not_answer_is_named_without_its_secrets(
    ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLOGRAM_WATCH", "http://bot:sesame@127.0.0.1:1/a.git#main")
    with pytest.raises(NotSeen, match=r"http://127\.0\.0\.1:1/a\.git#main cannot be read") as caught:
        ticks.tick()
    assert "sesame" not in str(caught.value)


def test_a_host_that_hangs_is_given_up() -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ServiceError, match=r"no answer within 0\.5 s"):
            remote_head(Source(f"http://bot:sesame@{LOOPBACK}:{port}/a.git", "main"), timeout_s=0.5)


def test_a_branch_that_cannot_be_seen_holds_up_no_other(
    remote: Remote, ticks: Ticks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLOGRAM_WATCH", f"{tmp_path}/none.git#main {remote.url}#main {remote.url}#next")
    first = remote.push("first")[-1]
    remote.push(branch="next")
    assert ticks.tick() == [first]
    later = remote.push("later", branch="next")
    ticks.tick()
    with pytest.raises(NotSeen, match=r"none\.git#main"):
        ticks.tick()
    assert {run.tags["hologram/commit"] for run in ticks.instance.get_runs()} == {first, *later}


def test_a_watch_that_has_stopped_turns_the_repository_red_once(
    remote: Remote, ticks: Ticks, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    freshness = Ticks(instance, "watch_freshness")

    def evaluations() -> list[tuple[bool, str]]:
        freshness.tick()
        return [
            (e.passed, e.description or "")
            for e in freshness.events
            if isinstance(e, dg.AssetCheckEvaluation)
        ]

    ((passed, why),) = evaluations()
    assert not passed
    assert "was never seen" in why
    assert evaluations() == []
    commit = remote.push("first")[-1]
    ticks.tick()
    ((passed, _),) = evaluations()
    assert passed
    long_ago = datetime.now(UTC) - timedelta(minutes=16)
    Sightings(tmp_path / "state").note(Source(remote.url, "main"), commit, long_ago)
    ((passed, why),) = evaluations()
    assert not passed
    assert "the limit is 15 min" in why


def test_the_check_can_be_asked_for_by_hand(remote: Remote, ticks: Ticks) -> None:
    remote.push("first")
    ticks.tick()
    job = dg.define_asset_job(
        "by_hand",
        selection=dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("target_repository"), "seen_lately")),
    )
    defs = dg.Definitions.merge(build_defs(), dg.Definitions(jobs=[job]))
    result = defs.resolve_job_def("by_hand").execute_in_process(instance=ticks.instance)
    assert [evaluation.passed for evaluation in result.get_asset_check_evaluations()] == [True]


def test_without_a_watch_the_sensor_is_off_and_says_why(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = Ticks(instance)
    assert ticks.defs.resolve_sensor_def(MAIN_COMMITS).default_status is dg.DefaultSensorStatus.STOPPED
    assert ticks.tick() == []
    assert "HOLOGRAM_WATCH is not set" in ticks.said
    monkeypatch.setenv("HOLOGRAM_WATCH", "/srv/a.git")
    on = build_defs().resolve_sensor_def(MAIN_COMMITS)
    assert on.default_status is dg.DefaultSensorStatus.RUNNING


@pytest.mark.parametrize("variable", ["HOLOGRAM_NIGHTLY_CRON", "HOLOGRAM_WEEKLY_CRON"])
def test_a_malformed_time_is_refused_by_name(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "at night")
    with pytest.raises(SettingsError, match=variable):
        build_defs()


def test_a_cursor_of_another_form_makes_the_tick_red(remote: Remote, ticks: Ticks) -> None:
    ticks.cursor = '{"version": 0}'
    with pytest.raises(ValueError, match="reset it in the UI"):
        ticks.tick()
