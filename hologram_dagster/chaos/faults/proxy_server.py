"""`python -m hologram_dagster.chaos.faults.proxy_server`: the proxy as a process.

Prints one JSON line `{"port": N}` when it listens, or `{"error": "..."}`. Then obeys one JSON line
at a time on stdin and answers each with one on stdout; ends when stdin does. Commands: `{"impose":
[toxics]}`, `{"listen": true|false}`, `{"stats": true}`. See `proxy` for the other end.
"""

import argparse
import asyncio
import itertools
import json
import socket
import struct
import sys
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from hologram_dagster.chaos.faults.effects import CHUNK_BYTES, Rules
from hologram_dagster.chaos.faults.namespaces import enter
from hologram_dagster.chaos.faults.pipe import Pipe
from hologram_dagster.chaos.faults.schedule import Schedule
from hologram_dagster.chaos.faults.toxics import BOTH, Direction, Reset, from_json
from hologram_dagster.errors import HologramError
from hologram_dagster.processes import LOOPBACK, listening

_BACKLOG = 1024
_LONGEST_COMMAND = 1 << 20
# Of what was decided for each connection, the newest are kept.
_REMEMBERED = 10_000
# SO_LINGER on, 0 s: closing sends RST (socket(7)).
_LINGER_0 = struct.pack("ii", 1, 0)


_Side = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
    writer.transport.abort()


class _Connection:
    """A client, the service for it, and the pipes between."""

    def __init__(self, rules: Rules, number: int, client: _Side, service: _Side) -> None:
        self._rules, self._number = rules, number
        # By the way that leads to it.
        self._sides = {Direction.DOWN: client, Direction.UP: service}
        self.pipes = {
            Direction.UP: Pipe(rules, number, Direction.UP, client[0], service[1]),
            Direction.DOWN: Pipe(rules, number, Direction.DOWN, service[0], client[1]),
        }
        self.was_reset = False

    async def run(self) -> None:
        """Carry until both sides have ended, one broke off, or a toxic resets it."""
        carrying = asyncio.gather(*(pipe.run() for pipe in self.pipes.values()))
        watching = asyncio.ensure_future(self._doom())
        try:
            await asyncio.wait((carrying, watching), return_when=asyncio.FIRST_COMPLETED)
            if carrying.done() and carrying.exception() is not None:
                # What one side does, the other sees: a break is passed on as one.
                self.break_off()
        finally:
            for task in (carrying, watching):
                task.cancel()
            await asyncio.gather(carrying, watching, return_exceptions=True)
        try:
            if self.was_reset:
                await self._end_in_order()
        finally:
            for _, writer in self._sides.values():
                writer.close()

    def break_off(self, ways: Iterable[Direction] = BOTH) -> None:
        """Reset the sides that these ways lead to."""
        for way in ways:
            _reset(self._sides[way][1])

    async def _doom(self) -> None:
        """Wait until a toxic resets the connection, and do it."""
        while True:
            resets = {
                way: toxic.after_ms
                for way in BOTH
                for _, toxic in self._rules.of(self._number, way)
                if isinstance(toxic, Reset)
            }
            change = asyncio.ensure_future(self._rules.change())
            try:
                within_s = min(resets.values()) / 1000 if resets else None
                changed, _ = await asyncio.wait((change,), timeout=within_s)
            finally:
                change.cancel()
            if not changed:
                self.was_reset = True
                self.break_off(resets)
                return

    async def _end_in_order(self) -> None:
        """End the sides that were not reset, and take what they still send: unread, it would reset them."""
        for reader, writer in self._sides.values():
            with suppress(OSError):
                if not writer.is_closing():
                    writer.write_eof()
                    while await reader.read(CHUNK_BYTES):
                        pass


class _Proxy:
    """Listens, and relays to the service at `host`:`port`."""

    def __init__(self, host: str, port: int, seed: int) -> None:
        self._service = (host, port)
        self._rules = Rules(Schedule(seed))
        self._numbers = itertools.count()
        self._open: dict[int, _Connection] = {}
        self._server: asyncio.Server | None = None
        self._address = (LOOPBACK, 0)
        self._counts = dict.fromkeys(("connections", "reset", "unreachable", "flipped", "up", "down"), 0)
        self._afflicted: deque[tuple[int, str, str]] = deque(maxlen=_REMEMBERED)

    async def listen(self, listener: socket.socket) -> None:
        """Serve what arrives at `listener`."""
        self._address = listener.getsockname()
        self._server = await asyncio.start_server(self._serve, sock=listener, backlog=_BACKLOG)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._open.values()):
            connection.break_off()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(self._numbers)
        self._counts["connections"] += 1
        self._afflicted.extend(
            (number, way, toxic.kind) for way in BOTH for _, toxic in self._rules.of(number, way)
        )
        try:
            service = await asyncio.open_connection(*self._service)
        except OSError:
            # The client is connected already, so this is the nearest to a refusal.
            self._counts["unreachable"] += 1
            _reset(writer)
            return
        connection = _Connection(self._rules, number, (reader, writer), service)
        self._open[number] = connection
        try:
            await connection.run()
        finally:
            del self._open[number]
            self._add(connection, self._counts)

    async def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do one command; its answer."""
        if "impose" in command:
            self._rules.impose(from_json(json.dumps(command["impose"])))
        elif command.get("listen") is False:
            await self._refuse()
        elif command.get("listen") is True and self._server is None:
            await self.listen(_listening(*self._address))
        return {**self._stats(), "afflicted": list(self._afflicted)} if "stats" in command else {"ok": True}

    @staticmethod
    def _add(connection: _Connection, counts: dict[str, int]) -> None:
        counts["reset"] += connection.was_reset
        for way, pipe in connection.pipes.items():
            counts[way] += pipe.bytes
            counts["flipped"] += pipe.flipped

    def _stats(self) -> dict[str, int]:
        counts = dict(self._counts)
        for connection in self._open.values():
            self._add(connection, counts)
        return {**counts, "open": len(self._open)}


def _listening(host: str, port: int) -> socket.socket:
    try:
        return listening(host, port, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise HologramError(f"the fault proxy cannot listen on {host} port {port}: {why}.") from error


async def _commands() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=_LONGEST_COMMAND)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def _run(options: argparse.Namespace) -> None:
    proxy = _Proxy(options.host, options.port, options.seed)
    listener = _listening(options.listen_host, options.listen_port)
    if options.namespace:
        # The listener stays where it was made; what connects from now on does so in there.
        enter(options.namespace)
    await proxy.listen(listener)
    commands = await _commands()
    _say({"port": listener.getsockname()[1]})
    while line := await commands.readline():
        try:
            _say(await proxy.obey(json.loads(line)))
        except HologramError as error:
            _say({"error": str(error)})


def main() -> int:
    """Serve until stdin ends; returns 2 if it cannot listen."""
    parser = argparse.ArgumentParser(prog="hologram_dagster.chaos.faults.proxy_server", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help="where the service is (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True, help="the service's TCP port")
    parser.add_argument("--listen-host", default=LOOPBACK, help="address to listen on (default: %(default)s)")
    parser.add_argument("--listen-port", type=int, default=0, help="TCP port; 0 takes a free one")
    parser.add_argument("--seed", type=int, required=True, help="the seed of every random choice")
    parser.add_argument("--namespace", help="network namespace to connect from")
    try:
        asyncio.run(_run(parser.parse_args()))
    except HologramError as error:
        _say({"error": str(error)})
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
