"""What was said of a revision: its latest verdict, verified again before it is repeated.

What belongs here: finding the run, and comparing what it said with what follows from its
evidence today. What does not: how a record is verified (`gathering`).

What it cannot tell: that the newest entries of the ledger were cut off, together with
the records they list. Against that, compare `ledger_head` with a copy kept elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hologram_dagster.errors import TamperedError
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.check import CheckResult
from hologram_dagster.evidence.document import ExitCode, Verdict
from hologram_dagster.evidence.earlier import with_earlier
from hologram_dagster.evidence.gathered import Fault, FaultCode, Gathered
from hologram_dagster.evidence.gathering import (
    EVIDENCE_ENTRY,
    FRESH_FOR,
    RUN_ENTRY,
    Listing,
    listings,
    recent_entries,
    verify,
    verify_all,
)
from hologram_dagster.evidence.record import Record, iso
from hologram_dagster.evidence.run import RecordedRun, run_from_json
from hologram_dagster.evidence.tail import find_data
from hologram_dagster.evidence.verdict import INTERRUPTED, KIND, STRICTNESS, conclude, sort_reasons, word_of
from hologram_dagster.evidence.verdict_record import recorded_results, recorded_word
from hologram_dagster.evidence.waivers import with_waivers
from hologram_dagster.protocol.ledger_entry import Entry


def answer(
    evidence: Evidence, commit: str, *, tree: str | None = None, profile: str | None = None, now: datetime
) -> tuple[Verdict | None, ExitCode]:
    """The verdict of the newest run of `commit`, and its exit code; (None, 4) if it has none.

    `tree` asks for that state of the files; without it only runs of the commit as it is
    count, not those with uncommitted changes. The ledger is verified from the run's start on
    (where the verdict rests on records of earlier runs, from 24 h before it), and so is every
    record the verdict rests on. The answer is never better than what the run said itself.

    Raises:
        TamperedError: the ledger was changed so that the run cannot even be named.
        HologramError: the ledger cannot be read.
    """
    found = _newest_run(evidence.ledger.path, commit, tree, profile)
    if found is None:
        return None, ExitCode.NO_VERDICT
    verdict = with_earlier(evidence.ledger.path, _verdict(evidence, found, now))
    verdict = with_waivers(evidence, verdict, now=now)
    return verdict, verdict.exit_code


def answer_of_run(evidence: Evidence, run_id: str, *, now: datetime) -> Verdict | None:
    """As `answer`, of the run `run_id` and of no other; None if no such run is known.

    Raises:
        As `answer`.
    """
    path = evidence.ledger.path
    starts = (data for data in find_data(path, run_id) if data.get("entry") == RUN_ENTRY)
    found = next((data for data in starts if data.get("run_id") == run_id), None)
    return None if found is None else with_earlier(path, _verdict(evidence, found, now))


def _newest_run(path: Path, commit: str, tree: str | None, profile: str | None) -> Mapping[str, Any] | None:
    started: set[object] = set()
    concluded: set[object] = set()
    for data in find_data(path, commit):
        if data.get("entry") == RUN_ENTRY:
            if _is_of(data, commit, tree, profile):
                return data
            started.add(data.get("run_id"))
        elif data.get("entry") == EVIDENCE_ENTRY and data.get("kind") == KIND:
            concluded.add(data.get("run_id"))
    if orphans := sorted(map(str, concluded - started)):
        raise TamperedError(
            f"{path}: it lists the verdict of run {orphans[0]}, but the start of that run is gone"
        )
    return None


def _is_of(data: Mapping[str, Any], commit: str, tree: str | None, profile: str | None) -> bool:
    revision = data.get("revision")
    if not isinstance(revision, Mapping) or revision.get("commit") != commit:
        return False
    if profile is not None and data.get("profile") != profile:
        return False
    return revision.get("dirty") is False if tree is None else revision.get("tree") == tree


def _verdict(evidence: Evidence, found: Mapping[str, Any], now: datetime) -> Verdict:
    ledger = evidence.ledger.path
    try:
        run = run_from_json(found)
    except TamperedError as error:
        raise TamperedError(f"{ledger}: {error}") from None
    try:
        entries = recent_entries(ledger, since=run.identity.started_at)
        start = _start(evidence, run, found, entries)
    except TamperedError as error:
        return conclude(run, _tampered(ledger, error), finished_at=now, key_id="")
    later = entries[entries.index(start) :]
    own = [listing for listing in listings(later) if listing.run_id == run.identity.run_id]
    concluded = next((listing for listing in own if listing.kind == KIND), None)
    if concluded is None:
        reason = _unfinished(run, now)
        return _conclude_own(evidence, run, own, (), reason, now, start.key_id)
    stored = verify(evidence.store, evidence.trust, run.identity, concluded)
    if isinstance(stored, Fault):
        reason = "its verdict cannot be used"
        return _conclude_own(evidence, run, own, (stored,), reason, now, start.key_id)
    if not {item.sha256 for item in stored.record.artifacts} <= {each.sha256 for each in listings(entries)}:
        # Some of it is of runs before. Where all is the run's own, a long day costs nothing.
        try:
            entries = recent_entries(ledger, since=run.identity.started_at - FRESH_FOR)
        except TamperedError as error:
            return conclude(run, _tampered(ledger, error), finished_at=now, key_id="")
    verdict = _repeat(evidence, run, stored.record, entries)
    return replace(verdict, ledger_head=concluded.head)


def _tampered(ledger: Path, error: TamperedError) -> Gathered:
    return Gathered((), (Fault("ledger", FaultCode.LEDGER, f"{ledger}: {error}"),))


def _start(evidence: Evidence, run: RecordedRun, found: Mapping[str, Any], entries: Sequence[Entry]) -> Entry:
    """The verified entry of the run's start, which `found` was read from.

    Raises:
        TamperedError: it is not among the verified ones, or not by a trusted key.
    """
    run_id = run.identity.run_id
    start = next((entry for entry in entries if entry.data == found), None)
    if start is None:
        raise TamperedError(f"the start of run {run_id} does not stand where its time says")
    if why := evidence.trust.fault(start.public_key, str(run.identity.profile)):
        raise TamperedError(f"the start of run {run_id} is {why}")
    return start


def _unfinished(run: RecordedRun, now: datetime) -> str:
    begun = f"run {run.identity.run_id} started at {iso(run.identity.started_at)} and has no verdict"
    if now < run.identity.started_at + timedelta(seconds=run.deadline_s):
        return f"{begun}: it still runs, or was killed"
    return f"{begun}: it was killed, as its deadline of {run.deadline_s} s has passed"


def _conclude_own(
    evidence: Evidence,
    run: RecordedRun,
    own: Sequence[Listing],
    faults: tuple[Fault, ...],
    interrupted: str,
    now: datetime,
    key_id: str,
) -> Verdict:
    """What follows from the run's own evidence alone, where no verdict of it can be used."""
    newest = {listing.kind: listing for listing in reversed(own) if listing.kind in run.required}
    gathered = verify_all(evidence.store, evidence.trust, run.identity, list(newest.values()))
    gathered = replace(gathered, faults=gathered.faults + faults)
    return conclude(run, gathered, finished_at=now, key_id=key_id, interrupted=interrupted)


