"""The rules that checks are made of, each a pure function of a record and the plan.

What belongs here: what must hold of one record. What does not: which kinds have which
checks (`judge`), what follows from the results (`verdict`).
"""

from collections.abc import Collection
from dataclasses import replace

from hologram_dagster.evidence.check import NOTHING, Check, Outcome, Severity
from hologram_dagster.evidence.record import Record
from hologram_dagster.observation import Finding, Status
from hologram_dagster.profiles import Operation, Plan

OBSERVED = "observed"
NO_REGRESSION = "no_regression"
# The value, percent, by which a figure differs from a stored one: held by records of no other comparison.
CHANGE_PCT = "stored_change_pct"
# Worst first.
_RED = (Status.FAILED, Status.ERROR, Status.INCONCLUSIVE)
CUT_SHORT = frozenset({Status.ERROR, Status.INCONCLUSIVE})
FIGURES = ("p50_ms", "p95_ms", "p99_ms", "avg_ms", "n")


def observed(covered: Collection[str]) -> Check:
    """The check that the record's own status is accounted for.

    `covered` names the findings that have checks of their own.
    """

    def rule(record: Record, plan: Plan) -> Outcome:
        best_effort = plan.profile.best_effort
        red = [finding for finding in record.findings if finding.status in _RED]
        required = [finding for finding in red if finding.name not in best_effort]
        if record.status is Status.NOT_APPLICABLE:
            if required:
                return Outcome(Status.FAILED, f"said to be not applicable, yet {_cause(required)}")
            why = f"not applicable: {record.why or 'no reason given'}"
            if record.kind in best_effort:
                return Outcome(Status.NOT_APPLICABLE, why)
            return Outcome(Status.FAILED, f"{why}; {plan.profile.name} requires it")
        if red and not required:
            return Outcome(Status.PASSED, "observed to the end, but for what is best effort")
        if record.status in CUT_SHORT:
            return Outcome(record.status, _cause(required) or "it gives no cause")
        failed = [finding for finding in required if finding.status is Status.FAILED]
        if record.status is Status.FAILED and not failed:
            return Outcome(Status.FAILED, _cause(required) or "it failed and does not say what of it")
        unjudged = [finding for finding in required if finding.name not in covered]
        if unjudged:
            return Outcome(_worst(unjudged), _cause(unjudged))
        return Outcome(Status.PASSED, "observed to the end")

    return Check(OBSERVED, "What should be observed was observed, and nothing red is left unjudged.", rule)


def step(name: str, description: str) -> Check:
    """The check that step `name` was done and passed, unless the profile takes it as best effort."""

    def rule(record: Record, plan: Plan) -> Outcome:
        finding = _find(record, name)
        if finding is not None and finding.status is Status.PASSED:
            return Outcome(Status.PASSED, finding.message or "done")
        skipped = finding is None or finding.status is Status.NOT_APPLICABLE
        if skipped and record.status in CUT_SHORT:
            return NOTHING
        if finding is None:
            status, message = Status.FAILED, f"step {name} was not done"
        elif finding.status is Status.NOT_APPLICABLE:
            status, message = (
                Status.FAILED,
                f"step {name} was skipped: {finding.message or 'no reason given'}",
            )
        else:
            status, message = finding.status, finding.message or f"step {name} ended as {finding.status}"
        if name in plan.profile.best_effort:
            message = f"best effort in {plan.profile.name}: {message}"
            return Outcome(Status.NOT_APPLICABLE, message, severity=Severity.WARN)
        return Outcome(status, message)

    return Check(name, description, rule)


def p95_within_budget(operation: Operation) -> Check:
    """The check that the p95 does not exceed the plan's budget; equal passes."""

    def rule(record: Record, plan: Plan) -> Outcome:
        p95 = record.values.get("p95_ms")
        # A launch that erred is never a time.
        if p95 is None or record.status in CUT_SHORT:
            return NOTHING
        budget = plan.budgets_ms[operation.name]
        message = f"p95 {figure(p95)} ms, budget {figure(budget)} ms"
        if p95 > budget:
            message += f": over by {figure(100 * (p95 / budget - 1))} %"
        return Outcome(Status.FAILED if p95 > budget else Status.PASSED, message, p95, budget, "ms")

    return Check("p95_within_budget", f"The p95 of `{operation.name}` does not exceed its budget.", rule)


