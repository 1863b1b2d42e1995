"""From the first step of a run to its verdict, however it ends.

What belongs here: beginning, judging one kind, concluding, and reading a verdict back
only as far as its record vouches for it. What does not: the rules (`evidence`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.check import CheckResult
from hologram_dagster.evidence.document import State, Word
from hologram_dagster.evidence.earlier import with_earlier
from hologram_dagster.evidence.gathered import Gathered, Stored
from hologram_dagster.evidence.judge import judge_gathered
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.verdict import (
    KIND,
    Verdict,
    conclude,
    read_verdict,
    running,
    write_verdict,
)
from hologram_dagster.evidence.verdict_record import recorded_word
from hologram_dagster.evidence.waivers import with_waivers
from hologram_dagster.gate.run import GateRun
from hologram_dagster.observation import Status
from hologram_dagster.settings import Settings

_STATUS = {
    Word.PASS: Status.PASSED,
    Word.FAIL: Status.FAILED,
    Word.INCONCLUSIVE: Status.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True)
class Concluded:
    """A verdict and the record that keeps it."""

    verdict: Verdict
    stored: Stored


def verdict_path(settings: Settings) -> Path:
    """Where the verdict of the latest run is."""
    return settings.reports_dir / "verdict.json"


def begin(run: GateRun) -> None:
    """Enter the run in the ledger, and replace whatever `verdict.json` said by `running`."""
    run.evidence.start_run(run.recorded)
    write_verdict(verdict_path(run.settings), running(run.recorded, key_id=run.key_id))


def judge_kind(run: GateRun, kind: str) -> list[CheckResult]:
    """All results for the newest evidence of `kind`; red where there is none."""
    gathered = run.evidence.gather_for(run.recorded, [kind], now=datetime.now(UTC))
    return judge_gathered(kind, gathered, run.plan)


def newest_record(run: GateRun, kind: str) -> Record | None:
    """The record that `judge_kind` judges; None where there is none that counts."""
    stored = run.evidence.gather_for(run.recorded, [kind], now=datetime.now(UTC)).get(kind)
    return None if stored is None else stored.record


def earlier_facts(run: GateRun, kind: str) -> Mapping[str, str]:
    """The facts that evidence of `kind` of this very run holds; empty where there is none."""
    record = newest_record(run, kind)
    return record.facts if record is not None and record.run_id == run.identity.run_id else {}


def conclude_run(run: GateRun, *, interrupted: str | None = None, show: bool = True) -> Concluded:
    """Judge all evidence of the run, keep the verdict as evidence, and write `verdict.json`.

    With `show` False `verdict.json` stays as it is: a newer run's.
    """
    now = datetime.now(UTC)
    gathered = run.evidence.gather_for(run.recorded, run.recorded.required, now=now)
    verdict = conclude(run.recorded, gathered, finished_at=now, key_id=run.key_id, interrupted=interrupted)
    verdict = with_waivers(run.evidence, verdict, now=now)
    verdict = with_earlier(run.evidence.ledger.path, verdict)
    stored, verdict = run.evidence.add_verdict(verdict, run.recorded)
    if show:
        write_verdict(verdict_path(run.settings), verdict)
    return Concluded(verdict, stored)


def verdict_check(run: GateRun) -> CheckResult:
    """The last gate: green only if this run's verdict, as its record keeps it, is pass."""
    gathered = run.evidence.gather(run.identity, [KIND], now=datetime.now(UTC))
    fault, stored = gathered.fault(KIND), _own(run, gathered)
    if fault is not None:
        status, message = fault.status, fault.message
    elif stored is None:
        status, message = Status.FAILED, "this run has no verdict"
    else:
        word = recorded_word(stored.record)
        worst = next((f for f in stored.record.findings if f.status is not Status.PASSED), None)
        cause = f"; {worst.name}: {worst.message}" if worst and word is not Word.PASS else ""
        status, message = _STATUS[word], f"verdict {word}{cause}"
    return CheckResult(kind=KIND, check="gate", status=status, message=message)


def own_verdict(run: GateRun) -> Verdict | None:
    """What this run has concluded, from its evidence; None if it has not, or if that does not hold.

    Not from `verdict.json`, which another run in the same folder may have replaced.
    """
    now = datetime.now(UTC)
    stored = _own(run, run.evidence.gather(run.identity, [KIND], now=now))
    if stored is None:
        return None
    gathered = run.evidence.gather_for(run.recorded, run.recorded.required, now=now)
    verdict = conclude(run.recorded, gathered, finished_at=stored.record.finished_at, key_id=run.key_id)
    if verdict.verdict is not recorded_word(stored.record):
        return None
    verdict = with_earlier(run.evidence.ledger.path, verdict)
    return with_waivers(run.evidence, verdict, now=now)


def has_concluded(run: GateRun) -> bool:
    """Whether this run has a verdict, whatever it says."""
    return _own(run, run.evidence.gather(run.identity, [KIND], now=datetime.now(UTC))) is not None


def _own(run: GateRun, gathered: Gathered) -> Stored | None:
    stored = gathered.get(KIND)
    return stored if stored is not None and stored.record.run_id == run.identity.run_id else None


def vouched_verdict(run: GateRun) -> Verdict:
    """`verdict.json`, of whatever run, if its record says the same.

    Raises:
        HologramError: there is none, or it is not what that run concluded.
    """
    path = verdict_path(run.settings)
    try:
        verdict = read_verdict(path)
    except FileNotFoundError:
        raise HologramError(f"{path} is not there: run the gate, or materialize `verdict`.") from None
    if verdict.state is State.RUNNING and verdict.verdict is Word.INCONCLUSIVE:
        return verdict
    of_run = replace(run.identity, run_id=verdict.run_id, started_at=verdict.started_at)
    stored = run.evidence.gather(of_run, [KIND], now=datetime.now(UTC)).get(KIND)
    if (
        stored is None
        or stored.record.run_id != verdict.run_id
        or recorded_word(stored.record) is not verdict.verdict
        or verdict.revision != run.identity.revision
    ):
        raise HologramError(f"{path} is not what a gate run concluded of this revision: run the gate again.")
    return verdict
