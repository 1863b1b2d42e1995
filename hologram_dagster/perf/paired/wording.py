"""A comparison in words and in flat numbers: what is printed and what evidence records.

What belongs here: rendering of what `compare` returns. Nothing here decides anything.
"""

import math
from collections.abc import Mapping

from hologram_dagster.perf.paired.compare import Comparison, LaunchRecord
from hologram_dagster.perf.paired.rule import (
    MOST_LAUNCHES,
    Check,
    CheckDecision,
    Decision,
    Limits,
    Verdict,
)

_NAMES: Mapping[Check, str] = {
    Check.WALL: "wall time",
    Check.CPU: "CPU time",
    Check.TAIL_WALL: "slow calls by wall time",
    Check.TAIL_CPU: "slow calls by CPU time",
    Check.SPREAD: "spread of the wall time",
}
_SHARES = (Check.TAIL_WALL, Check.TAIL_CPU)


def amount(check: Check, value: float) -> str:
    """A check's value as a person reads it: `x1.052`, or `+4.0 points` for a share of calls."""
    return f"{100 * value:+.1f} points" if check in _SHARES else f"x{math.exp(value):.3f}"


def launch_line(launch: LaunchRecord) -> str:
    """One launch's values in a line, for progress."""
    return ", ".join(f"{check} {amount(check, value)}" for check, value in launch.result.values.items())


def sentence(comparison: Comparison) -> str:
    """The result in words: ratio, interval, launches, margin, threshold, and what decided.

    A fail leads with a line on how much slower and the limit; details, then warnings, follow
    on lines of their own.
    """
    decision, limits = comparison.decision, comparison.limits
    if decision is None:
        return f"{comparison.operation}: no verdict: {comparison.error}"
    low, high = decision.interval
    weak = " (weak, 3 : 2)" if decision.weak else ""
    details = (
        f"Candidate takes x{decision.ratio:.3f} of the baseline's wall time "
        f"(99 % bounds {low:.3f} to {high:.3f}), {_count(decision.launches)} of at most {MOST_LAUNCHES}; "
        f"margin {limits.margin_pct:g} %, half of the threshold of {limits.threshold_pct:g} %."
    )
    notes = [_warning(check, limits) for check in decision.checks.values() if check.warn]
    notes += [f"Fallback: {note}." for note in comparison.fallbacks]
    failed = [check for check in decision.checks.values() if check.verdict is Verdict.FAIL]
    if not failed:
        return " ".join([f"{comparison.operation}: {comparison.verdict}{weak}.", details, *notes])
    lines = [
        f"{comparison.operation}: {_lead(failed[0], decision, limits)}{weak}",
        " ".join([details, *map(_blame, failed)]),
        " ".join(notes),
    ]
    return "\n".join(filter(None, lines))


def values(comparison: Comparison) -> dict[str, float]:
    """Flat numbers for the record; ratios are plain, tails are percentage points of the calls."""
    decision, limits = comparison.decision, comparison.limits
    flat: dict[str, float] = {
        "threshold_pct": limits.threshold_pct,
        "margin_pct": limits.margin_pct,
        "launches": len(comparison.launches),
        "duration_s": comparison.seconds,
    }
    if decision is not None:
        flat["ratio"], (flat["ratio_low"], flat["ratio_high"]) = decision.ratio, decision.interval
        for check, outcome in decision.checks.items():
            flat[f"{check}_{_unit(check)}"] = _plain(check, outcome.middle)
            flat[f"{check}_launches"] = outcome.launches
            flat[f"{check}_launches_over"] = outcome.launches_over
    for number, launch in enumerate(comparison.launches, start=1):
        for check, value in launch.result.values.items():
            flat[f"launch{number}_{check}_{_unit(check)}"] = _plain(check, value)
        flat[f"launch{number}_calls_per_block"] = launch.samples.size.block
        flat[f"launch{number}_cycles"] = launch.samples.size.cycles
        flat[f"launch{number}_load_1m"] = launch.load.load_1m
        flat[f"launch{number}_steal_pct"] = launch.load.steal_pct
    return flat


def facts(comparison: Comparison) -> dict[str, str]:
    """Flat texts for the record."""
    decision = comparison.decision
    return {
        "operation": comparison.operation,
        "verdict": comparison.verdict,
        "weak": "yes" if decision and decision.weak else "no",
        "seed": str(comparison.seed),
        "gc": comparison.gc,
        "core": "none" if comparison.core is None else str(comparison.core),
        "fallbacks": "; ".join(comparison.fallbacks),
        "failed_by": ", ".join(decision.failed) if decision else "",
        "warnings": ", ".join(decision.warnings) if decision else "",
        "hash_seeds": " ".join(str(launch.schedule.hash_seed) for launch in comparison.launches),
        "error": comparison.error or "",
    }


def _unit(check: Check) -> str:
    return "points" if check in _SHARES else "ratio"


def _plain(check: Check, value: float) -> float:
    return 100 * value if check in _SHARES else math.exp(value)


def _count(launches: int) -> str:
    return f"{launches} launch" if launches == 1 else f"{launches} launches"


def _lead(check: CheckDecision, decision: Decision, limits: Limits) -> str:
    """How much slower by the check that failed, and its limit, as `20.2 % slower, limit 5 %`."""
    if check.check not in (Check.WALL, Check.CPU):
        limit = amount(check.check, check.limit)
        return f"{_NAMES[check.check]} {amount(check.check, check.middle)}, limit {limit}"
    ratio, more = math.exp(check.middle), "more CPU time"
    if check.check is Check.WALL:
        more = "slower"
        if 100 * (decision.ratio - 1) > limits.margin_pct:
            # The figure that stands beside it everywhere; the launches' median where that is no breach.
            ratio = decision.ratio
    return f"{100 * (ratio - 1):.1f} % {more}, limit {limits.margin_pct:g} %"


def _blame(check: CheckDecision) -> str:
    name = _NAMES[check.check]
    return (
        f"{name[0].upper()}{name[1:]}: {amount(check.check, check.middle)}, over the limit of "
        f"{amount(check.check, check.limit)} in {check.launches_over} of {_count(check.launches)}."
    )


def _warning(check: CheckDecision, limits: Limits) -> str:
    shown = f"Warning: {_NAMES[check.check]} {amount(check.check, check.middle)}"
    limit = amount(check.check, check.limit)
    if check.middle > check.limit:
        return f"{shown}, above the limit of {limit}, but no more than chance explains."
    return f"{shown}, within the limit of {limit} but above {amount(check.check, limits.early(check.check))}."
