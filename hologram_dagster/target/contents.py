"""What a revision is made of, byte for byte: its files, and what its commits added.

What belongs here: reading contents out of git. What does not: what is looked for in them.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.target.git import git
from hologram_dagster.target.revision import top_of

# Together in memory at a time.
_BATCH_BYTES = 2**25
_BATCH_COMMITS = 50
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_SUBMODULE = "commit"
# The path under which a commit's own message is told.
MESSAGE = "(message)"

# Path, the first added line's number, and the lines added there.
Added = tuple[str, int, str]


def files_of_commit(repository: Path, commit: str) -> Iterator[tuple[str, bytes]]:
    """Path and content of every file of `commit`; of a symbolic link, where it leads; no submodules.

    Raises:
        HologramError: no such commit, or a file is not there (a partial clone).
    """
    listed = git(repository, "ls-tree", "-r", "-z", "-l", "--full-tree", commit)
    batch: list[tuple[str, str]] = []
    size = 0
    for entry in listed.split(b"\0"):
        if not entry:
            continue
        meta, _, path = entry.partition(b"\t")
        _, kind, blob, length = meta.decode().split()
        if kind == _SUBMODULE:
            continue
        batch.append((_text(path), blob))
        size += int(length) if length.isdigit() else 0
        if size >= _BATCH_BYTES:
            yield from _contents(repository, batch)
            batch, size = [], 0
    yield from _contents(repository, batch)


def _contents(repository: Path, batch: Sequence[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    asked = "".join(f"{blob}\n" for _, blob in batch).encode()
    answer = git(repository, "cat-file", "--batch", stdin=asked) if batch else b""
    at = 0
    for path, blob in batch:
        end = answer.index(b"\n", at)
        header = answer[at:end].split()
        if len(header) != 3:
            raise HologramError(
                f"{repository} lacks the content of {path} ({blob[:12]}): fetch it, "
                "or clone without --filter."
            )
        start = end + 1
        at = start + int(header[2]) + 1
        yield path, answer[start : at - 1]


def files_of_tree(repository: Path, *, exclude: Sequence[Path] = ()) -> Iterator[tuple[str, Path]]:
    """Path (from the top) and place of every file of the working tree that git does not ignore.

    `exclude` names folders that are left out. What a symbolic link leads to is no file of the tree.

    Raises:
        HologramError: no repository.
    """
    top = top_of(repository)
    out = [path.resolve() for path in exclude]
    listed = git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    for name in filter(None, listed.split(b"\0")):
        path = top / _text(name)
        if path.is_symlink() or not path.is_file() or any(path.is_relative_to(each) for each in out):
            continue
        yield _text(name), path


def added_in_commits(repository: Path, base: str | None, head: str) -> Iterator[tuple[str, list[Added]]]:
    """The commits of `head` that `base` does not have, each with its message and what it added.

    Without `base` only `head` counts; a merge with what it changed against its first parent.
    Binary files are left out.

    Raises:
        HologramError: no such commits.
    """
    span = ["--max-count=1", head] if base is None else [f"{base}..{head}"]
    commits = git(repository, "rev-list", *span).decode().split()
    # No content can hold it.
    mark = secrets.token_hex(16)
    for start in range(0, len(commits), _BATCH_COMMITS):
        batch = commits[start : start + _BATCH_COMMITS]
        told = git(
            repository,
            *("log", "--no-walk=unsorted", "--stdin", f"--format={mark}%H{mark}%B{mark}"),
            *("--patch", "--unified=0", "--root", "-m", "--first-parent", "--no-renames", "--no-ext-diff"),
            *("--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "--ignore-submodules=all"),
            stdin="".join(f"{commit}\n" for commit in batch).encode(),
        )
        parts = iter(told.split(mark.encode())[1:])
        for commit, message, patch in zip(parts, parts, parts, strict=True):
            said = (MESSAGE, 1, message.decode(errors="replace"))
            yield commit.decode(), [said, *_added(patch.split(b"\n"))]


def _added(lines: Sequence[bytes]) -> Iterator[Added]:
    path, at = "", 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith(b"+++ "):
            name = _text(line[4:]).rstrip("\t")
            # Git quotes a name with a quote, a backslash or a control character in it.
            path = name.strip('"').removeprefix("b/")
        elif hunk := _HUNK.match(line):
            removed, first, count = (int(number) if number is not None else 1 for number in hunk.groups())
            added: list[bytes] = []
            while at < len(lines) and (removed or len(added) < count):
                if lines[at].startswith(b"-"):
                    removed -= 1
                elif lines[at].startswith(b"+"):
                    added.append(lines[at][1:])
                at += 1
            if added:
                yield path, first, b"\n".join(added).decode(errors="replace") + "\n"


def _text(name: bytes) -> str:
    return name.decode(errors="surrogateescape")
