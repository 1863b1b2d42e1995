"""The toxics in force, and what they come to for one direction of one connection."""

import asyncio
from collections.abc import Iterator
from random import Random

from hologram_dagster.chaos.faults.schedule import Schedule, delays_ms, flips, slice_sizes
from hologram_dagster.chaos.faults.toxics import (
    Bandwidth,
    Blackhole,
    Corruption,
    Direction,
    Latency,
    Slicing,
    SlowClose,
    Toxic,
)

CHUNK_BYTES = 64 * 1024
# A paced piece takes about this long, so that pacing is smooth.
_PACE_S = 0.01
# Who comes later than this was not held up by a busy host, but had nothing to send.
_IDLE_S = 0.1


class Pacer:
    """Shares `bytes_per_s` between all who ask, in the order they ask.

    Time is reserved ahead on one line, so that late wake-ups of the host do not add up.
    """

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._free_at = 0.0

    @property
    def piece_bytes(self) -> int:
        """How much to ask for at once."""
        return max(1, min(CHUNK_BYTES, int(self._bytes_per_s * _PACE_S)))

    async def take(self, size: int) -> None:
        """Wait until `size` bytes have had their time."""
        now = asyncio.get_running_loop().time()
        if now - self._free_at > _IDLE_S:
            self._free_at = now
        self._free_at += size / self._bytes_per_s
        await asyncio.sleep(self._free_at - now)


class Corruptor:
    """Flips bits in a stream that is given to it piece by piece, wherever the pieces end."""

    def __init__(self, corruption: Corruption, draws: Random) -> None:
        self._places = flips(corruption.per_byte, draws)
        self._next = next(self._places)
        self._offset = 0

    def alter(self, data: bytes) -> tuple[bytes, int]:
        """`data` with its bits flipped, and how many were."""
        altered, flipped, end = bytearray(data), 0, self._offset + len(data)
        while self._next[0] < end:
            place, mask = self._next
            altered[place - self._offset] ^= mask
            self._next, flipped = next(self._places), flipped + 1
        self._offset = end
        return bytes(altered), flipped


class Rules:
    """The toxics in force, changeable at any time. `generation` counts the changes."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.toxics: tuple[Toxic, ...] = ()
        self.generation = 0
        self._changed = asyncio.Event()
        self._pacers: dict[tuple[int, Direction], Pacer] = {}

    def impose(self, toxics: tuple[Toxic, ...]) -> None:
        """Have `toxics`, and nothing else, in force from now on."""
        self.toxics = toxics
        self.generation += 1
        self._pacers.clear()
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self) -> None:
        """Wait for the next `impose`."""
        await self._changed.wait()

    def of(self, number: int, direction: Direction) -> list[tuple[int, Toxic]]:
        """The toxics that afflict connection `number` this way, with their places in the list."""
        return [
            (place, toxic)
            for place, toxic in enumerate(self.toxics)
            if self.schedule.afflicts(toxic, number, direction)
        ]

    def pacer(self, place: int, toxic: Bandwidth, direction: Direction) -> Pacer:
        """The pacer that all connections share."""
        return self._pacers.setdefault((place, direction), Pacer(toxic.bytes_per_s))


class Effects:
    """What the rules of this moment come to for connection `number`, one way."""

    def __init__(self, rules: Rules, number: int, direction: Direction) -> None:
        self.generation = rules.generation
        self.held = False
        self.close_delay_s = 0.0
        self.pacers: list[Pacer] = []
        self.corruptors: list[Corruptor] = []
        self._delays: list[Iterator[float]] = []
        self._sizes: Iterator[int] | None = None
        self.between_slices_s = 0.0
        for place, toxic in rules.of(number, direction):
            draws = rules.schedule.draws(toxic.kind, number, direction)
            if isinstance(toxic, Latency):
                self._delays.append(delays_ms(toxic, draws))
            elif isinstance(toxic, Bandwidth):
                self.pacers.append(rules.pacer(place, toxic, direction))
            elif isinstance(toxic, Corruption):
                self.corruptors.append(Corruptor(toxic, draws))
            elif isinstance(toxic, Slicing):
                self._sizes, self.between_slices_s = slice_sizes(toxic, draws), toxic.delay_ms / 1000
            elif isinstance(toxic, Blackhole):
                self.held = True
            elif isinstance(toxic, SlowClose):
                self.close_delay_s += toxic.delay_ms / 1000

    def next_delay_s(self) -> float:
        """How much later the next chunk arrives."""
        return sum(next(delays) for delays in self._delays) / 1000

    def slices(self, data: bytes) -> Iterator[bytes]:
        """`data` in slices; whole, where it is not sliced."""
        start = 0
        while start < len(data):
            size = len(data) if self._sizes is None else next(self._sizes)
            yield data[start : start + size]
            start += size
