"""The nightly and the weekly schedule: when, on which revision, and a night that really runs."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest

from hologram_dagster.build import build_defs
from hologram_dagster.defs.schedules import propose_baseline
from hologram_dagster.profiles import ProfileName, required_kinds
from hologram_dagster_tests.automation.daemon import HANG_S
from hologram_dagster_tests.automation.remotes import Remote
from hologram_dagster_tests.gate.bench import Bench

pytestmark = pytest.mark.phase2_integration

NIGHT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
TINY = {
    "HOLOGRAM_LOAD_RATE_PER_S": "20",
    "HOLOGRAM_LOAD_DURATION_S": "0.5",
    "GQL_SAMPLES": "5",
    "E2E_LOAD_DURATION": "0.5",
    "E2E_STRESS_DURATION": "0.5",
    "ENC_MB": "1",
}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def _requests(name: str, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    schedule = build_defs().resolve_schedule_def(name)
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert schedule.execution_timezone == "UTC"
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=NIGHT)
    return list(schedule.evaluate_tick(context).run_requests or [])


def test_every_watched_branch_has_its_night(
    remote: Remote, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = build_defs().resolve_schedule_def("nightly_schedule")
    assert schedule.cron_schedule == "0 2 * * *"
    assert schedule.job_name == "nightly"
    (own,) = _requests("nightly_schedule", instance)
    assert "hologram/origin" not in own.tags
    monkeypatch.setenv("HOLOGRAM_WATCH", f"{remote.url}#main {remote.url}#next")
    both = _requests("nightly_schedule", instance)
    assert [request.tags["hologram/origin"] for request in both] == [
        f"{remote.url}#main",
        f"{remote.url}#next",
    ]
    assert len({request.run_key for request in both}) == 2
    assert {request.tags["hologram/trigger"] for request in both} == {"nightly"}
    monkeypatch.setenv("HOLOGRAM_NIGHTLY_CRON", "30 3 * * *")
    assert build_defs().resolve_schedule_def("nightly_schedule").cron_schedule == "30 3 * * *"


@pytest.mark.study
@pytest.mark.timeout(1200)
def test_a_night_gathers_all_evidence_of_the_branchs_head(
    bench: Bench, remote: Remote, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = remote.push("one", "two")[-1]
    watch = {"HOLOGRAM_WATCH": f"{remote.url}#main"}
    monkeypatch.setenv("HOLOGRAM_WATCH", watch["HOLOGRAM_WATCH"])
    (request,) = _requests("nightly_schedule", instance)
    command = [
        *(sys.executable, "-m", "hologram_dagster.defs.launch", "--job", "nightly"),
        *("--run-id", str(uuid.uuid4()), "--tags", json.dumps(dict(request.tags))),
    ]
    home = str(bench.folder / ".hologram" / "dagster")
    subprocess.run(
        command,
        cwd=bench.folder,
        env=bench.environment(DAGSTER_HOME=home, HOLOGRAM_ALLOW_DISRUPTION="127.0.0.1", **watch, **TINY),
        capture_output=True,
        timeout=4 * HANG_S,
        check=False,
    )
    verdict = bench.verdict()
    assert verdict["state"] == "final"
    assert verdict["revision"]["commit"] == head
    assert {item["kind"] for item in verdict["evidence"]} == set(required_kinds(ProfileName.NIGHTLY))


def _green_week(instance: dg.DagsterInstance) -> dg.RunStatusSensorContext:
    tags = {"hologram/trigger": "weekly_baseline", "hologram/commit": "c" * 40, "hologram/origin": "u#main"}
    run = instance.create_run_for_job(build_defs().resolve_job_def("main_gate"), tags=tags)
    event = dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_SUCCESS.value, job_name="main_gate")
    return dg.build_run_status_sensor_context(
        sensor_name="propose_baseline", dagster_event=event, dagster_instance=instance, dagster_run=run
    )


def test_a_green_week_proposes_its_commit_and_sets_it_only_where_allowed(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    (week,) = _requests("weekly_baseline", instance)
    assert week.tags["hologram/profile"] == "main"
    context = _green_week(instance)
    proposed = propose_baseline(context)
    assert isinstance(proposed, dg.SkipReason)
    assert "hologram baseline roll-forward --reason weekly" in (proposed.skip_message or "")
    (seen,) = instance.fetch_observations(dg.AssetKey("baseline"), limit=1).records
    assert seen.asset_observation is not None
    assert seen.asset_observation.metadata["commit"].value == "c" * 40
    monkeypatch.setenv("HOLOGRAM_WEEKLY_BASELINE", "roll-forward")
    asked = propose_baseline(context)
    assert isinstance(asked, dg.RunRequest)
    assert asked.tags == {
        "hologram/commit": "c" * 40,
        "hologram/origin": "u#main",
        "hologram/roll-forward": "weekly",
    }
    monkeypatch.setenv("HOLOGRAM_WEEKLY_BASELINE", "off")
    assert _requests("weekly_baseline", instance) == []
