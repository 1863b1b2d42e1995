"""How much of the host others used meanwhile: processor time that no process of ours had (proc(5)).

Linux. Ours are this process and all below it; what a hypervisor took is others'.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
# Of the fields of /proc/stat: user, nice, system, irq, softirq, steal; the rest is idle or counted in these.
_BUSY = (1, 2, 3, 6, 7, 8)
# Of /proc/PID/stat, after the name: parent, and time of its own and of its ended children.
_PARENT, _TIMES = 1, slice(11, 15)


@dataclass(frozen=True, slots=True)
class Used:
    """Processor seconds since boot: of all, and of ours."""

    all_s: float
    own_s: float

    def others_cores(self, before: "Used", lasted_s: float) -> float:
        """How many cores others kept busy on average since `before`, `lasted_s` ago; at least 0."""
        others_s = (self.all_s - before.all_s) - (self.own_s - before.own_s)
        return max(0.0, others_s / lasted_s) if lasted_s > 0 else 0.0


def used() -> Used | None:
    """What was used until now; None where the system does not tell."""
    try:
        ticks = [int(field) if field.isdigit() else 0 for field in _first_line(_PROC / "stat").split()]
    except OSError:
        return None
    times: dict[int, int] = {}
    parents: dict[int, int] = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[_PARENT])
        times[int(folder.name)] = sum(map(int, fields[_TIMES]))
    own = {os.getpid()}
    # Parents need not come before their children: what is new is looked at once more.
    while new := {pid for pid, parent in parents.items() if parent in own and pid not in own}:
        own |= new
    hertz = os.sysconf("SC_CLK_TCK")
    return Used(sum(ticks[field] for field in _BUSY) / hertz, sum(times.get(pid, 0) for pid in own) / hertz)


def _first_line(path: Path) -> str:
    with path.open() as stream:
        return stream.readline()
