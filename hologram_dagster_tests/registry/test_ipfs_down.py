"""A dead or frozen IPFS node: a clear error in time, and reads go on."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster_tests.registry.conftest import HTTP, code_of, poster

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase4_network]

UPSERT = "mutation($n:String!,$c:String!){ upsertObject(name:$n,content:$c){ cid } }"
RESOLVE = "query($n:String!){ resolve(name:$n){ cid encoding proofs{ merkleRoot } } }"
CHANGES = (
    'mutation { upsertObject(name: "b", content: "c") { cid } }',
    'mutation { publishApp(name: "b", cid: "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG") { cid } }',
    'mutation { installApp(name: "a") { status } }',
    'mutation { unpublishApp(name: "a") { status } }',
)


@pytest.fixture
def own_node(tmp_path: Path) -> Iterator[IpfsNode]:
    with IpfsNode.start(tmp_path / "node") as node:
        yield node


@pytest.fixture
def own_registry(own_node: IpfsNode, tmp_path: Path) -> Iterator[RegistryProcess]:
    with RegistryProcess.start(tmp_path / "registry", ipfs_api=own_node.api_url) as registry:
        poster(registry.url)(UPSERT, {"n": "a", "c": "b"})
        yield registry


def test_a_dead_node_fails_changes_with_a_code_and_no_read(
    own_node: IpfsNode, own_registry: RegistryProcess
) -> None:
    post = poster(own_registry.url)
    before = post(RESOLVE, {"n": "a"})
    own_node.kill()
    for change in CHANGES:
        assert code_of(post(change)) == "IPFS_UNAVAILABLE"
    # Nothing was half done: the name that could not be unpinned is still there.
    assert post(RESOLVE, {"n": "a"}) == before
    assert post(RESOLVE, {"n": "b"})["data"]["resolve"] is None
    ready = HTTP.get(urljoin(own_registry.url, "/ready"))
    assert ready.status_code == 503
    assert ready.json()["database"] == "ok"
    assert ready.json()["ipfs"] != "ok"
    assert HTTP.get(urljoin(own_registry.url, "/health")).status_code == 200

    own_node.restart()
    assert HTTP.get(urljoin(own_registry.url, "/ready")).status_code == 200
    assert "errors" not in post(CHANGES[0])
    assert "errors" not in post(CHANGES[2])


def test_a_frozen_node_fills_the_queue_but_blocks_no_read(
    own_node: IpfsNode, own_registry: RegistryProcess
) -> None:
    async def flood() -> tuple[Counter[int], list[str], list[httpx.Response]]:
        # Clients of the gate wait 10 s: every answer must be there by then.
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=10, limits=limits) as client:

            async def change(number: int) -> httpx.Response:
                variables = {"n": f"flood/{number}", "c": "c"}
                return await client.post(own_registry.url, json={"query": UPSERT, "variables": variables})

            pending = [asyncio.ensure_future(change(number)) for number in range(180)]
            await asyncio.sleep(0.5)
            reads = [
                await client.post(own_registry.url, json={"query": RESOLVE, "variables": {"n": "a"}})
                for _ in range(20)
            ]
            blocked = sum(not future.done() for future in pending)
            assert blocked >= 8
            answers = await asyncio.gather(*pending)
        refused = [answer.headers["retry-after"] for answer in answers if answer.status_code == 503]
        for answer in answers:
            code = "OVERLOADED" if answer.status_code == 503 else "IPFS_UNAVAILABLE"
            assert code_of(answer.json()) == code
        return Counter(answer.status_code for answer in answers), refused, reads

    os.kill(own_node.pid, signal.SIGSTOP)
    try:
        statuses, retry_after, reads = asyncio.run(flood())
    finally:
        os.kill(own_node.pid, signal.SIGCONT)
    assert statuses.keys() == {200, 503}
    assert set(retry_after) == {"1"}
    assert all(read.json()["data"]["resolve"]["encoding"] for read in reads)
    assert "errors" not in poster(own_registry.url)(UPSERT, {"n": "after", "c": "c"})


def test_changes_that_wait_for_another_in_vain_are_refused_as_by_a_full_queue(
    own_node: IpfsNode, own_registry: RegistryProcess
) -> None:
    async def unpublish() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=30) as client:
            sent = (client.post(own_registry.url, json={"query": CHANGES[3]}) for _ in range(3))
            return await asyncio.gather(*sent)

    os.kill(own_node.pid, signal.SIGSTOP)
    try:
        answers = asyncio.run(unpublish())
    finally:
        os.kill(own_node.pid, signal.SIGCONT)
    # One has the turn and waits for the node, the others for it.
    seen = sorted((answer.status_code, code_of(answer.json())) for answer in answers)
    assert seen[0] == (200, "IPFS_UNAVAILABLE")
    assert set(seen[1:]) <= {(200, "IPFS_UNAVAILABLE"), (503, "OVERLOADED")}
    assert seen[-1] == (503, "OVERLOADED")
    assert {a.headers["retry-after"] for a in answers if a.status_code == 503} == {"1"}
