"""The client against every server there is: ours, a Kubo daemon, the user's `IPFS_API`."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hologram_dagster.errors import ServiceError, ServiceTimeoutError
from hologram_dagster.ipfs.cids import cid_of, cid_v1_of
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.faults import Cause, IpfsError
from hologram_dagster.ipfs.node import IpfsNode

pytestmark = [pytest.mark.phase4_network, pytest.mark.phase2_integration]


@pytest.fixture
def ipfs(api: str) -> Iterator[IpfsClient]:
    with IpfsClient(api, timeout_s=20) as client:
        yield client


def test_version_and_identity(ipfs: IpfsClient) -> None:
    assert ipfs.version()[0].isdigit()
    assert ipfs.id()["ID"]


def test_added_content_comes_back_and_is_pinned(ipfs: IpfsClient) -> None:
    for data in (b"", os.urandom(100), os.urandom(700_000)):
        cid = ipfs.add(data, name="some file.bin")
        assert cid == cid_of(data)
        assert ipfs.cat(cid) == data
        assert ipfs.pins(cid) == {cid: "recursive"}
        ipfs.pin_rm(cid)


def test_pins_come_and_go(ipfs: IpfsClient) -> None:
    cid = ipfs.add(os.urandom(64))
    assert ipfs.is_pinned(cid)
    assert cid in ipfs.pins()
    ipfs.pin_rm(cid)
    assert not ipfs.is_pinned(cid)
    with pytest.raises(IpfsError, match="not pinned") as caught:
        ipfs.pins(cid)
    assert (caught.value.cause, caught.value.http_status) == (Cause.HTTP_ERROR, 500)
    with pytest.raises(ServiceError, match="not pinned"):
        ipfs.pin_rm(cid)
    ipfs.pin_add(cid)
    assert ipfs.is_pinned(cid)
    ipfs.pin_rm(cid)


def test_stats_and_peers(ipfs: IpfsClient) -> None:
    cid = ipfs.add(b"hello")
    assert ipfs.block_stat(cid)["Size"] == 13
    assert ipfs.repo_stat()["NumObjects"] > 0
    assert isinstance(ipfs.swarm_peers(), list)


def test_absent_content_is_a_timeout(api: str) -> None:
    with IpfsClient(api, timeout_s=0.5) as impatient, pytest.raises(ServiceTimeoutError) as caught:
        impatient.cat(cid_of(os.urandom(32)))
    assert isinstance(caught.value, IpfsError)
    assert caught.value.cause is Cause.TIMEOUT


def test_what_is_no_cid_and_no_address_is_refused(ipfs: IpfsClient) -> None:
    for call in (ipfs.cat, ipfs.pin_add, ipfs.block_stat, ipfs.swarm_connect):
        with pytest.raises(IpfsError) as caught:
            call("nonsense")
        assert caught.value.cause is Cause.HTTP_ERROR


def test_more_than_allowed_is_not_read(ipfs: IpfsClient) -> None:
    cid = ipfs.add(bytes(300_000))
    with pytest.raises(IpfsError, match="more than the 1000 bytes"):
        ipfs.cat(cid, max_bytes=1000)
    assert len(ipfs.cat(cid, max_bytes=300_000)) == 300_000
    assert ipfs.version()


def test_threads_share_a_client(ipfs: IpfsClient) -> None:
    def round_trip(number: int) -> bool:
        data = f"thread {number}".encode()
        return ipfs.cat(ipfs.add(data)) == data

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(round_trip, range(64)))


def test_other_layouts_can_be_read_unchecked(node: IpfsNode) -> None:
    data = os.urandom(20)
    with IpfsClient(node.api_url) as client:
        client._items("/add", options={"cid-version": "1"}, **_upload(data))
        assert client.cat(cid_v1_of(data)) == data


def _upload(data: bytes) -> dict[str, object]:
    body = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + data + b"\r\n--x--\r\n"
    return {"data": body, "headers": {"Content-Type": "multipart/form-data; boundary=x"}}
