"""Which revision the candidate is compared with, and whose policy it is judged by.

Design, *Candidate and baseline*: `--baseline REF` if given; for a dirty tree HEAD; for a
pull request the merge base with main; else the first parent.
"""

from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.target.git import GitRefusal, git
from hologram_dagster.target.revision import Revision, is_shallow, resolve_ref

# The remote's main counts before the local one, which may lag behind or hold the candidate.
_MAINS = ("refs/remotes/origin/main", "refs/heads/main", "refs/remotes/origin/master", "refs/heads/master")


def choose_baseline(
    repository: Path, revision: Revision, *, given: str | None, pull_request: bool
) -> str | None:
    """The baseline's commit; None where the revision is the repository's first.

    Raises:
        HologramError: `given` names no commit, or a shallow clone lacks the merge base.
    """
    if given:
        return resolve_ref(repository, given)
    if revision.dirty:
        return revision.commit
    if pull_request and (base := _merge_base(repository, revision.commit)):
        return base
    return _first_parent(repository, revision.commit)


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


def _first_parent(repository: Path, commit: str) -> str | None:
    parents = git(repository, "rev-list", "--parents", "--max-count=1", commit).decode().split()[1:]
    return parents[0] if parents else None
