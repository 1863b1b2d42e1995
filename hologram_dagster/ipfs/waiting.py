"""Calls into the library that may never return, bounded.

What belongs here: running such calls aside, waiting for them with a deadline, and
refusing more once too many are stuck. What does not: which calls these are (see `rpc`).
"""

import asyncio
import threading
from collections.abc import Callable

from hologram_dagster.errors import ServiceError, ServiceTimeoutError

MAX_CALLS = 32


class ExhaustedError(ServiceError):
    """So many calls wait for content nobody has that no further one is begun."""


class WaitingCalls:
    """Runs blocking calls in daemon threads; for use in one event loop only.

    A call cannot be cancelled: after its deadline it goes on waiting, and counts as
    overdue until it returns. Callers that ask for the same `key` share one call, so that
    asking again costs nothing.
    """

    def __init__(self, limit: int = MAX_CALLS) -> None:
        self._limit = limit
        self._running: dict[str, asyncio.Future[None]] = {}
        self._overdue: set[str] = set()

    async def run(self, key: str, call: Callable[[], None], *, timeout_s: float) -> None:
        """Wait up to `timeout_s` seconds for `call`, or for the one running under `key`.

        Raises:
            ServiceTimeoutError: it has not returned in time.
            ExhaustedError: too many calls are overdue, or none of those running ended in time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while key not in self._running and len(self._running) >= self._limit:
            if len(self._overdue) >= self._limit:
                raise self._exhausted()
            done, _ = await asyncio.wait(
                self._running.values(),
                timeout=max(0.0, deadline - loop.time()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not done:
                raise self._exhausted()
        future = self._running.get(key) or self._begin(key, call)
        done, _ = await asyncio.wait({future}, timeout=max(0.0, deadline - loop.time()))
        if not done:
            self._overdue.add(key)
            raise ServiceTimeoutError(f"context deadline exceeded: {key} did not end within {timeout_s:g} s")
        future.result()

    def _exhausted(self) -> ExhaustedError:
        return ExhaustedError(
            f"{len(self._running)} calls still wait for content or peers that nobody answers for, "
            "and no more are begun. Restart the node to end them."
        )

    def _begin(self, key: str, call: Callable[[], None]) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._running[key] = future

        def finish(error: Exception | None) -> None:
            del self._running[key]
            self._overdue.discard(key)
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
                future.exception()  # nobody may be waiting any more, which is no news

        def work() -> None:
            try:
                call()
            except Exception as error:  # noqa: BLE001 handed to whoever waits
                outcome: Exception | None = error
            else:
                outcome = None
            if not loop.is_closed():
                loop.call_soon_threadsafe(finish, outcome)

        threading.Thread(target=work, name=f"waiting {key}", daemon=True).start()
        return future
