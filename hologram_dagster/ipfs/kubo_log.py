"""The log of the Kubo library, kept from filling the disk.

What belongs here: reading what the library logs, remembering its errors, and capping the
child's own log file. What does not: the library (see `library`).

The library opens `kubo.log` in its working directory and writes several lines a call,
without end. That name is a FIFO here: nothing reaches the disk but errors, which go to
standard error. The library gives the reason of a failure nowhere else.
"""

import fcntl
import os
import re
import stat
import sys
import threading
import time
from pathlib import Path

FILE_NAME = "kubo.log"
MAX_STDERR_BYTES = 4 * 2**20
_CHECK_EVERY_LINES = 1000
_ERROR = "ERROR:"
# The library prints some of its C strings as pointers.
_POINTER = re.compile(r" ?%!s\(\*main\._Ctype_char=0x[0-9a-f]+\)")


class KuboLog:
    """Reader of the FIFO `kubo.log` in `folder`; start it before the library is loaded."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._changed = threading.Condition()
        self._errors = 0
        self._last_error = ""

    def start(self) -> None:
        """Make the FIFO (a file in its place goes) and read it in a thread, for ever."""
        self._path.unlink(missing_ok=True)
        os.mkfifo(self._path, 0o600)
        # Opened for writing, too: else the first writer that closes it would end the reading.
        handle = os.open(self._path, os.O_RDWR)
        threading.Thread(target=self._read, args=(handle,), name="kubo-log", daemon=True).start()

    def _read(self, handle: int) -> None:
        with os.fdopen(handle, "r", encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines):
                if number % _CHECK_EVERY_LINES == 0:
                    cap_stderr()
                if _ERROR in line:
                    self._note(line)

    def _note(self, line: str) -> None:
        sys.stderr.write(line)
        sys.stderr.flush()
        with self._changed:
            self._errors += 1
            self._last_error = _POINTER.sub("", line.partition(_ERROR)[2]).strip(" :\n")
            self._changed.notify_all()

    @property
    def errors(self) -> int:
        """How many errors the library has logged so far."""
        return self._errors

    def error_after(self, count: int, *, wait_s: float = 0.5) -> str:
        """The last error, once more than `count` were logged; empty if none comes within `wait_s` s."""
        deadline = time.monotonic() + wait_s
        with self._changed:
            while self._errors <= count:
                if not self._changed.wait(deadline - time.monotonic()):
                    return ""
            return self._last_error


def cap_stderr(limit: int = MAX_STDERR_BYTES) -> None:
    """Empty standard error once it is an appended file of more than `limit` bytes."""
    handle = sys.__stderr__.fileno() if sys.__stderr__ else -1
    if handle < 0 or not fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_APPEND:
        return
    state = os.fstat(handle)
    if stat.S_ISREG(state.st_mode) and state.st_size > limit:
        os.ftruncate(handle, 0)
