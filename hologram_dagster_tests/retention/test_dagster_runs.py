"""Dagster's own runs expire, too: events, logs and databases, and only those of ended, old runs."""

import json
import sqlite3
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from hologram_dagster.build import build_defs
from hologram_dagster.defs.retention import expired_runs, prune_job
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.protocol.signing import load_or_create_signer
from hologram_dagster.target.revision import read_revision
from hologram_dagster_tests.evidence.helpers import Clock, green_run, run_of
from hologram_dagster_tests.gate.bench import Bench, MakeBench, git

pytestmark = pytest.mark.phase0_ready

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


@dg.op
def _talk(context: dg.OpExecutionContext) -> None:
    context.log.info("something worth keeping")


@dg.job
def _talking() -> None:
    _talk()


def test_an_old_run_is_exported_and_removed_with_all_it_left(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        old = _talking.execute_in_process(instance=instance).run_id
        between = datetime.now(UTC)
        new = _talking.execute_in_process(instance=instance).run_id
        running = instance.create_run_for_job(_talking, status=dg.DagsterRunStatus.STARTED).run_id
        logs = Path(instance.storage_directory()) / old / "compute_logs" / "talk.err"
        logs.parent.mkdir(parents=True, exist_ok=True)
        logs.write_text("the step's own words")

        assert {each.name for each in expired_runs(instance, datetime.now(UTC) + timedelta(days=1))} == {
            old,
            new,
        }
        (expired,) = expired_runs(instance, between)
        assert expired.export is not None
        assert expired.size_bytes > 0
        exported = dict(expired.export())
        assert json.loads(exported[f"dagster/{old}/run.json"])["job"] == "_talking"
        assert b"something worth keeping" in exported[f"dagster/{old}/events.jsonl"]
        assert exported[f"dagster/{old}/logs/compute_logs/talk.err"] == b"the step's own words"

        expired.remove()
        assert instance.get_run_by_id(old) is None
        assert not logs.exists()
        assert not list((tmp_path / "home").rglob(f"*{old}*"))
        assert instance.get_run_by_id(new) is not None
        assert instance.all_logs(new)
        assert instance.get_run_by_id(running) is not None


@pytest.fixture
def aged(make_bench: MakeBench) -> Bench:
    """A place with an old run of Dagster's, and old evidence of the same revision."""
    bench = make_bench()
    home = bench.folder / ".hologram" / "dagster"
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run_id = _talking.execute_in_process(instance=instance).run_id
    with sqlite3.connect(home / "history" / "runs.db") as runs:
        changed = runs.execute(
            "UPDATE runs SET create_timestamp = '2024-01-01 00:00:00.000000' WHERE run_id = ?", [run_id]
        )
        assert changed.rowcount == 1
    key = load_or_create_signer(bench.folder / ".hologram" / "keys" / "ed25519.pem", None)
    clock = Clock()
    clock.now = LONG_AGO
    evidence = Evidence(bench.evidence, signer=key, clock=clock)
    green_run(evidence, run_of(revision=read_revision(bench.folder), started_at=LONG_AGO))
    log = bench.folder / ".hologram" / "logs" / f"{run_id}.log"
    log.parent.mkdir()
    log.write_text("a log")
    return bench


def test_the_command_tells_first_and_removes_when_told_to(aged: Bench) -> None:
    variables = {"HOLOGRAM_KEEP_EVIDENCE_DAYS": "1"}
    home = aged.folder / ".hologram" / "dagster"
    told = aged.hologram("prune", **variables)
    in_json = json.loads(aged.hologram("prune", "--json", **variables).stdout)
    assert in_json == {"applied": False, "lines": told.stdout.splitlines()}
    assert told.returncode == 0, told.stderr
    assert "Dagster run: 1" in told.stdout
    assert "nothing was removed" in told.stdout
    assert len(list((home / "history" / "runs").glob("*-*.db"))) == 1
    records = list((aged.evidence / "records").rglob("*.json"))
    assert f"evidence: {len(records)}" in told.stdout

    done = aged.hologram("prune", "--yes", **variables)
    assert done.returncode == 0, done.stderr
    assert "exported to" in done.stdout
    assert not list((aged.evidence / "records").rglob("*.json"))
    assert not list((home / "history" / "runs").glob("*-*.db"))
    (archive,) = (aged.folder / ".hologram" / "exports").glob("*.tar.gz")
    with tarfile.open(archive) as exported:
        names = exported.getnames()
    assert len([name for name in names if name.startswith("evidence/records/")]) == len(records)
    assert any(name.startswith("dagster/") for name in names)

    answered = aged.hologram("verdict", "HEAD", **variables)
    assert answered.returncode == 3
    assert "pruned on" in answered.stdout
    again = aged.hologram("prune", "--yes", **variables)
    assert "nothing is beyond its retention" in again.stdout
    assert "there was nothing to export" in again.stdout


def test_a_key_that_nobody_trusts_prunes_nothing(aged: Bench) -> None:
    (aged.folder / "hologram.toml").write_text(f'trusted_keys = ["{"a" * 64}"]\n')
    git(aged.folder, "add", "hologram.toml")
    git(aged.folder, "commit", "-qm", "pins")
    done = aged.hologram("prune", "--yes", HOLOGRAM_KEEP_EVIDENCE_DAYS="1")
    assert (done.returncode, "prune with the gate's own key" in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr
    assert list((aged.evidence / "records").rglob("*.json"))


def test_the_job_only_tells_unless_its_config_says_apply(
    aged: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(aged.folder)
    monkeypatch.setenv("HOLOGRAM_KEEP_EVIDENCE_DAYS", "1")
    with dg.DagsterInstance.from_config(str(aged.folder / ".hologram" / "dagster")) as instance:
        assert prune_job.execute_in_process(instance=instance).success
        assert list((aged.evidence / "records").rglob("*.json"))
        config = {"ops": {"prune_expired": {"config": {"apply": True}}}}
        assert prune_job.execute_in_process(instance=instance, run_config=config).success
    assert not list((aged.evidence / "records").rglob("*.json"))


def test_the_schedule_is_off_until_somebody_turns_it_on() -> None:
    schedule = build_defs().resolve_schedule_def("prune_weekly")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    tick = schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=LONG_AGO))
    assert tick.run_requests is not None
    assert tick.run_requests[0].run_config["ops"]["prune_expired"]["config"] == {"apply": True}
