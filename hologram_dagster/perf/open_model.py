"""An open model of load: requests fall due at a fixed rate, whatever the service does.

Each is timed from the moment it was due, not from when it was sent, so that a stall counts
for all that fell due in it. What belongs here: the arrivals and their figures. What does
not: what a request is, and which figures are good (`load`).
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

from hologram_dagster.errors import HologramError, ServiceError, ServiceTimeoutError
from hologram_dagster.profiles import arrivals

# More would exhaust the file descriptors of an ordinary process (1024).
MOST_UNANSWERED = 512
_NS_PER_US = 1000
_US_PER_MS = 1000
_US_PER_S = 1_000_000
_HOUR_US = 3600 * _US_PER_S
_DIGITS = 3


class Delays:
    """Delays from 1 µs to an hour, kept to three digits (HdrHistogram)."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, _HOUR_US, _DIGITS)

    def record_us(self, delay_us: int) -> None:
        """Count one delay, µs; what is beyond the ends counts as the end."""
        self._histogram.record_value(min(max(delay_us, 1), _HOUR_US))

    def percentile_ms(self, percent: int) -> float:
        """The delay that `percent` (0 to 100) of all do not exceed, ms; 0 where there is none.

        By nearest rank as in `statistics`: the histogram alone rounds the rank, down as well as up.
        """
        count = self._histogram.get_total_count()
        if not count:
            return 0.0
        rank = -(-percent * count // 100)
        return float(self._histogram.get_value_at_percentile(100 * rank / count)) / _US_PER_MS

    @property
    def mean_ms(self) -> float:
        """The mean delay, ms; 0 where there is none."""
        return float(self._histogram.get_mean_value()) / _US_PER_MS


@dataclass(slots=True)
class Arrivals:
    """What became of the requests that fell due.

    `latency` is from due to answered; a request without a good answer counts as the timeout.
    `lag` is from due to sent: ours, not the service's. `cause` is the first failure's.
    """

    latency: Delays
    lag: Delays
    due: int = 0
    failed: int = 0
    cause: str = ""

    def fail(self, cause: str) -> None:
        """Count one request without a good answer."""
        self.failed += 1
        self.cause = self.cause or cause


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request: when it was due, sent and ended (ns, `perf_counter_ns`), and its failure if it failed.

    One that was not sent has no `sent_ns`.
    """

    number: int
    due_ns: int
    sent_ns: int | None
    ended_ns: int
    error: HologramError | None


async def drive(
    request: Callable[[], Awaitable[None]],
    *,
    rate_per_s: float,
    duration_s: float,
    timeout_s: float,
    stop: threading.Event | None = None,
    told: Callable[[Arrival], None] | None = None,
) -> Arrivals:
    """Let `rate_per_s` requests fall due each second for `duration_s`, and wait for the last answer.

    `request` sends one and checks its answer; a `HologramError` is its failure, and so is
    no answer within `timeout_s`. While 512 are unanswered no more are sent: those fail. Once `stop`
    is set no more fall due. `told` gets each request when it has ended.
    """
    seen = Arrivals(Delays(), Delays())
    pending: set[asyncio.Task[None]] = set()
    start = time.perf_counter_ns()

    def end(arrival: Arrival, least_us: int) -> None:
        seen.latency.record_us(max((arrival.ended_ns - arrival.due_ns) // _NS_PER_US, least_us))
        if arrival.error is not None:
            seen.fail(str(arrival.error))
        if told is not None:
            told(arrival)

    async def arrive(number: int, due: int) -> None:
        sent = time.perf_counter_ns()
        seen.lag.record_us((sent - due) // _NS_PER_US)
        error: HologramError | None = None
        try:
            async with asyncio.timeout(timeout_s):
                await request()
        except TimeoutError:
            error = ServiceTimeoutError(f"no answer within {timeout_s:g} s")
        except HologramError as failure:
            error = failure
        # A refusal that comes fast must not make the figures better.
        least_us = round(timeout_s * _US_PER_S) if error else 0
        end(Arrival(number, due, sent, time.perf_counter_ns(), error), least_us)

    for number in range(arrivals(rate_per_s, duration_s)):
        due = start + round(number * 1e9 / rate_per_s)
        await asyncio.sleep(max(0.0, (due - time.perf_counter_ns()) / 1e9))
        if stop is not None and stop.is_set():
            break
        seen.due += 1
        if len(pending) >= MOST_UNANSWERED:
            why = ServiceError(f"not sent, since {MOST_UNANSWERED} requests were unanswered")
            end(Arrival(number, due, None, time.perf_counter_ns(), why), round(timeout_s * _US_PER_S))
            continue
        task = asyncio.create_task(arrive(number, due))
        pending.add(task)
        task.add_done_callback(pending.discard)
    await asyncio.gather(*pending)
    return seen
