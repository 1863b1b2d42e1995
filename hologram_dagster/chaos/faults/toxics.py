"""What the proxy does to traffic, as data: Toxiproxy's toxics, corruption, and a seed for all of them.

`up` is from client to service, `down` from service to client. `share` is the part of the
connections that are afflicted; which ones is the seed's choice (`schedule`).
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hologram_dagster.errors import HologramError

_Milliseconds = Annotated[float, Field(ge=0, le=3_600_000, allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Direction(StrEnum):
    """Which way traffic goes."""

    UP = "up"
    DOWN = "down"


BOTH = (Direction.UP, Direction.DOWN)


class _Toxic(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    directions: tuple[Direction, ...] = BOTH
    share: _Share = 1.0


class Latency(_Toxic):
    """Each piece arrives `delay_ms` later, plus or minus up to `jitter_ms` (uniform), never out of order."""

    kind: Literal["latency"] = "latency"
    delay_ms: _Milliseconds
    jitter_ms: _Milliseconds = 0.0


class Bandwidth(_Toxic):
    """All afflicted connections together get `bytes_per_s`, each way."""

    kind: Literal["bandwidth"] = "bandwidth"
    bytes_per_s: Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]


class SlowClose(_Toxic):
    """That a side has ended is passed on `delay_ms` late."""

    kind: Literal["slow_close"] = "slow_close"
    delay_ms: _Milliseconds


class Reset(_Toxic):
    """The connection is reset (RST) `after_ms`; up: towards the service, down: towards the client.

    The side that is not named sees an ordinary end.
    """

    kind: Literal["reset"] = "reset"
    after_ms: _Milliseconds = 0.0


class Blackhole(_Toxic):
    """Nothing arrives while it lasts. What was sent meanwhile arrives after it, as TCP would have it."""

    kind: Literal["blackhole"] = "blackhole"


class Corruption(_Toxic):
    """One bit of a byte is flipped, with this probability for each byte."""

    kind: Literal["corruption"] = "corruption"
    per_byte: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class Slicing(_Toxic):
    """Data arrives in slices of `size_bytes`, plus or minus up to `variation_bytes`, `delay_ms` apart."""

    kind: Literal["slicing"] = "slicing"
    size_bytes: Annotated[int, Field(gt=0)]
    variation_bytes: Annotated[int, Field(ge=0)] = 0
    delay_ms: _Milliseconds = 0.0


Toxic = Annotated[
    Latency | Bandwidth | SlowClose | Reset | Blackhole | Corruption | Slicing, Field(discriminator="kind")
]
_LIST: TypeAdapter[tuple[Toxic, ...]] = TypeAdapter(tuple[Toxic, ...])


def as_json(toxics: Sequence[Toxic]) -> str:
    """`toxics` as JSON on one line."""
    return _LIST.dump_json(tuple(toxics)).decode()


def from_json(text: str | bytes) -> tuple[Toxic, ...]:
    """Read what `as_json` wrote, or a person did.

    Raises:
        HologramError: names the first thing that is wrong.
    """
    try:
        return _LIST.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the list"
        raise HologramError(f"toxics: {where}: {first['msg']}.") from None
