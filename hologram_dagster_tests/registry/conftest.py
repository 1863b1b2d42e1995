"""One real node for the folder's tests; registries over it, spoken to with plain httpx."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.registry.auth import Role, write_token_file
from hologram_dagster.registry.process import RegistryProcess

READER, PUBLISHER, ADMIN = "reader-token-0123", "publisher-token-0123", "admin-token-0123456"

# Without TLS, whose set-up is most of the cost of a client.
HTTP = httpx.Client(timeout=30, verify=False, trust_env=False)

# Answers of `POST /graphql`: query, variables, and headers to the parsed body.
Post = Callable[..., dict[str, Any]]


def poster(url: str) -> Post:
    """A client as anyone would write it: a POST of JSON."""

    def post(query: str, variables: dict[str, Any] | None = None, token: str | None = None) -> dict[str, Any]:
        headers = {"content-type": "application/json"} | ({"authorization": token} if token else {})
        # ASCII JSON, which can spell even half a surrogate pair.
        content = json.dumps({"query": query, "variables": variables or {}})
        answer = HTTP.post(url, content=content, headers=headers)
        assert answer.status_code in {200, 400}
        body: dict[str, Any] = answer.json()
        return body

    return post


def code_of(body: dict[str, Any]) -> str:
    """The code of the one error of an answer."""
    (error,) = body["errors"]
    assert "Traceback" not in error["message"]
    return str(error["extensions"]["code"])


class Kubo:
    """The contract's calls of section 3.6, over plain httpx."""

    def __init__(self, api: str) -> None:
        self._api = f"{api}/api/v0"

    def add(self, data: bytes) -> str:
        answer = HTTP.post(f"{self._api}/add?pin=true", files={"file": ("f", data)})
        return str(json.loads(answer.text.strip().splitlines()[-1])["Hash"])

    def cat(self, cid: str) -> bytes:
        return HTTP.post(f"{self._api}/cat", params={"arg": cid}).content

    def pinned(self, cid: str) -> bool:
        return HTTP.post(f"{self._api}/pin/ls", params={"arg": cid}).status_code == 200


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IpfsNode]:
    with IpfsNode.start(tmp_path_factory.mktemp("node")) as node:
        yield node


def write_tokens(path: Path, *, mutations_need_token: bool) -> Path:
    tokens = {
        "reader": (Role.READER, READER),
        "publisher": (Role.PUBLISHER, PUBLISHER),
        "admin": (Role.ADMIN, ADMIN),
    }
    write_token_file(path, tokens, mutations_need_token=mutations_need_token)
    return path


@pytest.fixture(scope="session")
def registry(node: IpfsNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryProcess]:
    """A registry that lets anyone publish open names."""
    folder = tmp_path_factory.mktemp("registry")
    tokens = write_tokens(folder / "tokens.json", mutations_need_token=False)
    with RegistryProcess.start(folder, ipfs_api=node.api_url, tokens=tokens) as registry:
        yield registry


@pytest.fixture
def post(registry: RegistryProcess) -> Post:
    return poster(registry.url)


@pytest.fixture
def kubo(node: IpfsNode) -> Kubo:
    return Kubo(node.api_url)
