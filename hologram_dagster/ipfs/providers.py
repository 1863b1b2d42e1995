"""Which node serves: a Kubo on PATH, else the library.

What belongs here: the choice, and joining nodes to one swarm. What does not: how each runs
(see `kubo` and `node`), and a node of the user's, named by `IPFS_API`, which is not started.
"""

from collections.abc import Sequence
from pathlib import Path

from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.kubo import KuboDaemon, find_kubo
from hologram_dagster.ipfs.node import IpfsNode


def provider() -> type[IpfsNode]:
    """What makes nodes here. A Kubo on PATH that cannot run is an error when started, no reason to
    take the library instead."""
    return IpfsNode if find_kubo() is None else KuboDaemon


def start_node(folder: Path, *, number: int = 1, api_port: int = 0) -> IpfsNode:
    """Start a node of the provider that serves here, `folder`'s `number`th, in a repository below it.

    The two providers' repositories differ in version, so each keeps its own.

    Raises:
        HologramError: it does not start.
    """
    made_by = provider()
    name = made_by.repository if number == 1 else f"{made_by.repository}-{number}"
    return made_by.start(folder / name, api_port=api_port)


def join(nodes: Sequence[IpfsNode]) -> None:
    """Connect each node to every other; once more after a restart, which ends connections.

    Raises:
        ServiceError: a node does not answer, or refuses.
    """
    for node in nodes:
        with IpfsClient(node.api_url) as client:
            # Each side is asked: one that was restarted knows that it is not connected, the
            # other may not have noticed yet, and would dial nobody.
            known = {peer["Peer"] for peer in client.swarm_peers()} | {node.peer_id}
            for other in nodes:
                if other.peer_id not in known:
                    client.swarm_connect(other.swarm_address)
