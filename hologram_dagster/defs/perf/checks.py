"""Information on perf evidence: the trend over days. Gates are made by `gate_checks`."""

import dagster as dg

from hologram_dagster.defs.gate_checks import as_dagster
from hologram_dagster.gate.remembering import TREND, judge_trend
from hologram_dagster.profiles import REGRESSIONS
from hologram_dagster.resources.gate import GateResource


def _trend(operation: str, kind: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=kind,
        name=TREND,
        description=f"Change points in the daily ratio of `{operation}`: a warning with the commit range.",
    )
    def _check(context: dg.AssetCheckExecutionContext, gate: GateResource) -> dg.AssetCheckResult:
        run = gate.open(context)
        return as_dagster(run, judge_trend(run, operation))

    return _check


checks = [_trend(operation, kind) for operation, kind in REGRESSIONS.items()]
