"""Publish, install, use: the basic end-to-end run (contract section 3.2), a part an asset.

Nothing raises for what it observes: each step is a finding, named as its event.
"""

import hashlib
import json
import re
import secrets

from hologram_dagster.e2e import naming
from hologram_dagster.e2e.content import add_checked, add_tampered, read_unchanged
from hologram_dagster.e2e.manifests import demo_manifest, embedded_digest
from hologram_dagster.e2e.removal import remove
from hologram_dagster.e2e.services import Services, StepFailed, Steps, dig, require
from hologram_dagster.e2e.variants import Answered, Variant, first_that_works
from hologram_dagster.errors import HologramError
from hologram_dagster.observation import Observation, Status

METHOD = "1"
_FILE = "demo.manifest.json"
_INSTALL = (
    Variant("installApp", ("name",), "name status"),
    Variant("installByCid", ("cid",), "name status"),
    Variant("appsInstall", ("name",), "name status"),
)
_UNINSTALL = tuple(Variant(name, ("name",), "name status") for name in ("uninstallApp", "appsUninstall"))
_SEARCH = "query($q: String!) { searchApps(q: $q) { name cid } }"
_UNDONE = re.compile(r"fail|error|denied|reject|not|missing", re.IGNORECASE)


def publish(services: Services, *, app_name: str) -> Observation:
    """Steps 1 and 2: a manifest to IPFS, then to the registry as `{app_name}-{8 hex}`.

    Facts: `name`, `cid`, `variant`, and `sha256` of the stored bytes. What a failed run made
    is removed at once; that of a good one by `use`.
    """
    steps, name = Steps(), f"{app_name}-{secrets.token_hex(4)}"
    manifest = demo_manifest(name)
    facts = {"name": name, "sha256": hashlib.sha256(manifest).hexdigest()}
    with steps.step("ipfs_publish"):
        content = json.loads(manifest)
        require(content["sha256"] == embedded_digest(content), "the manifest's embedded sha256 is wrong")
        facts["cid"] = add_checked(services, manifest, _FILE)
        services.events.write("ipfs_publish", cid=facts["cid"], name=name)
    if steps.broken:
        for later in ("ipfs_publish_tampered", "marketplace_publish"):
            steps.skip(later)
        # A name that nothing was published under does no harm; a CID would be the next asset's to use.
        return steps.observation("e2e_publish", METHOD, {"name": name})
    with steps.step("ipfs_publish_tampered"):
        tampered = add_tampered(services, manifest, _FILE)
        services.events.write("ipfs_publish_tampered", cid=tampered)
    with steps.step("marketplace_publish") as told:
        facts["variant"] = _publish(services, name, facts["cid"], told)
    if steps.broken:
        with steps.step("removal") as told:
            told += filter(None, [remove(services, name, [facts.pop("cid")])])
    else:
        services.events.write("publish", cid=facts["cid"], name=name)
    return steps.observation("e2e_publish", METHOD, facts)


def _publish(services: Services, name: str, cid: str, told: list[str]) -> str:
    services.events.write("marketplace_prepare", cid=cid, name=name)
    done = naming.publish(services.registry, name, cid)
    told += done.refusals
    services.events.write("marketplace_publish", variant=done.variant, resp={"data": done.data})
    naming.check_published(done, name, cid)
    return done.variant


def install(services: Services, *, name: str, cid: str) -> Observation:
    """Step 3: install what `publish` published; empty `name` or `cid`: it published nothing."""
    steps = Steps()
    facts: dict[str, str] = {}
    with steps.step("marketplace_install") as told:
        try:
            _require_published(name, cid)
            done = first_that_works(services.registry, _INSTALL, {"cid": cid, "name": name})
        except (StepFailed, HologramError) as error:
            services.events.write("marketplace_install_skipped", reason=str(error))
            raise
        told += done.refusals
        services.events.write("marketplace_install", variant=done.variant, resp={"data": done.data})
        _require_done(done, name)
        facts = {"name": name, "cid": cid, "variant": done.variant}
        services.events.write("install", cid=cid, name=name, variant=done.variant)
    return steps.observation("e2e_install", METHOD, facts)


def use(services: Services, *, name: str, cid: str, sha256: str) -> Observation:
    """Steps 4 to 6: resolve and read again, search, uninstall; then remove what the run made.

    `sha256` (hex) is the digest of the published bytes. A step that fails keeps none of the
    others from being tried. Empty `name` or `cid`: `publish` published nothing.
    """
    steps = Steps()
    with steps.step("resolve"):
        _require_published(name, cid)
        _resolve(services, name, cid, sha256)
    if not name or not cid:
        for later in ("search", "uninstall"):
            services.events.write(f"{later}_skipped", reason=steps.skip(later))
        return steps.observation("e2e_use", METHOD, {})
    with steps.step("search"):
        _search(services, name, cid)
    with steps.step("uninstall") as told:
        told += _uninstall(services, name)
    with steps.step("removal") as told:
        told += filter(None, [remove(services, name, [cid])])
    if not any(f.name in ("resolve", "search") for f in steps.findings if f.status is not Status.PASSED):
        services.events.write("use", cid=cid, name=name)
    return steps.observation("e2e_use", METHOD, {"name": name, "cid": cid})


def _require_published(name: str, cid: str) -> None:
    if not name or not cid:
        raise StepFailed("not done: e2e_publish of this run published nothing", Status.ERROR)


def _require_done(done: Answered, name: str) -> None:
    seen, status = done.result.get("name"), done.result.get("status")
    require(seen == name, f"{done.variant} answered name {seen}, asked was {name}")
    good = isinstance(status, str) and bool(status) and not _UNDONE.search(status)
    require(good, f"{done.variant} answered status {status!r}")


def _resolve(services: Services, name: str, cid: str, sha256: str) -> None:
    resolved = naming.resolve(services.registry, name)
    services.events.write("resolve", resp={"data": resolved.data})
    naming.check_resolved(resolved, name, cid)
    read_unchanged(services, cid, sha256)


def _search(services: Services, name: str, cid: str) -> None:
    try:
        data = services.registry.execute(_SEARCH, {"q": name.partition("-")[0]})
    except HologramError as error:
        services.events.write("search_skipped", reason=str(error))
        raise
    services.events.write("search", resp={"data": data})
    found = data.get("searchApps")
    require(isinstance(found, list), f"searchApps answered {found!r}")
    hits = [dig(app, "cid") for app in found or () if dig(app, "name") == name]
    require(bool(hits), f"{name} is not among the {len(found or ())} apps found")
    require(
        hits == [cid], f"searchApps finds {name} with CID {', '.join(map(str, hits))}, published was {cid}"
    )


def _uninstall(services: Services, name: str) -> tuple[str, ...]:
    try:
        done = first_that_works(services.registry, _UNINSTALL, {"name": name})
    except (StepFailed, HologramError) as error:
        services.events.write("uninstall_skipped", reason=str(error))
        raise
    services.events.write("uninstall", variant=done.variant, resp={"data": done.data})
    seen = done.result.get("name")
    require(seen == name, f"{done.variant} answered name {seen}, asked was {name}")
    return done.refusals
