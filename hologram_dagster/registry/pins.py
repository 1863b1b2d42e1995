"""The registry's bytes in IPFS: read and checked, added, pinned while a name needs them."""

from collections.abc import Iterator
from contextlib import contextmanager

from hologram_dagster.errors import FormatError, ServiceError
from hologram_dagster.ipfs import cids
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.replicas import Replicas
from hologram_dagster.registry.store import Entry, Store

MAX_CID_LENGTH = 128


def check_cid(argument: str, cid: str) -> None:
    """Refuse what is no CID; `argument` names it.

    Raises:
        RefusedError: BAD_REQUEST.
    """
    try:
        if len(cid) <= MAX_CID_LENGTH:
            cids.parse_cid(cid)
            return
    except FormatError:
        pass
    raise RefusedError(Code.BAD_REQUEST, f"{argument} is not a CID.")


class Pins:
    """Every method raises `RefusedError` (IPFS_UNAVAILABLE) if the node fails."""

    def __init__(self, store: Store, ipfs: IpfsClient, replicas: Replicas) -> None:
        self._store = store
        self._ipfs = ipfs
        self._replicas = replicas

    def add(self, data: bytes) -> str:
        """Add and pin `data`; its CID."""
        with _ipfs_errors():
            return self._ipfs.add(data)

    def read(self, argument: str, cid: str) -> bytes:
        """What the node gives for `cid`, unchecked."""
        check_cid(argument, cid)
        with _ipfs_errors():
            return self._ipfs.cat(cid, check=False)

    def read_checked(self, argument: str, cid: str) -> bytes:
        """The bytes that `cid` names.

        Raises:
            RefusedError: BAD_REQUEST, it was made in a way that cannot be checked.
        """
        data = self.read(argument, cid)
        if not cids.matches(cid, data):
            raise RefusedError(
                Code.BAD_REQUEST,
                f"the bytes that the IPFS node gives for {argument} do not have this CID as a file that "
                "`ipfs add` made with its default options, so they cannot be checked.",
            )
        return data

    def pin(self, entry: Entry) -> None:
        """Pin what `entry` names."""
        with _ipfs_errors():
            for cid in _cids_of(entry):
                self._ipfs.pin_add(cid)

    def remove(self, entry: Entry) -> None:
        """Remove the name of `entry`, and the pins that no other name needs."""
        # Unpin first: if that fails the name is still there, and removing it can be repeated.
        unpinned = []
        with _ipfs_errors():
            for cid in _cids_of(entry):
                if not self._store.needs(cid, besides=entry.name) and self._ipfs.is_pinned(cid):
                    self._ipfs.pin_rm(cid)
                    unpinned.append(cid)
        self._store.remove(entry.name)
        self._replicas.dropped(unpinned)

    def written(self) -> None:
        """Have the other nodes pin what was just written."""
        self._replicas.changed()


def _cids_of(entry: Entry) -> set[str]:
    return {entry.cid} if entry.manifest_cid is None else {entry.cid, entry.manifest_cid}


@contextmanager
def _ipfs_errors() -> Iterator[None]:
    try:
        yield
    except ServiceError as error:
        raise RefusedError(Code.IPFS_UNAVAILABLE, f"{error}.") from error
