"""The second dialect: what is stored is found every way there is, and what was altered is told."""

import hashlib
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from sqlalchemy import text

from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.protocol.klein import lattice_index, window
from hologram_dagster.registry import contents, proofs
from hologram_dagster.registry.names import is_protected
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.registry.store import Content, Filters, Store, matching
from hologram_dagster_tests.postgres import POSTGRESQL, running_postgres
from hologram_dagster_tests.registry.conftest import (
    ADMIN,
    HTTP,
    PUBLISHER,
    READER,
    Kubo,
    Post,
    code_of,
    poster,
)

pytestmark = pytest.mark.phase5_graphql

WHOLE = """
id name encoding data
witness {
  id proof verificationTime isValid
  conservationProof {
    pageConservation cycleConservation kleinProbes { windowId result value }
    r96Classification { inputClass outputClass compressionRatio isValid }
  }
}
metadata {
  createdAt updatedAt size mimeType checksum
  atlas12288 { page cycle r96Class kleinWindow conservationHash }
}
"""
STORE = (
    f"mutation($n:String!,$d:String!,$m:String){{ storeContent(name:$n,data:$d,mimeType:$m){{ {WHOLE} }} }}"
)
UPDATE = f"mutation($i:String!,$d:String!){{ updateContent(id:$i,data:$d){{ {WHOLE} }} }}"
DELETE = "mutation($i:String!){ deleteContent(id:$i) }"
RESOLVE = f"query($n:String!){{ resolveContent(name:$n){{ {WHOLE} }} }}"
BY_ID = f"query($i:String!){{ resolveByUORID(uorId:$i){{ {WHOLE} }} }}"
AT = f"query($p:Int!,$c:Int!){{ resolveByCoordinates(page:$p,cycle:$c){{ {WHOLE} }} }}"
SEARCH = """
query($m:String,$r:Int,$p:Int,$c:Int,$l:Int,$o:Int){
  searchContent(mimeType:$m,r96Class:$r,page:$p,cycle:$c,limit:$l,offset:$o){ id name }
}"""
STATS = """
{ resolutionStats {
  totalContent totalResolutions averageResolutionTime conservationViolations bijectionIntegrity
} }"""


@pytest.fixture
def name() -> str:
    return f"content/{uuid.uuid4().hex}"


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("database")
    if request.param == "sqlite":
        yield f"sqlite:///{folder / 'registry.sqlite'}"
        return
    with running_postgres(folder) as url:
        yield url


@pytest.fixture(scope="module")
def own(node: IpfsNode, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryProcess]:
    """A registry of this module's own, over each kind of database."""
    folder = tmp_path_factory.mktemp("own")
    with RegistryProcess.start(folder, ipfs_api=node.api_url, database=database) as registry:
        yield registry


def untimed(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "witness": {**content["witness"], "verificationTime": None}}


