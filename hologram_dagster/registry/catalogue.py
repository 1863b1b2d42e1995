"""What the first dialect does: publish, resolve, install, remove. GraphQL calls it.

Joins the store (rows), IPFS (bytes), proofs and access rules. What does not belong
here: GraphQL and HTTP, the second dialect (`content_catalogue`). Every method raises
`RefusedError` for what it does not do.
"""

import hashlib
import re

from hologram_dagster.registry import manifests, proofs
from hologram_dagster.registry.auth import Access, Caller
from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.integrity import Integrity
from hologram_dagster.registry.names import check_name, fault_of, invisible_in, is_protected
from hologram_dagster.registry.pins import Pins, check_cid
from hologram_dagster.registry.store import Entry, Store

MAX_SEARCH_HITS = 100
MAX_MANIFEST_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


class Catalogue:
    """The names of one registry. Safe to use from several threads."""

    def __init__(self, store: Store, pins: Pins, access: Access, integrity: Integrity) -> None:
        self._store = store
        self._pins = pins
        self._access = access
        self._integrity = integrity

    # Reading: the store alone, never IPFS.

    def resolve(self, caller: Caller, name: str) -> proofs.Checked | None:
        """What `name` names, None when nothing has that name. It may be altered: see `Checked`."""
        self._access.require_read(caller, name)
        if fault_of(name):
            return None
        return self._integrity.entry("name", lambda: self._store.get(name))

    def inverse_resolve(self, caller: Caller, encoding: str) -> Entry | None:
        """What has this encoding; None as well when the caller may not know of it."""
        if not proofs.is_encoding(encoding):
            return None
        found = self._integrity.entry("encoding", lambda: self._store.get_by_encoding(encoding))
        if found is None or not self._access.may_read(caller, found.entry.name):
            return None
        return found.intact()

    def verify_proof(self, caller: Caller, name: str, tampered_hash: str) -> bool:
        """Whether the chain of `name` holds and ends in this hash."""
        found = self.resolve(caller, name)
        return found is not None and proofs.verify(found, tampered_hash)

    def search(self, caller: Caller, part: str) -> list[Entry]:
        """The apps whose name holds `part`, newest first."""
        if invisible_in(part) is not None:
            return []
        protected = caller.role is not None
        with self._integrity.watching():
            found = self._store.search(part, protected=protected, limit=MAX_SEARCH_HITS)
            return [proofs.check(entry).intact() for entry in found]

    # Changing: bytes are read and checked first, then pinned, then the row is written.

    def publish(
        self, caller: Caller, name: str, cid: str, manifest_cid: str | None = None, sha256: str | None = None
    ) -> Entry:
        """Give `name` to what is stored under `cid`, if it is what its manifest says."""
        self._require_change(caller, name)
        if sha256 is not None and not _SHA256.fullmatch(sha256):
            raise RefusedError(Code.BAD_REQUEST, "sha256 is not 64 hex digits.")
        if sha256 is not None and manifest_cid is None:
            raise RefusedError(Code.BAD_REQUEST, "sha256 is the manifest's digest: give manifestCid, too.")
        if manifest_cid is None:
            data = self._pins.read_checked("cid", cid)
            manifests.check_embedded(data)
            return self._publish(name, cid=cid, data=data, app=True)
        if manifest_cid == cid:
            raise RefusedError(
                Code.BAD_MANIFEST, "manifestCid names the content itself, not a manifest of it."
            )
        manifest = self._pins.read_checked("manifestCid", manifest_cid)
        if len(manifest) > MAX_MANIFEST_BYTES:
            raise RefusedError(Code.BAD_MANIFEST, f"the manifest is larger than {MAX_MANIFEST_BYTES} bytes.")
        data = self._pins.read_checked("cid", cid)
        manifests.check_strict(manifest, digest=sha256, cid=cid, content=data)
        return self._publish(name, cid=cid, data=data, app=True, manifest_cid=manifest_cid, manifest=manifest)

    def install(self, caller: Caller, name: str) -> Entry:
        """Install `name`: its content is readable, is what was published, and is pinned."""
        self._require_change(caller, name)
        return self._install(self._known(name))

    def install_by_cid(self, caller: Caller, cid: str) -> Entry:
        """Install the app last published with `cid`, of those the caller may see."""
        check_cid("cid", cid)
        protected = caller.role is not None
        found = self._integrity.entry("cid", lambda: self._store.latest_app_with(cid, protected=protected))
        if found is None:
            raise RefusedError(Code.NOT_FOUND, "no app is published with this CID.")
        entry = found.intact()
        self._require_change(caller, entry.name)
        return self._install(entry)

    def uninstall(self, caller: Caller, name: str) -> None:
        """End the installation of `name`; it stays published, its content pinned."""
        self._require_change(caller, name)
        self._known(name)
        if not self._store.uninstall(name):
            raise RefusedError(Code.NOT_FOUND, "this app is not installed.")

    def unpublish(self, caller: Caller, name: str) -> None:
        """Remove `name`, and the pins that no other name needs; not there is fine."""
        self._require_change(caller, name)
        with self._store.changing_pins(), self._integrity.watching():
            entry = self._store.get(name)
            if entry is not None:
                self._pins.remove(proofs.check(entry).intact())

    def _require_change(self, caller: Caller, name: str) -> None:
        self._access.require_write(caller, name)
        check_name(name)

    def _known(self, name: str) -> Entry:
        found = self._integrity.entry("name", lambda: self._store.get(name))
        if found is None:
            raise RefusedError(Code.NOT_FOUND, "nothing is published under this name.")
        return found.intact()

    def _publish(
        self,
        name: str,
        *,
        cid: str,
        data: bytes,
        app: bool,
        manifest_cid: str | None = None,
        manifest: bytes | None = None,
    ) -> Entry:
        entry = proofs.entry_for(
            name,
            data,
            protected=is_protected(name),
            app=app,
            cid=cid,
            manifest_cid=manifest_cid,
            manifest=manifest,
        )
        with self._integrity.watching():
            proofs.check(entry).intact()
        # What the name named before stays pinned: others may rely on it.
        with self._store.changing_pins():
            self._pins.pin(entry)
            self._store.put(entry)
        self._pins.written()
        return entry

    def _install(self, entry: Entry) -> Entry:
        if hashlib.sha256(self._pins.read("cid", entry.cid)).hexdigest() != entry.sha256:
            raise RefusedError(Code.TAMPERED, "the content is not what was published under this name.")
        if (
            entry.manifest_cid is not None
            and self._pins.read("manifestCid", entry.manifest_cid) != entry.manifest
        ):
            raise RefusedError(Code.TAMPERED, "the manifest is not what was published under this name.")
        with self._store.changing_pins():
            self._pins.pin(entry)
            self._store.install(entry.name, entry.cid)
        return entry
