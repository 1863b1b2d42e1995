"""Which tests of a working tree are new or changed since a revision, by the lines of their functions."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.target.git import GitRefusal, git
from hologram_dagster.target.revision import resolve_ref, top_of

# Tried in turn where none is given: what a pull request would be merged into.
_BASES = ("origin/main", "main", "origin/master", "master")
_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Changes:
    """The changed lines (from 1) of each file, by its resolved path; a new file has `None`."""

    lines: dict[Path, frozenset[int] | None] = field(default_factory=dict)
    _tests: dict[Path, tuple[range, ...]] = field(default_factory=dict)

    def touches(self, path: Path, line: int) -> bool:
        """Whether the test function of `path` that begins at `line` is new or changed.

        What is changed outside of all tests (imports, fixtures, data) may change each of them.
        """
        if path not in self.lines:
            return False
        changed = self.lines[path]
        if changed is None:
            return True
        if path not in self._tests:
            self._tests[path] = tuple(_tests_of(path))
        tests = self._tests[path]
        own = next((test for test in tests if line in test), range(line, line + 1))
        return any(each in own or not any(each in test for test in tests) for each in changed)


def _tests_of(path: Path) -> Iterator[range]:
    """The lines of each test function, decorators included."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield range(first, (node.end_lineno or node.lineno) + 1)


def changes_since(folder: Path, ref: str | None = None) -> Changes:
    """What differs in the working tree of `folder` from where it branched off `ref` (default: main).

    Raises:
        HologramError: no repository, or no such ref.
    """
    top = top_of(folder)
    base = git(top, "merge-base", resolve_ref(top, ref) if ref else _default_base(top), "HEAD")
    patch = git(
        top, "diff", "--no-color", "--no-ext-diff", "--no-renames", "-U0", base.decode().strip(), "--"
    )
    lines: dict[Path, frozenset[int] | None] = dict(_changed(top, patch.decode(errors="replace")))
    for name in git(top, "ls-files", "-z", "--others", "--exclude-standard").split(b"\0"):
        if name:
            lines[(top / name.decode(errors="surrogateescape")).resolve()] = None
    return Changes(lines)


def _default_base(top: Path) -> str:
    for ref in _BASES:
        try:
            return resolve_ref(top, ref)
        except GitRefusal:
            raise
        except HologramError:
            continue
    raise HologramError(f"{top} has no branch named main or master: name one with --changed-since.")


def _changed(top: Path, patch: str) -> Iterator[tuple[Path, frozenset[int] | None]]:
    for part in re.split(r"^diff --git ", patch, flags=re.MULTILINE)[1:]:
        name = re.search(r"^\+\+\+ b/(.*?)\t?$", part, re.MULTILINE)
        if name is None:
            # Removed, or not text.
            continue
        if re.search(r"^--- /dev/null$", part, re.MULTILINE):
            yield (top / name[1]).resolve(), None
            continue
        lines: set[int] = set()
        for hunk in _HUNK.finditer(part):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            # Where lines were only removed, those before and after are neighbours now.
            lines.update(range(first, first + count) if count else (max(1, first), first + 1))
        yield (top / name[1]).resolve(), frozenset(lines)