@pytest.mark.parametrize("data", ["Hello Hologram", "", "größe 名前 \U0001f600 \x00\n", "x" * 500_000])
def test_what_is_stored_is_found_every_way_with_its_facts(
    own: RegistryProcess, kubo: Kubo, name: str, data: str
) -> None:
    post = poster(own.url)
    stored = post(STORE, {"n": name, "d": data, "m": "text/plain"})["data"]["storeContent"]
    raw = data.encode()
    digest = hashlib.sha256(raw).digest()
    metadata, atlas, witness = stored["metadata"], stored["metadata"]["atlas12288"], stored["witness"]
    assert (stored["name"], stored["data"], stored["encoding"]) == (name, data, stored["id"])
    assert stored["id"].startswith("uor:sha256:")
    assert (metadata["size"], metadata["mimeType"]) == (len(raw), "text/plain")
    assert metadata["checksum"] == digest.hex()
    assert metadata["createdAt"] == metadata["updatedAt"]
    assert atlas["page"] == int.from_bytes(digest[:4], "big") % 48
    assert atlas["cycle"] == int.from_bytes(digest[4:8], "big") % 256
    assert atlas["r96Class"] == sum(raw) % 96
    assert atlas["kleinWindow"] == int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 192
    assert witness["id"] == f"witness:{witness['proof'][:16]}"
    assert witness["isValid"] is True
    conservation = witness["conservationProof"]
    assert conservation["pageConservation"] is conservation["cycleConservation"] is True
    index = lattice_index(atlas["page"], atlas["cycle"])
    assert conservation["kleinProbes"] == [
        {"windowId": number, "result": True, "value": window(number)(index)} for number in range(10)
    ]
    assert conservation["r96Classification"] == {
        "inputClass": atlas["r96Class"],
        "outputClass": atlas["r96Class"],
        "compressionRatio": 96 / 256,
        "isValid": True,
    }

    found = [
        post(RESOLVE, {"n": name})["data"]["resolveContent"],
        post(BY_ID, {"i": stored["id"]})["data"]["resolveByUORID"],
        post(AT, {"p": atlas["page"], "c": atlas["cycle"]})["data"]["resolveByCoordinates"],
    ]
    assert [untimed(content) for content in found] == [untimed(stored)] * 3
    filters = {"m": "text/plain", "r": atlas["r96Class"], "p": atlas["page"], "c": atlas["cycle"]}
    assert post(SEARCH, filters)["data"]["searchContent"] == [{"id": stored["id"], "name": name}]

    # The first dialect knows it, too: encoding, inverse, proof; and its bytes are in IPFS.
    first = post("query($n:String!){ resolve(name:$n){ encoding cid } }", {"n": name})["data"]["resolve"]
    assert first["encoding"] == stored["id"]
    assert kubo.cat(first["cid"]) == raw
    assert kubo.pinned(first["cid"])
    verify = "query($n:String!,$h:String!){ verifyProof(name:$n,tamperedHash:$h){ valid } }"
    assert post(verify, {"n": name, "h": witness["proof"]})["data"]["verifyProof"]["valid"] is True
    assert post(DELETE, {"i": stored["id"]})["data"]["deleteContent"] is True


def test_updating_keeps_name_and_creation_and_changes_the_id(own: RegistryProcess, name: str) -> None:
    post = poster(own.url)
    stored = post(STORE, {"n": name, "d": "one", "m": "text/x-one"})["data"]["storeContent"]
    updated = post(UPDATE, {"i": stored["id"], "d": "two"})["data"]["updateContent"]
    assert (updated["name"], updated["data"]) == (name, "two")
    assert updated["id"] != stored["id"]
    assert updated["metadata"]["createdAt"] == stored["metadata"]["createdAt"]
    assert updated["metadata"]["updatedAt"] > stored["metadata"]["updatedAt"]
    assert updated["metadata"]["mimeType"] == "text/x-one"
    assert post(BY_ID, {"i": stored["id"]})["data"]["resolveByUORID"] is None
    assert code_of(post(UPDATE, {"i": stored["id"], "d": "three"})) == "NOT_FOUND"
    again = post(STORE, {"n": name, "d": "two"})["data"]["storeContent"]
    assert (again["id"], again["metadata"]["mimeType"]) == (updated["id"], None)
    assert again["metadata"]["createdAt"] == stored["metadata"]["createdAt"]


