"""What a seed decides: which connections a toxic afflicts, and every random draw within one.

A pure function of seed, connection number (in order of arrival), direction and kind of toxic,
so that the same seed gives the same schedule however connections overlap in time.
"""

import math
from collections.abc import Iterator
from random import Random

from hologram_dagster.chaos.faults.toxics import Direction, Latency, Slicing, Toxic


class Schedule:
    """The decisions of `seed`."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def afflicts(self, toxic: Toxic, connection: int, direction: Direction) -> bool:
        """Whether `toxic` holds for this connection, this way.

        Both ways are decided as one. A larger share afflicts all that a smaller one did.
        """
        if direction not in toxic.directions:
            return False
        return Random(f"{self.seed}/{connection}/{toxic.kind}").random() < toxic.share

    def draws(self, kind: str, connection: int, direction: Direction) -> Random:
        """The source of every draw of one kind, for one connection, one way."""
        return Random(f"{self.seed}/{connection}/{direction}/{kind}")


def delays_ms(latency: Latency, draws: Random) -> Iterator[float]:
    """The delay of each piece of data in turn, ms, never below 0."""
    while True:
        yield max(0.0, latency.delay_ms + draws.uniform(-1, 1) * latency.jitter_ms)


def slice_sizes(slicing: Slicing, draws: Random) -> Iterator[int]:
    """The size of each slice in turn, bytes, never below 1."""
    while True:
        variation = draws.randint(-slicing.variation_bytes, slicing.variation_bytes)
        yield max(1, slicing.size_bytes + variation)


def flips(per_byte: float, draws: Random) -> Iterator[tuple[int, int]]:
    """Where bits are flipped: offset in the stream (ascending) and the mask of the bit.

    The gaps are drawn (geometric distribution), not each byte, so it costs by flips.
    """
    offset = -1
    while True:
        # By inversion of the distribution's function; random() is below 1.
        spared = 0 if per_byte == 1 else int(math.log(1 - draws.random()) / math.log1p(-per_byte))
        offset += 1 + spared
        yield offset, 1 << draws.randrange(8)
