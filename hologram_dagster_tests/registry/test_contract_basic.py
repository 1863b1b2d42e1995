"""Contract section 3.2, as any client would write it: publish, install, use, search, uninstall."""

import hashlib
import json
import uuid
from typing import Any

import pytest

from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster_tests.registry.conftest import HTTP, Kubo, Post, code_of

pytestmark = pytest.mark.phase8_e2e

PUBLISH = {
    field: f"mutation($cid:String!,$name:String!){{ {field}(cid:$cid,name:$name){{ id cid name }} }}"
    for field in ("publishApp", "marketplacePublish", "upsertService")
}
INSTALL = {
    field: f"mutation($name:String!){{ {field}(name:$name){{ name status }} }}"
    for field in ("installApp", "appsInstall", "uninstallApp", "appsUninstall")
}
INSTALL_BY_CID = "mutation($cid:String!){ installByCid(cid:$cid){ name status } }"
SEARCH = "query($q:String!){ searchApps(q:$q){ name cid } }"
RESOLVE = "query($name:String!){ resolve(name:$name){ encoding } }"
UNPUBLISH = "mutation($name:String!){ unpublishApp(name:$name){ name status } }"


@pytest.fixture
def name() -> str:
    return f"demo/app/hello-{uuid.uuid4().hex[:8]}"


def manifest(name: str, **changes: Any) -> bytes:
    fields = {
        "schema": "https://hologram.foundation/schemas/service",
        "name": name,
        "version": "1.0.0",
        "created": 1757843118,
        "entrypoints": {"default": "main"},
        "permissions": ["read:user"],
        "meta": {"kind": "demo", "phase": "8"},
    }
    digest = hashlib.sha256(json.dumps(fields, separators=(",", ":")).encode()).hexdigest()
    return json.dumps({**fields, "sha256": digest, **changes}, indent=2).encode()


@pytest.mark.parametrize("publish", list(PUBLISH))
@pytest.mark.parametrize(
    ("install", "uninstall"), [("installApp", "uninstallApp"), ("appsInstall", "appsUninstall")]
)
def test_publish_install_use_search_uninstall(
    post: Post, kubo: Kubo, name: str, publish: str, install: str, uninstall: str
) -> None:
    data = manifest(name)
    cid = kubo.add(data)
    assert kubo.cat(cid) == data
    assert kubo.add(bytes([data[0] ^ 1]) + data[1:]) != cid

    published = post(PUBLISH[publish], {"cid": cid, "name": name})["data"][publish]
    assert (published["cid"], published["name"]) == (cid, name)
    assert published["id"].startswith("uor:sha256:")

    installed = post(INSTALL[install], {"name": name})["data"][install]
    assert installed == {"name": name, "status": "installed"}

    assert post(RESOLVE, {"name": name})["data"]["resolve"]["encoding"]
    hits = post(SEARCH, {"q": name.partition("-")[0]})["data"]["searchApps"]
    assert {"name": name, "cid": cid} in hits

    gone = post(INSTALL[uninstall], {"name": name})["data"][uninstall]
    assert gone == {"name": name, "status": "uninstalled"}
    assert post(RESOLVE, {"name": name})["data"]["resolve"] is not None


def test_installing_by_cid_installs_the_app_published_with_it(post: Post, kubo: Kubo, name: str) -> None:
    cid = kubo.add(manifest(name))
    assert code_of(post(INSTALL_BY_CID, {"cid": cid})) == "NOT_FOUND"
    post(PUBLISH["publishApp"], {"cid": cid, "name": name})
    installed = post(INSTALL_BY_CID, {"cid": cid})["data"]["installByCid"]
    assert installed == {"name": name, "status": "installed"}
    assert "errors" not in post(INSTALL["uninstallApp"], {"name": name})


def test_content_that_is_no_manifest_may_be_published(post: Post, kubo: Kubo, name: str) -> None:
    cid = kubo.add(b"just bytes \xff")
    assert post(PUBLISH["publishApp"], {"cid": cid, "name": name})["data"]["publishApp"]["cid"] == cid


@pytest.mark.parametrize("publish", list(PUBLISH))
@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"version": "6.6.6"}])
def test_a_manifest_with_a_wrong_digest_is_refused(
    post: Post, kubo: Kubo, name: str, publish: str, change: dict[str, str]
) -> None:
    cid = kubo.add(manifest(name, **change))
    assert code_of(post(PUBLISH[publish], {"cid": cid, "name": name})) == "BAD_MANIFEST"
    assert post(RESOLVE, {"name": name})["data"]["resolve"] is None


def test_what_is_not_there_cannot_be_installed_or_uninstalled(post: Post, kubo: Kubo, name: str) -> None:
    for query in INSTALL.values():
        assert code_of(post(query, {"name": name})) == "NOT_FOUND"
    post(PUBLISH["publishApp"], {"cid": kubo.add(manifest(name)), "name": name})
    assert code_of(post(INSTALL["uninstallApp"], {"name": name})) == "NOT_FOUND"


@pytest.mark.parametrize("cid", ["", "not a cid", "../../etc/passwd", "Qm123", "http://127.0.0.1/", "x" * 64])
def test_what_is_no_cid_is_refused(post: Post, name: str, cid: str) -> None:
    assert code_of(post(PUBLISH["publishApp"], {"cid": cid, "name": name})) == "BAD_REQUEST"


def test_unpublishing_removes_the_name_and_the_pin_and_may_be_repeated(
    post: Post, kubo: Kubo, name: str
) -> None:
    cid = kubo.add(manifest(name))
    post(PUBLISH["publishApp"], {"cid": cid, "name": name})
    post(INSTALL["installApp"], {"name": name})
    for _ in range(2):
        gone = post(UNPUBLISH, {"name": name})["data"]["unpublishApp"]
        assert gone == {"name": name, "status": "unpublished"}
        assert post(RESOLVE, {"name": name})["data"]["resolve"] is None
        assert not kubo.pinned(cid)
    assert name not in [hit["name"] for hit in post(SEARCH, {"q": name})["data"]["searchApps"]]


def test_unpublishing_leaves_the_pin_that_another_name_needs(post: Post, kubo: Kubo, name: str) -> None:
    cid = kubo.add(manifest(name))
    for published in (name, f"{name}-too"):
        post(PUBLISH["publishApp"], {"cid": cid, "name": published})
    post(UNPUBLISH, {"name": name})
    assert kubo.pinned(cid)
    post(UNPUBLISH, {"name": f"{name}-too"})
    assert not kubo.pinned(cid)


def test_publishing_pins_what_the_client_did_not(post: Post, kubo: Kubo, node: IpfsNode, name: str) -> None:
    cid = kubo.add(manifest(name))
    HTTP.post(f"{node.api_url}/api/v0/pin/rm", params={"arg": cid}).raise_for_status()
    assert not kubo.pinned(cid)
    post(PUBLISH["publishApp"], {"cid": cid, "name": name})
    assert kubo.pinned(cid)
