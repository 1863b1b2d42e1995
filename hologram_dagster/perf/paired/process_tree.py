"""A process with its descendants: their CPU clock, their core, their port. Linux only.

What belongs here: what the kernel tells of processes that are not ours to instrument.
What does not: starting and stopping them (`processes`), timing calls (`loop`).
"""

import os
import re
import time
from contextlib import suppress
from pathlib import Path

from hologram_dagster.errors import HologramError

_PROC = Path("/proc")
# /proc/<pid>/stat after the command name: parent, and page faults of children waited for.
_PARENT, _FAULTS_OF_ENDED_CHILDREN = 1, 8
_LISTENING = "0A"
_LOCAL_ADDRESS, _STATE, _INODE = 1, 3, 9


class LostProcessError(HologramError):
    """A process of the tree ended while its CPU time was being counted."""


def _clock_id(pid: int) -> int:
    # clock_getcpuclockid(3), as the kernel encodes it: CPU time of the whole process.
    return (~pid << 3) | 2


def _stat(pid: int) -> list[str]:
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _threads(pid: int) -> list[int]:
    try:
        return [int(entry.name) for entry in (_PROC / str(pid) / "task").iterdir()]
    except OSError:
        return []


def has_cpu_clock(pid: int) -> bool:
    """Whether the CPU time of another process, `pid`, can be read here."""
    try:
        return time.clock_gettime_ns(_clock_id(pid)) >= 0
    except (OSError, AttributeError):
        return False


class ProcessTree:
    """The process `root` and what descends from it, as of the last `refresh`."""

    def __init__(self, root: int) -> None:
        self.root = root
        self._pids: list[int] = []
        self._clocks: list[int] = []
        self.refresh()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of the tree, the root first."""
        return tuple(self._pids)

    def refresh(self) -> None:
        """Look again for descendants."""
        children: dict[int, list[int]] = {}
        for entry in (folder.name for folder in _PROC.iterdir()):
            if entry.isdecimal():
                with suppress(OSError, IndexError):
                    children.setdefault(int(_stat(int(entry))[_PARENT]), []).append(int(entry))
        pids = [self.root]
        for pid in pids:
            pids.extend(children.get(pid, ()))
        self._pids = pids
        self._clocks = [_clock_id(pid) for pid in pids]

    def cpu_ns(self) -> int:
        """CPU time of all processes of the tree so far, ns.

        Exact only while they run on the core of the caller, who thereby interrupts them.

        Raises:
            LostProcessError: one of them has ended.
        """
        try:
            return sum(map(time.clock_gettime_ns, self._clocks))
        except OSError:
            raise LostProcessError(f"a process of {self.root} ended while it was measured") from None

    def pin(self, core: int) -> None:
        """Put every thread of the tree on `core`; later children and threads inherit it.

        Raises:
            HologramError: the system does not allow it.
        """
        pinned: set[int] = set()
        # A thread may start another while we look: until a look finds nothing new.
        while threads := {thread for pid in self._pids for thread in _threads(pid)} - pinned:
            for thread in threads:
                with suppress(ProcessLookupError):
                    pin_thread(thread, core)
            pinned |= threads
            self.refresh()

    def left_core(self, core: int) -> bool:
        """Whether a thread of the tree may run elsewhere than on `core`."""
        for thread in (thread for pid in self._pids for thread in _threads(pid)):
            with suppress(ProcessLookupError):
                if os.sched_getaffinity(thread) != {core}:
                    return True
        return False

    def faults_of_ended_children(self) -> int:
        """A count that grows whenever a process of the tree has waited for a child that ended."""
        faults = 0
        for pid in self._pids:
            with suppress(OSError, IndexError):
                faults += int(_stat(pid)[_FAULTS_OF_ENDED_CHILDREN])
        return faults

    def listens_on(self, port: int) -> bool:
        """Whether the socket listening on TCP `port` belongs to a process of the tree."""
        inodes = _listening_inodes(port)
        for pid in self._pids:
            with suppress(OSError):
                for handle in (_PROC / str(pid) / "fd").iterdir():
                    with suppress(OSError):
                        found = re.fullmatch(r"socket:\[(\d+)\]", str(handle.readlink()))
                        if found and found[1] in inodes:
                            return True
        return False


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                local_port = int(fields[_LOCAL_ADDRESS].rpartition(":")[2], 16)
                if local_port == port and fields[_STATE] == _LISTENING:
                    inodes.add(fields[_INODE])
    return inodes


def pin_thread(thread: int, core: int) -> None:
    """Put one thread (0: the calling one) on `core`.

    Raises:
        ProcessLookupError: there is no such thread any more.
        HologramError: the system does not allow it.
    """
    try:
        os.sched_setaffinity(thread, {core})
    except ProcessLookupError:
        raise
    except (OSError, AttributeError) as error:
        raise HologramError(
            f"cannot put a measured process on core {core} ({error}): compare on Linux, where "
            "sched_setaffinity(2) is allowed."
        ) from None


def usable_cores() -> tuple[int, ...]:
    """The cores this process may run on, ascending.

    Raises:
        HologramError: the system does not tell.
    """
    try:
        return tuple(sorted(os.sched_getaffinity(0)))
    except AttributeError:
        raise HologramError(
            "this system cannot pin processes to a core (no sched_setaffinity): compare on Linux."
        ) from None
