"""Where the revision of a run comes from: the user's repository as it is, or a commit's own worktree.

A run that no person started must not depend on what lies in anybody's working tree: its
commit is fetched into the mirror and checked out in a worktree that nothing else uses.
State and reports stay where they are.
"""

import re
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.settings import Settings
from hologram_dagster.target.git import GitRefusal
from hologram_dagster.target.revision import resolve_ref
from hologram_dagster.watch.remote import MirrorHistory, checkouts_of, fetch
from hologram_dagster.watch.sources import Source, parse_sources

# The origin of a commit of the user's own repository.
OWN = "repository"
_FETCH_S = 900.0
_HEX = re.compile(r"[0-9a-f]{4,40}")


def watched(settings: Settings) -> tuple[Source, ...]:
    """The branches that `HOLOGRAM_WATCH` names.

    Raises:
        SettingsError: it is malformed.
    """
    return parse_sources(settings.watch.get_secret_value() if settings.watch else None)


def settings_at(settings: Settings, *, origin: str | None, commit: str | None) -> Settings:
    """`settings` whose repository is a worktree of `commit`; unchanged without an `origin`.

    `origin` is the label of a watched branch, or `OWN`; without a `commit` it is the
    branch's head.

    Raises:
        HologramError: the branch is not watched any more, cannot be read, or has no such commit.
    """
    if origin is None:
        return settings
    checkouts = checkouts_of(settings)
    source = next((each for each in watched(settings) if each.label == origin), None)
    if commit is None or not checkouts.has(commit):
        if source is not None:
            head = fetch(checkouts, source, timeout_s=_FETCH_S)
            commit = commit or head
        elif origin == OWN:
            checkouts.fetch(settings.repository)
    if commit is None or not checkouts.has(commit):
        raise HologramError(
            f"{origin} has no commit {(commit or 'to judge')[:12]}: it was rewritten, "
            "or HOLOGRAM_WATCH does not name it any more."
        )
    changed: dict[str, object] = {"repository": checkouts.pristine(commit)}
    if source is not None:
        changed["ref"] = f"refs/heads/{source.branch}"
    return settings.model_copy(update=changed)


def find_commit(settings: Settings, ref: str) -> tuple[str, str]:
    """The commit that `ref` names in the user's repository, else in what is watched, and its origin.

    Raises:
        HologramError: there is no such commit.
    """
    checkouts, sources = checkouts_of(settings), watched(settings)
    own = resolve_ref(settings.repository, ref) if _is_there(settings.repository, ref) else None
    wanted = own or ref
    if not (_HEX.fullmatch(wanted) and checkouts.mirror.exists() and _is_there(checkouts.mirror, wanted)):
        for source in sources:
            fetch(checkouts, source, timeout_s=_FETCH_S)
        if own:
            checkouts.fetch(settings.repository)
    commit = own or commit_of(settings, ref)
    history = MirrorHistory(checkouts.mirror)
    holding = [each.label for each in sources if history.contains(commit, checkouts.branch_ref(each.key))]
    return commit, next(iter(holding), OWN)


def where_known(settings: Settings, ref: str) -> Settings:
    """`settings`, with the mirror as repository where only what is watched has a commit named `ref`."""
    mirror = checkouts_of(settings).mirror
    if _is_there(mirror, ref) and not _is_there(settings.repository, ref):
        return settings.model_copy(update={"repository": mirror})
    return settings


def commit_of(settings: Settings, ref: str) -> str:
    """The commit that `ref` names in the user's repository, else in what is watched; fetches nothing.

    Raises:
        HologramError: there is no such commit.
    """
    sources = watched(settings)
    try:
        return resolve_ref(where_known(settings, ref).repository, ref)
    except GitRefusal:
        # No repository here: what is watched is all there is to ask.
        if not sources:
            raise
    labels = ", ".join(source.label for source in sources)
    raise HologramError(f"{ref!r} names no commit that is known of {labels}: correct the ref, or push it.")


def _is_there(repository: Path, ref: str) -> bool:
    try:
        resolve_ref(repository, ref)
    except HologramError:
        return False
    return True
