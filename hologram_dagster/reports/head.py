"""What a person reads of the page in ten seconds: the verdict, why, and the comparisons at a glance."""

from collections.abc import Mapping
from typing import Any

from hologram_dagster.reports import record_tables
from hologram_dagster.reports.causes import Cause, causes, green_count, not_compared
from hologram_dagster.reports.paired import Paired
from hologram_dagster.reports.reading import (
    duration_text,
    is_red,
    is_waived,
    mapping_of,
    mappings_of,
    passed_after_fail,
    text_of,
    time_text,
    with_unit,
    worst_first,
)
from hologram_dagster.reports.tables import Cell, Cells

_MOST_REASONS = 20
_HEADLINES = {
    "pass": ("Pass", "passed", "This revision may ship."),
    "fail": ("Fail", "failed", "This revision must not ship."),
    "inconclusive": ("Inconclusive", "doubtful", "The run could not tell whether this revision may ship."),
}


def head(verdict: Mapping[str, Any], cells: Cells) -> dict[str, Any]:
    """The verdict in words, what it is of, and what must be known beside it."""
    word = text_of(verdict.get("verdict"), longest=40)
    headline, tone, answer = _HEADLINES.get(
        word, (word or "No verdict", "error", "This verdict is unknown here.")
    )
    running = verdict.get("state") != "final"
    if running:
        answer = "The run has started and not finished. If nothing is running any more, it was killed."
    waivers = mappings_of(verdict.get("waivers"))
    revision = mapping_of(verdict.get("revision"))
    when = verdict.get("finished_at") or verdict.get("started_at")
    return {
        "headline": headline,
        "tone": tone,
        "answer": answer,
        "running": running,
        "commit": text_of(revision.get("commit"), longest=100)[:12],
        "ref": text_of(revision.get("ref"), longest=100),
        "dirty": bool(revision.get("dirty")),
        "profile": text_of(verdict.get("profile"), longest=60),
        "environment": text_of(verdict.get("environment"), longest=60),
        "when": time_text(when),
        "duration": duration_text(verdict.get("started_at"), verdict.get("finished_at")),
        "not_compared": [cells.text(told).text for told in not_compared(verdict)][: cells.limits.rows],
        "after_fail": passed_after_fail(verdict),
        "looser": [
            (
                cells.code(o.get("variable")).text,
                cells.number(o.get("profile_value")).text,
                cells.number(o.get("value")).text,
            )
            for o in mappings_of(verdict.get("overrides"))
            if o.get("looser")
        ][: cells.limits.rows],
        "waived": is_waived(verdict),
        "waivers": [
            (
                cells.code(w.get("check")).text,
                cells.text(w.get("who")).text,
                time_text(w.get("expires_at")),
                cells.text(w.get("why")).text,
            )
            for w in waivers[: cells.limits.rows]
        ],
    }


def reasons(verdict: Mapping[str, Any], cells: Cells) -> dict[str, Any]:
    """The causes of a red verdict, or how much was green."""
    told_by = mappings_of(verdict.get("reasons"))
    red = [reason for reason in worst_first(told_by) if is_red(reason)]
    most, told = min(_MOST_REASONS, cells.limits.rows), causes(red)
    return {
        "red": [_cause(cause, cells) for cause in told[:most]],
        "left_out": max(0, len(told) - most),
        "green": green_count(told_by),
        "red_count": len(red),
        "count": len(told_by),
        "passed": sum(reason.get("status") == "passed" for reason in told_by),
    }


def _cause(cause: Cause, cells: Cells) -> dict[str, Cell]:
    reason = cause.reason
    value, limit, unit = (reason.get(name) for name in ("value", "limit", "unit"))
    in_ms = unit == "ms"
    return {
        "status": cells.status(reason.get("status")),
        "kind": cells.kind(reason.get("kind")),
        "check": cells.code(", ".join(cause.checks)),
        "message": cells.text(cause.message),
        "share": cells.share(value, limit) if in_ms else Cell("", form="share"),
        "figure": Cell("" if in_ms or limit is None else with_unit(value, unit)),
        "limit": Cell(with_unit(limit, unit)),
    }


def at_a_glance(paired: Paired, cells: Cells) -> dict[str, Cell]:
    """A comparison in one line."""
    return {
        "verdict": record_tables.verdict_of(paired),
        "operation": cells.code(paired.operation),
        "ratio": Cell(paired.ratio_text),
        "limit": Cell(paired.limit_text),
    }
