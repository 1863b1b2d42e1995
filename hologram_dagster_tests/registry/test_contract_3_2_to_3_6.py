"""Contract sections 3.2 to 3.6: each sequence of calls a client makes, in the contract's words and order.

One test a sequence, each over HTTP against the real process and a real node, over SQLite and over
PostgreSQL, as clients of today make it. The corners of each section have modules of their own
(`test_contract_*`, `test_contents`).
"""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urljoin

import pytest

from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster_tests.postgres import POSTGRESQL, running_postgres
from hologram_dagster_tests.registry.conftest import ADMIN, HTTP, Kubo, Post, code_of, write_tokens
from hologram_dagster_tests.registry.test_contents import AT, BY_ID, DELETE, SEARCH, STATS, STORE, UPDATE
from hologram_dagster_tests.registry.test_contents import RESOLVE as RESOLVE_CONTENT
from hologram_dagster_tests.registry.test_contract_basic import manifest
from hologram_dagster_tests.registry.test_subscriptions import first_event

pytestmark = [pytest.mark.phase5_graphql, pytest.mark.phase8_e2e]


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL])
def registry(
    request: pytest.FixtureRequest, node: IpfsNode, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RegistryProcess]:
    folder = tmp_path_factory.mktemp("contract")
    tokens = write_tokens(folder / "tokens.json", mutations_need_token=False)
    with ExitStack() as running:
        database = None
        if request.param == "postgresql":
            database = running.enter_context(running_postgres(tmp_path_factory.mktemp("postgres")))
        yield running.enter_context(
            RegistryProcess.start(folder, ipfs_api=node.api_url, tokens=tokens, database=database)
        )


def first_that_works(post: Post, mutations: tuple[str, ...], variables: dict[str, str]) -> dict[str, Any]:
    """As the contract's clients do: one mutation after the other, until one answers."""
    for mutation in mutations:
        body = post(mutation, variables)
        if "errors" not in body:
            (answer,) = body["data"].values()
            return dict(answer)
    raise AssertionError(f"none of {mutations} works")


def test_section_3_2_publish_install_use(post: Post, kubo: Kubo) -> None:
    name = f"demo/app/hello-{uuid.uuid4().hex[:8]}"
    data = manifest(name)
    fields = json.loads(data)
    claimed = fields.pop("sha256")
    assert hashlib.sha256(json.dumps(fields, separators=(",", ":")).encode()).hexdigest() == claimed

    cid = kubo.add(data)
    assert kubo.cat(cid) == data
    assert kubo.add(bytes([data[0] ^ 1]) + data[1:]) != cid

    publish = tuple(
        f"mutation P($cid:String!,$name:String!){{ {field}(cid:$cid,name:$name){{ id cid name }} }}"
        for field in ("publishApp", "marketplacePublish", "upsertService")
    )
    assert first_that_works(post, publish, {"cid": cid, "name": name})["cid"] == cid

    install = (
        "mutation I($name:String!){ installApp(name:$name){ name status } }",
        "mutation I($name:String!){ appsInstall(name:$name){ name status } }",
    )
    assert first_that_works(post, install, {"name": name})["status"]
    by_cid = "mutation I($cid:String!){ installByCid(cid:$cid){ name status } }"
    assert first_that_works(post, (by_cid,), {"cid": cid})["name"] == name

    use = post("query R($name:String!){ resolve(name:$name){ encoding } }", {"name": name})
    assert use["data"]["resolve"]["encoding"]
    search = post("query S($q:String!){ searchApps(q:$q){ name cid } }", {"q": name.split("-")[0]})
    assert {"name": name, "cid": cid} in search["data"]["searchApps"]

    uninstall = (
        "mutation U($name:String!){ uninstallApp(name:$name){ name status } }",
        "mutation U($name:String!){ appsUninstall(name:$name){ name status } }",
    )
    assert first_that_works(post, uninstall, {"name": name})["name"] == name


def test_section_3_3_strict(post: Post, kubo: Kubo) -> None:
    unique, epoch = uuid.uuid4().hex[:8], int(time.time())
    name = f"docs/strict-{unique}"
    content = f"Strict E2E demo {unique} @ {epoch}\n".encode()
    cid = kubo.add(content)
    strict = {
        "name": name,
        "kind": "document",
        "mime": "text/plain",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "cid": cid,
        "version": 1,
        "ts": epoch,
    }
    data = json.dumps(strict, sort_keys=True, separators=(",", ":")).encode()
    manifest_cid = kubo.add(data)
    assert manifest_cid != cid
    published = post(
        """
        mutation($name:String!,$cid:String!,$manifestCid:String!,$sha256:String!){
          publishApp(name:$name,cid:$cid,manifestCid:$manifestCid,sha256:$sha256){ ok name cid manifestCid }
        }""",
        {
            "name": name,
            "cid": cid,
            "manifestCid": manifest_cid,
            "sha256": hashlib.sha256(data).hexdigest(),
        },
    )["data"]["publishApp"]
    assert published == {"ok": True, "name": name, "cid": cid, "manifestCid": manifest_cid}

    resolve = """
    query($name:String!){
      resolve(name:$name){ name cid manifestCid encoding proofs{ merkleRoot witnesses } }
    }"""
    first = post(resolve, {"name": name})["data"]["resolve"]
    assert (first["name"], first["cid"], first["manifestCid"]) == (name, cid, manifest_cid)
    assert first["encoding"]
    assert first["proofs"]["merkleRoot"]
    assert first["proofs"]["witnesses"]
    assert kubo.add(data.replace(b'"version":1', b'"version":2')) != manifest_cid
    second = post(resolve, {"name": name})["data"]["resolve"]
    assert (second["cid"], second["encoding"]) == (cid, first["encoding"])


