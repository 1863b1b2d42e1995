"""What runs by itself: new commits are gated, broken runs are finished, stale watching is told.

What belongs here: translating between Dagster's runs and the plain packages. What does not:
which commits are new (`watch`), how a run is concluded (`gate.finishing`).
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from hologram_dagster.defs.external import SEEN_LATELY, TARGET_REPOSITORY, repository_seen
from hologram_dagster.errors import HologramError
from hologram_dagster.gate.finishing import finish_broken_run
from hologram_dagster.gate.life import forget, is_lost
from hologram_dagster.gate.origin import watched
from hologram_dagster.gate.tags import (
    COMMIT_TAG,
    ENVIRONMENT_TAG,
    NOTE_TAG,
    ORIGIN_TAG,
    PROFILE_TAG,
    TRIGGER_TAG,
)
from hologram_dagster.profiles import PROFILES, choose_profile
from hologram_dagster.settings import Settings, Timetable, load_settings
from hologram_dagster.watch.looking import Wanted, look_at
from hologram_dagster.watch.remote import checkouts_of
from hologram_dagster.watch.sightings import Sightings, judge_freshness

MAIN_COMMITS = "main_commits"
# Runs asked for a tick; the cursor holds what is left.
MOST_A_TICK = 10
NOT_WATCHING = (
    "HOLOGRAM_WATCH is not set, so no commit is gated by itself: set it to URL#branch and restart the daemon"
)
KILLED = "its process was killed"
_LIFE_INTERVAL_S = 30
_STALE_INTERVAL_S = 60
_UNFINISHED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


class NotSeen(Exception):  # noqa: N818 (what a red tick says; nothing is wrong with us)
    """A watched branch could not be seen; a new commit there would go unnoticed."""


def run_tags(settings: Settings, profile: str, trigger: str) -> dict[str, str]:
    """The tags of every run that no person starts; its deadline is the profile's."""
    chosen = choose_profile(tag=profile, config=None, settings=settings)
    return {
        PROFILE_TAG: str(chosen.name),
        ENVIRONMENT_TAG: str(settings.environment),
        TRIGGER_TAG: trigger,
        "dagster/max_runtime": str(settings.deadline_s or chosen.deadline_s),
    }


def main_commits(jobs: Sequence[UnresolvedAssetJobDefinition], timetable: Timetable) -> dg.SensorDefinition:
    """The sensor that has every commit of the watched branches gated, oldest first, once."""

    @dg.sensor(
        name=MAIN_COMMITS,
        jobs=jobs,
        minimum_interval_seconds=timetable.watch_interval_s,
        default_status=_on(timetable),
        description=(
            "Gates every commit of the branches in HOLOGRAM_WATCH, in order and once, each from its own "
            "worktree. A red tick: a branch cannot be seen."
        ),
    )
    def _sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        settings = load_settings()
        sources = watched(settings)
        if not sources:
            return dg.SkipReason(NOT_WATCHING)

        def asked(commit: str) -> bool:
            tags = {"dagster/sensor_name": MAIN_COMMITS, "dagster/run_key": commit}
            return bool(context.instance.get_runs(filters=dg.RunsFilter(tags=tags), limit=1))

        look = look_at(
            sources,
            context.cursor,
            checkouts=checkouts_of(settings),
            sightings=Sightings(settings.state_dir),
            asked=asked,
            now=datetime.now(UTC),
            most=MOST_A_TICK,
        )
        if look.faults and not look.wanted:
            raise NotSeen(" ".join(look.faults))
        # With commits of other branches to gate, the next tick is the red one.
        for fault in look.faults:
            context.log.error(fault)
        for said in look.said:
            context.log.info(said)
        return dg.SensorResult(
            run_requests=[_request(settings, wanted) for wanted in look.wanted],
            skip_reason=None if look.wanted else "; ".join(look.said) or "no new commit",
            cursor=look.cursor,
            asset_events=[repository_seen(source.label, head) for source, head in look.heads],
        )

    return _sensor


def _request(settings: Settings, wanted: Wanted) -> dg.RunRequest:
    tags = run_tags(settings, settings.watch_profile, MAIN_COMMITS)
    tags |= {COMMIT_TAG: wanted.commit, ORIGIN_TAG: wanted.source.label}
    if wanted.note:
        tags[NOTE_TAG] = wanted.note
    job = choose_profile(tag=tags[PROFILE_TAG], config=None, settings=settings).job
    return dg.RunRequest(run_key=wanted.commit, job_name=job, tags=tags)


def watch_freshness(timetable: Timetable) -> dg.SensorDefinition:
    """The sensor that turns `target_repository` red when a branch was not seen for too long."""

    @dg.sensor(
        name="watch_freshness",
        minimum_interval_seconds=_STALE_INTERVAL_S,
        default_status=_on(timetable),
        description=(
            "Evaluates target_repository's check seen_lately by itself, since a watch that has stopped "
            "starts no run that could. Records only changes."
        ),
    )
    def _sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        settings = load_settings()
        if not watched(settings):
            return dg.SkipReason(NOT_WATCHING)
        result = freshness_result(settings)
        state = "fresh" if result.passed else "stale"
        if context.cursor == state:
            return dg.SkipReason(f"{state}, as before: {result.description}")
        return dg.SensorResult(
            cursor=state,
            skip_reason=f"{state} now: {result.description}",
            asset_events=[
                dg.AssetCheckEvaluation(
                    asset_key=dg.AssetKey(TARGET_REPOSITORY),
                    check_name=SEEN_LATELY,
                    passed=result.passed,
                    description=result.description,
                    metadata={"why": result.description or ""},
                )
            ],
        )

    return _sensor


