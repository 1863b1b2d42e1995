"""What else the host did during a launch: load average and stolen time. Recorded, never judged."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_STEAL_FIELD = 8


@dataclass(frozen=True, slots=True)
class HostLoad:
    """Load average of one minute at the end, and the share of time the hypervisor took, percent."""

    load_1m: float
    steal_pct: float


@dataclass(frozen=True, slots=True)
class HostMeter:
    """The counters of `/proc/stat` at a moment, in ticks."""

    steal: int
    total: int

    @classmethod
    def now(cls) -> "HostMeter":
        """Read them; zeros where the system has none."""
        with suppress(OSError, ValueError, IndexError):
            ticks = [
                int(field)
                for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1 : _STEAL_FIELD + 1]
            ]
            return cls(steal=ticks[_STEAL_FIELD - 1], total=sum(ticks))
        return cls(0, 0)

    def since(self) -> HostLoad:
        """What happened since this reading."""
        now = HostMeter.now()
        passed = now.total - self.total
        return HostLoad(
            load_1m=os.getloadavg()[0],
            steal_pct=100 * (now.steal - self.steal) / passed if passed else 0.0,
        )
