"""Checked-out revisions and their environments, made once and kept while they are used.

A bare mirror of the target's repository lives in the state folder, so that nothing is
written into the user's. Each revision is a worktree of the mirror; each set of dependency
files is one environment, shared by all revisions that have it. What is used least
recently goes first when the folder grows beyond its cap.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.files import size_of, write_whole
from hologram_dagster.locking import exclusive
from hologram_dagster.processes import scrubbed_environment, start_child, stop_child
from hologram_dagster.target.git import TIMEOUT_S, GitRefusal, git
from hologram_dagster.target.revision import top_of

SETUP_TIMEOUT_S = 900.0
# What the checkouts in a state folder may take of the disk.
CACHE_BYTES = 8 * 2**30
_LAST_LINES = 20
_READY = ".ready"
_BRANCHES = "refs/watch/"
# A detached HEAD may hold commits that no branch does.
_HEAD = "refs/judged/HEAD"
_TREES, _JUDGED, _ENVIRONMENTS = "trees", "judged", "environments"


class SetupFailed(HologramError):  # noqa: N818 (the set-up of a revision failed; nothing is wrong with us)
    """A set-up command of a revision failed; the text holds its last lines."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A revision ready to run: its files and the environment its commands may use."""

    commit: str
    tree: Path
    environment: Path

    def command(self, template: Sequence[str]) -> list[str]:
        """`template` with `{tree}` and `{env}` filled in; other braces stay as they are."""
        filled = {"{tree}": str(self.tree), "{env}": str(self.environment)}
        return [_fill(part, filled) for part in template]


def _fill(part: str, filled: Mapping[str, str]) -> str:
    for name, value in filled.items():
        part = part.replace(name, value)
    return part


