"""A registry that takes 4 ms a request, one at a time, and may stall, refuse or lie.

`python -m hologram_dagster_tests.perf.stalling_registry [--stall-after S --stall S] [--every N
--answer refused|wrong]`; prints its URL. In a process of its own, so that it does not hold up
the client that measures it.
"""

import argparse
import asyncio
import itertools
import json
import sys

SERVICE_S = 0.004


class Registry:
    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._turn = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._stall_at: float | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
                )
                await reader.readexactly(int(length.partition(b":")[2]))
                status, body = await self._answer()
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n".encode())
                writer.write(b"Content-Type: application/json\r\n\r\n" + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self) -> tuple[int, bytes]:
        options = self._options
        async with self._turn:
            now = asyncio.get_running_loop().time()
            self._stall_at = self._stall_at or now + options.stall_after
            if options.stall and now >= self._stall_at:
                seconds, options.stall = options.stall, 0
                await asyncio.sleep(seconds)
            await asyncio.sleep(SERVICE_S)
        if next(self._numbers) % options.every == 0:
            if options.answer == "refused":
                return 503, b"token=abcdef0123456789abcdef is busy"
            return 200, json.dumps({"data": {"resolve": {"encoding": "wrong"}}}).encode()
        return 200, json.dumps({"data": {"resolve": {"encoding": "right"}}}).encode()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stall-after", type=float, default=0)
    parser.add_argument("--stall", type=float, default=0)
    parser.add_argument("--every", type=int, default=1_000_000_000)
    parser.add_argument("--answer", choices=("refused", "wrong"), default="wrong")
    server = await asyncio.start_server(Registry(parser.parse_args()).serve, "127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
