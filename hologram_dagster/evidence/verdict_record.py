"""A verdict as evidence: the observation it is kept as, and its results read back.

The record holds what a verdict says and rests on; what can be read elsewhere (plan,
figures) stays there: in the ledger's entry of the run, and in the records.
"""

from hologram_dagster.evidence.check import CheckResult
from hologram_dagster.evidence.document import Verdict, Word
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.verdict import KIND
from hologram_dagster.observation import Artifact, Finding, Observation, Status

METHOD = "1"
_STATUS = {Word.PASS: Status.PASSED, Word.FAIL: Status.FAILED, Word.INCONCLUSIVE: Status.INCONCLUSIVE}
_WORD = {status: word for word, status in _STATUS.items()}


def observation_of(verdict: Verdict) -> Observation:
    """`verdict`, which is final, as an observation of kind `verdict`.

    Raises:
        ValueError: it is still running.
    """
    if verdict.finished_at is None:
        raise ValueError("a running verdict is no evidence")
    return Observation(
        kind=KIND,
        status=_STATUS[verdict.verdict],
        method=METHOD,
        started_at=verdict.started_at,
        finished_at=verdict.finished_at,
        values={"checks": len(verdict.reasons), "red": sum(reason.red for reason in verdict.reasons)},
        findings=tuple(Finding(f"{r.kind}.{r.check}", r.status, r.message) for r in verdict.reasons),
        artifacts=tuple(Artifact(item.uri, item.sha256) for item in verdict.evidence),
    )


def recorded_word(record: Record) -> Word:
    """The verdict that `record` keeps.

    Raises:
        KeyError: no verdict has the record's status.
    """
    return word_of_status(record.status)


def word_of_status(status: Status) -> Word:
    """The verdict whose record has this status.

    Raises:
        KeyError: no verdict's has.
    """
    return _WORD[status]


def recorded_results(record: Record) -> list[CheckResult]:
    """The results that the recorded verdict was made of, without figures."""
    split = [(*finding.name.rpartition("."), finding) for finding in record.findings]
    return [CheckResult(f.status, f.message, kind=kind, check=check) for kind, _, check, f in split]