def freshness_result(settings: Settings) -> dg.AssetCheckResult:
    """Whether every watched branch was seen lately."""
    judged = judge_freshness(
        watched(settings),
        Sightings(settings.state_dir),
        now=datetime.now(UTC),
        stale_after=timedelta(minutes=settings.watch_stale_min),
    )
    return dg.AssetCheckResult(
        passed=judged.fresh, description=judged.message, metadata={"why": judged.message}
    )


@dg.asset_check(
    asset=TARGET_REPOSITORY,
    name=SEEN_LATELY,
    description="Red when a branch of HOLOGRAM_WATCH was not seen for HOLOGRAM_WATCH_STALE_MIN minutes.",
)
def seen_lately() -> dg.AssetCheckResult:
    """Whether every watched branch was seen lately; can be asked for in the UI, too."""
    return freshness_result(load_settings())


@dg.sensor(
    name="lost_runs",
    minimum_interval_seconds=_LIFE_INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends gate runs whose process was killed, so that the queue goes on.",
)
def lost_runs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """A run is lost when two ticks in a row have seen no process of it."""
    state_dir = load_settings().state_dir
    before = set(json.loads(context.cursor or "[]"))
    runs = context.instance.get_runs(filters=dg.RunsFilter(statuses=_UNFINISHED))
    silent = [run for run in runs if is_lost(state_dir, run.run_id)]
    lost = [run for run in silent if run.run_id in before]
    for run in lost:
        context.instance.report_run_failed(run, KILLED)
        forget(state_dir, run.run_id)
    waiting = sorted(run.run_id for run in silent if run not in lost)
    ended = f"ended {', '.join(run.run_id for run in lost)}" if lost else "every run has its process"
    return dg.SensorResult(cursor=json.dumps(waiting), skip_reason=ended)


def _finish(context: dg.RunStatusSensorContext, ended: str) -> dg.SkipReason:
    """Conclude a run that ended without a verdict."""
    run = context.dagster_run
    if not _is_gate(run):
        return dg.SkipReason(f"{run.job_name} is no gate")
    record = context.instance.get_run_record_by_id(run.run_id)
    assert record is not None
    settings = load_settings()
    # Whoever noticed it first; Dagster itself says only that somebody marked the run as failed.
    killed = is_lost(settings.state_dir, run.run_id)
    cause = KILLED if killed else context.dagster_event.message or "no cause given"
    try:
        verdict = finish_broken_run(
            settings,
            run_id=run.run_id,
            tags=run.tags,
            created_at=record.create_timestamp,
            reason=f"the run {ended}: {cause}",
        )
    except HologramError as error:
        context.log.error(f"run {run.run_id} {ended} and has no verdict: {error}")
        return dg.SkipReason(f"no verdict: {error}")
    if killed:
        forget(settings.state_dir, run.run_id)
    word = "has one already" if verdict is None else f"is {verdict.verdict} now"
    return dg.SkipReason(f"run {run.run_id} {ended}; its verdict {word}")


def _is_gate(run: dg.DagsterRun) -> bool:
    if run.job_name in {profile.job for profile in PROFILES.values()}:
        return True
    return dg.AssetKey("verdict") in (run.asset_selection or ())


def _finisher(status: dg.DagsterRunStatus, name: str, a_run: str, ended: str) -> dg.RunStatusSensorDefinition:
    """A sensor that concludes runs which ended with `status` and without a verdict."""

    # All code locations: else runs of the command line, which have no location, would be left out.
    @dg.run_status_sensor(
        run_status=status,
        name=name,
        monitor_all_code_locations=True,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Gives a {a_run} run without a verdict an inconclusive one, with report and badge.",
    )
    def _sensor(context: dg.RunStatusSensorContext) -> dg.SkipReason:
        return _finish(context, ended)

    return _sensor


finish_failed_runs = _finisher(dg.DagsterRunStatus.FAILURE, "finish_failed_runs", "failed", "failed")
finish_canceled_runs = _finisher(
    dg.DagsterRunStatus.CANCELED, "finish_canceled_runs", "cancelled", "was cancelled"
)


def _on(timetable: Timetable) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if timetable.watch else dg.DefaultSensorStatus.STOPPED


def sensors(jobs: Sequence[UnresolvedAssetJobDefinition], timetable: Timetable) -> list[dg.SensorDefinition]:
    """All sensors; those that watch are on where something is watched, the others always."""
    return [
        main_commits(jobs, timetable),
        watch_freshness(timetable),
        lost_runs,
        finish_failed_runs,
        finish_canceled_runs,
    ]