def test_of_two_updates_of_one_id_one_wins(own: RegistryProcess, name: str) -> None:
    post = poster(own.url)
    stored = post(STORE, {"n": name, "d": "start"})["data"]["storeContent"]
    answers: list[dict[str, Any]] = []
    writers = [
        threading.Thread(
            target=lambda text: answers.append(post(UPDATE, {"i": stored["id"], "d": text})), args=(text,)
        )
        for text in ("a", "b", "c", "d")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done = [answer["data"]["updateContent"] for answer in answers if "errors" not in answer]
    assert len(done) == 1
    assert [code_of(answer) for answer in answers if "errors" in answer] == ["NOT_FOUND"] * 3
    assert post(RESOLVE, {"n": name})["data"]["resolveContent"]["data"] == done[0]["data"]


def test_deleting_removes_name_and_pin_and_may_be_repeated(
    own: RegistryProcess, kubo: Kubo, name: str
) -> None:
    post = poster(own.url)
    stored = post(STORE, {"n": name, "d": name})["data"]["storeContent"]
    cid = post("query($n:String!){ resolve(name:$n){ cid } }", {"n": name})["data"]["resolve"]["cid"]
    assert post(DELETE, {"i": stored["id"]})["data"]["deleteContent"] is True
    assert post(DELETE, {"i": stored["id"]})["data"]["deleteContent"] is False
    assert post(RESOLVE, {"n": name})["data"]["resolveContent"] is None
    assert not kubo.pinned(cid)


def test_a_published_app_is_no_content_and_takes_its_place(
    own: RegistryProcess, kubo: Kubo, name: str
) -> None:
    post = poster(own.url)
    stored = post(STORE, {"n": name, "d": "text"})["data"]["storeContent"]
    publish = "mutation($n:String!,$c:String!){ publishApp(name:$n,cid:$c){ id } }"
    assert "errors" not in post(publish, {"n": name, "c": kubo.add(b"an app")})
    assert post(RESOLVE, {"n": name})["data"]["resolveContent"] is None
    assert post(BY_ID, {"i": stored["id"]})["data"]["resolveByUORID"] is None
    assert post("query($n:String!){ resolve(name:$n){ encoding } }", {"n": name})["data"]["resolve"]


def test_search_pages_through_what_a_filter_finds_newest_first(own: RegistryProcess, name: str) -> None:
    post = poster(own.url)
    mime = f"text/x-{uuid.uuid4().hex}"
    for number in range(7):
        post(STORE, {"n": f"{name}/{number}", "d": str(number), "m": mime})
    pages = [
        [hit["name"] for hit in post(SEARCH, {"m": mime, "l": 3, "o": offset})["data"]["searchContent"]]
        for offset in (0, 3, 6, 9)
    ]
    assert [hit for page in pages for hit in page] == [f"{name}/{number}" for number in range(6, -1, -1)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert post(SEARCH, {"m": mime, "l": 0})["data"]["searchContent"] == []
    assert len(post(SEARCH, {"m": mime, "r": ord("3") % 96})["data"]["searchContent"]) == 1
    for nothing in ("none/such", "", "\ud800", "\x00", "' OR 1=1 --", "%"):
        assert post(SEARCH, {"m": nothing})["data"]["searchContent"] == []


@pytest.mark.parametrize(
    "variables",
    [{"l": -1}, {"l": 101}, {"o": -1}, {"o": 10_001}, {"r": 96}, {"r": -1}, {"p": 48}, {"c": 256}],
)
def test_a_search_for_what_cannot_be_is_refused(post: Post, variables: dict[str, int]) -> None:
    assert code_of(post(SEARCH, variables)) == "BAD_REQUEST"


@pytest.mark.parametrize("variables", [{"p": 48, "c": 0}, {"p": -1, "c": 0}, {"p": 0, "c": 256}])
def test_coordinates_off_the_lattice_are_refused(post: Post, variables: dict[str, int]) -> None:
    assert code_of(post(AT, variables)) == "BAD_REQUEST"


@pytest.mark.parametrize(
    "mime", ["", "text", "text/", "a/b\nc", "text/plain; x=\x00", "t/" + "x" * 200, "<b>/x"]
)
def test_what_is_no_mime_type_is_refused(post: Post, name: str, mime: str) -> None:
    assert code_of(post(STORE, {"n": name, "d": "", "m": mime})) == "BAD_REQUEST"


def test_a_search_of_too_much_text_is_refused(own: RegistryProcess, name: str) -> None:
    post = poster(own.url)
    mime = f"text/x-{uuid.uuid4().hex}"
    for number in range(18):
        assert "errors" not in post(
            STORE, {"n": f"{name}/{number}", "d": f"{number}" + "x" * 1_000_000, "m": mime}
        )
    assert code_of(post(SEARCH, {"m": mime, "l": 18})) == "BAD_REQUEST"
    assert len(post(SEARCH, {"m": mime, "l": 10})["data"]["searchContent"]) == 10
    # Two searches of one request share what one answer may hold.
    one = "searchContent(mimeType:$m,limit:9){ id }"
    twice = f"query($m:String){{ a: {one} b: {one} }}"
    assert code_of(post(twice, {"m": mime})) == "BAD_REQUEST"


def test_protected_contents_are_for_those_with_a_token(post: Post) -> None:
    name, mime = f"secure/{uuid.uuid4().hex}", f"text/x-{uuid.uuid4().hex}"
    variables = {"n": name, "d": name, "m": mime}
    assert code_of(post(STORE, variables)) == "UNAUTHENTICATED"
    assert code_of(post(STORE, variables, PUBLISHER)) == "FORBIDDEN"
    stored = post(STORE, variables, ADMIN)["data"]["storeContent"]
    atlas = stored["metadata"]["atlas12288"]
    at = {"p": atlas["page"], "c": atlas["cycle"]}
    assert code_of(post(RESOLVE, {"n": name})) == "UNAUTHENTICATED"
    assert post(BY_ID, {"i": stored["id"]})["data"]["resolveByUORID"] is None
    assert post(AT, at)["data"]["resolveByCoordinates"] is None
    assert post(SEARCH, {"m": mime})["data"]["searchContent"] == []
    for query, variables in ((RESOLVE, {"n": name}), (BY_ID, {"i": stored["id"]}), (AT, at)):
        (found,) = post(query, variables, READER)["data"].values()
        assert found["name"] == name
    assert post(SEARCH, {"m": mime}, READER)["data"]["searchContent"] == [{"id": stored["id"], "name": name}]
    # Without a token there is no such id; with too small a role it may not be changed.
    assert code_of(post(UPDATE, {"i": stored["id"], "d": ""})) == "NOT_FOUND"
    assert post(DELETE, {"i": stored["id"]})["data"]["deleteContent"] is False
    assert code_of(post(UPDATE, {"i": stored["id"], "d": ""}, READER)) == "FORBIDDEN"
    assert code_of(post(DELETE, {"i": stored["id"]}, PUBLISHER)) == "FORBIDDEN"
    assert post(DELETE, {"i": stored["id"]}, ADMIN)["data"]["deleteContent"] is True


@pytest.mark.parametrize("content_id", ["", "x", "uor:sha256:" + "0" * 64, "\ud800", "' OR 1=1 --", "\x00"])
def test_unknown_ids_are_null(post: Post, content_id: str) -> None:
    assert post(BY_ID, {"i": content_id})["data"]["resolveByUORID"] is None
    assert post(DELETE, {"i": content_id})["data"]["deleteContent"] is False
    assert code_of(post(UPDATE, {"i": content_id, "d": ""})) == "NOT_FOUND"


ALTERATIONS = {
    "data": ("UPDATE contents SET data = X'00' WHERE name = 'a'", "conservation"),
    "text for bytes": ("UPDATE contents SET data = 'text' WHERE name = 'a'", "conservation"),
    "page": ("UPDATE contents SET page = (page + 1) % 48 WHERE name = 'a'", "conservation"),
    "class": ("UPDATE contents SET r96_class = (r96_class + 1) % 96 WHERE name = 'a'", "conservation"),
    "mime type": ("UPDATE contents SET mime_type = 'text/html' WHERE name = 'a'", "conservation"),
    "time": ("UPDATE contents SET created_at = '1999' WHERE name = 'a'", "conservation"),
    "seal": ("UPDATE contents SET seal = '' WHERE name = 'a'", "conservation"),
    "checksum": ("UPDATE names SET sha256 = replace(sha256, '0', '1') WHERE name = 'a'", "conservation"),
    "size": ("UPDATE names SET size = 'large' WHERE name = 'a'", "conservation"),
    "metadata": ("UPDATE names SET atlas = '{}' WHERE name = 'a'", "conservation"),
    "no JSON": ("UPDATE names SET layers = '[' WHERE name = 'a'", "conservation"),
    "other JSON": ("UPDATE names SET layers = '[[1,2],[{},[]]]' WHERE name = 'a'", "conservation"),
    "cid": ("UPDATE names SET cid = 'QmX' WHERE name = 'a'", "conservation"),
    "opened": ("UPDATE names SET protected = 1 WHERE name = 'a'", "conservation"),
    "encoding": ("UPDATE names SET encoding = 'uor:sha256:' WHERE name = 'a'", "bijection"),
}


@pytest.mark.parametrize("altered", list(ALTERATIONS))
def test_a_row_altered_behind_its_back_is_refused_and_counted(
    altering: RegistryProcess, altered: str
) -> None:
    statement, _ = ALTERATIONS[altered]
    post = poster(altering.url)
    stored = post(STORE, {"n": "a", "d": "0123", "m": "text/plain"})["data"]["storeContent"]
    assert "errors" not in post(RESOLVE, {"n": "a"})
    before = post(STATS)["data"]["resolutionStats"]
    with closing(sqlite3.connect(altering.folder / "registry.sqlite")) as raw, raw:
        assert raw.execute(statement).rowcount == 1

    reads = [post(RESOLVE, {"n": "a"}), post(SEARCH)]
    if altered != "encoding":
        reads.append(post(BY_ID, {"i": stored["id"]}))
    for read in reads:
        assert code_of(read) == "TAMPERED"
    after = post(STATS)["data"]["resolutionStats"]
    assert after["conservationViolations"] == before["conservationViolations"] + len(reads)
    assert after["bijectionIntegrity"] < 1
    metrics = HTTP.get(urljoin(altering.url, "/metrics")).json()
    assert metrics["conservationViolations"] == after["conservationViolations"]
    changes = [post('mutation { unpublishApp(name: "a") { status } }')] if "names" in statement else []
    if altered != "encoding":
        changes += [post(UPDATE, {"i": stored["id"], "d": ""}), post(DELETE, {"i": stored["id"]})]
    for change in changes:
        assert code_of(change) == "TAMPERED"
    # It can be repaired: what is stored anew is whole, and nothing of what was altered is believed.
    repaired = post(STORE, {"n": "a", "d": "0123"})["data"]["storeContent"]
    assert repaired["metadata"]["createdAt"] > stored["metadata"]["createdAt"]
    assert "errors" not in post(RESOLVE, {"n": "a"})


@pytest.fixture(scope="module")
def altering(node: IpfsNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryProcess]:
    folder = tmp_path_factory.mktemp("altering")
    with RegistryProcess.start(folder, ipfs_api=node.api_url) as registry:
        yield registry


def test_figures_are_what_was_done(node: IpfsNode, tmp_path: Path) -> None:
    with RegistryProcess.start(tmp_path, ipfs_api=node.api_url) as registry:
        post = poster(registry.url)
        metrics = urljoin(registry.url, "/metrics")
        nothing = {
            "totalRequests": 0,
            "averageResponseTime": 0,
            "conservationViolations": 0,
            "bijectionIntegrity": 1.0,
        }
        before = HTTP.get(metrics).json()
        assert before.pop("nonces")["replayed"] == 0
        assert before == nothing
        post(STORE, {"n": "a", "d": "0"})
        for _ in range(3):
            post(RESOLVE, {"n": "a"})
        post(RESOLVE, {"n": "none"})
        stats = post(STATS)["data"]["resolutionStats"]
        assert (stats["totalContent"], stats["totalResolutions"]) == (1, 3)
        assert stats["averageResolutionTime"] > 0
        assert (stats["conservationViolations"], stats["bijectionIntegrity"]) == (0, 1.0)
        told = HTTP.get(metrics).json()
        assert told["totalRequests"] == 6
        assert told["averageResponseTime"] > 0
        HTTP.post(registry.url, content=b"", headers={"content-type": "application/json"})
        text = HTTP.get(urljoin(registry.url, "/metrics/prometheus"))
        assert text.headers["content-type"].startswith("text/plain")
        lines = text.text.splitlines()
        assert 'hologram_registry_response_seconds_count{status="200"} 6.0' in lines
        assert 'hologram_registry_response_seconds_count{status="400"} 1.0' in lines
        assert 'hologram_registry_resolution_seconds_count{method="name"} 3.0' in lines


def made(number: int) -> Content:
    name, data = f"made/{number}", str(number).encode()
    entry = proofs.entry_for(
        name, data, protected=is_protected(name), app=False, cid="QmX", manifest_cid=None, manifest=None
    )
    time = f"2026-01-01T00:00:{number % 60:02}.000000+00:00"
    return contents.content_for(
        entry, data, mime_type=f"text/x-{number % 20}", created_at=time, updated_at=time
    )


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(mime_type="text/x-7"),
        Filters(r96_class=50),
        Filters(page=3),
        Filters(cycle=3),
        Filters(page=3, cycle=3),
        Filters(mime_type="text/x-7", r96_class=50, page=3, cycle=3),
    ],
)
def test_every_search_goes_by_an_index_and_sorts_nothing_large(database: str, filters: Filters) -> None:
    store = Store(database)
    if store.get("made/0") is None:
        for number in range(300):
            content = made(number)
            store.put(content.entry, content)
    for protected in (False, True):
        statement = matching(filters, protected=protected).limit(10)
        compiled = statement.compile(store._engine, compile_kwargs={"literal_binds": True})
        with store._engine.connect() as connection:
            if store._engine.dialect.name == "sqlite":
                plan = [row[-1] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]
                assert all("USING INDEX ix_contents" in step for step in plan), plan
            else:
                # So few rows would be scanned; forbidden that, the planner shows whether it must.
                connection.execute(text("SET enable_seqscan = off"))
                plan = [row[0] for row in connection.execute(text(f"EXPLAIN {compiled}"))]
                assert any("ix_contents" in step for step in plan), plan
                assert not any("Seq Scan" in step for step in plan), plan
    store.close()