def _repeat(evidence: Evidence, run: RecordedRun, said: Record, entries: Sequence[Entry]) -> Verdict:
    """The verdict that `said` keeps, concluded again from the records it rests on; never better."""
    listed = {listing.sha256: listing for listing in listings(entries)}
    resting_on = [listed[item.sha256] for item in said.artifacts if item.sha256 in listed]
    unlisted = tuple(
        Fault(
            KIND,
            FaultCode.REMOVED,
            f"{item.uri}: the verdict rests on this record, but the ledger does not list it",
        )
        for item in said.artifacts
        if item.sha256 not in listed
    )
    gathered = verify_all(evidence.store, evidence.trust, run.identity, resting_on)
    results = recorded_results(said)
    again = conclude(
        run,
        replace(gathered, faults=gathered.faults + unlisted),
        finished_at=said.finished_at,
        key_id=said.proof_chain.key_id,
        interrupted=next((r.message for r in results if (r.kind, r.check) == INTERRUPTED), None),
    )
    known = {(r.kind, r.check, r.status, r.message) for r in again.reasons}
    reasons = [
        *again.reasons,
        *(r for r in results if r.red and (r.kind, r.check, r.status, r.message) not in known),
    ]
    if STRICTNESS.index(recorded_word(said)) > STRICTNESS.index(word_of(reasons)):
        why = f"the run itself said {recorded_word(said)}"
        reasons.append(CheckResult(said.status, why, kind=KIND, check="recorded"))
    return replace(again, verdict=word_of(reasons), reasons=sort_reasons(reasons, run.required))
