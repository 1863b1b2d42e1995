"""Pruning: Dagster's own runs among what expires, the job `prune` and its schedule.

`hologram prune` starts this module as a child (`python -m hologram_dagster.defs.retention`),
since the command line does not import Dagster. What belongs here: Dagster's part. What does
not: retention itself (`retention`).
"""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dagster as dg

from hologram_dagster.errors import HologramError
from hologram_dagster.files import size_of
from hologram_dagster.gate.pruning import open_for_pruning
from hologram_dagster.resources.gate import refusing
from hologram_dagster.retention.expired import Expired, Member, members_of, remove_path
from hologram_dagster.retention.pruning import plan_prune, prune
from hologram_dagster.secrets.redactor import redact, redact_tree
from hologram_dagster.settings import Settings, Timetable, load_settings

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def expired_runs(instance: dg.DagsterInstance, before: datetime) -> list[Expired]:
    """The ended runs that were made before `before`, with their events and compute logs."""
    filters = dg.RunsFilter(statuses=_ENDED, created_before=before)
    return [_expired(instance, record.dagster_run) for record in instance.get_run_records(filters)]


def _expired(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Expired:
    return Expired(
        kind="Dagster run",
        name=run.run_id,
        size_bytes=sum(
            size_of(path) for path in (*_shards(instance, run.run_id), _logs(instance, run.run_id))
        ),
        remove=partial(_remove, instance, run.run_id),
        export=partial(_export, instance, run),
    )


def _export(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[Member]:
    folder = f"dagster/{run.run_id}"
    shown = {"run_id": run.run_id, "job": run.job_name, "status": run.status.value, "tags": dict(run.tags)}
    yield f"{folder}/run.json", json.dumps(redact_tree(shown), indent=2).encode()
    events = "".join(
        f"{entry.to_json()}\n"  # type: ignore[no-untyped-call] # Dagster leaves it so
        for entry in instance.all_logs(run.run_id)
    )
    yield f"{folder}/events.jsonl", events.encode()
    logs = _logs(instance, run.run_id)
    if logs.exists():
        yield from members_of(logs, f"{folder}/logs")


def _remove(instance: dg.DagsterInstance, run_id: str) -> None:
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)
    # SQLite keeps the emptied database of each run, as large as it was.
    for path in (_logs(instance, run_id), *_shards(instance, run_id)):
        remove_path(path)


def _logs(instance: dg.DagsterInstance, run_id: str) -> Path:
    return Path(instance.storage_directory()) / run_id


def _shards(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    return list((Path(instance.root_directory) / "history" / "runs").glob(f"{run_id}.db*"))


def _prune(settings: Settings, instance: dg.DagsterInstance, *, apply: bool) -> Iterator[str]:
    """Prune, or only plan to; what goes in words.

    Raises:
        HologramError: as `plan_prune` and `prune`.
    """
    now = datetime.now(UTC)
    evidence = open_for_pruning(settings)
    runs = expired_runs(instance, now - timedelta(days=settings.keep_runs_days))
    if not apply:
        plan = plan_prune(settings, evidence, runs, now=now)
        yield from plan.lines()
        yield f"nothing was removed; with --yes it is exported to {plan.archive.parent} and removed"
        return
    plan, sha256 = prune(settings, evidence, runs, now=now)
    yield from plan.lines()
    yield f"exported to {plan.archive} (sha256 {sha256})" if sha256 else "there was nothing to export"


class PruneConfig(dg.Config):
    """`apply` False only tells what would go."""

    apply: bool = False


@dg.op(name="prune_expired")
def _prune_expired(context: dg.OpExecutionContext, config: PruneConfig) -> None:
    """Export and remove what is beyond its retention."""
    with refusing():
        for line in _prune(load_settings(), context.instance, apply=config.apply):
            context.log.info(line)


@dg.job(
    name="prune",
    description=(
        "Removes what is beyond its retention, after it was exported: runs, logs, checkouts, evidence. "
        "The ledger stays. Without `apply` it only tells what would go."
    ),
)
def prune_job() -> None:
    """One step."""
    _prune_expired()


def prune_schedule(timetable: Timetable) -> dg.ScheduleDefinition:
    """Prunes each week once somebody has turned it on."""
    return dg.ScheduleDefinition(
        name="prune_weekly",
        job=prune_job,
        cron_schedule=timetable.prune_cron,
        execution_timezone="UTC",
        run_config=dg.RunConfig(ops={"prune_expired": PruneConfig(apply=True)}),
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Off until turned on: run the job `prune` without `apply` first.",
    )


def main() -> None:
    """Entry point of the child process: prints the lines; exits 2 on a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m hologram_dagster.defs.retention")
    parser.add_argument("--yes", action="store_true")
    given = parser.parse_args()
    try:
        with dg.DagsterInstance.get() as instance:
            for line in _prune(load_settings(), instance, apply=given.yes):
                print(redact(line), flush=True)  # noqa: T201 (what the command shows)
    except HologramError as error:
        print(f"hologram: {redact(str(error))}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


if __name__ == "__main__":
    main()
