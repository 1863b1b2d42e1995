"""Content of a run in IPFS: added and read back, and changed by one bit."""

import hashlib

from hologram_dagster.e2e.manifests import flipped
from hologram_dagster.e2e.services import Services, require
from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.cids import matches


def add_checked(services: Services, data: bytes, name: str) -> str:
    """Add and pin `data`; its CID, once the node returns and pins what it should.

    What was added and then found wanting is unpinned again.

    Raises:
        StepFailed: it does not.
        ServiceError: the node could not be asked, or names it by a CID that its bytes have not.
    """
    cid = services.ipfs.add(data, name)
    try:
        require(
            services.ipfs.cat(cid, check=False) == data, f"{cid} reads back as other bytes than were added"
        )
        require(services.ipfs.is_pinned(cid), f"{cid} was added with pin=true and is not pinned")
    except BaseException:
        unpin_quietly(services, cid)
        raise
    return cid


def add_tampered(services: Services, data: bytes, name: str) -> str:
    """The CID of `data` with one bit flipped; added, seen, and unpinned again.

    Raises:
        ServiceError: the node could not be asked, or names it by another CID than its bytes
            have, such as that of `data`.
    """
    cid = services.ipfs.add(flipped(data), name)
    services.ipfs.pin_rm(cid)
    return cid


def read_unchanged(services: Services, cid: str, sha256: str) -> None:
    """Fetch `cid` anew: its bytes must be what the CID names, with the digest `sha256` (hex).

    Raises:
        StepFailed: they are others.
        ServiceError: the node could not be asked.
    """
    data = services.ipfs.cat(cid, check=False)
    seen = hashlib.sha256(data).hexdigest()
    require(seen == sha256, f"the bytes of {cid} have sha256 {seen} now, published were {sha256}")
    require(matches(cid, data), f"the bytes that the node gives for {cid} do not have that CID")


def unpin_quietly(services: Services, cid: str) -> None:
    """Unpin `cid` on the way out of a failure, which is what will be told."""
    try:
        services.ipfs.pin_rm(cid)
    except HologramError:
        return
