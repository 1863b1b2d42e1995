"""Contract section 3.3, as any client would write it: the strict form, and what it refuses."""

import hashlib
import json
import time
import uuid
from typing import Any

import pytest

from hologram_dagster_tests.registry.conftest import Kubo, Post, code_of
from hologram_dagster_tests.registry.test_contract_basic import UNPUBLISH

pytestmark = [pytest.mark.phase8_e2e, pytest.mark.strict]

PUBLISH = """
mutation($name:String!,$cid:String!,$manifestCid:String!,$sha256:String!){
  publishApp(name:$name,cid:$cid,manifestCid:$manifestCid,sha256:$sha256){ ok name cid manifestCid }
}"""
RESOLVE = """
query($name:String!){
  resolve(name:$name){ name cid manifestCid encoding proofs{ merkleRoot witnesses } }
}"""


class Content:
    """What one strict run publishes; `changes` go into the manifest."""

    def __init__(self, kubo: Kubo, **changes: Any) -> None:
        unique = uuid.uuid4().hex[:8]
        epoch = int(time.time())
        self.name = f"docs/strict-{unique}"
        data = f"Strict E2E demo {unique} @ {epoch}\n".encode()
        self.cid = kubo.add(data)
        manifest = {
            "name": self.name,
            "kind": "document",
            "mime": "text/plain",
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "cid": self.cid,
            "version": 1,
            "ts": epoch,
            **changes,
        }
        self.manifest = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
        self.manifest_cid = kubo.add(self.manifest)
        self.sha256 = hashlib.sha256(self.manifest).hexdigest()

    def variables(self, **changes: str) -> dict[str, str]:
        own = {"name": self.name, "cid": self.cid, "manifestCid": self.manifest_cid, "sha256": self.sha256}
        return {**own, **changes}


def test_publish_and_resolve_twice_the_same(post: Post, kubo: Kubo) -> None:
    content = Content(kubo)
    assert content.manifest_cid != content.cid
    assert kubo.add(content.manifest.replace(b'"version":1', b'"version":2')) != content.manifest_cid

    published = post(PUBLISH, content.variables())["data"]["publishApp"]
    expected = {"name": content.name, "cid": content.cid, "manifestCid": content.manifest_cid}
    assert published == {"ok": True, **expected}

    resolved = post(RESOLVE, {"name": content.name})["data"]["resolve"]
    assert expected.items() <= resolved.items()
    assert resolved["encoding"]
    assert resolved["proofs"]["merkleRoot"]
    assert resolved["proofs"]["witnesses"]
    assert post(RESOLVE, {"name": content.name})["data"]["resolve"] == resolved

    assert kubo.pinned(content.manifest_cid)
    post(UNPUBLISH, {"name": content.name})
    assert not kubo.pinned(content.manifest_cid)
    assert not kubo.pinned(content.cid)


@pytest.mark.parametrize(
    "change", [{"size": 1}, {"sha256": "0" * 64}, {"cid": "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"}]
)
def test_a_manifest_of_other_content_is_refused(post: Post, kubo: Kubo, change: dict[str, Any]) -> None:
    content = Content(kubo, **change)
    body = post(PUBLISH, content.variables())
    assert code_of(body) == "BAD_MANIFEST"
    assert next(iter(change)) in body["errors"][0]["message"]
    assert post(RESOLVE, {"name": content.name})["data"]["resolve"] is None


def test_the_contents_digest_in_place_of_the_manifests_is_refused(post: Post, kubo: Kubo) -> None:
    content = Content(kubo)
    contents = json.loads(content.manifest)["sha256"]
    assert code_of(post(PUBLISH, content.variables(sha256=contents))) == "BAD_MANIFEST"


def test_a_tampered_manifest_is_refused(post: Post, kubo: Kubo) -> None:
    content = Content(kubo)
    tampered = kubo.add(content.manifest + b" ")
    assert code_of(post(PUBLISH, content.variables(manifestCid=tampered))) == "BAD_MANIFEST"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sha256": "xyz"}, "BAD_REQUEST"),
        ({"manifestCid": "nonsense"}, "BAD_REQUEST"),
        ({"name": "docs/../etc"}, "BAD_REQUEST"),
        ({"name": "docs/\u202egnp.exe"}, "BAD_REQUEST"),
        ({"name": "docs/\ud800"}, "BAD_REQUEST"),
    ],
)
def test_malformed_arguments_are_refused(post: Post, kubo: Kubo, change: dict[str, str], code: str) -> None:
    assert code_of(post(PUBLISH, Content(kubo).variables(**change))) == code


def test_content_cannot_be_its_own_manifest(post: Post, kubo: Kubo) -> None:
    content = Content(kubo)
    assert code_of(post(PUBLISH, content.variables(manifestCid=content.cid))) == "BAD_MANIFEST"


def test_the_digest_needs_its_manifest(post: Post, kubo: Kubo) -> None:
    content = Content(kubo)
    query = "mutation($n:String!,$c:String!,$s:String!){ publishApp(name:$n,cid:$c,sha256:$s){ ok } }"
    variables = {"n": content.name, "c": content.cid, "s": content.sha256}
    assert code_of(post(query, variables)) == "BAD_REQUEST"
