"""What other runs said of the same revision before: a pass after a fail must be seen as one.

What belongs here: finding those verdicts in the ledger. What does not: what they change,
which is nothing (`verdict`), and how they are shown (`document`).
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hologram_dagster.evidence.document import Earlier, Verdict
from hologram_dagster.evidence.gathering import EVIDENCE_ENTRY
from hologram_dagster.evidence.record import from_iso, iso
from hologram_dagster.evidence.tail import find_data
from hologram_dagster.evidence.verdict import KIND
from hologram_dagster.evidence.verdict_record import word_of_status
from hologram_dagster.observation import Status

# A verdict of a revision is looked for this far back.
LOOK_BACK = timedelta(days=365)


def with_earlier(ledger: Path, verdict: Verdict) -> Verdict:
    """`verdict` with those that other runs gave of its revision, profile and environment before.

    On whatever machine; newest first; those listed before the first verdict of `verdict`'s
    own run, or all where it has none yet. Not verified: they are shown beside a verdict and
    change none. One pass over the ledger, at most a year back from its start.

    Raises:
        LedgerError, HologramError: the ledger cannot be read.
    """
    revision = verdict.revision
    same = {
        "profile": verdict.profile,
        "environment": verdict.environment,
        "commit": revision.commit,
        "tree": revision.tree,
    }
    found: list[Earlier] = []
    listed = f'"kind":"{KIND}"'
    for data in find_data(ledger, listed, revision.commit, since=iso(verdict.started_at - LOOK_BACK)):
        if data.get("entry") != EVIDENCE_ENTRY or data.get("kind") != KIND:
            continue
        if data.get("run_id") == verdict.run_id:
            found.clear()
        elif all(data.get(name) == text for name, text in same.items()):
            try:
                word = word_of_status(Status(data["status"]))
                found.append(Earlier(word, str(data["run_id"]), from_iso(data["finished_at"])))
            except (KeyError, TypeError, ValueError):
                # We never write such an entry: it says nothing that could be shown.
                continue
    return replace(verdict, earlier=tuple(found))
