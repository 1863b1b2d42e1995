"""A node that loses pins or gives other bytes is seen, although it says that all is well."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from hologram_dagster.e2e.basic import publish
from hologram_dagster.e2e.content import read_unchanged
from hologram_dagster.e2e.services import StepFailed
from hologram_dagster.e2e.strict import strict
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.observation import Status
from hologram_dagster.stack.stack import Stack
from hologram_dagster_tests.e2e.conftest import Bench

pytestmark = [pytest.mark.phase8_e2e, pytest.mark.phase4_network]

OTHER = b"other bytes"


class Forgetful(IpfsClient):
    """A node whose pins are gone right after an add."""

    def add(self, data: bytes, name: str = "file") -> str:
        cid = super().add(data, name)
        self.pin_rm(cid)
        return cid


class Lying(IpfsClient):
    """A node that gives other bytes than were added."""

    def cat(self, cid: str, *, max_bytes: int = 2**20, check: bool = True) -> bytes:
        return OTHER


@pytest.mark.parametrize(
    ("node", "cause"),
    [(Forgetful, "was added with pin=true and is not pinned"), (Lying, "reads back as other bytes")],
)
def test_publishing_through_it_is_failed_and_leaves_no_pin(
    stack: Stack, bench: Bench, node: Callable[[str], IpfsClient], cause: str
) -> None:
    before = bench.services.ipfs.pins()
    with node(stack.ipfs_api) as client:
        services = replace(bench.services, ipfs=client)
        for seen in (publish(services, app_name="demo/app/hello"), strict(services)):
            assert seen.status is Status.FAILED
            assert cause in seen.why
    assert bench.services.ipfs.pins() == before
    assert bench.names() == []


def test_bytes_with_the_right_digest_but_not_the_cids_are_seen(stack: Stack, bench: Bench) -> None:
    cid = bench.services.ipfs.add(b"what was added")
    digest = hashlib.sha256(OTHER).hexdigest()
    with Lying(stack.ipfs_api) as client:
        services = replace(bench.services, ipfs=client)
        with pytest.raises(StepFailed, match="do not have that CID"):
            read_unchanged(services, cid, digest)
        with pytest.raises(StepFailed, match=f"have sha256 {digest} now, published were {'0' * 64}"):
            read_unchanged(services, cid, "0" * 64)
    bench.services.ipfs.pin_rm(cid)
