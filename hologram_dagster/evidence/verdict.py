"""What follows from the evidence: rules 1 to 4 of design, *From evidence to verdict*.

What belongs here: those rules, as pure functions. What does not: the document that says
the verdict (`document`), judging one record (`judge`), finding records (`gathering`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from hologram_dagster.evidence.check import CheckResult
from hologram_dagster.evidence.document import (
    EvidenceItem,
    ExitCode,
    State,
    Verdict,
    Waiver,
    Word,
    read_verdict,
    write_verdict,
)
from hologram_dagster.evidence.gathered import Fault, FaultCode, Gathered
from hologram_dagster.evidence.judge import CHECKS, judge
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.run import RecordedRun
from hologram_dagster.observation import Status

__all__ = [
    "EvidenceItem",
    "ExitCode",
    "State",
    "Verdict",
    "Waiver",
    "Word",
    "conclude",
    "read_verdict",
    "running",
    "write_verdict",
]

KIND = "verdict"
# Kind and check of the reason that a run did not complete.
INTERRUPTED = (KIND, "completed")
# The check that evidence is what was written, for this revision, by a trusted key.
AUTHENTIC = "authentic"
# The check that required evidence is there at all.
PRESENT = "present"
# Stricter last.
STRICTNESS = (Word.PASS, Word.INCONCLUSIVE, Word.FAIL)
# Worst first; the order of a verdict's reasons.
_ORDER = (Status.FAILED, Status.ERROR, Status.INCONCLUSIVE, Status.NOT_APPLICABLE, Status.PASSED)


def conclude(
    run: RecordedRun,
    gathered: Gathered,
    *,
    finished_at: datetime,
    key_id: str,
    interrupted: str | None = None,
) -> Verdict:
    """The verdict of `run` on what was gathered for it. Pure.

    `interrupted` says why the run did not complete (killed, out of its deadline); None if
    it did. The order of evidence and faults is without meaning.
    """
    results = [result for stored in gathered.evidence for result in _results(run, stored.record)]
    results += [_fault(fault) for fault in gathered.faults]
    results += _missing(run, gathered, interrupted)
    if interrupted is not None:
        results.append(_interrupted(interrupted))
    items = [EvidenceItem(s.record.kind, s.record.status, s.uri, s.sha256) for s in gathered.evidence]
    return replace(
        running(run, key_id=key_id),
        verdict=word_of(results),
        state=State.FINAL,
        finished_at=finished_at,
        reasons=sort_reasons(results, run.required),
        evidence=tuple(sorted(items, key=lambda item: (_position(item.kind, run.required), item.uri))),
    )


def running(run: RecordedRun, *, key_id: str) -> Verdict:
    """What `verdict.json` says from the first step of a run until its end: not a pass."""
    identity = run.identity
    return Verdict(
        verdict=Word.INCONCLUSIVE,
        state=State.RUNNING,
        revision=identity.revision,
        baseline_commit=identity.baseline_commit,
        profile=str(identity.profile),
        environment=str(identity.environment),
        machine=identity.machine,
        run_id=identity.run_id,
        started_at=identity.started_at,
        finished_at=None,
        reasons=(_interrupted("the run has started and not finished"),),
        overrides=tuple(sorted(run.plan.overrides, key=lambda override: not override.looser)),
        waivers=(),
        evidence=(),
        ledger_head="",
        key_id=key_id,
        baseline_rule=identity.baseline_rule,
    )


def sort_reasons(results: Iterable[CheckResult], required: Sequence[str]) -> tuple[CheckResult, ...]:
    """`results` worst first, then in the order of the required kinds and of their checks."""
    return tuple(
        sorted(
            results,
            key=lambda r: (
                not r.red,
                _ORDER.index(r.status),
                _position(r.kind, required),
                _position(r.check, [check.name for check in CHECKS.get(r.kind, ())]),
                (r.kind, r.check, r.message),
            ),
        )
    )


def word_of(results: Iterable[CheckResult]) -> Word:
    """The verdict that `results` add up to."""
    red = {result.status for result in results if result.red}
    if Status.FAILED in red:
        return Word.FAIL
    return Word.INCONCLUSIVE if red else Word.PASS


def _results(run: RecordedRun, record: Record) -> list[CheckResult]:
    seen, judged = record.revision, run.identity.revision
    if (seen.commit, seen.tree) != (judged.commit, judged.tree):
        why = f"the record is of commit {seen.commit[:12]}, tree {seen.tree[:12]}"
        return [CheckResult(Status.FAILED, why, kind=record.kind, check=AUTHENTIC)]
    return judge(record, run.plan)


def _fault(fault: Fault) -> CheckResult:
    return CheckResult(fault.status, fault.message, kind=fault.kind, check=AUTHENTIC)


def _interrupted(why: str) -> CheckResult:
    kind, check = INTERRUPTED
    return CheckResult(Status.INCONCLUSIVE, why, kind=kind, check=check)


def _missing(run: RecordedRun, gathered: Gathered, interrupted: str | None) -> list[CheckResult]:
    if any(fault.code is FaultCode.LEDGER for fault in gathered.faults):
        # Nothing was gathered at all, and that is red already.
        return []
    seen = {stored.record.kind for stored in gathered.evidence} | {fault.kind for fault in gathered.faults}
    status = Status.FAILED if interrupted is None else Status.INCONCLUSIVE
    why = "although the run completed" if interrupted is None else f"as {interrupted}"
    return [
        CheckResult(status, f"there is no fresh evidence, {why}", kind=kind, check=PRESENT)
        for kind in run.required
        if kind not in seen
    ]


def _position(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)
