"""Every read is timed and checked; an altered row is counted and told before it is refused."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from hologram_dagster.registry.contents import intact
from hologram_dagster.registry.events import ConservationViolation, ContentResolved, Events
from hologram_dagster.registry.faults import AlteredError
from hologram_dagster.registry.figures import Figures
from hologram_dagster.registry.proofs import Checked, check
from hologram_dagster.registry.store import Content, Entry, now

logger = logging.getLogger(__name__)

_Found = TypeVar("_Found")


class Integrity:
    """Watches the reads of one registry."""

    def __init__(self, figures: Figures, events: Events) -> None:
        self._figures = figures
        self._events = events

    def entry(self, method: str, find: Callable[[], Entry | None]) -> Checked | None:
        """Look an entry up; an altered one comes with its fault, for the caller to tell which layer."""
        with self.watching():
            started = time.perf_counter()
            found = find()
            checked = None if found is None else check(found)
            if checked is not None:
                self._figures.resolved(method, time.perf_counter() - started)
                if checked.fault is not None:
                    entry = checked.entry
                    self._violated(AlteredError(entry.name, entry.encoding, *checked.fault))
        return checked

    def content(self, method: str, find: Callable[[], Content | None]) -> Content | None:
        """Look a content up.

        Raises:
            AlteredError: it is not what the registry wrote.
        """
        started = time.perf_counter()
        with self.watching():
            try:
                found = find()
                content = None if found is None else intact(found)
            except AlteredError:
                self._figures.resolved(method, time.perf_counter() - started)
                raise
        if content is not None:
            seconds = time.perf_counter() - started
            self._figures.resolved(method, seconds)
            self._events.publish(ContentResolved(content, 1000 * seconds, method))
        return content

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count and tell an altered row that is found inside."""
        try:
            yield
        except AlteredError as error:
            self._violated(error)
            raise

    def _violated(self, error: AlteredError) -> None:
        self._figures.violated(error.violation)
        logger.warning("%s: content %s: %s", error.violation, error.content_id, error.details)
        self._events.publish(
            ConservationViolation(error.name, error.content_id, error.violation, error.details, now())
        )
