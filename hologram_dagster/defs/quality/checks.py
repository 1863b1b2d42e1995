"""Information on flaky tests: whether they become more. Gates are made by `gate_checks`."""

import dagster as dg

from hologram_dagster.defs.gate_checks import as_dagster
from hologram_dagster.gate.flake_trend import TREND, judge_flake_trend
from hologram_dagster.resources.gate import GateResource


@dg.asset_check(
    asset="flake_detection",
    name=TREND,
    description="Whether today's flake rate is above that of the days before: a warning with both rates.",
)
def flake_trend(context: dg.AssetCheckExecutionContext, gate: GateResource) -> dg.AssetCheckResult:
    """Today's rate beside the days before, never red."""
    run = gate.open(context)
    judged = judge_flake_trend(run)
    return as_dagster(run, judged.result, {"days": dg.MetadataValue.int(judged.days)})


checks = [flake_trend]
