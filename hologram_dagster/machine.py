"""The measuring host's fingerprint, without its name (design: *machine*)."""

import hashlib
import os
import platform
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides whether two times may be compared.

    `memory_class_gib` is the memory rounded down to a power of two, in GiB.
    """

    cpu: str
    cores: int
    memory_class_gib: int
    kernel: str
    python: str

    @property
    def fingerprint(self) -> str:
        """The first 16 hex digits of the sha256 over the fields, newline-joined."""
        return hashlib.sha256("\n".join(map(str, asdict(self).values())).encode()).hexdigest()[:16]


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@cache
def this_machine() -> Machine:
    """Fingerprint the host this process runs on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Machine(
        cpu=_cpu_model(),
        cores=os.cpu_count() or 1,
        memory_class_gib=1 << max(0, round(memory).bit_length() - 1),
        kernel=".".join(platform.release().split(".")[:2]),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
    )
