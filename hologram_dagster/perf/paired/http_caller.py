"""One side of a comparison that is a server: a call is one request on a raw keep-alive socket.

What belongs here: starting the server, being sure that it is ours that listens, the timed
exchange. An HTTP library would cost more time, and vary more, than what is measured.
"""

import itertools
import re
import socket
import struct
import subprocess
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hologram_dagster.errors import HologramError, ServiceError, ServiceTimeoutError
from hologram_dagster.perf.paired.caller import Block, WrongAnswerError
from hologram_dagster.perf.paired.job import PORT, HttpRequest, ServerCommand
from hologram_dagster.perf.paired.process_tree import ProcessTree
from hologram_dagster.processes import (
    LOOPBACK,
    free_port,
    scrubbed_environment,
    start_child,
    stop_child,
    wait_until,
)
from hologram_dagster.secrets.redactor import redact

_CHUNK = 65536
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_LAST_LINES = 8


class Connection:
    """One blocking keep-alive connection that sends the same bytes again and again."""

    def __init__(self, port: int, request: bytes, *, timeout_s: float) -> None:
        self._request = request
        self._timeout_s = timeout_s
        self._socket = socket.create_connection((LOOPBACK, port), timeout=timeout_s)
        # The kernel's timeout, not Python's, which would add a poll(2) to every call.
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        whole, part = divmod(timeout_s, 1)
        timeout = struct.pack("ll", int(whole), int(part * 1_000_000))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, timeout)

    def exchange(self) -> bytes:
        """Send the request and receive its whole answer, head and body.

        Raises:
            ServiceError: it breaks off, or does not say how long it is.
            ServiceTimeoutError: it does not come in time.
        """
        try:
            self._socket.sendall(self._request)
            answer = self._socket.recv(_CHUNK)
            while (head := answer.find(_END_OF_HEAD)) < 0:
                answer += self._more()
            length = _LENGTH.search(answer, 0, head)
            if length is None:
                raise ServiceError("answered without Content-Length, which a timed answer needs")
            whole = head + len(_END_OF_HEAD) + int(length[1])
            while len(answer) < whole:
                answer += self._more()
        except BlockingIOError:
            raise ServiceTimeoutError(f"gave no answer within {self._timeout_s:g} s") from None
        except OSError as error:
            raise ServiceError(f"broke the connection: {error.strerror or error}") from None
        return answer

    def _more(self) -> bytes:
        more = self._socket.recv(_CHUNK)
        if not more:
            raise ServiceError("closed the connection before its answer was whole")
        return more

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def parse_answer(answer: bytes) -> tuple[int, bytes]:
    """Status and body of a whole answer as `exchange` returns it.

    Raises:
        WrongAnswerError: it is no HTTP answer, or goes on after its end.
    """
    head, _, body = answer.partition(_END_OF_HEAD)
    status, length = _STATUS.match(head), _LENGTH.search(head)
    if status is None or length is None:
        raise WrongAnswerError(f"answered with something that is not HTTP: {answer[:60]!r}")
    if len(body) != int(length[1]):
        raise WrongAnswerError(f"sent {len(body)} bytes of body where it announced {length[1].decode()}")
    return int(status[1]), body


def request_bytes(request: HttpRequest, port: int) -> bytes:
    """The bytes of `request` to the server on `port`."""
    body = request.body.encode()
    headers = {
        "Host": f"{LOOPBACK}:{port}",
        "Content-Type": "application/json",
        "Connection": "keep-alive",
        **request.headers,
        "Content-Length": str(len(body)),
    }
    lines = (f"{name}: {value}" for name, value in headers.items())
    return "\r\n".join((f"{request.method} {request.path} HTTP/1.1", *lines, "", "")).encode() + body


class ServerCaller:
    """A server, started, serving, and connected to.

    `log` takes its output. Raises:
        ServiceError: it does not start, does not serve in time, or another process has its port.
    """

    def __init__(
        self,
        command: ServerCommand,
        *,
        request: HttpRequest,
        env: Mapping[str, str],
        deadline_s: float,
        log: Path,
    ) -> None:
        self._log = log
        port = free_port()
        with log.open("wb") as output:
            self._process = start_child(
                [part.replace(PORT, str(port)) for part in command.command],
                cwd=command.cwd,
                env=scrubbed_environment({**command.env, **env}),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait(port, command.ready_path, deadline_s)
            self.tree = ProcessTree(self._process.pid)
            if not self.tree.listens_on(port):
                raise ServiceError(
                    f"port {port} is served by another process: nothing that it answers is measured"
                )
            self._connection = Connection(port, request_bytes(request, port), timeout_s=deadline_s)
        except (HologramError, OSError) as error:
            self._stop()
            raise self._explained(error) from None
        except BaseException:
            self._stop()
            raise

    def _wait(self, port: int, path: str, deadline_s: float) -> None:
        ready = request_bytes(HttpRequest(path=path, method="GET"), port)
        seen = "nothing"

        def serves() -> bool:
            nonlocal seen
            if self._process.poll() is not None:
                return True
            try:
                connection = Connection(port, ready, timeout_s=min(deadline_s, 2.0))
            except OSError:
                return False
            try:
                status, _ = parse_answer(connection.exchange())
            except HologramError as error:
                seen = str(error)
                return False
            finally:
                connection.close()
            seen = f"status {status}"
            return status == 200

        if not wait_until(serves, timeout_s=deadline_s):
            raise ServiceTimeoutError(
                f"did not answer GET {path} with 200 within {deadline_s:g} s (last: {seen})"
            )
        if self._process.poll() is not None:
            raise ServiceError(f"ended with exit code {self._process.returncode} before it served")

    def block(self, calls: int, *, cpu: bool) -> Block:
        """Send the request `calls` times, one after the other.

        Raises:
            ServiceError: it broke off, or gave no answer in time.
            WrongAnswerError: an answer is not HTTP with status 200.
        """
        exchange, clock = self._connection.exchange, time.perf_counter_ns
        cpu_clock = self.tree.cpu_ns if cpu else int
        wall, readings, received = [], [], []
        try:
            for _ in range(calls):
                readings.append(cpu_clock())
                started = clock()
                answer = exchange()
                wall.append(clock() - started)
                received.append(answer)
            readings.append(cpu_clock())
        except ServiceError as error:
            raise self._explained(error) from None
        return Block(
            wall=wall,
            # What a server does after its answer counts for the call before it.
            cpu=[after - before for before, after in itertools.pairwise(readings)] if cpu else None,
            answers=[self._body(answer) for answer in received],
        )

    @staticmethod
    def _body(answer: bytes) -> bytes:
        status, body = parse_answer(answer)
        if status != 200:
            raise WrongAnswerError(f"answered with status {status} instead of 200")
        return body

    def close(self) -> None:
        """End the server."""
        with suppress(AttributeError):
            self._connection.close()
        self._stop()

    def _stop(self) -> None:
        stop_child(self._process, grace_s=0)

    def _explained(self, error: Exception) -> ServiceError:
        kind = type(error) if isinstance(error, ServiceError) else ServiceError
        return kind(f"{error}{last_lines(self._log)}")


def last_lines(log: Path) -> str:
    """The last lines of `log`, without secrets, as the end of an error's text; empty if there are none."""
    with log.open("rb") as stream:
        lines = deque(stream, maxlen=_LAST_LINES)
    text = redact(b"".join(lines).decode(errors="replace")).rstrip()
    return f". Its last lines:\n{text}" if text else ""