def test_section_3_4_first_dialect(post: Post) -> None:
    seed = "mutation($name:String!,$content:String!){ upsertObject(name:$name,content:$content){ name } }"
    name, secure = "demo/object/alpha", "secure/object/admin-only"
    assert post(seed, {"name": name, "content": "Hello Hologram"})["data"]["upsertObject"]["name"] == name
    post(seed, {"name": secure, "content": "Hello Hologram"}, ADMIN)

    resolve = "query($n:String!){ resolve(name:$n){ encoding proofChain{ layer hash valid } } }"
    found = post(resolve, {"n": name})["data"]["resolve"]
    inverse = "query($e:String!){ inverseResolve(encoding:$e){ name } }"
    assert post(inverse, {"e": found["encoding"]})["data"]["inverseResolve"]["name"] == name
    assert found["proofChain"]
    assert all(layer["valid"] for layer in found["proofChain"])

    verify = "query($n:String!,$h:String!){ verifyProof(name:$n,tamperedHash:$h){ valid } }"
    last = found["proofChain"][-1]["hash"]
    tampered = last[:-1] + ("0" if last[-1] != "0" else "1")
    assert post(verify, {"n": name, "h": last})["data"]["verifyProof"]["valid"] is True
    assert post(verify, {"n": name, "h": tampered})["data"]["verifyProof"]["valid"] is False
    for unknown in ("does/not/exist/", "security/does/not/exist"):
        assert post(resolve, {"n": unknown})["data"]["resolve"] is None
    assert code_of(post(resolve, {"n": secure})) == "UNAUTHENTICATED"
    assert post(resolve, {"n": secure}, ADMIN)["data"]["resolve"]["encoding"]


def test_section_3_5_second_dialect(post: Post, registry: RegistryProcess) -> None:
    health = HTTP.get(urljoin(registry.url, "/health")).json()
    assert health.keys() == {"status", "timestamp", "service"}
    assert health["service"] == "hologram-graphql"

    name = f"docs/strict-{uuid.uuid4().hex[:8]}"
    stored = post(STORE, {"n": name, "d": "Hello", "m": "text/plain"})["data"]["storeContent"]
    assert (stored["name"], stored["data"]) == (name, "Hello")
    assert stored["witness"]["isValid"] is True

    first = post(RESOLVE_CONTENT, {"n": name})["data"]["resolveContent"]
    assert post(RESOLVE_CONTENT, {"n": name})["data"]["resolveContent"]["id"] == first["id"] == stored["id"]
    assert post(BY_ID, {"i": stored["id"]})["data"]["resolveByUORID"]["name"] == name
    atlas = stored["metadata"]["atlas12288"]
    there = post(AT, {"p": atlas["page"], "c": atlas["cycle"]})["data"]["resolveByCoordinates"]
    assert there["metadata"]["atlas12288"].items() >= {("page", atlas["page"]), ("cycle", atlas["cycle"])}

    stats = post(STATS)["data"]["resolutionStats"]
    assert stats["totalContent"] >= 1
    assert stats["totalResolutions"] >= 4
    assert stats["averageResolutionTime"] > 0
    hits = post(SEARCH, {"m": "text/plain", "r": atlas["r96Class"], "l": 100})["data"]["searchContent"]
    assert {"id": stored["id"], "name": name} in hits

    updated = post(UPDATE, {"i": stored["id"], "d": "Hello again"})["data"]["updateContent"]
    assert (updated["name"], updated["data"]) == (name, "Hello again")
    event = asyncio.run(
        first_event(
            registry,
            "subscription { contentResolved { content { name data } resolutionTime method } }",
            lambda: post(RESOLVE_CONTENT, {"n": name}),
        )
    )
    assert event["contentResolved"]["content"] == {"name": name, "data": "Hello again"}
    assert post(DELETE, {"i": updated["id"]})["data"]["deleteContent"] is True
    assert post(RESOLVE_CONTENT, {"n": name})["data"]["resolveContent"] is None

    metrics = HTTP.get(urljoin(registry.url, "/metrics")).json()
    assert metrics.keys() == {
        "totalRequests",
        "averageResponseTime",
        "conservationViolations",
        "bijectionIntegrity",
        # Beyond the contract.
        "nonces",
    }
    assert metrics["totalRequests"] > 0


def test_section_3_6_ipfs(node: IpfsNode, kubo: Kubo) -> None:
    api = f"{node.api_url}/api/v0"
    assert HTTP.post(f"{api}/version").json()["Version"]
    cid = kubo.add(uuid.uuid4().bytes)
    assert cid.startswith("Qm")
    assert kubo.pinned(cid)
    assert HTTP.get(f"{api}/pin/ls", params={"arg": cid}).status_code == 405
    assert len(kubo.cat(cid)) == 16
