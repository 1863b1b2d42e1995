"""The status badge as HTML, Markdown, JSON and SVG, from the verdict alone (contract section 7.3).

What belongs here: how old a verdict may be, and how the badge looks. What does not: events
and rows; the badge that looked for event names was wrong for ever (contract, trap 10).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from html import escape
from typing import Any
from urllib.parse import quote

from hologram_dagster.reports.reading import FAILED, PASSED, is_red, mappings_of, of_kind, time_of

FRESH = timedelta(hours=24)
# A verdict of the future is a clock's fault, not news.
_SKEW = timedelta(minutes=5)


class BadgeStatus(StrEnum):
    """What the badge says; `perf_gate` and `e2e_tests` never say `running`."""

    PASS = "pass"
    FAIL = "fail"
    RUNNING = "running"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Badge:
    """The badge's content; `last_run` (UTC) is None when no run is known."""

    status: BadgeStatus
    perf_gate: BadgeStatus
    e2e_tests: BadgeStatus
    last_run: datetime | None


_LABEL = "Hologram Pipeline"
# Of the SVG: about what a letter of its font takes, and the space beside a word.
_CHARACTER_PX, _PADDING_PX = 7, 8
_HTML_COLOURS = {
    BadgeStatus.PASS: ("#28a745", "#ffffff"),
    BadgeStatus.FAIL: ("#dc3545", "#ffffff"),
    BadgeStatus.RUNNING: ("#ffc107", "#212529"),
    BadgeStatus.UNKNOWN: ("#6c757d", "#ffffff"),
}
_MARKDOWN_COLOURS = {
    BadgeStatus.PASS: "green",
    BadgeStatus.FAIL: "red",
    BadgeStatus.RUNNING: "yellow",
    BadgeStatus.UNKNOWN: "grey",
}
_ICONS = {
    BadgeStatus.PASS: "✓",
    BadgeStatus.FAIL: "✗",
    BadgeStatus.RUNNING: "●",
    BadgeStatus.UNKNOWN: "?",
}


def badge_status(
    verdict: Mapping[str, Any] | None, now: datetime, *, deadline_s: int | None = None
) -> BadgeStatus:
    """What the verdict document says at `now` (aware); None: there is no document.

    A verdict is `unknown` after 24 h, an unfinished run after `deadline_s` (at most 24 h),
    and `inconclusive` is `unknown`.
    """
    if verdict is None:
        return BadgeStatus.UNKNOWN
    if verdict.get("state") == "running":
        limit = FRESH if deadline_s is None else min(FRESH, timedelta(seconds=deadline_s))
        fresh = _is_fresh(verdict.get("started_at"), now, limit)
        return BadgeStatus.RUNNING if fresh else BadgeStatus.UNKNOWN
    if not _counts(verdict, now):
        return BadgeStatus.UNKNOWN
    return {"pass": BadgeStatus.PASS, "fail": BadgeStatus.FAIL}.get(
        str(verdict.get("verdict")), BadgeStatus.UNKNOWN
    )


def make_badge(
    verdict: Mapping[str, Any] | None,
    now: datetime,
    *,
    deadline_s: int | None = None,
    last_run: datetime | None = None,
) -> Badge:
    """The badge of a verdict document at `now`.

    `last_run` is the time of `index.html` (contract section 7.3); without it the
    verdict's own time stands.
    """
    status = badge_status(verdict, now, deadline_s=deadline_s)
    document = verdict or {}
    time = last_run or time_of(document.get("finished_at")) or time_of(document.get("started_at"))
    return Badge(
        status=status,
        perf_gate=_part(document, "perf_", now),
        e2e_tests=_part(document, "e2e_", now),
        last_run=time.astimezone(UTC) if time else None,
    )


def _is_fresh(time: object, now: datetime, limit: timedelta) -> bool:
    then = time_of(time)
    return then is not None and -_SKEW <= now - then <= limit


