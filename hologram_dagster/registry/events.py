"""What happens in this registry, told to whoever subscribed: bounded, never in the way of the work."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TypeVar

from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.store import Content

_WAITING_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class ContentResolved:
    """A content was resolved: how (`name`, `uorId`, `coordinates`), in how many milliseconds."""

    content: Content
    resolution_time: float
    method: str


@dataclass(frozen=True, slots=True)
class ConservationViolation:
    """An altered row was read; `name` is for deciding who may know, and is not sent."""

    name: str
    content_id: str
    violation_type: str
    details: str
    timestamp: str


Event = ContentResolved | ConservationViolation
_Event = TypeVar("_Event", ContentResolved, ConservationViolation)


class Events:
    """Publishes from any thread, to listeners in one event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        # None in a queue: it was full, and what came then is lost.
        self._queues: set[asyncio.Queue[Event | None]] = set()

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._queues)

    def publish(self, event: Event) -> None:
        """Tell all who listen now."""
        if self._queues and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, event)

    def _deliver(self, event: Event) -> None:
        for queue in self._queues:
            if queue.qsize() < _WAITING_EVENTS:
                queue.put_nowait(event)
            elif queue.qsize() == _WAITING_EVENTS:
                queue.put_nowait(None)

    async def listen(self, kind: type[_Event]) -> AsyncGenerator[_Event, None]:
        """The events of one kind from now on.

        Raises:
            RefusedError: OVERLOADED, events came faster than they were taken.
        """
        self._loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            while (event := await queue.get()) is not None:
                if isinstance(event, kind):
                    yield event
        finally:
            self._queues.discard(queue)
        raise RefusedError(Code.OVERLOADED, "events came faster than they were taken: subscribe again.")
