"""Trying again as the contract's client does, with a record of every try (contract section 3.8).

At most three tries, one second before the second, twice that before the third, and a bounded random
part on top so that clients do not come back all at once.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from hologram_dagster.errors import HologramError

# Two readings of a clock and a sleep may differ by as much.
_CLOCK_S = 0.001


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `tries`; before the nth retry `first_delay_s` times 2^(n-1), and up to `jitter` of it more."""

    tries: int = 3
    first_delay_s: float = 1.0
    jitter: float = 0.1

    def bounds_s(self, retry: int) -> tuple[float, float]:
        """The least and the most to wait before retry number `retry` (from 1), s."""
        least = self.first_delay_s * 2 ** (retry - 1)
        return least, least * (1 + self.jitter)


@dataclass(slots=True)
class Trace:
    """What one operation tried: when each try began and ended (s, monotonic)."""

    began_s: list[float] = field(default_factory=list)
    ended_s: list[float] = field(default_factory=list)

    @property
    def tries(self) -> int:
        """How many tries there were."""
        return len(self.began_s)

    @property
    def waited_s(self) -> list[float]:
        """How long was waited before each retry."""
        return [began - ended for ended, began in zip(self.ended_s, self.began_s[1:], strict=False)]


def retrying(
    operation: Callable[[], None],
    policy: RetryPolicy,
    random: Random,
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Trace, HologramError | None]:
    """Do `operation`, again after a `HologramError` as `policy` says; the trace, and the last failure."""
    trace = Trace()
    for number in itertools.count(1):
        trace.began_s.append(clock())
        try:
            operation()
        except HologramError as error:
            failure = error
        else:
            return trace, None
        finally:
            trace.ended_s.append(clock())
        if number == policy.tries:
            return trace, failure
        sleep(random.uniform(*policy.bounds_s(number)))
    raise AssertionError("counting has no end")


def breach(trace: Trace, policy: RetryPolicy, *, late_s: float) -> str:
    """How `trace` departs from `policy`; empty when it does not.

    A wait may be up to `late_s` longer than planned: the host's doing.
    """
    if trace.tries > policy.tries:
        return f"{trace.tries} tries, at most {policy.tries} are allowed"
    for number, waited in enumerate(trace.waited_s, 1):
        least, most = policy.bounds_s(number)
        if not least - _CLOCK_S <= waited <= most + late_s:
            return f"waited {waited:.3f} s before retry {number}, {least:g} to {most:g} s are allowed"
    return ""
