"""Which nonces were used, kept in memory until their timestamps leave the window.

What belongs here: the table, its bounds and its floor after a start. What does not: the
form of a nonce (see `nonce`), and a table that several processes share (the registry's).

A nonce lives until its own timestamp is too old to be accepted, not until some time after
it came: else one sent with a timestamp in the future could be sent again. The oldest is never
put out for a new one: a full table refuses.
"""

import math
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

DEFAULT_CAPACITY: Final = 1_000_000


class Refusal(StrEnum):
    """Why a nonce is not accepted."""

    REPLAYED = "replayed"
    MALFORMED = "malformed"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"
    MISMATCH = "mismatch"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Window:
    """Which timestamps are accepted: up to `past_s` old, up to `future_s` ahead, in whole seconds."""

    past_s: int = 300
    future_s: int = 300

    def refusal(self, timestamp: int, now: float) -> Refusal | None:
        """Why a timestamp is not accepted at `now` (both epoch seconds); None if it is."""
        if now - timestamp > self.past_s:
            return Refusal.TOO_OLD
        return Refusal.IN_FUTURE if timestamp - now > self.future_s else None


# The contract's (section 4.1), and one for clocks that are kept, as strict mode demands.
CONTRACT_WINDOW: Final = Window()
STRICT_WINDOW: Final = Window(future_s=30)


class Nonces(Protocol):
    """A table of used nonces, of one process or of several."""

    def used(self, nonce: str, timestamp: int) -> bool:
        """Whether `nonce` was used."""

    def use(self, nonce: str, timestamp: int, now: float) -> Refusal | None:
        """Use `nonce` up; of any number who try at once, exactly one gets None."""


def safe_rate(capacity: int, window: Window) -> float:
    """The nonces a second that a table of `capacity` bears for ever without getting full."""
    # A nonce from the window's far end stays for all of it; both ends count.
    return capacity / (window.past_s + window.future_s + 1)


class MemoryNonces:
    """A table in memory. Safe to use from several threads.

    It knows nothing of what its process accepted before it started at `started_at` (epoch
    seconds), so it refuses every timestamp that could have been accepted by then. That makes it
    deaf to honest clocks for the first `window.future_s` seconds; a table in a database is not.
    `started_at` None says that nothing went before.
    """

    def __init__(
        self, window: Window, *, capacity: int = DEFAULT_CAPACITY, started_at: float | None = None
    ) -> None:
        self.window = window
        self.capacity = capacity
        # Timestamps up to here are refused: they are forgotten, or from before the start.
        self._floor = -1 if started_at is None else math.floor(started_at + window.future_s)
        self._by_second: dict[int, set[str]] = {}
        self._oldest = self._floor + 1
        self._count = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many nonces are kept."""
        return self._count

    @property
    def safe_rate(self) -> float:
        """See `safe_rate`."""
        return safe_rate(self.capacity, self.window)

    def used(self, nonce: str, timestamp: int) -> bool:
        """Whether `nonce` was used; one that is forgotten is too old to be accepted again."""
        kept = self._by_second.get(timestamp)
        return kept is not None and nonce in kept

    def use(self, nonce: str, timestamp: int, now: float) -> Refusal | None:
        """Use `nonce` up, which bears `timestamp`, at `now` (epoch seconds).

        Returns:
            None for exactly one of those who try; `REPLAYED` for the others; `TOO_OLD` for a
            timestamp whose nonces are forgotten, whatever the clock says now; `FULL`.
        """
        with self._lock:
            if now - self._oldest > self.window.past_s:
                self._forget(now)
            if timestamp <= self._floor:
                return Refusal.TOO_OLD
            kept = self._by_second.get(timestamp)
            if kept is None:
                if self._count >= self.capacity:
                    return Refusal.FULL
                kept = self._by_second[timestamp] = set()
                self._oldest = min(self._oldest, timestamp)
            elif nonce in kept:
                return Refusal.REPLAYED
            elif self._count >= self.capacity:
                return Refusal.FULL
            kept.add(nonce)
            self._count += 1
        return None

    def _forget(self, now: float) -> None:
        """Drop what has left the window, a second at a time, and never hear of it again."""
        floor = math.ceil(now - self.window.past_s) - 1
        self._floor = max(self._floor, floor)
        for timestamp in [second for second in self._by_second if second <= floor]:
            self._count -= len(self._by_second.pop(timestamp))
        self._oldest = self._floor + 1
