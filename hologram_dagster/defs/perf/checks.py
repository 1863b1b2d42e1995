"""Information on perf evidence: the trend over days. Gates are made by `gate_checks`."""

from typing import Any

import dagster as dg

from hologram_dagster.defs.gate_checks import as_dagster
from hologram_dagster.gate.remembering import COMPARED, TREND, JudgedTrend, judge_trend
from hologram_dagster.resources.gate import GateResource


def _trend(kind: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=kind,
        name=TREND,
        description=f"Change points in the daily ratio of `{kind}`: a warning with the commit range.",
    )
    def _check(context: dg.AssetCheckExecutionContext, gate: GateResource) -> dg.AssetCheckResult:
        run = gate.open(context)
        judged = judge_trend(run, kind)
        return as_dagster(run, judged.result, _shown(judged))

    return _check


def _shown(judged: JudgedTrend) -> dict[str, dg.MetadataValue[Any]]:
    """The days looked at, the commits of the last change, and the baseline that was set last."""
    days, changes, baseline = judged.trend.days, judged.trend.changes, judged.baseline
    texts = {}
    if changes:
        texts["last_change"] = f"{changes[-1].direction} by {abs(changes[-1].magnitude_pct):.1f} %"
        texts["last_change_commits"] = changes[-1].commits
    if baseline is not None:
        action = str(baseline.action).replace("_", " ")
        texts["last_baseline"] = f"{action} to {baseline.commit} on {baseline.at:%Y-%m-%d}: {baseline.reason}"
    return {
        "days": dg.MetadataValue.int(len(days)),
        **{k: dg.MetadataValue.text(v) for k, v in texts.items()},
    }


checks = [_trend(kind) for kind in COMPARED]
