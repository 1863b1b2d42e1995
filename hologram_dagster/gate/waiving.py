"""Granting and ending waivers of a revision of this repository, and telling which do not count."""

from datetime import UTC, datetime

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.answer import answer
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.document import Verdict, Waiver
from hologram_dagster.evidence.waivers import checked_waiver, end, find_waivers, grant, waivers_of
from hologram_dagster.gate.answering import open_evidence
from hologram_dagster.gate.origin import commit_of
from hologram_dagster.profiles import ProfileName
from hologram_dagster.settings import Settings


def waive(settings: Settings, ref: str, *, check: str, who: str, why: str, until: str) -> tuple[str, Waiver]:
    """Waive `check` (`KIND.CHECK`) at the commit that `ref` names, with the gate's key; both are returned.

    Raises:
        HologramError: no such revision or check, one that is not red there, or a date not allowed.
    """
    commit = commit_of(settings, ref)
    evidence = open_evidence(settings, commit)
    waiver = checked_waiver(check=check, who=who, why=why, until=until, now=evidence.now())
    _require_red(evidence, commit, check)
    grant(evidence, commit, waiver)
    return commit, waiver


def _require_red(evidence: Evidence, commit: str, check: str) -> None:
    """Refuse to waive in advance: what nobody has seen red, nobody can have judged harmless."""
    now = datetime.now(UTC)
    # Each profile has its own checks, so its own newest word.
    answered = [answer(evidence, commit, profile=profile, now=now)[0] for profile in ProfileName]
    verdicts = [verdict for verdict in answered if verdict is not None]
    if not verdicts:
        raise HologramError(f"there is no verdict of {commit[:12]} to waive anything of: run the gate first.")
    red = {f"{each.kind}.{each.check}" for verdict in verdicts for each in verdict.reasons if each.red}
    if check not in red:
        raise HologramError(f"{check} is not red at {commit[:12]}: there is nothing to waive.")


def unwaive(settings: Settings, ref: str, *, check: str, who: str) -> str | None:
    """End the waiver of `check` at the commit that `ref` names; the commit, or None if none is in force.

    Raises:
        HologramError: no such revision, or the ledger cannot be used.
    """
    commit = commit_of(settings, ref)
    evidence = open_evidence(settings, commit)
    # The profile that trusts the most keys: a waiver that counts anywhere can be ended.
    found = find_waivers(
        evidence.ledger.path, evidence.trust, commit=commit, profile=ProfileName.DEV, now=datetime.now(UTC)
    )
    if check not in {waiver.check for waiver in found.in_force}:
        return None
    end(evidence, commit, check=check, who=who)
    return commit


def refused_waivers(settings: Settings, verdict: Verdict) -> tuple[str, ...]:
    """A sentence for each waiver of the verdict's revision that does not count.

    Raises:
        HologramError: the ledger cannot be read.
    """
    evidence = open_evidence(settings, verdict.revision.commit)
    return waivers_of(evidence, verdict.revision, verdict.profile, now=datetime.now(UTC)).refused
