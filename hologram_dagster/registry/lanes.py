"""Bounded room for work: a fixed number of threads and of places to wait, then "no".

Reads and mutations have a lane each, so that mutations waiting for a dead IPFS node
never stand in the way of a read.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Result = TypeVar("_Result")


class LaneFullError(Exception):
    """All threads work and all waiting places are taken; try again in a moment."""


class Lane:
    """`threads` at work and `waiting` more requests waiting for one of them.

    Nobody waits longer than `max_wait_s` seconds for a thread: an answer nobody waits for
    any more is not worth the work. With at most `calm` units of work inside, they wait as long as it takes:
    then the host stood still, and not too much arrived.
    """

    def __init__(self, name: str, *, threads: int, waiting: int, max_wait_s: float, calm: int = 0) -> None:
        self._max_wait_s = max_wait_s
        self._calm = calm
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._capacity = threads + waiting
        self._inside = 0
        self._units = 0
        self._mutex = threading.Lock()

    def inside(self) -> int:
        """How many requests wait or are at work."""
        return self._inside

    async def run(self, work: Callable[[], _Result], *, units: int = 1) -> _Result:
        """Do `work`, which is as much as `units` short requests, in a thread of this lane.

        Raises:
            LaneFullError: no room, or no thread in time; nothing was done.
        """
        deadline = time.monotonic() + self._max_wait_s

        def in_time() -> _Result:
            if time.monotonic() > deadline and self._units > self._calm:
                raise LaneFullError
            return work()

        with self._mutex:
            if self._inside >= self._capacity:
                raise LaneFullError
            self._inside += 1
            self._units += units
        try:
            future = self._pool.submit(in_time)
        except RuntimeError:
            self._leave(units)
            raise
        # The place is free when the work is done, even if whoever waited has gone.
        future.add_done_callback(lambda _: self._leave(units))
        return await asyncio.wrap_future(future)

    def _leave(self, units: int) -> None:
        with self._mutex:
            self._inside -= 1
            self._units -= units

    def close(self) -> None:
        """Drop what waits; what a thread works on ends by its own time limit."""
        self._pool.shutdown(wait=False, cancel_futures=True)
