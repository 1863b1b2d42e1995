"""Arguments and options of a command, checked: what is not honoured is refused, by name.

What belongs here: reading the query string. What does not: what the commands do.
Option names and Go's value syntax: Kubo's RPC reference.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import QueryParams

from hologram_dagster.ipfs.rpc.faults import RequestError

DEFAULT_TIMEOUT_S = 60.0
# Go's strconv.ParseBool; an option without a value is true.
_BOOLEANS = {
    **dict.fromkeys(("", "1", "t", "T", "true", "TRUE", "True"), "true"),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), "false"),
}
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")

FLAG = ("true", "false")
ON = ("true",)
OFF = ("false",)
# A value of its own form (a number, a duration), read where it is used.
ANY: tuple[str, ...] = ()
_COMMON: Mapping[str, tuple[str, ...]] = {
    "encoding": ("json",),
    "offline": FLAG,
    "stream-channels": FLAG,
    "timeout": ANY,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a command, with its arguments and the options given."""

    args: tuple[str, ...]
    options: Mapping[str, str]

    def flag(self, name: str, default: bool = False) -> bool:
        """The boolean option `name`."""
        return self.options.get(name, str(default).lower()) == "true"

    def number(self, name: str) -> int | None:
        """The option `name`, a natural number; None if it was not given."""
        value = self.options.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit()):
            raise RequestError(f"option {name!r} must be a natural number, not {value!r}")
        return int(value)

    @property
    def timeout_s(self) -> float:
        """The option `timeout` (Go's duration syntax, `1m30s`) in seconds, else the default."""
        value = self.options.get("timeout")
        if value is None:
            return DEFAULT_TIMEOUT_S
        parts = _DURATION.findall(value)
        if not parts or "".join(map("".join, parts)) != value:
            raise RequestError(f"option 'timeout' must be a duration such as 10s or 1m30s, not {value!r}")
        return sum(float(number) * _UNIT_S[unit] for number, unit in parts)


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a command takes: how many arguments, and which values of which options.

    `options` holds the accepted values by name; `ANY` accepts all. Every command takes
    the common ones (`encoding`, `offline`, `stream-channels`, `timeout`), too.
    """

    argument: str = ""
    least: int = 0
    most: int = 0
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def parse(self, query: QueryParams) -> Call:
        """Check a query string.

        Raises:
            RequestError: an argument too few or too many, or an option this node does not
                honour; names it.
        """
        args = tuple(query.getlist("arg"))
        if len(args) < self.least:
            raise RequestError(f"argument {self.argument!r} is required")
        if len(args) > self.most:
            raise RequestError(f"argument 'arg': {len(args)} given, this node takes at most {self.most} here")
        options = {name: self._value(name, query.getlist(name)) for name in query if name != "arg"}
        return Call(args, options)

    def _value(self, name: str, values: list[str]) -> str:
        accepted = self.options.get(name, _COMMON.get(name))
        if accepted is None:
            raise RequestError(f"option {name!r} is not supported by this node")
        if len(values) > 1:
            raise RequestError(f"option {name!r} is given more than once")
        if not accepted:
            return values[0]
        value = _BOOLEANS.get(values[0], values[0]) if set(accepted) <= set(FLAG) else values[0]
        if value not in accepted:
            raise RequestError(
                f"option {name!r}={value!r} is not supported by this node, only {' or '.join(accepted)}"
            )
        return value
