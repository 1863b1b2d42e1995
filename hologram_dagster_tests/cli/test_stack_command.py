"""`hologram stack`: up, judged from outside, down; and a port that is taken."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from hologram_dagster.processes import LOOPBACK, free_port

pytestmark = pytest.mark.phase4_network

HOLOGRAM = str(Path(sys.executable).parent / "hologram")


@contextmanager
def _up(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    process = subprocess.Popen(
        [HOLOGRAM, "stack", "up", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        variables = {}
        for line in process.stdout:
            name, _, value = line.strip().removeprefix("export ").partition("=")
            variables[name] = value
            more = ("--demo" in arguments) + ("--nodes" in arguments) + 2 * ("--regions" in arguments)
            if len(variables) == 2 + more:
                break
        yield process, variables
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()
        process.stderr.close()


def _ports() -> tuple[str, ...]:
    return ("--ipfs-port", str(free_port()), "--graphql-port", str(free_port()))


def _status(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HOLOGRAM, "stack", "status"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_up_serves_the_demo_objects_until_stopped(tmp_path: Path) -> None:
    assert _status(tmp_path).returncode == 1
    with _up(tmp_path, *_ports(), "--demo", "--nodes", "2") as (process, variables):
        assert set(variables) == {"IPFS_API", "IPFS_APIS", "GRAPHQL_URL", "GRAPHQL_TOKEN"}
        assert len(variables["IPFS_APIS"].split(",")) == 2
        assert process.stderr is not None
        assert process.stderr.readline().startswith("# IPFS by ")
        status = _status(tmp_path)
        assert status.returncode == 0, status.stdout
        assert "ipfs: ok" in status.stdout
        assert "ipfs 2: ok" in status.stdout
        query = {"query": 'query { a: resolve(name: "demo/object/alpha") { encoding } }'}
        answer = httpx.post(variables["GRAPHQL_URL"], json=query, trust_env=False).json()
        assert answer["data"]["a"]["encoding"].startswith("uor:sha256:")
        secure = {"query": 'query { resolve(name: "secure/object/admin-only") { encoding } }'}
        denied = httpx.post(variables["GRAPHQL_URL"], json=secure, trust_env=False).json()
        assert denied["errors"]
        token = {"authorization": variables["GRAPHQL_TOKEN"]}
        allowed = httpx.post(variables["GRAPHQL_URL"], json=secure, headers=token, trust_env=False).json()
        assert allowed["data"]["resolve"]["encoding"]
    assert process.returncode == 0
    with pytest.raises(httpx.ConnectError):
        httpx.post(variables["GRAPHQL_URL"], json=query, trust_env=False)
    assert _status(tmp_path).returncode == 1


@pytest.mark.parametrize("option", ["--ipfs-port", "--graphql-port"])
def test_a_port_that_is_taken_is_named_with_its_option(tmp_path: Path, option: str) -> None:
    with socket.socket() as holder:
        holder.bind((LOOPBACK, 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        other = "--graphql-port" if option == "--ipfs-port" else "--ipfs-port"
        done = subprocess.run(
            [HOLOGRAM, "stack", "up", option, port, other, str(free_port())],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env=dict(os.environ),
        )
    assert done.returncode == 2
    assert f"port {port} is taken" in done.stderr
    assert option in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.system("postgresql")
def test_two_regions_share_what_is_written(tmp_path: Path) -> None:
    with _up(tmp_path, *_ports(), "--regions", "2") as (_, variables):
        urls = variables["GRAPHQL_URLS"].split(",")
        assert (urls[0], len(variables["IPFS_APIS"].split(","))) == (variables["GRAPHQL_URL"], 2)
        stored = {"query": 'mutation { upsertObject(name: "regions/one", content: "x") { cid } }'}
        cid = httpx.post(urls[0], json=stored).json()["data"]["upsertObject"]["cid"]
        asked = {"query": '{ resolve(name: "regions/one") { cid } }'}
        assert httpx.post(urls[1], json=asked).json()["data"]["resolve"]["cid"] == cid
    refused = subprocess.run(
        [HOLOGRAM, "stack", "up", "--regions", "2", "--demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (refused.returncode, "leave --demo" in refused.stderr) == (2, True)
