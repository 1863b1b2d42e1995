"""What must hold of the load of an experiment and of its history, once all is over."""

import math
from collections.abc import Callable
from functools import partial

from hologram_dagster.chaos.experiment import Workload
from hologram_dagster.chaos.history import History
from hologram_dagster.chaos.history_check import acknowledged_keys, check
from hologram_dagster.chaos.journal import Journal
from hologram_dagster.chaos.load import now_s, success_share
from hologram_dagster.errors import HologramError
from hologram_dagster.observation import Finding, Status


def judge_load(workload: Workload, journal: Journal) -> list[Finding]:
    """Whether the load was there, on time, and served outside the windows; its figures go to `journal`."""
    operations = workload.load.operations
    outside = [
        each
        for each in operations
        if not any(
            each.during(
                journal.origin_s + window.applied_s,
                math.inf if window.recovered_s is None else journal.origin_s + window.recovered_s,
            )
            for window in journal.windows
        )
    ]
    lag, share = workload.load.send_lag_p95_ms, success_share(outside)
    journal.values |= {
        "operations": float(len(operations)),
        "success_rate": share,
        "failure_rate": 1 - share,
        "success_rate_overall": success_share(operations),
        "send_lag_p95_ms": lag,
    }
    few = len(operations) < workload.least_operations
    late = lag > workload.most_lag_ms
    found = [
        Finding(
            "operations",
            Status.INCONCLUSIVE if few else Status.PASSED,
            f"{len(operations)} operations, at least {workload.least_operations} are needed",
        ),
        Finding(
            "send_lag",
            Status.INCONCLUSIVE if late else Status.PASSED,
            f"the p95 of our own lag is {lag:.1f} ms, at most {workload.most_lag_ms:g} ms",
        ),
    ]
    if not outside:
        found.append(Finding("success", Status.INCONCLUSIVE, "no operation lay outside the faults"))
        return found
    why = next((f": {each.error}" for each in outside if not each.done), "")
    told = f"{100 * share:.1f} % of {len(outside)} operations outside the faults succeeded{why}"
    held = share >= workload.least_success
    found.append(Finding("success", Status.PASSED if held else Status.FAILED, told))
    return found


def check_history(history: History, read_back: Callable[[str], str | None]) -> list[Finding]:
    """Read every acknowledged key back, then check the history: nothing lost, stale, or wrong."""
    over_s = now_s()
    for key in acknowledged_keys(history.events):
        try:
            history.reading(key, partial(read_back, key))
        except HologramError:
            continue  # recorded, and so told as never read
    checked = check(history.events, over_s=over_s)
    counted = f"{checked.acknowledged} writes acknowledged, {checked.reads} reads"
    found = [
        Finding(name, Status.FAILED if faults else Status.PASSED, _told(faults, counted))
        for name, faults in (
            ("nothing_lost", checked.lost),
            ("nothing_stale", checked.stale),
            ("nothing_wrong", checked.wrong),
        )
    ]
    if checked.unread or not checked.acknowledged:
        why = _told(checked.unread, counted) if checked.unread else "no write was acknowledged"
        found.append(Finding("all_read_back", Status.INCONCLUSIVE, why))
    return found


def _told(faults: tuple[str, ...], counted: str) -> str:
    return f"{len(faults)}: {faults[0]}; {counted}" if faults else counted
