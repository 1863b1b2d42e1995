"""A TCP service that takes bytes and gives bytes: `python -m ...bytes_server`; prints its port.

A request is two unsigned 32-bit numbers, how many bytes follow and how many are wanted, then the
bytes. The answer is the sum of the bytes taken (64 bits), then the bytes 0, 1, 2 ... 255, 0 ... .
"""

import asyncio
import struct
import sys

REQUEST = struct.Struct("!II")
SUM = struct.Struct("!Q")
PATTERN = bytes(range(256)) * 256


def pattern(size: int) -> bytes:
    return (PATTERN * (size // len(PATTERN) + 1))[:size]


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            taking, giving = REQUEST.unpack(await reader.readexactly(REQUEST.size))
            taken = await reader.readexactly(taking)
            writer.write(SUM.pack(sum(taken)) + pattern(giving))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 24)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
