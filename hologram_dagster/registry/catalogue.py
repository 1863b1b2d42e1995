"""What the registry does: publish, resolve, install, remove. GraphQL calls it.

Joins the store (rows), IPFS (bytes), proofs and access rules. What does not belong
here: GraphQL and HTTP. Every method raises `RefusedError` for what it does not do.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager

from hologram_dagster.errors import FormatError, ServiceError
from hologram_dagster.ipfs import cids
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.registry import manifests, proofs
from hologram_dagster.registry.auth import Access, Caller
from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.names import check_name, fault_of, invisible_in, is_protected
from hologram_dagster.registry.store import Entry, Store

MAX_SEARCH_HITS = 100
MAX_MANIFEST_BYTES = 1 << 20
MAX_CID_LENGTH = 128
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


class Catalogue:
    """The names of one registry. Safe to use from several threads."""

    def __init__(self, store: Store, ipfs: IpfsClient, access: Access) -> None:
        self._store = store
        self._ipfs = ipfs
        self._access = access

    # Reading: the store alone, never IPFS.

    def resolve(self, caller: Caller, name: str) -> Entry | None:
        """What `name` names, None when nothing has that name."""
        self._access.require_read(caller, name)
        return None if fault_of(name) else self._store.get(name)

    def inverse_resolve(self, caller: Caller, encoding: str) -> Entry | None:
        """What has this encoding; None as well when the caller may not know of it."""
        if not proofs.is_encoding(encoding):
            return None
        entry = self._store.get_by_encoding(encoding)
        return entry if entry is not None and self._access.may_read(caller, entry.name) else None

    def verify_proof(self, caller: Caller, name: str, tampered_hash: str) -> bool:
        """Whether the chain of `name` holds and ends in this hash."""
        entry = self.resolve(caller, name)
        return entry is not None and proofs.verify(entry, tampered_hash)

    def search(self, caller: Caller, part: str) -> list[tuple[str, str]]:
        """Name and CID of the apps whose name holds `part`, newest first."""
        if invisible_in(part) is not None:
            return []
        protected = caller.role is not None
        return self._store.search(part, protected=protected, limit=MAX_SEARCH_HITS)

    # Changing: bytes are read and checked first, then pinned, then the row is written.

    def upsert_object(self, caller: Caller, name: str, content: str) -> Entry:
        """Store `content` in IPFS under `name`."""
        self._require_change(caller, name)
        try:
            data = content.encode()
        except UnicodeEncodeError:
            raise RefusedError(
                Code.BAD_REQUEST, "the content holds half a surrogate pair, no character."
            ) from None
        with _ipfs_errors():
            cid = self._ipfs.add(data)
        return self._publish(name, cid=cid, data=data, app=False)

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
            data = self._read_checked("cid", cid)
            manifests.check_embedded(data)
            return self._publish(name, cid=cid, data=data, app=True)
        if manifest_cid == cid:
            raise RefusedError(
                Code.BAD_MANIFEST, "manifestCid names the content itself, not a manifest of it."
            )
        manifest = self._read_checked("manifestCid", manifest_cid)
        if len(manifest) > MAX_MANIFEST_BYTES:
            raise RefusedError(Code.BAD_MANIFEST, f"the manifest is larger than {MAX_MANIFEST_BYTES} bytes.")
        data = self._read_checked("cid", cid)
        manifests.check_strict(manifest, digest=sha256, cid=cid, content=data)
        return self._publish(name, cid=cid, data=data, app=True, manifest_cid=manifest_cid, manifest=manifest)

    def install(self, caller: Caller, name: str) -> Entry:
        """Install `name`: its content is readable, is what was published, and is pinned."""
        self._require_change(caller, name)
        return self._install(self._known(name))

    def install_by_cid(self, caller: Caller, cid: str) -> Entry:
        """Install the app last published with `cid`, of those the caller may see."""
        _check_cid("cid", cid)
        entry = self._store.latest_app_with(cid, protected=caller.role is not None)
        if entry is None:
            raise RefusedError(Code.NOT_FOUND, "no app is published with this CID.")
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
        with self._store.changing_pins():
            entry = self._store.get(name)
            if entry is None:
                return
            # Unpin first: if that fails the name is still there, and removing it can be repeated.
            self._unpin(entry)
            self._store.remove(name)

    def _require_change(self, caller: Caller, name: str) -> None:
        self._access.require_write(caller, name)
        check_name(name)

    def _known(self, name: str) -> Entry:
        entry = self._store.get(name)
        if entry is None:
            raise RefusedError(Code.NOT_FOUND, "nothing is published under this name.")
        return entry

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
        # What the name named before stays pinned: others may rely on it.
        with self._store.changing_pins():
            self._pin(entry)
            self._store.put(entry)
        return entry

    def _install(self, entry: Entry) -> Entry:
        if hashlib.sha256(self._read("cid", entry.cid)).hexdigest() != entry.sha256:
            raise RefusedError(Code.TAMPERED, "the content is not what was published under this name.")
        if entry.manifest_cid is not None and self._read("manifestCid", entry.manifest_cid) != entry.manifest:
            raise RefusedError(Code.TAMPERED, "the manifest is not what was published under this name.")
        with self._store.changing_pins():
            self._pin(entry)
            self._store.install(entry.name, entry.cid)
        return entry

    def _read(self, argument: str, cid: str) -> bytes:
        _check_cid(argument, cid)
        with _ipfs_errors():
            return self._ipfs.cat(cid, check=False)

    def _read_checked(self, argument: str, cid: str) -> bytes:
        data = self._read(argument, cid)
        if not cids.matches(cid, data):
            raise RefusedError(
                Code.BAD_REQUEST,
                f"the bytes that the IPFS node gives for {argument} do not have this CID as a file that "
                "`ipfs add` made with its default options, so they cannot be checked.",
            )
        return data

    def _pin(self, entry: Entry) -> None:
        with _ipfs_errors():
            for cid in _cids_of(entry):
                self._ipfs.pin_add(cid)

    def _unpin(self, entry: Entry) -> None:
        with _ipfs_errors():
            for cid in _cids_of(entry):
                if not self._store.needs(cid, besides=entry.name) and self._ipfs.is_pinned(cid):
                    self._ipfs.pin_rm(cid)


def _cids_of(entry: Entry) -> set[str]:
    return {entry.cid} if entry.manifest_cid is None else {entry.cid, entry.manifest_cid}


def _check_cid(argument: str, cid: str) -> None:
    try:
        if len(cid) <= MAX_CID_LENGTH:
            cids.parse_cid(cid)
            return
    except FormatError:
        pass
    raise RefusedError(Code.BAD_REQUEST, f"{argument} is not a CID.")


@contextmanager
def _ipfs_errors() -> Iterator[None]:
    try:
        yield
    except ServiceError as error:
        raise RefusedError(Code.IPFS_UNAVAILABLE, f"{error}.") from error
