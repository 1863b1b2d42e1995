"""A client of one URL that costs as little as it can, so that a load measures the service, not itself.

POSTs over keep-alive connections of its own, as many as are wanted at once. What belongs here: one
exchange. What does not: when requests fall due (`open_model`), and what an answer should be.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from hologram_dagster.errors import HologramError, ServiceError

_HEAD_END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *([^\r]*)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class BrokenError(ServiceError):
    """The connection could not be made, or broke before the answer was whole; its cause says how."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, body, and `Retry-After` as it was sent, None if it was not."""

    status: int
    body: bytes
    retry_after: str | None


_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class RawClient:
    """POSTs JSON to `url`, with `headers`; for one event loop. A context manager closes it.

    Raises:
        HologramError: not an `http` URL with a host, or a header that none can be.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise HologramError(f"load goes to http:// addresses only, not to {parts.scheme or 'none'}.")
        lines = {"Host": parts.netloc.rpartition("@")[2], "Content-Type": "application/json"}
        lines |= headers or {}
        if not all(f"{name}{value}".isprintable() and value.isascii() for name, value in lines.items()):
            raise HologramError("a header cannot be sent: set GRAPHQL_TOKEN to ASCII without line feeds.")
        path = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._head = f"POST {path} HTTP/1.1\r\n{text}Content-Length: ".encode()
        self._address = (parts.hostname, parts.port or 80)
        self._idle: list[_Connection] = []
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        for writer in self._open:
            writer.close()
        self._open.clear()
        self._idle.clear()

    async def post(self, body: bytes) -> Answer:
        """Send `body`; the answer.

        A connection that the service closed while it was idle is replaced once. Cancelling it closes
        the connection.

        Raises:
            BrokenError: no connection, or no whole answer.
            ServiceError: an answer that is no HTTP, or does not say how long it is.
        """
        content = self._head + str(len(body)).encode() + _HEAD_END + body
        while self._idle:
            connection = self._idle.pop()
            if not connection[0].at_eof() and not connection[1].is_closing():
                return await self._exchange(connection, content)
            self._drop(connection)
        try:
            connection = await asyncio.open_connection(*self._address)
        except OSError as error:
            raise BrokenError(f"cannot connect: {error.strerror or error}") from error
        self._open.add(connection[1])
        return await self._exchange(connection, content)

    async def _exchange(self, connection: _Connection, content: bytes) -> Answer:
        reader, writer = connection
        whole = False
        try:
            writer.write(content)
            head = await reader.readuntil(_HEAD_END)
            status, length = _STATUS.match(head), _LENGTH.search(head)
            if status is None or length is None:
                raise ServiceError(f"answered with what is not HTTP, or of no stated length: {head[:60]!r}")
            retry_after = _RETRY_AFTER.search(head)
            answer = Answer(
                int(status[1]),
                await reader.readexactly(int(length[1])),
                None if retry_after is None else retry_after[1].decode("latin-1"),
            )
            whole = _CLOSES.search(head) is None
            return answer
        except asyncio.IncompleteReadError as error:
            raise BrokenError("the connection was closed before the answer was whole") from error
        except asyncio.LimitOverrunError:
            raise ServiceError("answered with what is not HTTP: its head does not end") from None
        except OSError as error:
            raise BrokenError(f"the connection broke: {error.strerror or error}") from error
        finally:
            if whole:
                self._idle.append(connection)
            else:
                self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        self._open.discard(connection[1])
        connection[1].close()
