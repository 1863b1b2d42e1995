"""SIGTERM: what was accepted is answered, what was acknowledged stays, and the end is a good one."""

import json
import os
import signal
import socket
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.processes import wait_until
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster_tests.registry.conftest import HTTP, poster

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase3_runtime]

STORE = "mutation($n:String!,$d:String!){ storeContent(name:$n,data:$d){ id } }"
RESOLVE = "query($n:String!){ resolveContent(name:$n){ id } }"
IN_FLIGHT = 30


def send(url: str, number: int) -> socket.socket:
    where = urlsplit(url)
    body = json.dumps({"query": STORE, "variables": {"n": f"late/{number}", "d": str(number)}}).encode()
    connection = socket.create_connection((where.hostname, where.port or 0), timeout=60)
    connection.sendall(
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%s" % (len(body), body)
    )
    return connection


def answer(connection: socket.socket) -> tuple[bytes, dict[str, dict[str, dict[str, str]]]]:
    """The status line and the body of the answer, read until the registry closes the connection."""
    with connection:
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0], json.loads(body)


def test_requests_in_flight_are_answered_before_it_ends(node: IpfsNode, tmp_path: Path) -> None:
    with RegistryProcess.start(tmp_path, ipfs_api=node.api_url) as registry:
        inside = urljoin(registry.url, "/metrics/prometheus")

        def accepted() -> bool:
            return f"hologram_registry_mutations_inside {IN_FLIGHT}.0" in HTTP.get(inside).text

        # A node that does not answer keeps them in flight.
        os.kill(node.pid, signal.SIGSTOP)
        try:
            connections = [send(registry.url, number) for number in range(IN_FLIGHT)]
            assert wait_until(accepted, timeout_s=30)
            os.kill(registry.pid, signal.SIGTERM)
            # It takes nobody new while it finishes.
            port = urlsplit(registry.url).port or 0
            assert wait_until(lambda: refused(port), timeout_s=30)
            assert registry.alive
        finally:
            os.kill(node.pid, signal.SIGCONT)
        answers = [answer(connection) for connection in connections]
        assert {status for status, _ in answers} == {b"HTTP/1.1 200 OK"}
        ids = [body["data"]["storeContent"]["id"] for _, body in answers]
        assert wait_until(lambda: registry.exit_status is not None, timeout_s=30)
        assert registry.exit_status == 0
        registry.restart()
        post = poster(registry.url)
        for number, stored in enumerate(ids):
            assert post(RESOLVE, {"n": f"late/{number}"})["data"]["resolveContent"] == {"id": stored}


def refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_ended_idle_it_ends_well(node: IpfsNode, tmp_path: Path) -> None:
    with RegistryProcess.start(tmp_path, ipfs_api=node.api_url) as registry:
        poster(registry.url)(STORE, {"n": "a", "d": "b"})
        registry.stop()
        assert registry.exit_status == 0
        assert "Traceback" not in registry.log.read_text()
