"""One cell of an attack's table."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """One attack: its group, its name, and what was to come of it beside what came."""

    group: str
    name: str
    expected: str
    seen: str

    @property
    def right(self) -> bool:
        """Whether what came is what was to come."""
        return self.seen == self.expected

    @property
    def told(self) -> str:
        """What was to come and what came, in words."""
        return f"expected {self.expected}, saw {self.seen}"


def wrong(cases: Iterable[Case]) -> list[Case]:
    """The cells that are not as they must be."""
    return [case for case in cases if not case.right]
