"""The raw client against scripted servers, and the server that is not ours."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import ServiceError, ServiceTimeoutError
from hologram_dagster.perf.paired import http_caller
from hologram_dagster.perf.paired.caller import WrongAnswerError
from hologram_dagster.perf.paired.http_caller import Connection, ServerCaller, parse_answer, request_bytes
from hologram_dagster.perf.paired.job import HttpRequest, ServerCommand

pytestmark = pytest.mark.phase6_perf

Script = Callable[[Sequence[bytes]], int]


@pytest.fixture
def scripted() -> Iterator[Script]:
    """A server that answers each request by the given pieces; an empty one closes the connection."""
    listeners: list[socket.socket] = []

    def start(pieces: Sequence[bytes]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    while connection.recv(65536):
                        for piece in pieces:
                            if not piece:
                                break
                            connection.sendall(piece)
                        if b"" in pieces:
                            break

        threading.Thread(target=serve, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def exchange(port: int, timeout_s: float = 5) -> bytes:
    connection = Connection(port, request_bytes(HttpRequest(path="/"), port), timeout_s=timeout_s)
    try:
        return connection.exchange()
    finally:
        connection.close()


def test_an_answer_in_pieces_is_whole(scripted: Script) -> None:
    port = scripted([b"HTTP/1.1 200 OK\r\nCONTENT-", b"LENGTH: 11\r\n", b"\r\nhello", b" world"])
    assert parse_answer(exchange(port)) == (200, b"hello world")


@pytest.mark.parametrize(
    ("pieces", "cause"),
    [
        ([b"HTTP/1.1 200 OK\r\n\r\nhello"], "without Content-Length"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", b""], "before its answer was whole"),
        ([b""], "before its answer was whole"),
    ],
)
def test_half_an_answer_is_an_error(scripted: Script, pieces: list[bytes], cause: str) -> None:
    with pytest.raises(ServiceError, match=cause):
        exchange(scripted(pieces))


def test_silence_is_an_error_in_time(scripted: Script) -> None:
    with pytest.raises(ServiceTimeoutError, match=r"0\.3 s"):
        exchange(scripted([]), timeout_s=0.3)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
        b"",
        b"\r\n\r\n",
    ],
)
def test_what_is_not_one_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(WrongAnswerError):
        parse_answer(answer)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_refused(answer: bytes) -> None:
    try:
        status, body = parse_answer(answer)
    except WrongAnswerError:
        return
    assert answer.endswith(body)
    assert 0 <= status <= 999


def test_a_request_is_what_http_wants() -> None:
    request = HttpRequest(path="/graphql", body='{"n": "é"}', headers={"authorization": "Bearer t"})
    head, _, body = request_bytes(request, 4000).partition(b"\r\n\r\n")
    assert body == '{"n": "é"}'.encode()
    assert head.splitlines()[0] == b"POST /graphql HTTP/1.1"
    assert b"Host: 127.0.0.1:4000" in head
    assert b"Content-Length: 11" in head
    assert b"authorization: Bearer t" in head


def test_a_port_that_is_not_ours_is_an_error(
    scripted: Script, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    strangers = scripted([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    monkeypatch.setattr(http_caller, "free_port", lambda: strangers)
    with pytest.raises(ServiceError, match=f"port {strangers} is served by another process"):
        ServerCaller(
            ServerCommand(command=("sleep", "600")),
            request=HttpRequest(path="/"),
            env={},
            deadline_s=5,
            log=tmp_path / "log",
        )
