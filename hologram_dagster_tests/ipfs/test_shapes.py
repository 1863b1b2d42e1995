"""The same questions to every server there is, so that ours is not judged by ourselves alone."""

import json
import os
from collections.abc import Iterator

import httpx
import pytest

from hologram_dagster.ipfs.cids import cid_of, cid_v1_of

pytestmark = [pytest.mark.phase4_network, pytest.mark.phase2_integration]


@pytest.fixture
def rpc(api: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{api}/api/v0", timeout=30) as client:
        yield client


def lines(answer: httpx.Response) -> list[dict[str, object]]:
    return [json.loads(line) for line in answer.text.splitlines()]


def test_add_and_cat(rpc: httpx.Client) -> None:
    answer = rpc.post("/add?pin=true&progress=true", files={"file": ("a b.json", b"hello")})
    assert lines(answer) == [
        {"Name": "a b.json", "Bytes": 5},
        {"Name": "a b.json", "Hash": cid_of(b"hello"), "Size": "13"},
    ]
    content = rpc.post(f"/cat?arg={cid_of(b'hello')}")
    assert content.content == b"hello"
    assert content.headers["x-content-length"] == "5"
    assert content.headers["content-type"].startswith("text/plain")


def test_add_with_cid_version_1(rpc: httpx.Client) -> None:
    data = os.urandom(600_000)
    (added,) = lines(rpc.post("/add?cid-version=1&pin=true", files={"file": ("x", data)}))
    assert added == {"Name": "x", "Hash": cid_v1_of(data), "Size": "600158"}


def test_pins_and_stats(rpc: httpx.Client) -> None:
    cid, absent = cid_of(b"hello"), cid_of(os.urandom(20))
    rpc.post("/add", files={"file": b"hello"})
    assert rpc.post(f"/pin/ls?arg={cid}").json()["Keys"][cid]["Type"] == "recursive"
    assert rpc.post(f"/pin/rm?arg={cid}").json() == {"Pins": [cid]}
    assert rpc.post(f"/pin/add?arg={cid}").json() == {"Pins": [cid]}
    assert {"Cid": cid, "Type": "recursive"} in lines(rpc.post("/pin/ls?stream=true&type=recursive"))
    assert rpc.post(f"/block/stat?arg={cid}").json() == {"Key": cid, "Size": 13}
    assert {"RepoSize", "StorageMax", "NumObjects", "RepoPath", "Version"} <= rpc.post(
        "/repo/stat"
    ).json().keys()
    for query, said in (
        (f"pin/ls?arg={absent}", f"path '{absent}' is not pinned"),
        (f"pin/rm?arg={absent}", "not pinned or pinned indirectly"),
        (f"cat?arg={absent}&offline=true", f"(offline): ipld: could not find {absent}"),
        (f"cat?arg={absent}&timeout=200ms", "context deadline exceeded"),
        ("cat?arg=Qmbad", "invalid path"),
        ("swarm/connect?arg=x", ""),
    ):
        answer = rpc.post(f"/{query}")
        error = answer.json()
        assert (answer.status_code, error["Code"], error["Type"]) == (500, 0, "error")
        assert said in error["Message"]


def test_refusals(rpc: httpx.Client) -> None:
    assert rpc.get("/version").status_code == 405
    assert rpc.post("/no-such-command").status_code == 404
    assert rpc.post("/cat").status_code == 400
    assert rpc.post("/add", content=b"no multipart").status_code == 400
    assert rpc.post("/add?pin=maybe", files={"file": b"x"}).status_code == 400
    assert rpc.post("/version", headers={"Origin": "https://example.com"}).status_code == 403
