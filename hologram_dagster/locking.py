"""One writer at a time, among the processes of this host."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hologram_dagster.errors import HologramError


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, made where missing; the kernel frees it when its holder dies.

    Raises:
        HologramError: the file cannot be made or opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("ab")
    except OSError as error:
        raise HologramError(f"cannot use the lock {path}: {error.strerror}. Fix its permissions.") from error
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
