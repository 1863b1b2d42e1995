"""A stack starts, shows how to reach it, and leaves a folder that can be used again."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.processes import free_port, start_child, wait_until
from hologram_dagster.registry.client import RegistryClient, RegistryError
from hologram_dagster.stack import demo
from hologram_dagster.stack.stack import Stack
from hologram_dagster.stack.status import StackStatus, status
from hologram_dagster_tests.kubo import kubo_program

pytestmark = [pytest.mark.phase0_ready, pytest.mark.phase8_e2e]

RESOLVE = "query($n: String!) { resolve(name: $n) { cid encoding } }"

# Starts a demo stack (folder, IPFS port, GraphQL port), says who and what it is, and waits to be killed.
_PARENT = """
import sys, time
from pathlib import Path
from hologram_dagster.stack.stack import Stack

folder, ipfs_port, graphql_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
stack = Stack.start(folder, ipfs_port=ipfs_port, graphql_port=graphql_port, demo=True)
print(stack.node.pid, stack.registry.pid, stack.variables()["GRAPHQL_TOKEN"], flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.start(tmp_path_factory.mktemp("stack"), demo=True) as stack:
        yield stack


def resolve(variables: dict[str, str], name: str, *, token: bool) -> dict[str, Any]:
    given = variables["GRAPHQL_TOKEN"] if token else None
    with RegistryClient(variables["GRAPHQL_URL"], token=given) as client:
        found: dict[str, Any] = client.execute(RESOLVE, {"n": name})["resolve"]
    return found


def test_the_variables_lead_to_the_demo_objects(stack: Stack) -> None:
    variables = stack.variables()
    assert variables.keys() == {"IPFS_API", "GRAPHQL_URL", "GRAPHQL_TOKEN"}
    assert variables["GRAPHQL_URL"].endswith("/graphql")
    cid = resolve(variables, "demo/object/alpha", token=False)["cid"]
    answer = httpx.post(f"{variables['IPFS_API']}/api/v0/cat", params={"arg": cid})
    assert answer.content == b"Hello Hologram"


def test_the_protected_object_needs_the_token(stack: Stack) -> None:
    variables = stack.variables()
    with pytest.raises(RegistryError) as refused:
        resolve(variables, "secure/object/admin-only", token=False)
    assert refused.value.code == "UNAUTHENTICATED"
    assert resolve(variables, "secure/object/admin-only", token=True)["encoding"]
    assert (stack.folder / "tokens.json").stat().st_mode & 0o777 == 0o600


def test_seeding_again_changes_nothing(stack: Stack) -> None:
    variables = stack.variables()
    before = [resolve(variables, name, token=True) for name in demo.OBJECTS]
    demo.seed(stack.ipfs_api, stack.graphql_url, variables["GRAPHQL_TOKEN"])
    assert [resolve(variables, name, token=True) for name in demo.OBJECTS] == before


def test_seeding_without_the_role_is_refused(stack: Stack) -> None:
    with pytest.raises(RegistryError) as refused:
        demo.seed(stack.ipfs_api, stack.graphql_url, "no-such-token")
    assert refused.value.code == "UNAUTHENTICATED"


def test_a_second_stack_in_the_folder_is_refused(stack: Stack) -> None:
    with pytest.raises(HologramError, match="runs in"):
        Stack.start(stack.folder)
    assert stack.alive


def test_a_taken_port_is_named_with_its_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HologramError, match=f"{port} is taken.*--ipfs-port"):
            Stack.start(tmp_path, ipfs_port=port)
        with pytest.raises(HologramError, match=f"{port} is taken.*--graphql-port"):
            Stack.start(tmp_path, graphql_port=port)
    # What had been started meanwhile is gone, the folder is free.
    assert status(tmp_path) == StackStatus(running=False)


@pytest.mark.parametrize("port", [-1, 70_000])
def test_what_is_no_port_is_refused(tmp_path: Path, port: int) -> None:
    with pytest.raises(HologramError, match="no TCP port"):
        Stack.start(tmp_path, graphql_port=port)


