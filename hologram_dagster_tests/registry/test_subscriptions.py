"""Subscriptions over WebSocket: who may know is told what happens; abuse ends the connection."""

import asyncio
import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.registry.subscriptions import MAX_CONNECTIONS, MAX_OPERATIONS, PROTOCOL
from hologram_dagster_tests.registry.conftest import ADMIN, READER, poster, write_tokens

pytestmark = [pytest.mark.phase5_graphql, pytest.mark.phase4_network]

STORE = "mutation($n:String!,$d:String!){ storeContent(name:$n,data:$d){ id } }"
RESOLVE = "query($n:String!){ resolveContent(name:$n){ id } }"
RESOLVED = (
    "subscription { contentResolved { content { name data witness { isValid } } resolutionTime method } }"
)
VIOLATED = "subscription { conservationViolation { contentId violationType details timestamp } }"


@pytest.fixture(scope="module")
def own(node: IpfsNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryProcess]:
    folder = tmp_path_factory.mktemp("own")
    tokens = write_tokens(folder / "tokens.json", mutations_need_token=False)
    with RegistryProcess.start(folder, ipfs_api=node.api_url, tokens=tokens) as registry:
        yield registry


def websocket(registry: RegistryProcess) -> str:
    return registry.url.replace("http:", "ws:")


def opened(registry: RegistryProcess) -> connect:
    return connect(websocket(registry), subprotocols=[Subprotocol(PROTOCOL)])


async def first_event(registry: RegistryProcess, query: str, cause: Any, **transport: Any) -> dict[str, Any]:
    """The first event of `query`; a subscription has no receipt, so `cause` is done until there is one."""
    client = Client(
        transport=WebsocketsTransport(
            url=websocket(registry), subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL], **transport
        )
    )
    async with client as session, asyncio.timeout(60):
        events = session.subscribe(gql(query))
        waiting = asyncio.ensure_future(anext(events))
        while not waiting.done():
            await asyncio.to_thread(cause)
            await asyncio.wait([waiting], timeout=0.05)
        event: dict[str, Any] = waiting.result()
        await events.aclose()
    return event


def test_a_resolution_is_told(own: RegistryProcess) -> None:
    post = poster(own.url)
    name = f"told/{uuid.uuid4().hex}"
    post(STORE, {"n": name, "d": "größe"})
    event = asyncio.run(first_event(own, RESOLVED, lambda: post(RESOLVE, {"n": name})))["contentResolved"]
    assert event["content"] == {"name": name, "data": "größe", "witness": {"isValid": True}}
    assert event["method"] == "name"
    assert event["resolutionTime"] > 0


def test_a_violation_is_told(own: RegistryProcess) -> None:
    post = poster(own.url)
    name = f"told/{uuid.uuid4().hex}"
    stored = post(STORE, {"n": name, "d": "whole"})["data"]["storeContent"]["id"]
    with closing(sqlite3.connect(own.folder / "registry.sqlite")) as raw, raw:
        raw.execute("UPDATE contents SET data = X'00' WHERE name = ?", [name])
    event = asyncio.run(first_event(own, VIOLATED, lambda: post(RESOLVE, {"n": name})))
    violation = event["conservationViolation"]
    assert violation["contentId"] == stored
    assert violation["violationType"] == "conservation"
    assert "checksum" in violation["details"]
    assert violation["timestamp"].startswith("20")


@pytest.mark.parametrize(
    "transport", [{"headers": {"authorization": READER}}, {"init_payload": {"authorization": READER}}]
)
def test_protected_contents_are_told_to_those_with_a_token(
    own: RegistryProcess, transport: dict[str, Any]
) -> None:
    post = poster(own.url)
    secret, open_name = f"secure/{uuid.uuid4().hex}", f"told/{uuid.uuid4().hex}"
    post(STORE, {"n": secret, "d": "secret"}, ADMIN)
    post(STORE, {"n": open_name, "d": "open"})

    def cause() -> None:
        post(RESOLVE, {"n": secret}, READER)
        post(RESOLVE, {"n": open_name})

    told = asyncio.run(first_event(own, RESOLVED, cause, **transport))
    assert told["contentResolved"]["content"]["name"] in {secret, open_name}
    with_token = asyncio.run(
        first_event(own, RESOLVED, lambda: post(RESOLVE, {"n": secret}, READER), **transport)
    )
    assert with_token["contentResolved"]["content"]["name"] == secret
    without = asyncio.run(first_event(own, RESOLVED, cause))
    assert without["contentResolved"]["content"]["name"] == open_name


