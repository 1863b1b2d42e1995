"""kill -9 under load: everything acknowledged is there after the restart."""

import os
import threading
from pathlib import Path

import pytest

from hologram_dagster.errors import ServiceError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.processes import wait_until

pytestmark = pytest.mark.phase9_chaos

WRITERS, ENOUGH = 4, 200


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    acknowledged: dict[str, bytes] = {}
    faults: list[ServiceError] = []

    def write(api: str) -> None:
        with IpfsClient(api) as client:
            while True:
                data = os.urandom(1024)
                try:
                    acknowledged[client.add(data)] = data
                except ServiceError as error:
                    faults.append(error)
                    return

    with IpfsNode.start(tmp_path / "repo") as node:
        writers = [threading.Thread(target=write, args=(node.api_url,)) for _ in range(WRITERS)]
        for writer in writers:
            writer.start()
        assert wait_until(lambda: len(acknowledged) >= ENOUGH, timeout_s=120)
        assert not faults
        node.kill()
        for writer in writers:
            writer.join(60)
        assert len(faults) == WRITERS

        node.restart()
        with IpfsClient(node.api_url) as client:
            pins = client.pins()
            lost = [
                cid
                for cid, data in acknowledged.items()
                if pins.get(cid) != "recursive" or client.cat(cid) != data
            ]
            assert lost == []
            assert client.add(b"and it goes on")