def no_regression(operation: str) -> Check:
    """The check that the candidate is not slower than its baseline, by the rule the record was made with.

    The rule needs every launch; its outcome is in the record, with the threshold it used,
    which must be the plan's. What was compared with a stored number only is a warning,
    neither passed nor failed.
    """

    description = f"`{operation}` is not slower than that of the baseline, run beside it."
    compared = step(NO_REGRESSION, description)

    def rule(record: Record, plan: Plan) -> Outcome:
        if CHANGE_PCT in record.values and "ratio" not in record.values:
            return _compared_with_stored(record)
        outcome = compared.rule(record, plan)
        if outcome is NOTHING or outcome.status not in (Status.PASSED, Status.FAILED):
            return outcome
        threshold, ratio = record.values.get("threshold_pct"), record.values.get("ratio")
        if ratio is None:
            return outcome if outcome.status is Status.FAILED else Outcome(Status.FAILED, "without a ratio")
        if threshold != plan.threshold_pct:
            said = "no threshold" if threshold is None else f"a threshold of {threshold:g} %"
            return Outcome(Status.FAILED, f"compared with {said}, planned {plan.threshold_pct:g} %")
        value, limit = 100 * (ratio - 1), plan.threshold_pct / 2
        if outcome.status is Status.FAILED and value <= limit:
            # CPU time or a tail decided; the message has its figure.
            return outcome
        return replace(outcome, value=value, limit=limit, unit="%")

    return Check(compared.name, description, rule)


def _compared_with_stored(record: Record) -> Outcome:
    finding = _find(record, NO_REGRESSION)
    if record.status is not Status.PASSED or finding is None:
        return NOTHING
    return Outcome(
        Status.NOT_APPLICABLE,
        finding.message,
        value=record.values[CHANGE_PCT],
        unit="%",
        severity=Severity.WARN,
    )


def evidence_complete(operation: str, *, has_payload: bool) -> Check:
    """The check that all figures are there, over as many samples and as large a payload as planned."""

    def rule(record: Record, plan: Plan) -> Outcome:
        if record.status in CUT_SHORT:
            return NOTHING
        missing = [name for name in FIGURES if name not in record.values]
        if len(missing) == len(FIGURES):
            return NOTHING
        if missing:
            return Outcome(Status.FAILED, f"without {', '.join(missing)}")
        n, planned = record.values["n"], plan.samples(operation)
        if n != planned:
            return Outcome(Status.FAILED, f"{n:g} samples, planned {planned}", n, planned, "samples")
        if has_payload:
            size, wanted = record.values.get("payload_bytes"), plan.payload_bytes(operation)
            if size != wanted:
                seen = "an unknown payload" if size is None else f"a payload of {size:.0f} bytes"
                return Outcome(Status.FAILED, f"{seen}, planned {wanted}", size, wanted, "bytes")
        return Outcome(Status.PASSED, f"{n:g} samples, as planned", n, planned, "samples")

    return Check("evidence_complete", "All figures are there, over the planned samples and payload.", rule)


def _find(record: Record, name: str) -> Finding | None:
    # The worst, should a step have been done more than once.
    named = [finding for finding in record.findings if finding.name == name]
    return min(named, key=lambda finding: _rank(finding.status), default=None)


def _rank(status: Status) -> int:
    # A skipped step is worse than a passed one.
    return (*_RED, Status.NOT_APPLICABLE, Status.PASSED).index(status)


def _worst(findings: Collection[Finding]) -> Status:
    return min((finding.status for finding in findings), key=_rank)


def _cause(findings: Collection[Finding]) -> str:
    return "; ".join(
        f"{finding.name}: {finding.message}" if finding.message else finding.name for finding in findings
    )


def figure(number: float) -> str:
    """`number` for a reader: one decimal from 10 up, three digits below."""
    return f"{number:.1f}".removesuffix(".0") if abs(number) >= 10 else f"{number:.3g}"
