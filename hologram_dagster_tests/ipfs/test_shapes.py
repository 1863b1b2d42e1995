"""The same questions to every server there is, so that ours is not judged by ourselves alone."""

import io
import json
import os
import tarfile
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


def upload(*parts: tuple[str, bytes | None]) -> list[tuple[str, tuple[str, bytes, str]]]:
    """Multipart parts: names with bytes are files, those with None directories."""
    return [
        (
            "file",
            (name, data or b"", "application/x-directory" if data is None else "application/octet-stream"),
        )
        for name, data in parts
    ]


TREE = upload(
    ("d", None), ("d/z", None), ("d/a.txt", b"alpha"), ("d/e", None), ("d/z/.hidden", b"h"), ("d/b c", b"")
)

# Every server must come to these, so each is held to the others.
TREE_ROOT = "QmRAaoJWXwQZhJoPo9oa4MT6nV5zz33YjpacFdd5r9SGoZ"
V1_ROOT = "bafybeifu3tqn6iwuhob6jczv6beh5kknzfgighmob77ks4rg3vmu4cywpi"
SHARDED_ROOT = "QmUXpG7WC49Bxk5KdHFPhCy5uzPQHRQPTyr3iRL5aEHuw8"


def named(answer: httpx.Response) -> list[tuple[object, object, object]]:
    return [(line["Name"], line["Hash"], line["Size"]) for line in lines(answer)]


@pytest.fixture
def root(rpc: httpx.Client) -> str:
    return str(named(rpc.post("/add", files=TREE))[-1][1])


def test_directories_get_the_names_and_order_of_kubo(rpc: httpx.Client) -> None:
    added = named(rpc.post("/add", files=TREE))
    assert [name for name, _, _ in added] == ["d/a.txt", "d/z/.hidden", "d/b c", "d/e", "d/z", "d"]
    cids = {name: (cid, size) for name, cid, size in added}
    assert cids["d/a.txt"][0] == cid_of(b"alpha")
    assert cids["d/e"] == ("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", "4")
    assert cids["d"] == (TREE_ROOT, "267")
    assert rpc.post(f"/pin/ls?arg={TREE_ROOT}").json()["Keys"][TREE_ROOT]["Type"] == "recursive"


def test_directories_need_no_part_of_their_own(rpc: httpx.Client) -> None:
    files = upload(("d/a.txt", b"alpha"), ("d/z/.hidden", b"h"), ("other", b"o"))
    assert [name for name, _, _ in named(rpc.post("/add", files=files))] == [
        "d/a.txt", "d/z/.hidden", "d/z", "d", "other",
    ]  # fmt: skip
    up = named(rpc.post("/add", files=upload(("../d/./x/../a", b"1"))))
    assert [name for name, _, _ in up] == ["d/a", "d"]


def test_wrapping(rpc: httpx.Client) -> None:
    files = upload(("a.txt", b"alpha"), ("d/b", b"beta"))
    added = named(rpc.post("/add?wrap-with-directory=true", files=files))
    assert [name for name, _, _ in added] == ["a.txt", "d/b", "d", ""]
    root = added[-1][1]
    assert rpc.post(f"/cat?arg={root}/d/b").content == b"beta"
    assert rpc.post(f"/pin/ls?arg={added[0][1]}&type=indirect").json()["Keys"]


@pytest.mark.parametrize("options", ["", "&wrap-with-directory=true"])
def test_directories_with_cid_version_1(rpc: httpx.Client, options: str) -> None:
    files = upload(("d/a.txt", b"alpha"), ("d/z/big", bytes(300_000)))
    added = named(rpc.post(f"/add?cid-version=1{options}", files=files))
    cids = {name: cid for name, cid, _ in added}
    assert cids["d/z/big"] == cid_v1_of(bytes(300_000))
    assert cids["d"] == V1_ROOT
    assert rpc.post(f"/cat?arg={added[-1][1]}{'/d' if options else ''}/a.txt").content == b"alpha"


def test_a_directory_of_many_entries_is_sharded(rpc: httpx.Client) -> None:
    files = upload(*((f"big/{number:0100d}", b"") for number in range(2100)))
    root = named(rpc.post("/add", files=files))[-1]
    assert root[1] == SHARDED_ROOT
    names = [link["Name"] for link in rpc.post(f"/ls?arg={root[1]}").json()["Objects"][0]["Links"]]
    assert sorted(names) == [f"{number:0100d}" for number in range(2100)]
    assert rpc.post(f"/cat?arg={root[1]}/{7:0100d}").status_code == 200


