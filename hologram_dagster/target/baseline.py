"""Which revision the candidate is compared with, and whose policy it is judged by.

`--baseline REF` if given; for a dirty tree HEAD; for a pull request the merge base with
main; on main the nearest ancestor that is green, so that a regression does not become the
measure of its successor; else the first parent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.target.git import GitRefusal, git
from hologram_dagster.target.revision import Revision, is_shallow, resolve_ref

# The remote's main counts before the local one, which may lag behind or hold the candidate.
_MAINS = ("refs/remotes/origin/main", "refs/heads/main", "refs/remotes/origin/master", "refs/heads/master")
MOST_ANCESTORS = 500


class Rule(StrEnum):
    """Why a baseline is the one."""

    GIVEN = "as given"
    HEAD = "HEAD, as the files were changed since"
    MERGE_BASE = "the merge base with main"
    GREEN = "the nearest ancestor that is green here"
    NO_GREEN = f"the first parent, as none of the last {MOST_ANCESTORS} ancestors is known to be green here"
    FIRST_PARENT = "the first parent"
    SHALLOW = "unknown: this clone is too shallow to hold the parent"
    FIRST = "there is none: the revision is the repository's first"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The commit (None where the revision is the repository's first), and why it is the one."""

    commit: str | None
    rule: Rule


def choose_baseline(
    repository: Path,
    revision: Revision,
    *,
    given: str | None,
    pull_request: bool,
    nearest_green: Callable[[Sequence[str]], str | None] | None = None,
) -> Baseline:
    """The baseline of `revision`.

    `nearest_green`, where greenness counts, picks from the ancestors by first parents,
    nearest first, at least one and at most `MOST_ANCESTORS`.

    Raises:
        HologramError: `given` names no commit, or a shallow clone lacks the merge base or the parent.
    """
    if given:
        return Baseline(resolve_ref(repository, given), Rule.GIVEN)
    if revision.dirty:
        return Baseline(revision.commit, Rule.HEAD)
    if pull_request and (base := _merge_base(repository, revision.commit)):
        return Baseline(base, Rule.MERGE_BASE)
    ancestors = _ancestors(repository, revision.commit)
    if not ancestors:
        if not is_shallow(repository):
            return Baseline(None, Rule.FIRST)
        # The commit looks like the repository's first, and is not.
        if pull_request:
            raise HologramError(
                f"this clone is too shallow to hold the parent of {revision.commit[:12]}: "
                "run `git fetch --unshallow` (in CI: full fetch depth), or pass --baseline."
            )
        return Baseline(None, Rule.SHALLOW)
    if nearest_green is None:
        return Baseline(ancestors[0], Rule.FIRST_PARENT)
    if green := nearest_green(ancestors):
        return Baseline(green, Rule.GREEN)
    return Baseline(ancestors[0], Rule.NO_GREEN)


def _merge_base(repository: Path, commit: str) -> str | None:
    mains = git(repository, "for-each-ref", "--format=%(refname)", *_MAINS).decode().split()
    if not mains:
        return None
    main = min(mains, key=_MAINS.index)
    try:
        base = git(repository, "merge-base", main, commit).decode().strip()
    except GitRefusal as refusal:
        if refusal.stderr.strip():
            raise
        if is_shallow(repository):
            raise HologramError(
                f"this clone is too shallow to hold the merge base with {main}: "
                "run `git fetch --unshallow`, or pass --baseline."
            ) from None
        return None
    # On main itself the merge base is the candidate, which is no baseline.
    return base if base != commit else None


def _ancestors(repository: Path, commit: str) -> list[str]:
    walked = git(repository, "rev-list", "--first-parent", f"--max-count={MOST_ANCESTORS + 1}", commit)
    return walked.decode().split()[1:]