def _counts(verdict: Mapping[str, Any], now: datetime) -> bool:
    """Whether the run has ended, within the last 24 h."""
    return verdict.get("state") == "final" and _is_fresh(verdict.get("finished_at"), now, FRESH)


def _part(verdict: Mapping[str, Any], prefix: str, now: datetime) -> BadgeStatus:
    """What the checks and the evidence of one family of kinds say."""
    reasons = [item for item in mappings_of(verdict.get("reasons")) if of_kind(item, prefix)]
    evidence = [item for item in mappings_of(verdict.get("evidence")) if of_kind(item, prefix)]
    if not _counts(verdict, now):
        return BadgeStatus.UNKNOWN
    if verdict.get("verdict") == "pass":
        # What was best effort may have failed without failing the gate.
        return BadgeStatus.PASS if evidence else BadgeStatus.UNKNOWN
    if any(item.get("status") == FAILED for item in reasons):
        return BadgeStatus.FAIL
    settled = not any(map(is_red, reasons)) and all(item.get("status") == PASSED for item in evidence)
    return BadgeStatus.PASS if evidence and settled else BadgeStatus.UNKNOWN


def badge_json(badge: Badge) -> dict[str, Any]:
    """The badge as the JSON object of contract section 7.3; `timestamp` is None for no run."""
    return {
        "status": str(badge.status),
        "timestamp": badge.last_run.isoformat() if badge.last_run else None,
        "perf_gate": str(badge.perf_gate),
        "e2e_tests": str(badge.e2e_tests),
    }


def badge_html(badge: Badge) -> str:
    """The badge as an HTML fragment that needs no style sheet."""
    background, text = _HTML_COLOURS[badge.status]
    last = f"{badge.last_run:%Y-%m-%d %H:%M}" if badge.last_run else "Never"
    label = f"{_ICONS[badge.status]} {_LABEL}: {badge.status.upper()}"
    return (
        f'<span role="status" style="display:inline-block;padding:4px 10px;border-radius:4px;'
        f"background:{background};color:{text};font:600 13px/1.5 system-ui,sans-serif"
        f'">{escape(label)}</span>'
        f' <small style="font:12px/1.5 system-ui,sans-serif">Last run: {escape(last)}</small>\n'
    )


def badge_markdown(badge: Badge) -> str:
    """The badge as a Markdown image by shields.io."""
    last = f"{badge.last_run:%Y-%m-%d}" if badge.last_run else "Never"
    name = f"{quote(_LABEL)}-{badge.status.upper()}-{_MARKDOWN_COLOURS[badge.status]}"
    query = f"style=flat-square&label=Last%20run&message={last}"
    return f"![{_LABEL}](https://img.shields.io/badge/{name}?{query})\n"


def badge_endpoint(badge: Badge) -> dict[str, Any]:
    """The badge in the JSON form that shields.io reads from an endpoint (schema version 1)."""
    return {
        "schemaVersion": 1,
        "label": _LABEL,
        "message": badge.status.upper(),
        "color": _MARKDOWN_COLOURS[badge.status],
        "isError": badge.status is BadgeStatus.FAIL,
    }


def badge_svg(badge: Badge) -> str:
    """The badge as one SVG image, with its text for screen readers."""
    background, text = _HTML_COLOURS[badge.status]
    word = badge.status.upper()
    left, right = (_CHARACTER_PX * len(part) + 2 * _PADDING_PX for part in (_LABEL, word))
    last = f"{badge.last_run:%Y-%m-%d %H:%M} UTC" if badge.last_run else "Never"
    title = escape(f"{_LABEL}: {word}. Last run: {last}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img">'
        f"<title>{title}</title>"
        f'<rect width="{left}" height="20" fill="#444444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{background}"/>'
        '<g font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2:g}" y="14" fill="#ffffff">{_LABEL}</text>'
        f'<text x="{left + right / 2:g}" y="14" fill="{text}">{word}</text>'
        "</g></svg>\n"
    )
