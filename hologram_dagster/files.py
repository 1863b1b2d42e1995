"""Writing files so that a reader, a crash or a full disk never meets half of one.

What belongs here: whole-file replacement, exclusive creation and appending of lines.
What does not: formats (each is with its domain).
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from hologram_dagster.errors import HologramError


def _explain(path: Path, error: OSError) -> HologramError:
    cause = error.strerror or str(error)
    return HologramError(f"cannot write {path}: {cause}. Free space or fix its permissions.")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_beside(path: Path, data: bytes, mode: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return beside


def write_whole(path: Path, data: bytes | str, *, mode: int = 0o644) -> None:
    """Replace `path` by `data`, whole or not at all (write beside, fsync, rename).

    Raises:
        HologramError: the file cannot be written; the old one is untouched.
    """
    try:
        beside = _write_beside(path, data.encode() if isinstance(data, str) else data, mode)
        try:
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise _explain(path, error) from error


def create_whole(path: Path, data: bytes | str, *, mode: int = 0o644) -> None:
    """Create `path` with `data`, whole or not at all; an existing file is never replaced.

    Raises:
        FileExistsError: there is one already.
        HologramError: the file cannot be written.
    """
    try:
        beside = _write_beside(path, data.encode() if isinstance(data, str) else data, mode)
        try:
            os.link(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise _explain(path, error) from error


def make_untracked(folder: Path) -> None:
    """Make `folder` where it is missing, with a `.gitignore` that keeps all of it out of commits.

    A `.gitignore` that is there stays, and the top of a repository gets none.

    Raises:
        HologramError: it cannot be written.
    """
    if not (folder / ".git").exists():
        with suppress(FileExistsError):
            create_whole(folder / ".gitignore", "*\n")


@contextmanager
def creating_whole(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """A stream for the content of a new file, which is there, whole, once the context ends well.

    For what does not fit into memory; else as `create_whole`.

    Raises:
        FileExistsError: there is one already.
        HologramError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _explain(path, error) from error
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                yield stream
                stream.flush()
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            os.link(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
        _sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise _explain(path, error) from error


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Append whole lines to `path` in one write, and sync it.

    A torn last line left by a crash is closed with a line feed first, so that it
    cannot swallow the new one.

    Raises:
        HologramError: the file cannot be written; what was there is untouched.
    """
    data = "".join(f"{line}\n" for line in lines).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as stream:
            start = stream.seek(0, os.SEEK_END)
            if start:
                stream.seek(start - 1)
                if stream.read(1) != b"\n":
                    data = b"\n" + data
            try:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            except OSError:
                with suppress(OSError):
                    stream.truncate(start)
                raise
    except OSError as error:
        raise _explain(path, error) from error


def size_of(path: Path) -> int:
    """Bytes of the file `path`, or of the files below it; files that vanish meanwhile do not count."""
    total = 0
    for parent, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 (a Path for each is slow)
            except OSError:
                continue
    return total or (path.stat().st_size if path.is_file() else 0)