class Checkouts:
    """The cache in `root`: a mirror, worktrees by commit, environments by dependency digest."""

    def __init__(self, root: Path, *, cap_bytes: int) -> None:
        self.root = root.absolute()
        self.cap_bytes = cap_bytes
        self.mirror = self.root / "mirror.git"

    def fetch(self, repository: Path) -> None:
        """Bring the mirror up to date with `repository`, making it first if need be.

        Raises:
            HologramError: the repository cannot be read.
        """
        # Branches fetched on their own are not the repository's to prune.
        everything = ("+refs/*:refs/*", f"^{_BRANCHES}*", f"+HEAD:{_HEAD}")
        self._fetch(str(top_of(repository)), *everything, prune=True)

    def fetch_branch(self, url: str, branch: str, *, name: str, timeout_s: float) -> str:
        """Fetch `branch` of the repository at `url` within `timeout_s` seconds; its head's commit.

        The mirror keeps it under `name`, which keeps apart what is fetched from elsewhere.

        Raises:
            GitRefusal: there is no such branch, or the repository cannot be read.
            HologramError: it takes longer.
        """
        kept = self.branch_ref(name)
        self._fetch(url, f"+refs/heads/{branch}:{kept}", timeout_s=timeout_s)
        return git(self.mirror, "rev-parse", "--verify", kept).decode().strip()

    @staticmethod
    def branch_ref(name: str) -> str:
        """The ref of the mirror under which `fetch_branch` keeps a branch."""
        return f"{_BRANCHES}{name}"

    def _fetch(self, source: str, *refspecs: str, prune: bool = False, timeout_s: float = TIMEOUT_S) -> None:
        with self._locked("mirror"):
            if not (self.mirror / _READY).exists():
                shutil.rmtree(self.mirror, ignore_errors=True)
                self.root.mkdir(parents=True, exist_ok=True)
                git(self.root, "init", "--quiet", "--bare", str(self.mirror))
                # Unreachable commits must stay: a rewritten branch is compared with what it was.
                git(self.mirror, "config", "gc.auto", "0")
                write_whole(self.mirror / _READY, "")
            option = "--prune" if prune else "--no-prune"
            # A shallow clone's commits can be judged, too, as far as they go.
            git(
                self.mirror,
                "fetch",
                "--quiet",
                "--update-shallow",
                option,
                "--",
                source,
                *refspecs,
                timeout_s=timeout_s,
            )

    def pristine(self, commit: str) -> Path:
        """`commit` in a worktree of its own, in which nothing is ever set up or run.

        Raises:
            HologramError: the mirror has no such commit.
        """
        tree = self._worktree(commit, _JUDGED, untracked="all")
        self._shrink(keep={tree})
        return tree

    def get(
        self,
        repository: Path,
        commit: str,
        *,
        dependencies: Sequence[str] = (),
        setup: Sequence[Sequence[str]] = (),
    ) -> Checkout:
        """`commit` of `repository`, checked out and set up.

        `dependencies` are the paths whose content decides which environment serves;
        `setup` are the commands that make one, run once in the revision's tree.

        Raises:
            SetupFailed: a set-up command failed or took longer than `SETUP_TIMEOUT_S`.
            HologramError: no such commit.
        """
        if not self.has(commit):
            self.fetch(repository)
        tree = self._worktree(commit, _TREES, untracked="no")
        environment = self._environment(tree, dependencies, setup)
        self._shrink(keep={tree, environment})
        return Checkout(commit, tree, environment)

    def of_files(
        self,
        tree: Path,
        commit: str,
        *,
        dependencies: Sequence[str] = (),
        setup: Sequence[Sequence[str]] = (),
    ) -> Checkout:
        """The files in `tree` as they are, with their environment; `commit` is what they started from.

        Raises:
            SetupFailed: as `get`.
        """
        top = top_of(tree)
        return Checkout(commit, top, self._environment(top, dependencies, setup))

    def has(self, commit: str) -> bool:
        """Whether the mirror holds `commit` (40 hex digits)."""
        if not (self.mirror / _READY).exists():
            return False
        try:
            git(self.mirror, "cat-file", "-e", f"{commit}^{{commit}}")
        except GitRefusal:
            return False
        return True

    def _worktree(self, commit: str, kind: str, *, untracked: str) -> Path:
        tree = self.root / kind / commit
        with self._locked(f"tree-{commit}"):
            if not tree.exists() or self._is_changed(tree, commit, untracked):
                shutil.rmtree(tree, ignore_errors=True)
                git(self.mirror, "worktree", "prune")
                git(self.mirror, "worktree", "add", "--quiet", "--detach", "--force", str(tree), commit)
            # Under the lock, so that `remove_unused` cannot come between.
            os.utime(tree)
        return tree

    def _is_changed(self, tree: Path, commit: str, untracked: str) -> bool:
        """Whether a kept worktree is not what it was: half made, or changed by what ran in it."""
        try:
            head = git(tree, "rev-parse", "HEAD").decode().strip()
            return head != commit or bool(
                git(tree, "status", "--porcelain", f"--untracked-files={untracked}")
            )
        except GitRefusal:
            return True

    def _environment(self, tree: Path, dependencies: Sequence[str], setup: Sequence[Sequence[str]]) -> Path:
        digest = hashlib.sha256(repr([list(command) for command in setup]).encode())
        for path in sorted(dependencies):
            content = (tree / path).read_bytes() if (tree / path).is_file() else b""
            digest.update(f"\0{path}\0{len(content)}\0".encode() + content)
        environment = self.root / _ENVIRONMENTS / digest.hexdigest()[:32]
        with self._locked(f"environment-{environment.name}"):
            if not (environment / _READY).exists():
                shutil.rmtree(environment, ignore_errors=True)
                environment.mkdir(parents=True)
                for command in setup:
                    self._set_up(tree, environment, command)
                write_whole(environment / _READY, "")
            os.utime(environment)
        return environment

    def _set_up(self, tree: Path, environment: Path, command: Sequence[str]) -> None:
        filled = Checkout("", tree, environment).command(command)
        process = start_child(
            filled,
            cwd=tree,
            env=scrubbed_environment({"HOLOGRAM_ENV": str(environment)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            output, _ = process.communicate(timeout=SETUP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise SetupFailed(
                f"set-up command {filled[0]!r} took longer than {SETUP_TIMEOUT_S:g} s."
            ) from None
        finally:
            stop_child(process)
        if process.returncode:
            last = "\n".join(output.decode(errors="replace").splitlines()[-_LAST_LINES:])
            raise SetupFailed(
                f"set-up command {' '.join(filled)!r} failed with exit code {process.returncode}; "
                f"its last lines:\n{last}"
            )

    def _shrink(self, keep: set[Path]) -> None:
        """Remove what was used least recently until the cache is within its cap."""
        kept = self._kept()
        sizes = {path: size_of(path) for path in kept}
        total = sum(sizes.values())
        for path in sorted(kept, key=lambda each: each.stat().st_mtime):
            if total <= self.cap_bytes:
                break
            if path not in keep:
                shutil.rmtree(path, ignore_errors=True)
                total -= sizes[path]

    def unused(self, since: float) -> list[Path]:
        """The worktrees and environments that nobody asked for since `since` (seconds since 1970)."""
        return sorted(path for path in self._kept() if path.stat().st_mtime < since)

    def remove_unused(self, path: Path, since: float) -> None:
        """Remove one of `unused`, unless somebody has asked for it meanwhile."""
        kind = "environment" if path.parent.name == _ENVIRONMENTS else "tree"
        with self._locked(f"{kind}-{path.name}"):
            if path.exists() and path.stat().st_mtime < since:
                shutil.rmtree(path, ignore_errors=True)

    def _kept(self) -> list[Path]:
        return [path for kind in (_TREES, _JUDGED, _ENVIRONMENTS) for path in (self.root / kind).glob("*")]

    def _locked(self, name: str) -> AbstractContextManager[None]:
        return exclusive(self.root / "locks" / name)
