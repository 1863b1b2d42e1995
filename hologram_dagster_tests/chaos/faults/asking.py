"""A client of `bytes_server`: what a request through a faulty path meets, and how long it takes."""

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from hologram_dagster.processes import LOOPBACK, start_child, stop_child
from hologram_dagster_tests.chaos.faults.bytes_server import REQUEST, SUM, pattern

HANG_S = 60.0


@contextmanager
def bytes_service() -> Iterator[str]:
    """A `bytes_server` in a process of its own; its URL."""
    command = [sys.executable, "-m", "hologram_dagster_tests.chaos.faults.bytes_server"]
    process = start_child(command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield f"tcp://{LOOPBACK}:{int(process.stdout.readline())}"
    finally:
        stop_child(process)


class Client:
    """One connection."""

    def __init__(self, port: int, *, timeout_s: float = HANG_S) -> None:
        self.socket = socket.create_connection((LOOPBACK, port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, give: bytes = b"", want: int = 0) -> tuple[int, bytes]:
        """Send `give`; the sum that arrived there, and the `want` bytes that came back."""
        self.socket.sendall(REQUEST.pack(len(give), want) + give)
        return SUM.unpack(self._receive(SUM.size))[0], self._receive(want)

    def _receive(self, size: int) -> bytes:
        received = bytearray()
        while len(received) < size:
            piece = self.socket.recv(min(1 << 16, size - len(received)))
            if not piece:
                raise EOFError(f"ended after {len(received)} of {size} bytes")
            received += piece
        return bytes(received)

    def round_trips_ms(self, times: int) -> list[float]:
        taken = []
        for _ in range(times):
            began = time.perf_counter()
            self.ask(b"x", 1)
            taken.append(1000 * (time.perf_counter() - began))
        return taken


def median_ms(port: int, times: int) -> float:
    """The median round trip of `times` on one connection, ms."""
    with Client(port) as client:
        client.ask(b"x", 1)
        return statistics.median(client.round_trips_ms(times))


def throughput(port: int, *, up: int = 0, down: int = 0) -> float:
    """Bytes a second of one request that gives `up` bytes or wants `down` bytes."""
    with Client(port) as client:
        client.ask(b"x", 1)
        give = pattern(up)
        began = time.perf_counter()
        total, got = client.ask(give, down)
        taken = time.perf_counter() - began
        assert (total, got) == (sum(give), pattern(down))
        return (up + down) / taken


def meets(port: int, *, timeout_s: float) -> str:
    """What a request on a new connection meets: answered, refused, reset, ended or silent."""
    try:
        with Client(port, timeout_s=timeout_s) as client:
            client.ask(b"x", 1)
    except ConnectionRefusedError:
        return "refused"
    except (ConnectionResetError, BrokenPipeError):
        return "reset"
    except EOFError:
        return "ended"
    except TimeoutError:
        return "silent"
    return "answered"
