"""The strict end-to-end run: one way only, no fallbacks (contract section 3.3)."""

import hashlib
import secrets
import time
from dataclasses import dataclass

from hologram_dagster.e2e.content import add_checked, add_tampered
from hologram_dagster.e2e.manifests import strict_manifest
from hologram_dagster.e2e.removal import remove
from hologram_dagster.e2e.services import Services, Steps, dig, require
from hologram_dagster.observation import Observation

METHOD = "1"
_PUBLISH = """
mutation($name: String!, $cid: String!, $manifestCid: String!, $sha256: String!) {
  publishApp(name: $name, cid: $cid, manifestCid: $manifestCid, sha256: $sha256) { ok name cid manifestCid }
}
"""
_RESOLVE = """
query($name: String!) {
  resolve(name: $name) { name cid manifestCid encoding proofs { merkleRoot witnesses } }
}
"""
_STEPS = ("ipfs_add_file", "ipfs_add_manifest", "publishApp", "resolve", "tamper_manifest", "resolve_repeat")


@dataclass(slots=True)
class _Document:
    """What is published, as far as it has got."""

    name: str
    content: bytes
    cid: str = ""
    manifest: bytes = b""
    manifest_cid: str = ""
    encoding: str = ""


def strict(services: Services) -> Observation:
    """Add file and manifest, publish, resolve, tamper, resolve again; each step needs the ones before."""
    steps, mark = Steps(), secrets.token_hex(4)
    content = f"Strict E2E demo {mark} @ {int(time.time())}\n".encode()
    document = _Document(f"docs/strict-{mark}", content)
    actions = (_add_file, _add_manifest, _publish, _resolve, _tamper, _resolve_again)
    for name, action in zip(_STEPS, actions, strict=True):
        if steps.broken:
            steps.skip(name)
            continue
        with steps.step(name):
            action(services, document)
    if document.cid:
        with steps.step("removal") as told:
            cids = [cid for cid in (document.cid, document.manifest_cid) if cid]
            told += filter(None, [remove(services, document.name, cids)])
    facts = {"name": document.name, "cid": document.cid, "manifest_cid": document.manifest_cid}
    return steps.observation("e2e_strict", METHOD, facts)


def _add_file(services: Services, document: _Document) -> None:
    document.cid = add_checked(services, document.content, "demo.txt")
    digest = hashlib.sha256(document.content).hexdigest()
    services.events.write("ipfs_add_file", cid=document.cid, sha256=digest)


def _add_manifest(services: Services, document: _Document) -> None:
    document.manifest = strict_manifest(document.name, document.content, document.cid)
    document.manifest_cid = add_checked(services, document.manifest, "manifest.json")
    digest = hashlib.sha256(document.manifest).hexdigest()
    services.events.write("ipfs_add_manifest", cid=document.manifest_cid, sha256=digest)
    require(document.manifest_cid != document.cid, f"file and manifest have the same CID {document.cid}")


def _publish(services: Services, document: _Document) -> None:
    variables = {
        "name": document.name,
        "cid": document.cid,
        "manifestCid": document.manifest_cid,
        # The manifest's digest, not the content's (contract section 3.3).
        "sha256": hashlib.sha256(document.manifest).hexdigest(),
    }
    data = services.registry.execute(_PUBLISH, variables)
    services.events.write("publishApp", resp={"data": data})
    ok = dig(data, "publishApp", "ok")
    require(ok is True, f"publishApp answered ok = {ok!r}")
    _require_same(dig(data, "publishApp"), document, "publishApp")


def _resolve(services: Services, document: _Document) -> None:
    found = services.registry.execute(_RESOLVE, {"name": document.name}).get("resolve")
    _require_same(found, document, "resolve")
    proofs = dig(found, "proofs")
    for name, value, kind in (
        ("encoding", dig(found, "encoding"), str),
        ("merkleRoot", dig(proofs, "merkleRoot"), str),
        ("witnesses", dig(proofs, "witnesses"), list),
    ):
        require(isinstance(value, kind) and bool(value), f"resolve of {document.name}: {name} is {value!r}")
    document.encoding = dig(found, "encoding")


def _tamper(services: Services, document: _Document) -> None:
    tampered = add_tampered(services, document.manifest, "manifest.json")
    services.events.write("tamper_manifest", original=document.manifest_cid, tampered=tampered)


def _resolve_again(services: Services, document: _Document) -> None:
    found = services.registry.execute(_RESOLVE, {"name": document.name}).get("resolve")
    services.events.write("resolve_repeat", cid=dig(found, "cid"))
    for name, before in (("cid", document.cid), ("encoding", document.encoding)):
        now = dig(found, name)
        require(now == before, f"the second resolve answered {name} {now}, the first {before}")


def _require_same(answered: object, document: _Document, what: str) -> None:
    published = {"name": document.name, "cid": document.cid, "manifestCid": document.manifest_cid}
    for name, value in published.items():
        seen = dig(answered, name)
        require(seen == value, f"{what} answered {name} {seen}, published was {value}")
