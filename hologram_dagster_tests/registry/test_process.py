"""The registry as a process: started, killed, restarted; what it acknowledged stays."""

import socket
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.processes import wait_until
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.registry.server import main
from hologram_dagster_tests.registry.conftest import code_of, poster, write_tokens

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase3_runtime]

UPSERT = "mutation($n:String!,$c:String!){ upsertObject(name:$n,content:$c){ cid } }"
RESOLVE = "query($n:String!){ resolve(name:$n){ cid proofChain{ valid } proofs{ merkleRoot } } }"


def test_kill_9_loses_nothing_acknowledged(node: IpfsNode, tmp_path: Path) -> None:
    acknowledged: dict[str, str] = {}

    def write(writer: int, url: str) -> None:
        post = poster(url)
        for number in range(1000):
            name = f"durable/{writer}/{number}"
            try:
                body = post(UPSERT, {"n": name, "c": name})
            except httpx.TransportError:
                return
            acknowledged[name] = body["data"]["upsertObject"]["cid"]

    with RegistryProcess.start(tmp_path, ipfs_api=node.api_url) as registry:
        for kill in range(2):
            enough = len(acknowledged) + 20
            writers = [threading.Thread(target=write, args=(4 * kill + w, registry.url)) for w in range(4)]
            for writer in writers:
                writer.start()
            assert wait_until(lambda: len(acknowledged) >= enough, timeout_s=60)  # noqa: B023
            pid, url = registry.pid, registry.url
            registry.kill()
            assert not registry.alive
            for writer in writers:
                writer.join()
            registry.restart()
            assert registry.pid != pid
            assert registry.url == url
        post = poster(registry.url)
        for name, cid in acknowledged.items():
            found = post(RESOLVE, {"n": name})["data"]["resolve"]
            assert found["cid"] == cid
            assert all(layer["valid"] for layer in found["proofChain"])


def test_sigterm_ends_it_and_restart_serves_again(node: IpfsNode, tmp_path: Path) -> None:
    with RegistryProcess.start(tmp_path, ipfs_api=node.api_url) as registry:
        poster(registry.url)(UPSERT, {"n": "a", "c": "b"})
        registry.stop()
        assert not registry.alive
        registry.stop()
        registry.restart()
        assert poster(registry.url)(RESOLVE, {"n": "a"})["data"]["resolve"]["cid"]
    assert not registry.alive


def alter(folder: Path, statement: str, *values: str) -> None:
    """Change the database behind the registry's back."""
    with closing(sqlite3.connect(folder / "registry.sqlite")) as raw, raw:
        raw.execute(statement, values)


def test_what_is_altered_in_the_database_shows(node: IpfsNode, tmp_path: Path) -> None:
    with RegistryProcess.start(tmp_path, ipfs_api=node.api_url) as registry:
        post = poster(registry.url)
        post(UPSERT, {"n": "a", "c": "b"})
        other = post(UPSERT, {"n": "b", "c": "other"})["data"]["upsertObject"]["cid"]

        alter(tmp_path, "UPDATE names SET cid = ? WHERE name = 'a'", other)
        body = post('{ resolve(name: "a") { name proofChain { layer valid } } }')
        assert not any(layer["valid"] for layer in body["data"]["resolve"]["proofChain"])
        for field in ("cid", "encoding", "manifestCid"):
            assert code_of(post(f'{{ resolve(name: "a") {{ {field} }} }}')) == "TAMPERED"
        assert code_of(post(RESOLVE, {"n": "a"})) == "TAMPERED"
        # Content swapped behind the name is not installed.
        assert code_of(post('mutation { installApp(name: "a") { status } }')) == "TAMPERED"

        alter(tmp_path, "DROP TABLE names")
        assert code_of(post(RESOLVE, {"n": "a"})) == "STORAGE_UNAVAILABLE"
        assert code_of(post(UPSERT, {"n": "a", "c": "b"})) == "STORAGE_UNAVAILABLE"


def test_a_taken_port_is_named(node: IpfsNode, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HologramError, match=f"port {port}.*--port"):
            RegistryProcess.start(tmp_path, ipfs_api=node.api_url, port=port)


def test_what_keeps_it_from_starting_is_said(tmp_path: Path) -> None:
    api = "http://127.0.0.1:1"
    with pytest.raises(HologramError, match="token file"):
        RegistryProcess.start(tmp_path, ipfs_api=api, tokens=tmp_path / "none.json")
    (tmp_path / "file").touch()
    with pytest.raises(HologramError, match="cannot write"):
        RegistryProcess.start(tmp_path / "file", ipfs_api=api)


def test_mutations_need_a_token_when_the_file_says_so(node: IpfsNode, tmp_path: Path) -> None:
    tokens = write_tokens(tmp_path / "tokens.json", mutations_need_token=True)
    with RegistryProcess.start(tmp_path, ipfs_api=node.api_url, tokens=tokens) as registry:
        post = poster(registry.url)
        variables = {"n": "a", "c": "b"}
        assert code_of(post(UPSERT, variables)) == "UNAUTHENTICATED"
        assert code_of(post(UPSERT, variables, "reader-token-0123")) == "FORBIDDEN"
        assert "errors" not in post(UPSERT, variables, "Bearer publisher-token-0123")
        assert post(RESOLVE, {"n": "a"})["data"]["resolve"]["cid"]


def test_other_machines_are_let_in_only_when_mutations_need_a_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = write_tokens(tmp_path / "tokens.json", mutations_need_token=False)
    given = [
        "--host",
        "0.0.0.0",
        "--database",
        f"sqlite:///{tmp_path / 'r'}",
        "--ipfs-api",
        "http://127.0.0.1:1",
    ]
    for arguments in (given, [*given, "--tokens", str(tokens)]):
        assert main(arguments) == 2
        assert "mutations_need_token" in capsys.readouterr().err
