"""What runs at a time of day: the nightly gate, and the weekly proposal of a new baseline.

What belongs here: when, and on which revision. What does not: what the jobs are (`jobs`,
`release.baseline`).
"""

from collections.abc import Callable, Iterator

import dagster as dg

from hologram_dagster.defs.release.baseline import NAME as BASELINE
from hologram_dagster.defs.release.baseline import baseline_roll_forward
from hologram_dagster.defs.sensors import run_tags
from hologram_dagster.errors import HologramError, SettingsError
from hologram_dagster.gate.baselines import baselines_of
from hologram_dagster.gate.origin import watched
from hologram_dagster.gate.run import open_gate_run
from hologram_dagster.gate.tags import (
    BASELINE_TAG,
    COMMIT_TAG,
    ORIGIN_TAG,
    ROLL_FORWARD_TAG,
    TRIGGER_TAG,
)
from hologram_dagster.profiles import PROFILES, ProfileName
from hologram_dagster.settings import Settings, Timetable, WeeklyBaseline, load_settings

WEEKLY = "weekly_baseline"
_REASON = "weekly"


def nightly(timetable: Timetable) -> dg.ScheduleDefinition:
    """The nightly gate of each watched branch, or of the repository as it is where none is watched."""

    def evaluate(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        settings = load_settings()
        yield from _requests(settings, context, run_tags(settings, ProfileName.NIGHTLY, "nightly"))

    return _timed(
        evaluate,
        ("HOLOGRAM_NIGHTLY_CRON", timetable.nightly_cron),
        name="nightly_schedule",
        job_name=PROFILES[ProfileName.NIGHTLY].job,
        description=(
            "All evidence of the head of each watched branch. Of missed nights the latest runs, once, "
            "when the daemon is back."
        ),
    )


def weekly_baseline(timetable: Timetable) -> dg.ScheduleDefinition:
    """A main gate against the baseline in force; when it is green, `propose_baseline` takes over."""

    def evaluate(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        settings = load_settings()
        if settings.weekly_baseline is WeeklyBaseline.OFF:
            yield dg.SkipReason("HOLOGRAM_WEEKLY_BASELINE is off")
            return
        tags = run_tags(settings, ProfileName.MAIN, WEEKLY)
        if current := _baseline_in_force(settings):
            tags[BASELINE_TAG] = current
        yield from _requests(settings, context, tags)

    return _timed(
        evaluate,
        ("HOLOGRAM_WEEKLY_CRON", timetable.weekly_cron),
        name=WEEKLY,
        job_name=PROFILES[ProfileName.MAIN].job,
        description=(
            "Compares main with the baseline in force. A green run proposes to roll the baseline forward."
        ),
    )


def _requests(
    settings: Settings, context: dg.ScheduleEvaluationContext, tags: dict[str, str]
) -> Iterator[dg.RunRequest]:
    """One run for each watched branch; which commit is its head is the run's to find out."""
    at = context.scheduled_execution_time.isoformat()
    for source in watched(settings):
        yield dg.RunRequest(run_key=f"{source.key} {at}", tags={**tags, ORIGIN_TAG: source.label})
    if not watched(settings):
        yield dg.RunRequest(run_key=at, tags=tags)


def _baseline_in_force(settings: Settings) -> str | None:
    try:
        here = open_gate_run(settings, run_id=WEEKLY, profile_tag=str(ProfileName.DEV))
        shown = baselines_of(here).show().baseline
    except HologramError:
        # Where the daemon stands there need be no repository; the run's own baseline serves then.
        return None
    return shown.commit if shown else None


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    name="propose_baseline",
    request_job=baseline_roll_forward,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "After a green run of weekly_baseline: proposes its commit as the baseline, on the asset `baseline`; "
        "with HOLOGRAM_WEEKLY_BASELINE=roll-forward, sets it."
    ),
)
def propose_baseline(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
    """Propose the commit of a green weekly run, or have it set where that is allowed beforehand."""
    tags = context.dagster_run.tags
    if tags.get(TRIGGER_TAG) != WEEKLY:
        return dg.SkipReason("not a run of weekly_baseline")
    commit = tags[COMMIT_TAG]
    if load_settings().weekly_baseline is WeeklyBaseline.ROLL_FORWARD:
        kept = {name: tags[name] for name in (COMMIT_TAG, ORIGIN_TAG) if name in tags}
        return dg.RunRequest(
            run_key=f"{BASELINE} {context.dagster_run.run_id}", tags={**kept, ROLL_FORWARD_TAG: _REASON}
        )
    command = f"hologram baseline roll-forward --reason {_REASON}"
    proposal = f"{commit[:12]} is green under main: to set it as the baseline, run there: {command}"
    context.instance.report_runless_asset_event(
        dg.AssetObservation(BASELINE, description=proposal, metadata={"proposal": proposal, "commit": commit})
    )
    return dg.SkipReason(proposal)


def _timed(
    evaluate: Callable[[dg.ScheduleEvaluationContext], Iterator[dg.RunRequest | dg.SkipReason]],
    when: tuple[str, str],
    *,
    name: str,
    job_name: str,
    description: str,
) -> dg.ScheduleDefinition:
    """A schedule that is on; `when` is a cron line in UTC, after the variable that sets it.

    Raises:
        SettingsError: it is no cron line.
    """
    variable, cron = when
    try:
        return dg.ScheduleDefinition(
            name=name,
            job_name=job_name,
            cron_schedule=cron,
            execution_timezone="UTC",
            execution_fn=evaluate,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=description,
        )
    except dg.DagsterInvalidDefinitionError:
        raise SettingsError(f"{variable} is no cron line such as `0 2 * * *`: correct or unset it.") from None


def schedules(timetable: Timetable) -> list[dg.ScheduleDefinition]:
    """All schedules."""
    return [nightly(timetable), weekly_baseline(timetable)]
