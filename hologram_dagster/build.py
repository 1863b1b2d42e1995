"""Everything Dagster sees, put together: a fresh `Definitions` a call.

What belongs here: composition. What does not: assets, checks, jobs (`defs`).
"""

from collections.abc import Mapping

import dagster as dg

from hologram_dagster.defs import external
from hologram_dagster.defs.chaos import assets as chaos
from hologram_dagster.defs.e2e import assets as e2e
from hologram_dagster.defs.gate_checks import gate_checks
from hologram_dagster.defs.jobs import gate_jobs
from hologram_dagster.defs.perf import assets as perf
from hologram_dagster.defs.perf import checks as perf_checks
from hologram_dagster.defs.quality import assets as quality
from hologram_dagster.defs.quality import checks as quality_checks
from hologram_dagster.defs.release import assets as release
from hologram_dagster.defs.release.baseline import baseline, baseline_roll_forward
from hologram_dagster.defs.retention import prune_job, prune_schedule
from hologram_dagster.defs.schedules import propose_baseline, schedules
from hologram_dagster.defs.security import assets as security
from hologram_dagster.defs.security import checks as security_checks
from hologram_dagster.defs.sensors import seen_lately, sensors
from hologram_dagster.defs.source import assets as source
from hologram_dagster.defs.supply_chain import assets as supply_chain
from hologram_dagster.profiles import EVIDENCE
from hologram_dagster.resources.gate import GateResource
from hologram_dagster.resources.redaction import protect_log
from hologram_dagster.resources.stack import StackResource
from hologram_dagster.settings import load_timetable


def build_defs(
    *,
    resource_overrides: Mapping[str, object] | None = None,
    executor: dg.ExecutorDefinition | None = None,
) -> dg.Definitions:
    """All assets, checks, jobs and resources of the gate.

    `resource_overrides` replaces resources by key (`gate`, `stack`); `executor` replaces
    the in-process executor, which is the default because nothing may run beside a
    measurement and the embedded stack lives in one process.

    Raises:
        ValueError: a profile selects nothing.
        SettingsError: what runs by itself is malformed in the environment.
    """
    protect_log()
    timetable, jobs = load_timetable(), gate_jobs()
    return dg.Definitions(
        assets=[
            source.revision,
            *perf.assets,
            *e2e.assets,
            *chaos.assets,
            *security.assets,
            *quality.assets,
            *supply_chain.assets,
            *release.assets,
            baseline,
            *external.specs,
        ],
        asset_checks=[
            *(gate_checks(kind) for kind in EVIDENCE),
            release.verdict_gate,
            supply_chain.attestation_gate,
            *perf_checks.checks,
            *quality_checks.checks,
            *security_checks.checks,
            seen_lately,
        ],
        jobs=[*jobs, baseline_roll_forward, prune_job],
        sensors=[*sensors(jobs, timetable), propose_baseline],
        schedules=[*schedules(timetable), prune_schedule(timetable)],
        resources={"gate": GateResource(), "stack": StackResource(), **(resource_overrides or {})},
        executor=executor or dg.in_process_executor,
    )