@pytest.mark.parametrize(
    "query",
    [
        "{ resolutionStats { totalContent } }",
        'mutation { deleteContent(id: "x") }',
        "subscription { none }",
        "subscription { contentResolved { method } conservationViolation { details } }",
        "subscription { contentResolved { " + "method " * 3000 + "} }",
        "{",
    ],
)
def test_what_is_no_subscription_is_an_error(own: RegistryProcess, query: str) -> None:
    async def scenario() -> None:
        async with opened(own) as raw:
            await raw.send(json.dumps({"type": "connection_init"}))
            assert json.loads(await raw.recv())["type"] == "connection_ack"
            await raw.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": query}}))
            answer = json.loads(await raw.recv())
            assert (answer["type"], answer["id"]) == ("error", "1")
            assert answer["payload"][0]["extensions"]["code"] == "BAD_REQUEST"
            assert "Traceback" not in json.dumps(answer)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "message",
    [
        "{",
        "[]",
        "null",
        "1",
        "{}",
        '{"type": 1}',
        '{"type": "nonsense"}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "x"}}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "x", "variables": []}}',
        '{"type": "complete"}',
        "[" * 20_000,
        b"\x00\xff",
        "x" * 100_000,
    ],
)
def test_a_malformed_message_ends_its_connection_alone(own: RegistryProcess, message: str | bytes) -> None:
    async def scenario() -> int:
        async with opened(own) as raw:
            await raw.send(json.dumps({"type": "connection_init"}))
            await raw.recv()
            await raw.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                await raw.recv()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code

    assert asyncio.run(scenario()) in {4400, 1009}
    assert "Traceback" not in own.log.read_text()


def test_subscribing_before_the_connection_is_acknowledged_ends_it(own: RegistryProcess) -> None:
    async def scenario() -> None:
        async with opened(own) as raw:
            await raw.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": RESOLVED}}))
            with pytest.raises(ConnectionClosed, match="4401"):
                await raw.recv()

    asyncio.run(scenario())


def test_another_protocol_and_too_many_connections_are_refused(own: RegistryProcess) -> None:
    async def scenario() -> None:
        with pytest.raises(InvalidStatus) as refused:
            await connect(websocket(own))
        assert refused.value.response.status_code == 400
        open_ones = []
        for _ in range(MAX_CONNECTIONS):
            open_ones.append(await opened(own))
        with pytest.raises(InvalidStatus) as refused:
            await opened(own)
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["retry-after"] == "1"
        for raw in open_ones:
            await raw.close()

    asyncio.run(scenario())


def test_too_many_subscriptions_of_one_connection_end_it(own: RegistryProcess) -> None:
    async def scenario() -> None:
        async with opened(own) as raw:
            await raw.send(json.dumps({"type": "connection_init"}))
            await raw.recv()
            for number in range(MAX_OPERATIONS + 1):
                message = {"type": "subscribe", "id": str(number), "payload": {"query": RESOLVED}}
                await raw.send(json.dumps(message))
            with pytest.raises(ConnectionClosed, match="4429"):
                await raw.recv()

    asyncio.run(scenario())


def test_the_registry_ends_in_time_with_subscribers(node: IpfsNode, tmp_path: Path) -> None:
    async def scenario(registry: RegistryProcess) -> None:
        async with opened(registry) as raw:
            await raw.send(json.dumps({"type": "connection_init"}))
            await raw.recv()
            await raw.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": RESOLVED}}))
            await asyncio.to_thread(registry.stop)
            with pytest.raises(ConnectionClosed, match="1012"):
                await raw.recv()

    with RegistryProcess.start(tmp_path, ipfs_api=node.api_url) as registry:
        asyncio.run(scenario(registry))
        assert "Traceback" not in registry.log.read_text()
