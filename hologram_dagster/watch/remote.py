"""What git says of a watched branch: its head at the remote, and the commits in the mirror.

What belongs here: asking git, within bounds of time, and errors that name the source
without its credentials. What does not: what follows from the answers (`cursor`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.secrets.redactor import redact
from hologram_dagster.settings import Settings
from hologram_dagster.target.checkouts import CACHE_BYTES, Checkouts
from hologram_dagster.target.git import GitRefusal, git
from hologram_dagster.watch.sources import Source, without_credentials

LOOK_S = 10.0
# A sensor has 60 s in all; the first clone of a large repository is the run's to make.
FETCH_S = 40.0


def checkouts_of(settings: Settings) -> Checkouts:
    """The mirror and the worktrees in the state folder."""
    return Checkouts(settings.state_dir / "checkouts", cap_bytes=CACHE_BYTES)


def remote_head(source: Source, *, timeout_s: float = LOOK_S) -> str | None:
    """The commit that the branch is at now; None where the repository has no such branch.

    Raises:
        ServiceError: the repository cannot be reached or read within `timeout_s` seconds.
    """
    ref = f"refs/heads/{source.branch}"
    with _told(source):
        answer = git(Path(), "ls-remote", "--", source.url, ref, timeout_s=timeout_s).decode()
    for line in answer.splitlines():
        commit, _, name = line.partition("\t")
        if name == ref:
            return commit
    return None


def fetch(checkouts: Checkouts, source: Source, *, timeout_s: float = FETCH_S) -> str:
    """Bring the branch into the mirror; the commit it is at.

    Raises:
        ServiceError: as `remote_head`, or the branch is gone.
    """
    with _told(source):
        return checkouts.fetch_branch(source.url, source.branch, name=source.key, timeout_s=timeout_s)


@contextmanager
def _told(source: Source) -> Iterator[None]:
    """Errors of git, with the source in them and its credentials not."""
    try:
        yield
    except HologramError as error:
        said = error.stderr.strip() if isinstance(error, GitRefusal) else str(error)
        # Git speaks of the repository on several lines, and not of the folder it was called in.
        said = " ".join(said.replace(source.url, without_credentials(source.url)).split())
        raise ServiceError(
            f"{source.label} cannot be read: {redact(without_credentials(said))} "
            "Check the URL, the branch, the network and this machine's credentials for it."
        ) from None


class MirrorHistory:
    """The commit graph of a mirror; the `History` of `cursor`."""

    def __init__(self, mirror: Path):
        self._mirror = mirror

    def contains(self, ancestor: str, descendant: str) -> bool:
        """Whether `ancestor` is `descendant` or one of its ancestors; False where it is unknown."""
        try:
            git(self._mirror, "merge-base", "--is-ancestor", ancestor, descendant)
        except GitRefusal:
            return False
        return True

    def between(self, base: str, head: str) -> list[str] | None:
        """The first-parent line to `head`, oldest first, without `base` and its ancestors.

        None where the two have no commit in common, or `base` is unknown.

        Raises:
            HologramError: `head` is unknown.
        """
        try:
            git(self._mirror, "merge-base", base, head)
        except GitRefusal:
            return None
        line = git(self._mirror, "rev-list", "--reverse", "--first-parent", head, f"^{base}")
        return line.decode().split()
