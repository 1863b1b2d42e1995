"""The revision under test: its commit, the digest of the files as they are, its dirtiness.

What belongs here: reading a repository. Nothing here ever writes into it: the digest of
a changed tree is computed in a temporary index and a temporary object folder (git only
renews the time stamps of objects it finds again).
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.target.git import GitRefusal, git

_SYMBOLIC_LINK = "120000"


@dataclass(frozen=True, slots=True)
class Revision:
    """What is judged.

    `commit` and `tree` are git object ids; `tree` is the digest of the working tree as it
    is, so that two dirty states of one commit differ. `ref` is the checked-out branch
    (`refs/heads/main`), None when detached.
    """

    commit: str
    tree: str
    dirty: bool
    ref: str | None


def read_revision(repository: Path, *, exclude: Sequence[Path] = ()) -> Revision:
    """The revision whose files lie in `repository`.

    Untracked files count, ignored ones do not. `exclude` names files and folders that
    the gate itself writes: their content is left out, wherever they are.

    Raises:
        HologramError: no repository, no commit in it, or its files cannot be read.
    """
    top = top_of(repository)
    commit = _head(top)
    pathspecs = _pathspecs(top, exclude)
    changed = git(top, "status", "--porcelain", "-z", "--ignore-submodules=none", "--", *pathspecs)
    committed = _text(git(top, "rev-parse", f"{commit}^{{tree}}"))
    tree = _tree_of_files(top, pathspecs)
    return Revision(commit=commit, tree=tree, dirty=bool(changed) or tree != committed, ref=_ref(top))


def top_of(repository: Path) -> Path:
    """The top folder of the working tree that `repository` is in.

    Raises:
        HologramError: no repository, or a bare one.
    """
    return Path(_text(git(repository, "rev-parse", "--show-toplevel")))


def is_shallow(repository: Path) -> bool:
    """Whether `repository` is a shallow clone, which lacks most older commits.

    Raises:
        HologramError: no repository.
    """
    return _text(git(repository, "rev-parse", "--is-shallow-repository")) == "true"


def resolve_ref(repository: Path, ref: str) -> str:
    """The commit (40 hex digits) that `ref` (branch, tag, commit, `HEAD~3`) names.

    Raises:
        HologramError: there is no such commit in `repository`.
    """
    if not ref or ref.startswith("-"):
        raise HologramError(f"{ref!r} is no git ref: give a branch, a tag or a commit.")
    try:
        return _text(git(repository, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"))
    except GitRefusal as refusal:
        if refusal.stderr.strip():
            raise
    remedy = (
        "this clone is shallow: run `git fetch --unshallow`, or check out with full depth"
        if is_shallow(repository)
        else "run `git fetch --all --tags`, or correct the ref"
    )
    raise HologramError(f"{repository} has no commit named {ref!r}: {remedy}.")


def show_file(repository: Path, commit: str, path: str) -> bytes | None:
    """The bytes of `path` (from the repository's top) at `commit`; None where it has no such file.

    Raises:
        HologramError: no such commit, or `path` is not a plain file there.
    """
    found = git(
        repository,
        *("ls-tree", "-z", "--full-tree", resolve_ref(repository, commit), "--", path),
        env={"GIT_LITERAL_PATHSPECS": "1"},
    )
    if not found:
        return None
    mode, kind, blob = found.partition(b"\t")[0].decode().split()
    if kind != "blob" or mode == _SYMBOLIC_LINK:
        raise HologramError(
            f"{path} at {commit[:12]} is not a plain file: replace the link or folder by a file."
        )
    return git(repository, "cat-file", "blob", blob)


def _text(output: bytes) -> str:
    return output.decode(errors="surrogateescape").rstrip("\n")


def _head(top: Path) -> str:
    try:
        return _text(git(top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"))
    except GitRefusal as refusal:
        if refusal.stderr.strip():
            raise
    raise HologramError(f"{top} has no commit yet: commit first, then run the gate.")


def _ref(top: Path) -> str | None:
    try:
        return _text(git(top, "symbolic-ref", "--quiet", "HEAD"))
    except GitRefusal as refusal:
        if refusal.stderr.strip():
            raise
        return None


def _pathspecs(top: Path, exclude: Sequence[Path]) -> list[str]:
    inside = [path.resolve().relative_to(top) for path in exclude if path.resolve().is_relative_to(top)]
    # git refuses an exclusion of everything; a gate whose folders are the repository excludes nothing.
    return [".", *(f":(exclude,top,literal){path}" for path in inside if path != Path())]


def _tree_of_files(top: Path, pathspecs: Sequence[str]) -> str:
    index = top / _text(git(top, "rev-parse", "--git-path", "index"))
    objects = (top / _text(git(top, "rev-parse", "--git-path", "objects"))).resolve()
    with tempfile.TemporaryDirectory(prefix="hologram-tree-") as scratch:
        copy = Path(scratch, "index")
        if index.exists():
            # With its time stamp: git tells files changed within the index's own tick by it.
            shutil.copy2(index, copy)
        own_objects = Path(scratch, "objects")
        own_objects.mkdir()
        env = {
            "GIT_INDEX_FILE": str(copy),
            "GIT_OBJECT_DIRECTORY": str(own_objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
        }
        _unhide(top, env)
        # Not `add --all`: that fails where an excluded path is an ignored one, too.
        git(top, "add", "--update", "--", *pathspecs, env=env)
        untracked = git(top, "ls-files", "-z", "--others", "--exclude-standard", "--", *pathspecs, env=env)
        if untracked:
            literal = {**env, "GIT_LITERAL_PATHSPECS": "1"}
            git(top, "add", "--pathspec-from-file=-", "--pathspec-file-nul", env=literal, stdin=untracked)
        return _text(git(top, "write-tree", env=env))


def _unhide(top: Path, env: dict[str, str]) -> None:
    """Undo `assume-unchanged` and `skip-worktree` marks that would hide a changed file from the digest."""
    entries = [entry for entry in git(top, "ls-files", "-v", "-z", env=env).split(b"\0") if entry]
    assumed = [entry[2:] for entry in entries if entry[:1].islower()]
    # A skipped file that is absent is a sparse checkout; one that is there may hide a change.
    skipped = [
        entry[2:]
        for entry in entries
        if entry[:1] in b"Ss" and (top / entry[2:].decode(errors="surrogateescape")).exists()
    ]
    for mark, paths in (("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)):
        if paths:
            git(top, "update-index", mark, "-z", "--stdin", env=env, stdin=b"\0".join(paths) + b"\0")
