"""One measurement at a time on this host, whoever runs it.

The kernel's `flock` on one file: freed when its holder dies, even by kill -9. The file is
world-usable and holds nothing, so no user can lock another out by owning it, and nothing
written there is ever believed.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hologram_dagster.errors import HologramError

# Not Python's temporary folder, which each user may set: the lock is the host's.
LOCK_FILE = Path("/tmp/hologram-measuring.lock")
WAIT_S = 900.0
_EVERY_S = 0.1


@contextmanager
def measuring_lock(
    wait_s: float = WAIT_S, *, on_wait: Callable[[str], None] | None = None, path: Path = LOCK_FILE
) -> Iterator[None]:
    """Hold the host's measuring lock; nested in one thread it waits for itself.

    Waits up to `wait_s` seconds, and tells `on_wait` for what, once and whenever the holder changes.

    Raises:
        HologramError: the lock did not come free in time, or its file is no plain file.
    """
    handle = _open(path)
    try:
        _acquire(handle, path, wait_s, on_wait)
        yield
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    # Without O_CREAT first: in a sticky folder the kernel refuses it on another user's file
    # (fs.protected_regular). O_NONBLOCK: a fifo put there must not hang us.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        while True:
            with suppress(FileNotFoundError):
                handle = os.open(path, flags)
                break
            with suppress(FileExistsError):
                handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
                # The creator's umask must not keep other users out.
                os.fchmod(handle, 0o666)
                break
    except OSError as error:
        what = "is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise HologramError(f"cannot use the measuring lock {path}: it {what}. Remove it.") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise HologramError(f"cannot use the measuring lock {path}: it is no plain file. Remove it.")
    return handle


def _acquire(handle: int, path: Path, wait_s: float, on_wait: Callable[[str], None] | None) -> None:
    deadline = time.monotonic() + wait_s
    told = ""
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(handle)
        else:
            return
        if time.monotonic() >= deadline:
            raise HologramError(
                f"the measuring lock {path} did not come free within {wait_s:g} s: {holder} holds it. "
                "Wait for that run, or end it."
            )
        if on_wait is not None and holder != told:
            told = holder
            on_wait(f"waiting for the measuring lock {path}, which {holder} holds")
        time.sleep(_EVERY_S)


def _holder(handle: int) -> str:
    """Who holds the lock, as far as the kernel tells (`/proc/locks` knows only this PID namespace)."""
    inode = str(os.fstat(handle).st_ino)
    with suppress(OSError, ValueError):
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            # "1: FLOCK ADVISORY WRITE pid device:inode start end"; a waiter has "->" in front.
            if len(fields) > 5 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode:
                pid = int(fields[4])
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                return f"process {pid} ({name})"
    return "another process"
