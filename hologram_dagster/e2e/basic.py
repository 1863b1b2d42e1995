"""Publish, install, use: the basic end-to-end run (contract section 3.2), a part an asset.

Nothing raises for what it observes: each step is a finding, named as its event, and what
could not be done after a failed step is recorded as skipped.
"""

import hashlib
import json
import secrets

from hologram_dagster.e2e.manifests import demo_manifest, embedded_digest, flipped
from hologram_dagster.e2e.services import Services, StepFailed, Steps, require
from hologram_dagster.e2e.variants import Variant, first_that_works
from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.cids import cid_of
from hologram_dagster.observation import Observation

METHOD = "1"
_PUBLISH = tuple(
    Variant(name, ("cid", "name"), "id cid name")
    for name in ("publishApp", "marketplacePublish", "upsertService")
)
_INSTALL = (
    Variant("installApp", ("name",), "name status"),
    Variant("installByCid", ("cid",), "name status"),
    Variant("appsInstall", ("name",), "name status"),
)
_UNINSTALL = tuple(Variant(name, ("name",), "name status") for name in ("uninstallApp", "appsUninstall"))
# Not in the contract, which cannot take a name back: the reference registry's own.
_UNPUBLISH = Variant("unpublishApp", ("name",), "name status")
_NOT_PUBLISHED = "e2e_publish of this run published nothing"


def publish(services: Services, *, app_name: str) -> Observation:
    """Steps 1 and 2: a manifest to IPFS, then to the registry as `{app_name}-{8 hex}`."""
    steps, name = Steps(), f"{app_name}-{secrets.token_hex(4)}"
    manifest = demo_manifest(name)
    facts = {"name": name, "sha256": hashlib.sha256(manifest).hexdigest()}
    with steps.step("ipfs_publish"):
        facts["cid"] = _add_checked(services, manifest)
        services.events.write("ipfs_publish", cid=facts["cid"], name=name)
    if steps.broken:
        for skipped in ("ipfs_publish_tampered", "marketplace_publish"):
            steps.skip(skipped, "ipfs_publish failed")
        return steps.observation("e2e_publish", METHOD, facts)
    with steps.step("ipfs_publish_tampered"):
        other = services.ipfs.add(flipped(manifest), "demo.manifest.json")
        services.ipfs.pin_rm(other)
        require(other != facts["cid"], f"a manifest with a flipped bit has the same CID {other}")
        services.events.write("ipfs_publish_tampered", cid=other)
    with steps.step("marketplace_publish"):
        services.events.write("marketplace_prepare", cid=facts["cid"], name=name)
        done = first_that_works(services.registry, _PUBLISH, {"cid": facts["cid"], "name": name})
        facts["variant"] = done.variant
        services.events.write("marketplace_publish", variant=done.variant, resp=done.answer)
        for field, published in (("cid", facts["cid"]), ("name", name)):
            answered = done.result.get(field)
            require(
                answered == published,
                f"{done.variant} answered {field} {answered}, published was {published}",
            )
        services.events.write("publish", cid=facts["cid"], name=name)
    return steps.observation("e2e_publish", METHOD, facts)


def _add_checked(services: Services, manifest: bytes) -> str:
    content = json.loads(manifest)
    require(content["sha256"] == embedded_digest(content), "the manifest's embedded sha256 is wrong")
    cid = services.ipfs.add(manifest, "demo.manifest.json")
    require(cid == cid_of(manifest), f"the node named the manifest {cid}, its bytes are {cid_of(manifest)}")
    require(services.ipfs.cat(cid) == manifest, f"{cid} reads back as other bytes")
    require(services.ipfs.is_pinned(cid), f"{cid} was added and is not pinned")
    return cid


