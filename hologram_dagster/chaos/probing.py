"""Reading probes: whether services are as they should be, now or within a limit."""

import time
from collections.abc import Sequence

from hologram_dagster.chaos.conducting import Conductor, Said
from hologram_dagster.chaos.experiment import Probe
from hologram_dagster.chaos.within import InterruptedByOrderError
from hologram_dagster.errors import ServiceError
from hologram_dagster.observation import Status

# Between two looks at what is waited for.
EVERY_S = 0.05


def steady(conductor: Conductor, probes: Sequence[Probe]) -> Said:
    """Read every probe: `failed` where one is out of its tolerance, `error` where one cannot be read."""
    said = [_read(conductor, probe, probe.timeout_s) for probe in probes]
    for status in (Status.ERROR, Status.FAILED):
        if told := "; ".join(each.told for each in said if each.status is status):
            return Said(status, told)
    return Said(Status.PASSED, "; ".join(each.told for each in said))


def await_steady(conductor: Conductor, probes: Sequence[Probe], limit_s: float) -> Said:
    """Read the probes until all are within their tolerances; `failed` when that takes longer than `limit_s`.

    One that cannot be read counts as out of tolerance: services that come back may break it.
    """
    deadline = time.monotonic() + limit_s
    told = ""
    while True:
        for probe in probes:
            left = deadline - time.monotonic()
            if left <= 0:
                return Said(Status.FAILED, f"not as before within {limit_s:g} s: {told}")
            seen = _read(conductor, probe, min(probe.timeout_s, left))
            if seen.status is not Status.PASSED:
                told = seen.told
                break
        else:
            return Said(Status.PASSED)
        conductor.wait(EVERY_S)


def _read(conductor: Conductor, probe: Probe, timeout_s: float) -> Said:
    try:
        value = conductor.call(probe.name, probe.read, timeout_s)
    except InterruptedByOrderError:
        raise
    except ServiceError as error:
        return Said(Status.FAILED, f"{probe.name}: {error}")
    except Exception as error:  # noqa: BLE001 (whatever a probe does, it is not within its tolerance)
        return Said(Status.ERROR, f"{probe.name} cannot be read: {str(error) or type(error).__name__}")
    held = probe.tolerance.holds(value)
    return Said(Status.PASSED if held else Status.FAILED, f"{probe.name} is {value!r}")
