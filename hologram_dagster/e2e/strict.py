"""The strict end-to-end run: one way only, no fallbacks (contract section 3.3)."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any

from hologram_dagster.e2e.basic import remove
from hologram_dagster.e2e.manifests import flipped, strict_manifest
from hologram_dagster.e2e.services import Services, Steps, require
from hologram_dagster.ipfs.cids import cid_of
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


def strict(services: Services) -> Observation:
    """Add file and manifest, publish, resolve twice, tamper; each step needs the one before."""
    steps, mark = Steps(), secrets.token_hex(4)
    content = f"Strict E2E demo {mark} @ {int(time.time())}\n".encode()
    document = _Document(f"docs/strict-{mark}", content)
    actions = (_add_file, _add_manifest, _publish, _resolve, _tamper, _resolve_again)
    for name, action in zip(_STEPS, actions, strict=True):
        if steps.broken:
            steps.skip(name, f"{steps.broken} failed")
            continue
        with steps.step(name):
            action(services, document)
    with steps.step("removal"):
        remove(services, document.name, [cid for cid in (document.cid, document.manifest_cid) if cid])
    facts = {"name": document.name, "cid": document.cid, "manifest_cid": document.manifest_cid}
    return steps.observation("e2e_strict", METHOD, facts)


def _add_file(services: Services, document: _Document) -> None:
    document.cid = _add(services, document.content, "demo.txt")
    digest = hashlib.sha256(document.content).hexdigest()
    services.events.write("ipfs_add_file", cid=document.cid, sha256=digest)


def _add_manifest(services: Services, document: _Document) -> None:
    document.manifest = strict_manifest(document.name, document.content, document.cid)
    document.manifest_cid = _add(services, document.manifest, "manifest.json")
    digest = hashlib.sha256(document.manifest).hexdigest()
    services.events.write("ipfs_add_manifest", cid=document.manifest_cid, sha256=digest)
    require(document.manifest_cid != document.cid, "file and manifest have the same CID")


def _add(services: Services, data: bytes, name: str) -> str:
    cid = services.ipfs.add(data, name)
    require(cid == cid_of(data), f"the node named {name} {cid}, its bytes are {cid_of(data)}")
    require(services.ipfs.cat(cid) == data, f"{cid} reads back as other bytes")
    require(services.ipfs.is_pinned(cid), f"{cid} was added and is not pinned")
    return cid


def _publish(services: Services, document: _Document) -> None:
    variables = {
        "name": document.name,
        "cid": document.cid,
        "manifestCid": document.manifest_cid,
        # The manifest's digest, not the content's (contract section 3.3).
        "sha256": hashlib.sha256(document.manifest).hexdigest(),
    }
    answer = services.registry.execute(_PUBLISH, variables)
    services.events.write("publishApp", resp=answer)
    published = answer.get("publishApp") or {}
    require(published.get("ok") is True, f"publishApp answered ok = {published.get('ok')}")
    _require_same(published, document, "publishApp")


def _resolve(services: Services, document: _Document) -> None:
    _resolved(services, document)


def _resolved(services: Services, document: _Document) -> dict[str, Any]:
    found = services.registry.execute(_RESOLVE, {"name": document.name}).get("resolve") or {}
    _require_same(found, document, "resolve")
    proofs = found.get("proofs") or {}
    for name, value in (
        ("encoding", found.get("encoding")),
        ("merkleRoot", proofs.get("merkleRoot")),
        ("witnesses", proofs.get("witnesses")),
    ):
        require(bool(value), f"resolve of {document.name} has an empty {name}")
    return found


def _require_same(answered: dict[str, Any], document: _Document, what: str) -> None:
    published = {"name": document.name, "cid": document.cid, "manifestCid": document.manifest_cid}
    for name, value in published.items():
        require(
            answered.get(name) == value, f"{what} answered {name} {answered.get(name)}, published was {value}"
        )


def _tamper(services: Services, document: _Document) -> None:
    tampered = services.ipfs.add(flipped(document.manifest), "manifest.json")
    services.ipfs.pin_rm(tampered)
    services.events.write("tamper_manifest", original=document.manifest_cid, tampered=tampered)
    require(tampered != document.manifest_cid, f"a manifest with a flipped bit has the same CID {tampered}")


def _resolve_again(services: Services, document: _Document) -> None:
    first, second = _resolved(services, document), _resolved(services, document)
    services.events.write("resolve_repeat", cid=second.get("cid"))
    require(first == second, "two resolves of one name gave different answers")