def install(services: Services, *, name: str, cid: str) -> Observation:
    """Step 3: install what `publish` published."""
    steps, facts = Steps(), {"name": name, "cid": cid}
    if not name or not cid:
        steps.skip("marketplace_install", _NOT_PUBLISHED)
        services.events.write("marketplace_install_skipped", reason=_NOT_PUBLISHED)
        return steps.observation("e2e_install", METHOD, {})
    with steps.step("marketplace_install"):
        try:
            done = first_that_works(services.registry, _INSTALL, {"cid": cid, "name": name})
        except StepFailed as failure:
            services.events.write("marketplace_install_skipped", reason=str(failure))
            raise
        facts["variant"] = done.variant
        services.events.write("marketplace_install", variant=done.variant, resp=done.answer)
        answered = done.result.get("name")
        require(answered == name, f"{done.variant} installed {answered} instead of {name}")
        services.events.write("install", cid=cid, name=name, variant=done.variant)
    return steps.observation("e2e_install", METHOD, facts)


def use(services: Services, *, name: str, cid: str, sha256: str) -> Observation:
    """Steps 4 to 6: resolve, search, uninstall; then remove what the run made.

    `sha256` (hex) is the digest of the published bytes, which are read again.
    """
    steps, facts = Steps(), {"name": name, "cid": cid}
    if not name or not cid:
        for skipped in ("resolve", "search", "uninstall"):
            steps.skip(skipped, _NOT_PUBLISHED)
        services.events.write("search_skipped", reason=_NOT_PUBLISHED)
        services.events.write("uninstall_skipped", reason=_NOT_PUBLISHED)
        return steps.observation("e2e_use", METHOD, {})
    with steps.step("resolve"):
        facts["encoding"] = _resolve(services, name, cid, sha256)
    with steps.step("search"):
        _search(services, name)
    with steps.step("uninstall"):
        _uninstall(services, name)
    with steps.step("removal"):
        remove(services, name, [cid])
    if not steps.broken:
        services.events.write("use", cid=cid, name=name)
    return steps.observation("e2e_use", METHOD, facts)


def _resolve(services: Services, name: str, cid: str, sha256: str) -> str:
    query = "query($name: String!) { resolve(name: $name) { encoding } }"
    answer = services.registry.execute(query, {"name": name})
    services.events.write("resolve", resp=answer)
    encoding = (answer.get("resolve") or {}).get("encoding")
    require(isinstance(encoding, str) and bool(encoding), f"{name} resolves to no encoding")
    named = _named_cid(services, name)
    require(named in (None, cid), f"{name} names {named} now, published was {cid}")
    seen = hashlib.sha256(services.ipfs.cat(cid)).hexdigest()
    require(seen == sha256, f"the bytes of {cid} have sha256 {seen}, published were {sha256}")
    return str(encoding)


def _named_cid(services: Services, name: str) -> str | None:
    """The CID that `name` names; None where the registry's `resolve` does not offer it."""
    query = "query($name: String!) { resolve(name: $name) { cid } }"
    try:
        answer = services.registry.execute(query, {"name": name})
    except HologramError as error:
        if "Cannot query field" in str(error):
            return None
        raise
    return str((answer.get("resolve") or {}).get("cid"))


def _search(services: Services, name: str) -> None:
    query = "query($q: String!) { searchApps(q: $q) { name cid } }"
    try:
        answer = services.registry.execute(query, {"q": name.partition("-")[0]})
    except HologramError as error:
        services.events.write("search_skipped", reason=str(error))
        raise
    services.events.write("search", resp=answer)
    found = [app.get("name") for app in answer.get("searchApps") or []]
    require(name in found, f"{name} is not among the {len(found)} apps found")


def _uninstall(services: Services, name: str) -> None:
    try:
        done = first_that_works(services.registry, _UNINSTALL, {"name": name})
    except StepFailed as failure:
        services.events.write("uninstall_skipped", reason=str(failure))
        raise
    services.events.write("uninstall", variant=done.variant, resp=done.answer)


def remove(services: Services, name: str, cids: list[str]) -> None:
    """Take `name` back where the registry can, and unpin `cids`.

    Raises:
        StepFailed: something is left.
    """
    try:
        first_that_works(services.registry, [_UNPUBLISH], {"name": name})
    except StepFailed as failure:
        # Other registries keep the name; the contract knows no way to remove it.
        if "schema does not have it" not in str(failure):
            raise
    left = []
    for cid in cids:
        try:
            if services.ipfs.is_pinned(cid):
                services.ipfs.pin_rm(cid)
        except HologramError as error:
            left.append(f"{cid}: {error}")
    require(not left, f"still pinned: {'; '.join(left)}")
