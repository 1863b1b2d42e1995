"""What the measuring loop needs of a target, be it a worker or a server.

What belongs here: the shape of one timed block of calls, and of its refusal.
"""

from dataclasses import dataclass
from typing import Protocol

from hologram_dagster.errors import HologramError
from hologram_dagster.perf.paired.process_tree import ProcessTree


class WrongAnswerError(HologramError):
    """An answer is not the one that the baseline gave, or was first given."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive calls of one side, ns. `answers` are comparable.

    `outside` and `outside_cpu` are what a worker's whole block took, read from outside;
    None for a server, whose calls are themselves read from outside.
    """

    wall: list[int]
    cpu: list[int] | None
    answers: list[object]
    outside: int | None = None
    outside_cpu: int | None = None


class Caller(Protocol):
    """One side of a comparison, started and ready."""

    @property
    def tree(self) -> ProcessTree:
        """Its processes."""

    def block(self, calls: int, *, cpu: bool) -> Block:
        """Make `calls` calls, timed; `cpu`: read CPU time, too. Checks answers after all are made."""
