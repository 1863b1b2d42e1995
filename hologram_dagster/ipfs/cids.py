"""Content identifiers, computed and compared without asking any node.

What belongs here: CIDs of bytes as Kubo's `add` makes them. What does not: reading
blocks (see `blocks`) and talking to nodes (see `client`).
"""

from functools import lru_cache

from aleph_cid import CidHasher, compute_cid
from multiformats import CID

from hologram_dagster.errors import FormatError


def cid_of(data: bytes) -> str:
    """The CIDv0 of `data` under Kubo's defaults: 256 KiB chunks, dag-pb leaves, balanced."""
    return str(compute_cid(data))


def cid_v1_of(data: bytes) -> str:
    """The CIDv1 of `data` as Kubo's `add --cid-version=1` makes it: raw leaves, base32."""
    hasher = CidHasher.for_ipfs_v1_raw_leaves()
    hasher.update(data)
    return str(hasher.finalize())


@lru_cache(2**16)
def parse_cid(text: str) -> CID:
    """Read a CID in any base.

    Raises:
        FormatError: `text` is not a CID.
    """
    try:
        return CID.decode(text)
    except (ValueError, LookupError) as error:
        raise FormatError(f"{text!r} is not a CID: {error}") from None


def cid_text(binary: bytes) -> str:
    """A binary CID as text: base58 for version 0, base32 for version 1."""
    cid = CID.decode(binary)
    return str(cid if cid.version == 0 else cid.set(base="base32"))


def matches(cid: str, data: bytes) -> bool:
    """Whether `data` is the content of `cid`, in whichever base and version it is written.

    Knows the two layouts of Kubo's `add`: that of `cid_of` and that of `cid_v1_of`. Content
    imported with other options (another chunker, a directory) does not match.
    """
    try:
        wanted = parse_cid(cid)
    except FormatError:
        return False
    candidates = [cid_of(data), cid_v1_of(data)] if wanted.version == 1 else [cid_of(data)]
    return any(
        wanted.codec == made.codec and wanted.digest == made.digest for made in map(CID.decode, candidates)
    )
