"""Which ancestor of a revision is green here: the one its successors are compared with.

What belongs here: the last word on each ancestor, verified, in one pass over the ledger.
What does not: walking the ancestors (`target.baseline`), answering for one (`answer`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.earlier import LOOK_BACK
from hologram_dagster.evidence.gathered import Stored
from hologram_dagster.evidence.gathering import EVIDENCE_ENTRY, listings, verify
from hologram_dagster.evidence.record import RunIdentity, iso
from hologram_dagster.evidence.tail import find_lines
from hologram_dagster.evidence.verdict import KIND
from hologram_dagster.observation import Status
from hologram_dagster.profiles import PROFILES, ProfileName
from hologram_dagster.protocol.ledger_entry import Entry, LedgerError, check_itself, parse
from hologram_dagster.target.revision import Revision

_LISTED = f'"kind":"{KIND}"'
_SAYS_NOTHING = Status.INCONCLUSIVE
# A pull request's or a developer's budgets are looser than main's.
_STRICT = frozenset(str(name) for name, profile in PROFILES.items() if profile.clean_tree)


def nearest_green(evidence: Evidence, run: RunIdentity, ancestors: Sequence[str]) -> str | None:
    """The first of `ancestors` (commits, nearest first) whose last verdict by main or nightly is pass.

    In the environment of `run`, on whatever machine; an inconclusive verdict is no word.
    What is returned was verified, listing and record; what does not hold is not green. One
    pass over the ledger, at most a year back from the run's start, that ends as soon as the
    answer is known.

    Raises:
        LedgerError, HologramError: the ledger cannot be read.
    """
    # Nearest last: what is settled as not green is popped.
    open_, last = list(reversed(ancestors)), dict[str, Entry]()
    wanted = frozenset(ancestors)
    for line in find_lines(evidence.ledger.path, _LISTED, since=iso(run.started_at - LOOK_BACK)):
        try:
            entry = parse(line, None)
        except LedgerError:
            continue
        commit = str(entry.data.get("commit"))
        if commit in last or commit not in wanted or not _is_word(entry.data, run.environment):
            continue
        last[commit] = entry
        while open_ and open_[-1] in last:
            if _is_green(evidence, run, last[open_[-1]]):
                return open_[-1]
            open_.pop()
    known = (commit for commit in reversed(open_) if commit in last)
    return next((commit for commit in known if _is_green(evidence, run, last[commit])), None)


def _is_word(data: Mapping[str, Any], environment: str) -> bool:
    return (
        data.get("entry") == EVIDENCE_ENTRY
        and data.get("kind") == KIND
        and data.get("environment") == environment
        and data.get("profile") in _STRICT
        and data.get("status") != _SAYS_NOTHING
    )


def _is_green(evidence: Evidence, run: RunIdentity, entry: Entry) -> bool:
    try:
        check_itself(entry)
    except LedgerError:
        return False
    listing = next(listings([entry]), None)
    if listing is None:
        return False
    same = listing.same
    revision = Revision(same["commit"], same["tree"], dirty=False, ref=None)
    of = replace(run, revision=revision, profile=ProfileName(same["profile"]))
    stored = verify(evidence.store, evidence.trust, of, listing)
    if not isinstance(stored, Stored):
        return False
    return stored.record.status is Status.PASSED and not stored.record.revision.dirty