def test_paths_with_offset_and_length(rpc: httpx.Client, root: str) -> None:
    assert rpc.post(f"/cat?arg=/ipfs/{root}/a.txt&offset=1&length=3").content == b"lph"
    assert rpc.post(f"/cat?arg={root}/z/.hidden").content == b"h"
    assert rpc.post("/cat", params={"arg": f"{root}/b c"}).content == b""


def test_ls(rpc: httpx.Client, root: str) -> None:
    links = {"a.txt": (2, 5), "b c": (2, 0), "e": (1, 0), "z": (1, 0)}
    (found,) = rpc.post(f"/ls?arg={root}").json()["Objects"]
    assert found["Hash"] == root
    assert {link["Name"]: (link["Type"], link["Size"]) for link in found["Links"]} == links
    assert [link["Name"] for link in found["Links"]] == sorted(links)
    assert found["Links"][0] == {
        "Name": "a.txt", "Hash": cid_of(b"alpha"), "Size": 5, "Type": 2, "Target": "",
        "Mode": 0, "ModTime": "0001-01-01T00:00:00Z",
    }  # fmt: skip
    (below,) = rpc.post(f"/ls?arg={root}/z").json()["Objects"]
    assert [link["Name"] for link in below["Links"]] == [".hidden"]
    assert rpc.post(f"/ls?arg={cid_of(b'alpha')}").status_code in (200, 500)


def test_get_is_a_tar(rpc: httpx.Client, root: str) -> None:
    answer = rpc.post(f"/get?arg={root}")
    assert answer.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]
        assert [m.name for m in archive if m.isdir()] == [root, f"{root}/e", f"{root}/z"]
    assert files == {f"{root}/a.txt": b"alpha", f"{root}/b c": b"", f"{root}/z/.hidden": b"h"}
    with tarfile.open(fileobj=io.BytesIO(rpc.post(f"/get?arg={root}/a.txt").content)) as archive:
        assert archive.getnames() == ["a.txt"]


def test_blocks_and_nodes(rpc: httpx.Client, root: str) -> None:
    block = rpc.post(f"/block/get?arg={root}/a.txt").content
    assert block == b"\x0a\x0b\x08\x02\x12\x05alpha\x18\x05"
    assert rpc.post(f"/block/stat?arg={root}/a.txt").json() == {"Key": cid_of(b"alpha"), "Size": len(block)}
    node = rpc.post(f"/dag/get?arg={root}").json()
    assert node["Data"] == {"/": {"bytes": "CAE"}}
    assert node["Links"][0] == {"Hash": {"/": cid_of(b"alpha")}, "Name": "a.txt", "Tsize": 13}
    rpc.post("/add?cid-version=1", files={"file": b"raw"})
    assert rpc.post(f"/dag/get?arg={cid_v1_of(b'raw')}").json() == {"/": {"bytes": "cmF3"}}


def test_refs(rpc: httpx.Client, root: str) -> None:
    two = named(rpc.post("/add", files=upload(("t/a", b"same"), ("t/b", b"same"), ("t/s/c", b"same"))))
    top, below, same = two[-1][1], two[-2][1], cid_of(b"same")

    def refs(options: str = "") -> list[object]:
        answer = lines(rpc.post(f"/refs?arg={top}{options}"))
        assert all(line["Err"] == "" for line in answer)
        return [line["Ref"] for line in answer]

    assert refs() == [same, same, below]
    assert refs("&unique=true") == [same, below]
    assert refs("&recursive=true") == [same, same, below, same]
    assert refs("&recursive=true&unique=true") == [same, below]
    assert refs("&recursive=true&max-depth=1") == [same, same, below]
    assert refs("&edges=true&unique=true") == [f"{top} -> {same}", f"{top} -> {below}"]
    assert refs("&format=<linkname>") == ["a", "b", "s"]


def test_errors_on_paths(rpc: httpx.Client, root: str) -> None:
    for query, said in (
        (f"cat?arg={root}", "this dag node is a directory"),
        (f"cat?arg={root}/none", f'no link named "none" under {root}'),
        (f"cat?arg={root}/z/none", 'no link named "none" under'),
        (f"ls?arg={root}/none", 'no link named "none"'),
        (f"get?arg={root}/none", 'no link named "none"'),
        (f"refs?arg={root}/none", 'no link named "none"'),
        (f"block/get?arg={cid_of(os.urandom(9))}&offline=true", "could not find"),
    ):
        answer = rpc.post(f"/{query}")
        error = answer.json()
        assert (answer.status_code, error["Code"], error["Type"]) == (500, 0, "error"), query
        assert said in error["Message"]
    for command in ("ls", "get", "refs", "block/get", "dag/get"):
        assert rpc.post(f"/{command}").status_code == 400
