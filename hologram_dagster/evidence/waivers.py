"""Waivers: somebody's signed word that a red check may ship all the same, for at most 14 days.

What belongs here: their entries in the ledger, and which of them are in force. What does
not: what a waiver does to an exit code (`document.Verdict.exit_code`). It changes no verdict.

A waiver is for one commit and one check. Like all evidence it is signed, linked and never
taken out again: it ends by its date, or by an entry that ends it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.document import Verdict, Waiver
from hologram_dagster.evidence.gathering import recent_entries
from hologram_dagster.evidence.judge import CHECKS
from hologram_dagster.evidence.record import from_iso, iso
from hologram_dagster.evidence.tail import find_data
from hologram_dagster.evidence.trust import Trust
from hologram_dagster.evidence.verdict import PRESENT
from hologram_dagster.protocol.ledger_entry import Entry, LedgerError
from hologram_dagster.target.revision import Revision

LONGEST = timedelta(days=14)
WAIVER_ENTRY = "waiver"
END_ENTRY = "waiver_end"
# Those granted earlier have ended long ago, and are not even told any more.
_TOLD_FOR = 2 * LONGEST
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOST_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Waivers:
    """The waivers of a commit: those `in_force`, and a sentence for each that does not count."""

    in_force: tuple[Waiver, ...] = ()
    refused: tuple[str, ...] = ()


def checked_waiver(*, check: str, who: str, why: str, until: str, now: datetime) -> Waiver:
    """The waiver asked for at `now`: `check` is `KIND.CHECK`, `until` an ISO date or time (UTC).

    A date alone lasts until its end.

    Raises:
        HologramError: no such check, one that nobody may waive, no name or reason, or a date
            that is past or more than 14 days away.
    """
    _require_waivable(check)
    who, why = _plain(who), _plain(why)
    for name, text in (("by", who), ("reason", why)):
        if not text or len(text) > _MOST_CHARACTERS:
            raise HologramError(f"--{name} needs a text of 1 to {_MOST_CHARACTERS} characters.")
    return Waiver(check, who, why, _expiry(until, now))


def grant(evidence: Evidence, commit: str, waiver: Waiver) -> None:
    """Enter `waiver` for `commit`.

    Raises:
        HologramError: the ledger cannot be written.
    """
    evidence.enter(
        {
            "entry": WAIVER_ENTRY,
            "commit": commit,
            "check": waiver.check,
            "who": waiver.who,
            "why": waiver.why,
            "expires_at": iso(waiver.expires_at),
        }
    )


def end(evidence: Evidence, commit: str, *, check: str, who: str) -> None:
    """Enter that the waiver of `check` at `commit` ends now.

    Raises:
        HologramError: the ledger cannot be written.
    """
    evidence.enter({"entry": END_ENTRY, "commit": commit, "check": check, "who": who})


def find_waivers(ledger: Path, trust: Trust, *, commit: str, profile: str, now: datetime) -> Waivers:
    """The waivers of `commit` at `now`, verified; whose keys count is said by `trust` for `profile`.

    Raises:
        HologramError: the ledger cannot be read.
    """
    granted = _first_grant(ledger, commit, now - _TOLD_FOR)
    if granted is None:
        return Waivers()
    try:
        entries = recent_entries(ledger, since=granted)
    except LedgerError as error:
        return Waivers(refused=(f"no waiver counts: {ledger}: {error}",))
    return _in_force(entries, trust, commit, profile, now)


def waivers_of(evidence: Evidence, revision: Revision, profile: str, *, now: datetime) -> Waivers:
    """The waivers of `revision` as it was committed; a tree with changes of its own has none.

    Raises:
        HologramError: the ledger cannot be read.
    """
    if revision.dirty:
        return Waivers()
    ledger, trust = evidence.ledger.path, evidence.trust
    return find_waivers(ledger, trust, commit=revision.commit, profile=profile, now=now)


def with_waivers(evidence: Evidence, verdict: Verdict, *, now: datetime) -> Verdict:
    """`verdict` with the waivers of its revision that are in force at `now`.

    Raises:
        HologramError: the ledger cannot be read.
    """
    waivers = waivers_of(evidence, verdict.revision, verdict.profile, now=now)
    return replace(verdict, waivers=waivers.in_force)


def _first_grant(ledger: Path, commit: str, since: datetime) -> datetime | None:
    """When the oldest waiver of `commit` since `since` was granted, as it says itself."""
    # Every verdict asks, so not through the years before.
    moments = [
        str(data.get("at", ""))
        for data in find_data(ledger, f'"entry":"{WAIVER_ENTRY}"', commit, since=iso(since))
        if data.get("entry") == WAIVER_ENTRY and data.get("commit") == commit
    ]
    try:
        return from_iso(min(moments)) if moments else None
    except ValueError:
        # Not as we write it: whatever is read back from `since` on says what is wrong with it.
        return since


def _in_force(entries: Sequence[Entry], trust: Trust, commit: str, profile: str, now: datetime) -> Waivers:
    active: dict[str, Waiver] = {}
    refused: list[str] = []
    for entry in entries:
        data = entry.data
        if data.get("commit") != commit:
            continue
        if data.get("entry") == END_ENTRY:
            # By whatever key: ending a waiver can only make an answer stricter.
            active.pop(str(data.get("check")), None)
        elif data.get("entry") == WAIVER_ENTRY:
            read = _read(data, trust.fault(entry.public_key, profile), now)
            if isinstance(read, Waiver):
                active[read.check] = read
            else:
                check, who = (_plain(str(data.get(name))) for name in ("check", "who"))
                refused.append(f"the waiver of {check} by {who} does not count: {read}")
    return Waivers(tuple(active[check] for check in sorted(active)), tuple(refused))


def _read(data: Mapping[str, Any], untrusted: str | None, now: datetime) -> Waiver | str:
    """The waiver that an entry grants, or why it grants none."""
    if untrusted:
        return untrusted
    try:
        check, who, why = (str(data[name]) for name in ("check", "who", "why"))
        granted, expires = from_iso(data["at"]), from_iso(data["expires_at"])
        _require_waivable(check)
    except (KeyError, TypeError, ValueError) as error:
        return f"it is malformed ({type(error).__name__})"
    except HologramError as error:
        return str(error)
    if expires - granted > LONGEST:
        return f"it is for more than {LONGEST.days} days"
    if expires <= now:
        return f"it expired at {expires:%Y-%m-%d %H:%M} UTC"
    return Waiver(check, _plain(who), _plain(why), expires)


def _plain(text: str) -> str:
    """`text` on one line, without characters that a terminal would obey."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _require_waivable(name: str) -> None:
    kind, _, check = name.rpartition(".")
    if kind not in CHECKS:
        raise HologramError(
            f"{name!r} names no check that can be waived: give KIND.CHECK as the verdict shows it, e.g. "
            "perf_gql.p95_within_budget. What is wrong with evidence or ledger themselves cannot be waived."
        )
    known = [*(each.name for each in CHECKS[kind]), PRESENT]
    if check not in known:
        raise HologramError(
            f"{kind} has no check {check!r} that can be waived: use one of {', '.join(known)}."
        )


def _expiry(until: str, now: datetime) -> datetime:
    try:
        given = datetime.fromisoformat(until)
    except ValueError:
        raise HologramError(f"--until {until!r} is no date: use YYYY-MM-DD.") from None
    if _DATE.fullmatch(until):
        given = datetime.combine(given, time.max)
        # The last day that is allowed ends with the 14 days, not with itself.
        if given.date() == (now + LONGEST).date():
            given = (now + LONGEST).replace(tzinfo=None)
    moment = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    if moment <= now:
        raise HologramError(f"--until {until} is past: a waiver ends in the future.")
    if moment - now > LONGEST:
        last = f"{now + LONGEST:%Y-%m-%d}"
        raise HologramError(f"--until {until} is more than {LONGEST.days} days away: {last} is the last day.")
    return moment
