"""A full disk: a clear error, nothing lost, and work goes on once there is space."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hologram_dagster.ipfs.cids import cid_v1_of
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.faults import Cause, IpfsError
from hologram_dagster.ipfs.node import IpfsNode

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.system("root")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB; mounting it needs root."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as stream:
        while True:
            try:
                stream.write(bytes(4096))
            except OSError:
                return


def test_adds_fail_clearly_and_lose_nothing(small_disk: Path) -> None:
    acknowledged: dict[str, bytes] = {}

    def refusal(client: IpfsClient, data: bytes) -> str:
        with pytest.raises(IpfsError) as caught:
            client.add(data)
        assert (caught.value.cause, caught.value.http_status) == (Cause.HTTP_ERROR, 500)
        return str(caught.value).lower()

    with IpfsNode.start(small_disk / "repo") as node, IpfsClient(node.api_url) as client:
        for _ in range(5):
            data = os.urandom(100_000)
            acknowledged[client.add(data)] = data
        # Fits into the upload's own file, not into the blocks beside it.
        assert "no space left on device" in refusal(client, os.urandom(2_000_000))
        fill(small_disk / "filler")
        assert "no space left on device" in refusal(client, b"not a byte more")
        version_1 = {"options": {"cid-version": "1"}, "data": _BODY, "headers": _HEADERS}
        with pytest.raises(IpfsError, match=r"(?i)no space left on device"):
            client._items("/add", **version_1)  # type: ignore[arg-type]

        def check() -> None:
            for cid, data in acknowledged.items():
                assert client.cat(cid) == data
                assert client.is_pinned(cid)

        check()
        (small_disk / "filler").unlink()
        check()
        assert client.add(b"not a byte more")
        client._items("/add", **version_1)  # type: ignore[arg-type]
        assert client.cat(cid_v1_of(b"more")) == b"more"
        node.restart()
        check()


_BODY = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nmore\r\n--x--\r\n'
_HEADERS = {"Content-Type": "multipart/form-data; boundary=x"}
