"""Load that runs in a thread of its own while an experiment goes on, every operation recorded.

An open model (`perf.open_model`): operations fall due at a fixed rate, whatever the service does,
and count from when they were due. What belongs here: running it and asking after it. What does
not: what an operation is (the experiments), and what must hold of them.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from hologram_dagster.errors import HologramError
from hologram_dagster.perf.open_model import Arrival, drive
from hologram_dagster.perf.statistics import percentile

# Operations that wait for a dead service, with their retries, must not hold up those due later.
_THREADS = 128
_LONGEST_S = 3600.0
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: when it was due, sent and ended, s on the clock of `time.perf_counter`.

    `error` is its failure, None where it was done; `kind` what it was.
    """

    number: int
    kind: str
    due_s: float
    sent_s: float | None
    ended_s: float
    error: HologramError | None

    @property
    def done(self) -> bool:
        """Whether it was done, and rightly."""
        return self.error is None

    @property
    def latency_ms(self) -> float:
        """From when it was due to its end, ms."""
        return 1000 * (self.ended_s - self.due_s)

    def during(self, began_s: float, ended_s: float) -> bool:
        """Whether any of it lies between these times."""
        return self.due_s <= ended_s and self.ended_s >= began_s


class Load:
    """`rate_per_s` operations of one kind, from `start` on until `stop`; a context manager does both.

    `operate` gets the operation's number, in a thread of its own; a `HologramError` is its failure.
    It bounds its own time: `timeout_s` is for what hangs all the same.
    """

    def __init__(
        self, kind: str, operate: Callable[[int], None], *, rate_per_s: float, timeout_s: float
    ) -> None:
        self._kind = kind
        self._operate = operate
        self._rate_per_s = rate_per_s
        self._timeout_s = timeout_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"load {kind}", daemon=True)
        self._operations: list[Operation] = []
        self._begun = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let no more fall due, and wait for the last end; fine where it was never begun."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether operations still fall due, or have not ended."""
        return self._thread.is_alive()

    @property
    def operations(self) -> Sequence[Operation]:
        """Those that have ended, in the order of their ends."""
        return tuple(self._operations)

    @property
    def send_lag_p95_ms(self) -> float:
        """How late our own sending was, p95, ms; of what has ended."""
        lags = [1000 * (each.sent_s - each.due_s) for each in self.operations if each.sent_s is not None]
        return percentile(lags, 0.95) if lags else 0.0

    def _run(self) -> None:
        asyncio.run(self._drive())

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(_THREADS, thread_name_prefix=f"load {self._kind}") as pool:

            async def request() -> None:
                number, self._begun = self._begun, self._begun + 1
                try:
                    await loop.run_in_executor(pool, self._operate, number)
                except HologramError:
                    raise
                except Exception as error:
                    # A bug in the operation must not make it one that never was.
                    raise HologramError(f"{type(error).__name__}: {error}") from error

            await drive(
                request,
                rate_per_s=self._rate_per_s,
                duration_s=_LONGEST_S,
                timeout_s=self._timeout_s,
                stop=self._stop,
                told=self._note,
            )

    def _note(self, arrival: Arrival) -> None:
        sent = None if arrival.sent_ns is None else arrival.sent_ns / _NS_PER_S
        self._operations.append(
            Operation(
                arrival.number,
                self._kind,
                arrival.due_ns / _NS_PER_S,
                sent,
                arrival.ended_ns / _NS_PER_S,
                arrival.error,
            )
        )


def now_s() -> float:
    """The time on the operations' clock, s."""
    return time.perf_counter()


def success_share(operations: Sequence[Operation]) -> float:
    """The share of `operations` that was done; 0 where there is none."""
    return sum(each.done for each in operations) / len(operations) if operations else 0.0
