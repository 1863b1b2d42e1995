"""How one step of an experiment is done: for a limited time, noted whatever comes of it.

What belongs here: time limits, interruption, the clock, and what a failure of ours makes of a step.
What does not: which steps there are (`running`).
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hologram_dagster.chaos.journal import Entry, Journal, Step
from hologram_dagster.chaos.within import Call, InterruptedByOrderError
from hologram_dagster.errors import HologramError
from hologram_dagster.observation import Finding, Status

T = TypeVar("T")
# What time services do to a clock without anybody noticing is far less (adjtime(3): 0.5 ms a second).
MOST_CLOCK_SHIFT_S = 0.5
# What was left behind may end by itself once the services are back.
_ABANDONED_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class Clocks:
    """The wall clock and one that nobody sets, s."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.perf_counter


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a step."""

    status: Status
    told: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


class BrokenOff(Exception):  # noqa: N818 (the journal has what went wrong)
    """The experiment goes no further; what was begun is undone."""


class Conductor:
    """Does the steps of one experiment, and notes them in its journal; `save` is called after each."""

    def __init__(
        self, journal: Journal, stop: threading.Event, clocks: Clocks, save: Callable[[], None]
    ) -> None:
        self.journal = journal
        self.interruptible = True
        self._stop = stop
        self._clocks = clocks
        self._save = save
        self._shift_s = clocks.wall() - clocks.steady()
        self._jumped = False
        self._abandoned: list[Call[Any]] = []

    def now_s(self) -> float:
        """Time since the start, s."""
        return self._clocks.steady() - self.journal.origin_s

    def call(self, name: str, do: Callable[[], T], timeout_s: float) -> T:
        """What `do` returns, within `timeout_s`.

        Raises:
            TimeUpError: it took longer, and was left behind.
            InterruptedByOrderError: the experiment was told to end.
        """
        call = Call(name, do)
        try:
            return call.result(timeout_s, self._stop if self.interruptible else None)
        finally:
            if call.alive:
                self._abandoned.append(call)

    def step(
        self,
        step: Step,
        name: str,
        do: Callable[[], Said],
        timeout_s: float,
        *,
        number: int = 0,
        fatal: bool = True,
    ) -> bool:
        """Do one step within `timeout_s`; whether it passed.

        Raises:
            BrokenOff: it did not, and is `fatal`.
        """
        return self.watch(
            step, name, lambda: self.call(name or step, do, timeout_s), number=number, fatal=fatal
        )

    def watch(
        self, step: Step, name: str, do: Callable[[], Said], *, number: int = 0, fatal: bool = True
    ) -> bool:
        """As `step`, where `do` bounds its own time."""
        began = self.now_s()
        try:
            said = do()
        except BrokenOff:
            raise
        except Exception as error:  # noqa: BLE001 (a bug in a step must not keep the fault from being undone)
            said = _failure(error)
        self._append(step, name, number, began, said)
        if said.status is not Status.PASSED and fatal:
            raise BrokenOff
        return said.status is Status.PASSED

    def judge(self, step: Step, ask: Callable[[], Sequence[Finding]], timeout_s: float) -> None:
        """Note every finding of `ask`; that it could not be asked is an error."""
        began = self.now_s()
        try:
            found = self.call(step, ask, timeout_s)
        except Exception as error:  # noqa: BLE001 (noted, whatever it is)
            self._append(step, "cannot be asked", 0, began, _failure(error))
        else:
            for each in found:
                self._append(step, each.name, 0, began, Said(each.status, each.message))

    def figures(self, ask: Callable[[], Mapping[str, float]], timeout_s: float) -> None:
        """Add the figures of `ask` to the journal; that they cannot be had is an error."""
        began = self.now_s()
        try:
            self.journal.values.update(self.call("figures", ask, timeout_s))
        except Exception as error:  # noqa: BLE001 (noted, whatever it is)
            self._append(Step.FINDING, "figures", 0, began, _failure(error))

    def note(self, step: Step, name: str, status: Status, told: str) -> None:
        """Note something that took no time."""
        self._append(step, name, 0, self.now_s(), Said(status, told))

    def wait(self, seconds: float) -> None:
        """Let the load go on.

        Raises:
            BrokenOff: the experiment was told to end.
        """
        if self._stop.wait(seconds) and self.interruptible:
            self.note(Step.INTERRUPTION, "", Status.INCONCLUSIVE, "told to end by a signal")
            raise BrokenOff

    def await_abandoned(self) -> list[Call[Any]]:
        """Give calls that were left behind a moment; those that have ended. That others go on is noted."""
        deadline = time.monotonic() + _ABANDONED_GRACE_S
        ended = []
        for call in self._abandoned:
            if call.wait(max(0.0, deadline - time.monotonic())):
                ended.append(call)
            else:
                self.note(
                    Step.ROLLBACK, call.name, Status.ERROR, f"{call.name} still hangs, and may act later"
                )
        self._abandoned = []
        return ended

    def _append(self, step: Step, name: str, number: int, began_s: float, said: Said) -> None:
        self.journal.entries.append(
            Entry(step, name, number, began_s, self.now_s(), said.status, said.told, said.values)
        )
        shift = self._clocks.wall() - self._clocks.steady() - self._shift_s
        if abs(shift) > MOST_CLOCK_SHIFT_S and not self._jumped:
            self._jumped = True
            told = f"the wall clock jumped by {shift:+.1f} s, so its times mean nothing"
            self.note(Step.CLOCK, "", Status.INCONCLUSIVE, told)
        self._save()


def _failure(error: Exception) -> Said:
    if isinstance(error, InterruptedByOrderError):
        return Said(Status.INCONCLUSIVE, str(error))
    known = isinstance(error, HologramError)
    return Said(Status.ERROR, str(error) if known else f"{type(error).__name__}: {error}")
