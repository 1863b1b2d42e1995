"""Runs that were killed, failed or cancelled end in a verdict: inconclusive, once, over no other's."""

import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator

import dagster as dg
import pytest

from hologram_dagster.build import build_defs
from hologram_dagster.defs.sensors import finish_canceled_runs, finish_failed_runs, lost_runs
from hologram_dagster.processes import wait_until
from hologram_dagster_tests.automation.daemon import HANG_S
from hologram_dagster_tests.gate.bench import Bench, git

pytestmark = pytest.mark.phase2_integration


@pytest.fixture
def here(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench that this process itself stands in, as the daemon's code server does."""
    monkeypatch.chdir(bench.folder)
    for name, value in bench.variables.items():
        monkeypatch.setenv(name, value)
    return bench


@pytest.fixture
def instance(here: Bench) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(here.folder / ".hologram" / "dagster")) as instance:
        yield instance


def _killed_amid(bench: Bench, instance: dg.DagsterInstance) -> str:
    """A run whose process was killed after its first step; its id."""
    run_id = str(uuid.uuid4())
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "hologram_dagster.defs.launch", "--job", "dev_gate"),
            *("--run-id", run_id, "--tags", json.dumps({"hologram/profile": "dev"})),
        ],
        cwd=bench.folder,
        env=bench.environment(DAGSTER_HOME=instance.root_directory),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    # The first step has ended, so the run is known to the ledger.
    assert wait_until(lambda: '"finished"' in (process.stdout or sys.stdin).readline(), timeout_s=HANG_S)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return run_id


def _tick(instance: dg.DagsterInstance, cursor: str | None) -> str | None:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    return lost_runs.evaluate_tick(context).cursor


def _finish(instance: dg.DagsterInstance, run_id: str, sensor: dg.RunStatusSensorDefinition) -> str:
    """What the sensor says when the daemon calls it for the run."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    records = instance.get_records_for_run(run_id).records
    event = next(
        r.event_log_entry.dagster_event
        for r in reversed(records)
        if r.event_log_entry.dagster_event and r.event_log_entry.dagster_event.is_job_event
    )
    context = dg.build_run_status_sensor_context(
        sensor_name=sensor.name, dagster_event=event, dagster_instance=instance, dagster_run=run
    )
    said = sensor(context)
    assert isinstance(said, dg.SkipReason)
    return said.skip_message or ""


def test_a_killed_run_is_noticed_ended_and_concluded_once(here: Bench, instance: dg.DagsterInstance) -> None:
    run_id = _killed_amid(here, instance)
    assert here.verdict()["state"] == "running"
    cursor = _tick(instance, None)
    assert _status(instance, run_id) is dg.DagsterRunStatus.STARTED
    _tick(instance, cursor)
    assert _status(instance, run_id) is dg.DagsterRunStatus.FAILURE
    assert "is inconclusive now" in _finish(instance, run_id, finish_failed_runs)
    verdict = here.verdict()
    assert (verdict["verdict"], verdict["state"], verdict["run_id"]) == ("inconclusive", "final", run_id)
    assert "its process was killed" in here.red()["verdict", "completed"]
    assert json.loads((here.reports / "badge.json").read_text())["status"] == "unknown"
    assert "its process was killed" in (here.reports / "index.html").read_text()
    assert "has one already" in _finish(instance, run_id, finish_failed_runs)


def test_a_killed_run_that_dagster_itself_noticed_first_is_told_as_killed(
    here: Bench, instance: dg.DagsterInstance
) -> None:
    run_id = _killed_amid(here, instance)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_failed(run)  # as its launcher does
    assert "is inconclusive now" in _finish(instance, run_id, finish_failed_runs)
    said = here.red()["verdict", "completed"]
    assert "its process was killed" in said
    assert "outside the execution context" not in said


def test_no_verdict_that_a_run_reached_nor_a_newer_one_is_replaced(
    here: Bench, instance: dg.DagsterInstance
) -> None:
    lost = _killed_amid(here, instance)
    assert here.hologram("gate", SLO_GQL_P95_MS="0.0001").returncode == 1
    newer = here.verdict()
    assert "has one already" in _finish(instance, newer["run_id"], finish_failed_runs)
    _tick(instance, _tick(instance, None))
    assert "is inconclusive now" in _finish(instance, lost, finish_failed_runs)
    assert here.verdict() == newer
    assert json.loads((here.reports / "badge.json").read_text())["status"] == "fail"


def test_a_run_cancelled_in_the_queue_has_a_verdict_of_its_commit(
    here: Bench, instance: dg.DagsterInstance
) -> None:
    commit = git(here.folder, "rev-parse", "HEAD")
    tags = {"hologram/profile": "main", "hologram/commit": commit, "hologram/origin": "repository"}
    run = instance.create_run_for_job(build_defs().resolve_job_def("main_gate"), tags=tags)
    instance.report_run_canceled(run)
    # The tree has changes by now; the commit is judged from its own.
    (here.folder / "changed.txt").write_text("changed")
    assert "is inconclusive now" in _finish(instance, run.run_id, finish_canceled_runs)
    assert here.verdict()["revision"]["commit"] == commit
    assert here.verdict()["revision"]["dirty"] is False
    assert "was cancelled" in here.red()["verdict", "completed"]


def _status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status
