"""A clock that can be set wrong, for services that take one; the host's own is left alone."""

import mmap
import struct
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_SKEW = struct.Struct("d")


class SkewedClock:
    """Seconds since the epoch, plus a skew that can be changed at any time, in any process.

    Call it for the time, as `time.time`. The skew stands in the file `path`: who opens the same
    file reads the same clock, so that a service in a process of its own can be given it.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists() or path.stat().st_size != _SKEW.size:
            path.write_bytes(_SKEW.pack(0.0))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SKEW.size)

    def __call__(self) -> float:
        """The time, s since the epoch."""
        return time.time() + self.skew_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def skew_s(self) -> float:
        """How far ahead of the host's clock it is, s; negative: behind."""
        return float(_SKEW.unpack_from(self._memory)[0])

    @skew_s.setter
    def skew_s(self, seconds: float) -> None:
        _SKEW.pack_into(self._memory, 0, seconds)

    def close(self) -> None:
        """Let go of the file. Twice is fine."""
        self._memory.close()
