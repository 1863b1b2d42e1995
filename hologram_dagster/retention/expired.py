"""One thing that is beyond its retention: what it is, and how it is exported and removed."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.files import size_of

# Path in the archive and content.
Member = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Expired:
    """Something to remove; `export` yields what of it must be kept, None is for what can be made again."""

    kind: str
    name: str
    size_bytes: int
    remove: Callable[[], None]
    export: Callable[[], Iterable[Member]] | None = None


def expired_path(kind: str, path: Path, *, name: str, export: bool) -> Expired:
    """The file or folder at `path` as something to remove; `name` is its path in the archive."""
    return Expired(
        kind=kind,
        name=name,
        size_bytes=size_of(path),
        remove=partial(remove_path, path),
        export=partial(members_of, path, name) if export else None,
    )


def members_of(path: Path, name: str) -> Iterator[Member]:
    """The files at or below `path`, under `name`.

    Raises:
        HologramError: one cannot be read.
    """
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    for each in files:
        try:
            content = each.read_bytes()
        except OSError as error:
            raise HologramError(f"cannot export {each}: {error.strerror}. Nothing was removed.") from error
        yield (name if each == path else f"{name}/{each.relative_to(path)}"), content


def remove_path(path: Path) -> None:
    """Remove a file or folder; none is fine.

    Raises:
        HologramError: it cannot be removed.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise HologramError(f"cannot remove {path}: {error.strerror}. Fix its permissions.") from error
