"""Calling what may hang: for a limited time, and so that it can be left behind.

A call runs in a daemon thread of its own. Python cannot end a thread: one that outlives its time is
abandoned, and whoever called it has to reckon with it still doing what it was told (`Call.alive`).
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from hologram_dagster.errors import HologramError

T = TypeVar("T")
# How soon an interruption is noticed.
_LOOK_S = 0.05


class TimeUpError(HologramError):
    """A call took longer than it may."""


class InterruptedByOrderError(HologramError):
    """The experiment was told to end."""


class Call(Generic[T]):
    """`do`, begun at once."""

    def __init__(self, name: str, do: Callable[[], T]) -> None:
        self.name = name
        self._do = do
        self._ended = threading.Event()
        self._result: list[T] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        try:
            self._result.append(self._do())
        except BaseException as error:  # noqa: BLE001 (told to the caller)
            self._error = error
        finally:
            self._ended.set()

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s`; whether it has ended."""
        return self._ended.wait(timeout_s)

    def result(self, timeout_s: float, stop: threading.Event | None = None) -> T:
        """What it returned or raised.

        Raises:
            TimeUpError: it has not ended within `timeout_s`.
            InterruptedByOrderError: `stop` was set meanwhile.
        """
        deadline = time.monotonic() + timeout_s
        while not self._ended.wait(min(_LOOK_S, max(0.0, deadline - time.monotonic()))):
            if stop is not None and stop.is_set():
                raise InterruptedByOrderError(f"told to end during {self.name}")
            if time.monotonic() >= deadline:
                raise TimeUpError(f"{self.name} did not end within {timeout_s:g} s")
        if self._error is not None:
            raise self._error
        return self._result[0]
