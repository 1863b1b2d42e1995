"""One direction of one connection through the proxy: read, delay, hold, alter, pace, write.

What belongs here: the order in which toxics act on a stream. What does not: what each comes to
(`effects`), connections, listening and control (`proxy_server`).
"""

import asyncio

from hologram_dagster.chaos.faults.effects import CHUNK_BYTES, Effects, Rules
from hologram_dagster.chaos.faults.toxics import Direction

# What may be under way in one direction, in chunks: as much as a long fat link holds, and no more.
_UNDER_WAY = 64
_END = b""


class Pipe:
    """Carries one direction of connection `number` from `reader` to `writer`."""

    def __init__(
        self,
        rules: Rules,
        number: int,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._rules, self._number, self._direction = rules, number, direction
        self._reader, self._writer = reader, writer
        self._under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_UNDER_WAY)
        self._current = Effects(rules, number, direction)
        self.bytes = 0
        self.flipped = 0

    async def run(self) -> None:
        """Carry until the reader's side has ended and that was passed on.

        Raises:
            OSError: either side broke off.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read())
            group.create_task(self._write())

    @property
    def _effects(self) -> Effects:
        if self._current.generation != self._rules.generation:
            self._current = Effects(self._rules, self._number, self._direction)
        return self._current

    async def _read(self) -> None:
        clock = asyncio.get_running_loop().time
        release = 0.0
        while True:
            data = await self._reader.read(CHUNK_BYTES)
            # Nothing overtakes what was sent before it.
            release = max(release, clock() + self._effects.next_delay_s())
            await self._under_way.put((release, data))
            if data == _END:
                return

    async def _write(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            release, data = await self._under_way.get()
            await asyncio.sleep(release - clock())
            await self._not_held()
            if data == _END:
                await asyncio.sleep(self._effects.close_delay_s)
                self._writer.write_eof()
                return
            await self._pass_on(data)

    async def _not_held(self) -> None:
        while self._effects.held:
            await self._rules.change()

    async def _pass_on(self, data: bytes) -> None:
        effects = self._effects
        for corruptor in effects.corruptors:
            data, flipped = corruptor.alter(data)
            self.flipped += flipped
        for number, piece in enumerate(effects.slices(data)):
            if number:
                await asyncio.sleep(effects.between_slices_s)
            await self._pace(piece)

    async def _pace(self, data: bytes) -> None:
        while data:
            # Looked up for each piece: a slow one must not outlive the rule that slows it.
            await self._not_held()
            pacers = self._effects.pacers
            size = min((pacer.piece_bytes for pacer in pacers), default=len(data))
            piece, data = data[:size], data[size:]
            for pacer in pacers:
                await pacer.take(len(piece))
            self._writer.write(piece)
            await self._writer.drain()
            self.bytes += len(piece)