def test_status_tells_what_answers(tmp_path: Path) -> None:
    assert status(tmp_path / "none") == StackStatus(running=False)
    ipfs_port, graphql_port = free_port(), free_port()
    with Stack.start(tmp_path, ipfs_port=ipfs_port, graphql_port=graphql_port) as stack:
        assert stack.variables().keys() == {"IPFS_API", "GRAPHQL_URL"}
        assert str(ipfs_port) in stack.ipfs_api
        assert str(graphql_port) in stack.graphql_url
        found = status(tmp_path)
        assert found.healthy
        assert (found.ipfs_api, found.graphql_url) == (stack.ipfs_api, stack.graphql_url)
        stack.node.kill()
        found = status(tmp_path)
        assert found.running
        assert not found.healthy
        assert (found.parts["registry"], found.parts["database"]) == ("ok", "ok")
        assert found.parts["ipfs"] != "ok"
        stack.registry.kill()
        assert not stack.alive
        assert "does not answer" in status(tmp_path).parts["registry"]
        stack.close()
        assert status(tmp_path) == StackStatus(running=False)
        stack.close()


def test_a_crash_leaves_a_folder_that_can_be_used_again(tmp_path: Path) -> None:
    ipfs_port, graphql_port = free_port(), free_port()
    parent = start_child(
        [sys.executable, "-c", _PARENT, str(tmp_path), str(ipfs_port), str(graphql_port)],
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    node, registry, token = parent.stdout.readline().decode().split()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    # At once, on the same ports, while the kernel may still be ending the old processes.
    with Stack.start(tmp_path, ipfs_port=ipfs_port, graphql_port=graphql_port, demo=True) as stack:
        assert stack.variables()["GRAPHQL_TOKEN"] == token
        assert resolve(stack.variables(), "demo/object/alpha", token=False)["encoding"]
        for pid in (node, registry):
            assert wait_until(lambda: not _runs(int(pid)), timeout_s=10)  # noqa: B023
    assert not stack.alive


def _runs(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_demo_makes_its_own_tokens(tmp_path: Path) -> None:
    with pytest.raises(HologramError, match="either"):
        Stack.start(tmp_path, demo=True, tokens=tmp_path / "tokens.json")


def test_nodes_of_a_stack_are_connected(tmp_path: Path) -> None:
    with Stack.start(tmp_path, nodes=3) as stack:
        variables = stack.variables()
        apis = variables["IPFS_APIS"].split(",")
        assert apis == list(stack.ipfs_apis)
        assert apis[0] == variables["IPFS_API"]
        with IpfsClient(apis[2]) as last, IpfsClient(apis[1]) as second:
            cid = second.add(b"over bitswap")
            assert last.cat(cid) == b"over bitswap"
            stack.nodes[1].restart()
            stack.rejoin()
            # Two nodes that dial each other at once have two connections.
            others = {stack.nodes[0].peer_id, stack.nodes[2].peer_id}
            assert {peer["Peer"] for peer in second.swarm_peers()} == others
            cid = last.add(b"after the restart")
            assert second.cat(cid) == b"after the restart"
        assert status(tmp_path).parts["ipfs 3"] == "ok"
        stack.nodes[2].kill()
        assert not stack.alive
        assert "does not answer" in status(tmp_path).parts["ipfs 3"]
        assert not status(tmp_path).healthy


@pytest.mark.parametrize("nodes", [0, 17])
def test_how_many_nodes_is_bounded(tmp_path: Path, nodes: int) -> None:
    with pytest.raises(HologramError, match="--nodes"):
        Stack.start(tmp_path, nodes=nodes)


@pytest.mark.system("kubo")
def test_a_stack_on_the_real_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = kubo_program()
    assert program is not None, "build it: tools/build_kubo.sh"
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    with Stack.start(tmp_path, demo=True) as stack:
        assert stack.provider == "Kubo daemon"
        assert resolve(stack.variables(), "demo/object/alpha", token=False)["encoding"]
