"""What is told of a verdict, before it takes the form of any service. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from hologram_dagster.evidence.check import CheckResult
from hologram_dagster.evidence.verdict import Verdict, Word
from hologram_dagster.profiles import DRIFTS, REGRESSIONS
from hologram_dagster.reports.causes import causes, not_compared
from hologram_dagster.reports.reading import duration_text, text_of, with_unit

# Escalation rules: contract section 1.
ESCALATION_PCT = 50.0
ESCALATION_REDS = 3
PERFORMANCE = "Performance (Best p95)"
E2E = "E2E Highlights"
_MOST_RED = 5
_LINE = 300


@dataclass(frozen=True, slots=True)
class Message:
    """A verdict in words, redacted: `fields` are titles with their lines, `links` names with addresses.

    `escalated` says why somebody should look now; empty if nobody needs to.
    """

    word: Word
    title: str
    fields: Mapping[str, tuple[str, ...]]
    escalated: tuple[str, ...]
    links: Mapping[str, str]


def make_message(verdict: Verdict, *, before: Sequence[Word], links: Mapping[str, str]) -> Message:
    """The message on `verdict`; `before` are the verdicts of the same profile before it, newest first."""
    escalated = tuple(_escalations(verdict, before))
    fields = {
        "Escalation": escalated,
        "Red checks": _red(verdict),
        "Not compared": tuple(not_compared(verdict.to_json())),
        "Waived": tuple(
            f"{w.check} by {w.who} until {w.expires_at:%Y-%m-%d %H:%M} UTC" for w in verdict.waivers
        ),
        "Looser than the profile": tuple(
            f"{o.variable} = {o.value:g} (profile: {o.profile_value:g})"
            for o in verdict.overrides
            if o.looser
        ),
        PERFORMANCE: _performance(verdict) or ("no figures",),
        E2E: _e2e(verdict) or ("no steps",),
        "Revision": (_revision(verdict),),
    }
    return Message(
        word=verdict.verdict,
        title=_clean(f"{'ESCALATION: ' if escalated else ''}{headline(verdict)}"),
        fields={name: tuple(map(_clean, lines)) for name, lines in fields.items() if lines},
        escalated=escalated,
        links=dict(links),
    )


def headline(verdict: Verdict) -> str:
    """The verdict in one line, with the worst reason where there is one."""
    waived = " (waived)" if verdict.waived else ""
    broken = f": {verdict.broken}" if verdict.broken else ""
    return f"Hologram {verdict.profile} gate: {verdict.verdict}{waived}{broken}"


def _clean(text: str) -> str:
    return text_of(text, longest=_LINE)


def _escalations(verdict: Verdict, before: Sequence[Word]) -> Iterator[str]:
    for reason in _comparisons(verdict):
        if reason.red and reason.value is not None and reason.value > ESCALATION_PCT:
            yield f"{reason.kind}: slower by {reason.value:.0f} %, more than {ESCALATION_PCT:g} %"
    last = [verdict.verdict, *before][:ESCALATION_REDS]
    if len(last) == ESCALATION_REDS and Word.PASS not in last:
        yield f"none of the last {ESCALATION_REDS} gates of {verdict.profile} passed"
    failed = [r for r in verdict.reasons if r.red and r.kind.startswith("e2e_")]
    if verdict.environment == "production" and failed:
        yield f"end to end failed on production: {failed[0].kind} {failed[0].check}"


def _comparisons(verdict: Verdict) -> list[CheckResult]:
    compared = {*REGRESSIONS.values(), *DRIFTS.values()}
    return [reason for reason in verdict.reasons if reason.kind in compared]


def _red(verdict: Verdict) -> tuple[str, ...]:
    told = causes(asdict(reason) for reason in verdict.reasons if reason.red)
    red = [f"{cause.reason['kind']}.{', '.join(cause.checks)}: {cause.message}" for cause in told]
    more = [f"and {len(red) - _MOST_RED} more"] if len(red) > _MOST_RED else []
    return (*red[:_MOST_RED], *more)


def _performance(verdict: Verdict) -> tuple[str, ...]:
    """Figures beside their limits, the nearest to its limit first."""
    judged = [
        reason
        for reason in verdict.reasons
        if reason.value is not None
        and reason.limit
        and (reason.check == "p95_within_budget" or reason in _comparisons(verdict))
    ]
    judged.sort(key=lambda reason: -(reason.value or 0) / (reason.limit or 1))
    return tuple(
        f"{r.kind}: {with_unit(r.value, r.unit)} (limit {with_unit(r.limit, r.unit)})" for r in judged
    )


def _e2e(verdict: Verdict) -> tuple[str, ...]:
    kinds = dict.fromkeys(sorted(r.kind for r in verdict.reasons if r.kind.startswith("e2e_")))
    lines = []
    for kind in kinds:
        checks = [reason for reason in verdict.reasons if reason.kind == kind]
        red = [reason.check for reason in checks if reason.red]
        green = f"{len(checks) - len(red)} of {len(checks)} checks green"
        lines.append(f"{kind}: {green}{'; red: ' + ', '.join(red) if red else ''}")
    return tuple(lines)


def _revision(verdict: Verdict) -> str:
    revision = verdict.revision
    dirty = " with uncommitted changes" if revision.dirty else ""
    took = duration_text(
        verdict.started_at.isoformat(), verdict.finished_at and verdict.finished_at.isoformat()
    )
    parts = [f"{revision.commit[:12]}{dirty}", revision.ref, verdict.environment, took]
    return ", ".join(part for part in parts if part)
