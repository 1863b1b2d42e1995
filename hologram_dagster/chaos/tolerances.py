"""What a probe may read for a service to be as it should: data, so that it can be written down.

The three forms are Chaos Toolkit's: a value, a range, a regular expression.
"""

import re
from dataclasses import dataclass

from hologram_dagster.errors import HologramError

Value = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Equals:
    """Exactly `value`; true is not 1."""

    value: Value

    def holds(self, read: Value) -> bool:
        """Whether `read` is within the tolerance."""
        return isinstance(read, bool) == isinstance(self.value, bool) and read == self.value


@dataclass(frozen=True, slots=True)
class Between:
    """A number from `low` to `high`, both included; NaN is not.

    Raises:
        HologramError: nothing lies between them.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise HologramError(f"no number lies between {self.low:g} and {self.high:g}.")

    def holds(self, read: Value) -> bool:
        """Whether `read` is within the tolerance."""
        return isinstance(read, int | float) and not isinstance(read, bool) and self.low <= read <= self.high


@dataclass(frozen=True, slots=True)
class Matches:
    """A text in which `pattern` is found.

    Raises:
        HologramError: it is no regular expression.
    """

    pattern: str

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise HologramError(f"{self.pattern!r} is no regular expression: {error}.") from error

    def holds(self, read: Value) -> bool:
        """Whether `read` is within the tolerance."""
        return isinstance(read, str) and re.search(self.pattern, read) is not None


Tolerance = Equals | Between | Matches
