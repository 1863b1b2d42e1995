"""The load's own HTTP client, against a real registry and against servers that misbehave."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.perf.raw_http import Answer, BrokenError, RawClient
from hologram_dagster.processes import LOOPBACK, free_port
from hologram_dagster.stack.stack import Stack

pytestmark = [pytest.mark.phase6_perf, pytest.mark.phase2_5_hardening]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def posted(answer: bytes, *, times: int = 1, close: bool = False) -> list[Answer]:
    """What `times` POSTs get from a server that answers so; it counts its connections."""

    async def scenario() -> list[Answer]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(1)
            try:
                while True:
                    await reader.readuntil(b"\r\n\r\n{}")
                    writer.write(answer)
                    if close:
                        break
            except asyncio.IncompleteReadError:
                pass
            writer.close()

        async with await asyncio.start_server(serve, LOOPBACK, 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with RawClient(f"http://{LOOPBACK}:{port}/graphql") as client:
                got = []
                for _ in range(times):
                    got.append(await client.post(b"{}"))
                    # Let a close arrive.
                    await asyncio.sleep(0.02 if close else 0)
        assert len(connections) == (times if close else 1)
        return got

    connections: list[int] = []
    return asyncio.run(scenario())


def test_a_real_registry(stack: Stack) -> None:
    query = json.dumps({"query": '{ resolve(name: "no/such/name") { encoding } }'}).encode()

    async def ask() -> list[Answer]:
        async with RawClient(stack.graphql_url, {"authorization": "nobody"}) as client:
            return [
                await client.post(query),
                *await asyncio.gather(*(client.post(query) for _ in range(20))),
                await client.post(query),
            ]

    answers = asyncio.run(ask())
    for answer in (answers[0], answers[-1]):
        body: Any = json.loads(answer.body)
        assert (answer.status, body, answer.retry_after) == (200, {"data": {"resolve": None}}, None)
    # A registry on a busy host may refuse some of many at once, and says when to come again.
    assert {(answer.status, answer.retry_after) for answer in answers} <= {(200, None), (503, "1")}


def test_a_connection_is_kept_and_one_that_was_closed_replaced() -> None:
    assert posted(OK, times=3) == [Answer(200, b"ok", None)] * 3
    assert posted(OK, times=3, close=True) == [Answer(200, b"ok", None)] * 3


def test_a_refusal_with_its_time() -> None:
    busy = b"HTTP/1.1 503 X\r\nretry-after: 1\r\ncontent-length: 0\r\nConnection: close\r\n\r\n"
    assert posted(busy, close=True) == [Answer(503, b"", "1")]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", BrokenError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", BrokenError),
        (b"nonsense\r\n\r\n", ServiceError),
        (b"HTTP/1.1 200 OK\r\n\r\n", ServiceError),
        (b"x" * 100_000, ServiceError),
    ],
)
def test_what_is_no_whole_answer(answer: bytes, kind: type[ServiceError]) -> None:
    with pytest.raises(ServiceError) as caught:
        posted(answer, close=True)
    assert type(caught.value) is kind


def test_nobody_there() -> None:
    async def ask() -> None:
        async with RawClient(f"http://{LOOPBACK}:{free_port()}/") as client:
            await client.post(b"{}")

    with pytest.raises(BrokenError, match="cannot connect"):
        asyncio.run(ask())


@pytest.mark.parametrize(
    "make",
    [
        lambda: RawClient("https://example.com/graphql"),
        lambda: RawClient("nonsense"),
        lambda: RawClient("http://h/", {"authorization": "two\nlines-s3cret"}),
        lambda: RawClient("http://h/", {"authorization": "s3cret-ümlaut"}),
    ],
)
def test_what_cannot_be_sent_is_refused_without_repeating_it(make: Callable[[], Awaitable[None]]) -> None:
    with pytest.raises(HologramError) as caught:
        make()
    assert "s3cret" not in str(caught.value)
