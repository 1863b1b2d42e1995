"""Three nodes: content moves between them by bitswap, and survives its first holder."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.faults import Cause, IpfsError
from hologram_dagster.ipfs.node import IpfsNode

pytestmark = pytest.mark.phase4_network


def test_replicas_outlive_the_origin(tmp_path: Path) -> None:
    with ExitStack() as stack:
        nodes = [stack.enter_context(IpfsNode.start(tmp_path / str(number))) for number in range(3)]
        clients = [stack.enter_context(IpfsClient(node.api_url)) for node in nodes]
        data = os.urandom(2**20)
        cid = clients[0].add(data)
        for client in clients[1:]:
            client.swarm_connect(nodes[0].swarm_address)
            assert nodes[0].peer_id in [peer["Peer"] for peer in client.swarm_peers()]
        assert clients[1].cat(cid) == data
        assert not clients[1].is_pinned(cid)
        clients[2].pin_add(cid)
        assert clients[2].pins(cid) == {cid: "recursive"}
        nodes[0].kill()
        for node, client in zip(nodes[1:], clients[1:], strict=True):
            node.restart()
            assert client.cat(cid) == data


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
