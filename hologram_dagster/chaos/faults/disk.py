"""A disk that is full: a small file system of its own, or a limit on the size of files.

`SmallDisk` is the real thing, and needs root. `FileSizeLimit` is the nearest without: a process
may write no file larger than a limit, and learns so by EFBIG instead of ENOSPC.
"""

import errno
import os
import re
import resource
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from hologram_dagster.chaos.faults.owners import maker_lives, mark_of_this_process
from hologram_dagster.errors import HologramError

_PREFIX = "hologram-"
_FILLER = "filler"
# How proc(5) writes white space and backslashes in a path.
_OCTAL = re.compile(r"\\([0-7]{3})")
_BLOCK = bytes(64 * 1024)


def lacking() -> str:
    """Why no `SmallDisk` can be made here; empty when one can."""
    missing = [name for name in ("mount", "umount") if shutil.which(name) is None]
    if missing:
        return f"needs {', '.join(missing)}: apt-get install mount"
    return "" if os.geteuid() == 0 else "needs root"


class SmallDisk:
    """A file system of `size_bytes` in memory, mounted on `folder`; a context manager unmounts it."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        """Mount it.

        Raises:
            HologramError: the folder is not empty, or mounting is refused.
        """
        if any(folder.iterdir()):
            raise HologramError(f"{folder} is not empty: a small disk would hide what is in it.")
        self.folder = folder
        source = f"{_PREFIX}{mark_of_this_process()}"
        _run("mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", source, str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def free_bytes(self) -> int:
        """What can still be written."""
        return shutil.disk_usage(self.folder).free

    def fill(self) -> None:
        """Write until nothing more fits.

        Raises:
            HologramError: it is not space that is lacking.
        """
        with (self.folder / _FILLER).open("ab", buffering=0) as filler:
            block = _BLOCK
            while block:
                try:
                    filler.write(block)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise HologramError(f"cannot fill {self.folder}: {error.strerror}.") from error
                    block = block[: len(block) // 2]

    def free(self) -> None:
        """Undo `fill`. Twice is fine."""
        (self.folder / _FILLER).unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount it, whoever still has files open on it. Twice is fine."""
        if self.folder.is_mount():
            _run("umount", "--lazy", str(self.folder))


def unmount_stale() -> list[Path]:
    """Unmount the small disks whose makers have died; where they were.

    Raises:
        HologramError: one cannot be unmounted.
    """
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    stale = [
        Path(_OCTAL.sub(lambda escape: chr(int(escape[1], 8)), folder))
        for source, folder, *_ in mounts
        if source.startswith(_PREFIX) and not maker_lives(source.removeprefix(_PREFIX))
    ]
    for folder in stale:
        _run("umount", "--lazy", str(folder))
    return stale


class FileSizeLimit:
    """A limit on the size of the files that process `pid` (ours, or a child of this user) writes.

    SIGXFSZ must be ignored there, as Python does; else it kills the process (setrlimit(2)).
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = resource.prlimit(pid, resource.RLIMIT_FSIZE)

    def impose(self, limit_bytes: int) -> None:
        """Let no file grow beyond `limit_bytes`."""
        # Only the soft limit: nobody but root could undo a hard one.
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (limit_bytes, self._before[1]))

    def lift(self) -> None:
        """Undo `impose`."""
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, self._before)

    @property
    def in_force_bytes(self) -> int | None:
        """The limit as the kernel has it; None where there is none."""
        limit = resource.prlimit(self._pid, resource.RLIMIT_FSIZE)[0]
        return None if limit == resource.RLIM_INFINITY else limit


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HologramError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
